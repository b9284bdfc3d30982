"""Processes on this machine, watched: a worker that dies, hangs or eats memory is seen within a second.

Workers are fresh interpreters (never forks of the driver), kept warm over jobs and over calls of `map`.
Each one leads a process group of its own, so that it can be killed with all that it started. All reading
and writing in the driver is non-blocking: a worker that stops in the middle of sending its result cannot
stop the driver. `multiprocessing` is not used: its children run the driver's main module again, hold on to
the descriptors that should tell of their end, and are read from by blocking calls.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from corpus.engines import Job
from corpus.engines.worker import HEADER, describe
from corpus.errors import CorpusError, TaskError

WAYS_OUT = {
    "passed its memory limit": " (raise it with --memory)",
    "no sign of life": " (raise --hang if it is merely slow)",
}
TICK_SECONDS = 0.2
MEMORY_TICK_SECONDS = 0.4
CLOSE_SECONDS = 2.0
# Parallelism comes from the workers: a thread pool in each one would only make them fight for the cores.
THREADS = (
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass
class Task:
    """A job of one `map` call and what has become of it so far."""

    number: int
    job: Job
    argument: bytes
    tries: int = 0
    reason: str = ""
    error: CorpusError | None = None
    traceback: str = ""


class Worker:
    """One worker process and the driver's end of its socket."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.setblocking(False)
        call = f"main({theirs.fileno()}, {os.getpid()})"
        code = f"import sys; sys.path[:] = {sys.path!r}; from corpus.engines.worker import main; {call}"
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=[theirs.fileno()],
                process_group=0,
                env=os.environ | dict.fromkeys(THREADS, "1"),
            )
        self.pid = self.process.pid
        self.task: Task | None = None
        self.heard = time.monotonic()
        self.incoming = bytearray()
        self.outgoing = memoryview(b"")
        self.ended = False

    def give(self, task: Task) -> None:
        """Begin to send a job; `flush` sends the rest."""
        body = pickle.dumps((task.number, task.job.function, task.argument), protocol=pickle.HIGHEST_PROTOCOL)
        self.outgoing = memoryview(HEADER.pack(len(body)) + body)
        self.task = task
        self.heard = time.monotonic()
        self.flush()

    def flush(self) -> None:
        """Send as much as goes without waiting."""
        try:
            while self.outgoing:
                self.outgoing = self.outgoing[self.sock.send(self.outgoing) :]
        except BlockingIOError:
            return
        except OSError:
            # The worker is gone; the reading side says so too, and knows more.
            self.outgoing = memoryview(b"")

    def messages(self) -> list[bytes]:
        """The whole frames that have come; sets `ended` when there will be no more."""
        try:
            while part := self.sock.recv(1 << 20):
                self.incoming += part
            self.ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        frames = []
        while len(self.incoming) >= HEADER.size:
            end = HEADER.size + HEADER.unpack_from(self.incoming)[0]
            if len(self.incoming) < end:
                break
            frames.append(bytes(self.incoming[HEADER.size : end]))
            del self.incoming[:end]
        return frames

    def kill(self) -> None:
        """End the process, its group and all other descendants, now."""
        descendants: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            descendants = psutil.Process(self.pid).children(recursive=True)
        # The group outlives its leader, so this also reaches the children of a worker that is gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in descendants:
            with contextlib.suppress(psutil.Error):
                process.kill()
        # A process in an uninterruptible system call dies later; nothing is gained by waiting for it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=CLOSE_SECONDS)
        self.sock.close()


@dataclass
class LocalEngine:
    """`workers` processes; see `Engine.map` for what it does.

    A job that raises, exits, is killed, passes `memory_mb` (MB resident in the worker and its children; 0: no limit)
    or shows no life for `hang_seconds` is tried `tries` times in all, each time in a fresh worker. Use one
    engine from one thread: the kernel ends the workers when the thread that started them ends.
    """

    workers: int
    memory_mb: int = 4096
    hang_seconds: float = 600
    tries: int = 3
    _pool: list[Worker] = field(default_factory=list, init=False, repr=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)
    _compiled: dict[int, float] = field(default_factory=dict, init=False, repr=False)
    _guard: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def compiling_seconds(self) -> float:
        """See `Engine`; workers compile side by side, so it is the slowest one's."""
        return max(self._compiled.values(), default=0.0)

    def map(
        self,
        jobs: Sequence[Job],
        on_done: Callable[[Job, Any], None],
        on_progress: Callable[[Job, int], None] | None = None,
    ) -> None:
        """Run every job; see `Engine.map`. An exception in a callback ends all workers at once."""
        # Numbers go on over calls, so that a late message cannot be taken for one of this call.
        waiting = deque(
            Task(next(self._numbers), job, pickle.dumps(job.argument, protocol=pickle.HIGHEST_PROTOCOL)) for job in jobs
        )
        failed: list[Task] = []
        weighed = time.monotonic()
        self._compiled.clear()
        try:
            while waiting or any(worker.task for worker in self._pool):
                self._hand_out(waiting)
                heard = self._wait()
                for worker in heard:
                    self._hear(worker, waiting, failed, on_done, on_progress)
                now = time.monotonic()
                for worker in [worker for worker in self._pool if worker.task]:
                    if worker.process.poll() is not None and worker not in heard:
                        # Its socket stays open when a child that it forked holds it: read what is left.
                        self._hear(worker, waiting, failed, on_done, on_progress)
                        if worker.task:
                            self._lose(worker, ended(worker.process.returncode), waiting, failed)
                    elif now - worker.heard > self.hang_seconds:
                        self._lose(worker, f"no sign of life for {self.hang_seconds:g} s", waiting, failed)
                if now - weighed >= MEMORY_TICK_SECONDS:
                    weighed = now
                    self._weigh(waiting, failed)
        except BaseException:
            self._kill_all()
            raise
        raise_failures(failed)

    def close(self) -> None:
        """End all workers: those at rest leave by themselves, the others are killed."""
        deadline = time.monotonic() + CLOSE_SECONDS
        for worker in self._pool:
            with contextlib.suppress(OSError):
                worker.sock.shutdown(socket.SHUT_RDWR)
        for worker in self._pool:
            with contextlib.suppress(subprocess.TimeoutExpired):
                if worker.task is None:
                    worker.process.wait(timeout=max(0.0, deadline - time.monotonic()))
        self._kill_all()

    def _kill_all(self) -> None:
        for worker in self._pool:
            worker.kill()
        self._pool.clear()
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def _tell_guard(self, line: str) -> None:
        if self._guard is None:
            script = str(Path(__file__).with_name("guard.py"))
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.write(line.encode())
            self._guard.stdin.flush()

    def _hand_out(self, waiting: deque[Task]) -> None:
        """Give each free worker a job; start workers while there are jobs for them."""
        for worker in [worker for worker in self._pool if worker.task is None]:
            if worker.ended or worker.process.poll() is not None:
                self._drop(worker)
        free = [worker for worker in self._pool if worker.task is None]
        while waiting and (free or len(self._pool) < self.workers):
            worker = free.pop() if free else self._start()
            task = waiting.popleft()
            task.tries += 1
            worker.give(task)

    def _start(self) -> Worker:
        worker = Worker()
        self._pool.append(worker)
        # Before it gets a job, so that there is no moment in which its children could be orphans.
        self._tell_guard(f"+{worker.pid}\n")
        return worker

    def _drop(self, worker: Worker) -> None:
        worker.kill()
        self._pool.remove(worker)
        self._tell_guard(f"-{worker.pid}\n")

    def _wait(self) -> list[Worker]:
        """Wait a tick at most; the workers that have something to say, in the pool's order."""
        with selectors.DefaultSelector() as selector:
            for worker in self._pool:
                if not worker.ended:
                    write = selectors.EVENT_WRITE if worker.outgoing else 0
                    selector.register(worker.sock, selectors.EVENT_READ | write, worker)
            ready = {key.data.pid: events for key, events in selector.select(TICK_SECONDS)}
        for worker in self._pool:
            if ready.get(worker.pid, 0) & selectors.EVENT_WRITE:
                worker.flush()
        return [worker for worker in self._pool if ready.get(worker.pid, 0) & selectors.EVENT_READ]

    def _hear(
        self,
        worker: Worker,
        waiting: deque[Task],
        failed: list[Task],
        on_done: Callable[[Job, Any], None],
        on_progress: Callable[[Job, int], None] | None,
    ) -> None:
        """Act on all that a worker has sent."""
        for frame in worker.messages():
            task = worker.task
            try:
                kind, number, *rest = pickle.loads(frame)
            except Exception as error:
                reason = f"sent what cannot be unpickled: {describe(error)}"
                if task is not None:
                    self._lose(worker, reason, waiting, failed, final=True)
                else:
                    self._drop(worker)
                return
            if task is None or number != task.number:
                # A thread that outlived its job still beats.
                continue
            worker.heard = time.monotonic()
            if kind == "beat" and on_progress is not None:
                on_progress(task.job, rest[0])
            elif kind == "compiled":
                self._compiled[worker.pid] = self._compiled.get(worker.pid, 0.0) + rest[0]
            elif kind == "done":
                worker.task = None
                on_done(task.job, rest[0])
            elif kind == "corpus_error":
                worker.task = None
                task.error = rest[0]
                failed.append(task)
            elif kind == "failed":
                reason, final, task.traceback = rest
                self._lose(worker, reason, waiting, failed, final)
                return
        if worker.ended and worker.task is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                # The socket closes a moment before the process can be waited for.
                worker.process.wait(timeout=TICK_SECONDS)
            code = worker.process.returncode
            reason = "closed its connection to the driver" if code is None else ended(code)
            self._lose(worker, reason, waiting, failed)

    def _weigh(self, waiting: deque[Task], failed: list[Task]) -> None:
        """Fail the jobs of the workers that hold too much memory."""
        busy = [worker for worker in self._pool if worker.task is not None]
        sizes = resident_mb([worker.pid for worker in busy])
        for worker, size in zip(busy, sizes, strict=True):
            if self.memory_mb and size > self.memory_mb:
                reason = f"passed its memory limit ({size:.0f} MB of {self.memory_mb} MB)"
                self._lose(worker, reason, waiting, failed)

    def _lose(self, worker: Worker, reason: str, waiting: deque[Task], failed: list[Task], final: bool = False) -> None:
        """Kill a worker; its job goes to the end of the queue, or is given up."""
        task = worker.task
        assert task is not None
        worker.task = None
        self._drop(worker)
        task.reason = reason
        if final or task.tries >= self.tries:
            failed.append(task)
        else:
            waiting.append(task)


def ended(code: int) -> str:
    """How a process ended, in words, from `Popen.returncode`."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"killed by signal {-code}"
    return f"killed by signal {-code} ({name})"


def resident_mb(roots: Iterable[int]) -> list[float]:
    """Resident memory (MB) of each process in `roots` with all its descendants, from one look around."""
    children: dict[int, list[psutil.Process]] = {}
    processes: dict[int, psutil.Process] = {}
    for process in psutil.process_iter(["ppid"]):
        children.setdefault(process.info["ppid"], []).append(process)
        processes[process.pid] = process
    sizes = []
    for root in roots:
        total = 0
        stack = [processes[root]] if root in processes else []
        while stack:
            process = stack.pop()
            stack.extend(children.get(process.pid, []))
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        sizes.append(total / 2**20)
    return sizes


def raise_failures(failed: list[Task]) -> None:
    """Nothing when there are none; see `Engine.map`."""
    if not failed:
        return
    failed.sort(key=lambda task: task.number)
    errors = [task.error for task in failed if task.error is not None]
    if len(errors) == len(failed):
        # One line each: ten unreadable files are ten things to mend.
        raise type(errors[0])("\n".join(dict.fromkeys(str(error) for error in errors)))
    named = []
    for task in failed:
        tries = f"{task.tries} {'try' if task.tries == 1 else 'tries'}"
        hint = next((way for sign, way in WAYS_OUT.items() if sign in task.reason), "")
        named.append(f"{task.job.name}: {task.error or task.reason}, {tries}{hint}")
    failure = TaskError("; ".join(named))
    for task in failed:
        if task.traceback:
            failure.add_note(f"{task.job.name}:\n{task.traceback}")
    raise failure
