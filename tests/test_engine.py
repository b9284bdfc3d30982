"""The local engine: each way in which a worker can fail ends in a named failure, never in a hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from corpus.engines import Job
from corpus.engines.local import LocalEngine
from corpus.errors import CorpusError, InputError, TaskError

JOBS = """
import atexit, ctypes, errno, os, signal, subprocess, sys, threading, time
from pathlib import Path
from corpus.errors import InputError

def double(number, beat):
    print("noise on standard output")
    beat(number)
    return 2 * number

def big(size, beat):
    return b"x" * size

def raises(folder, beat):
    with open(folder / "tries", "a") as file:
        file.write("x")
    raise ValueError("two\\nlines")

def second_try(folder, beat):
    mark = folder / "mark"
    if not mark.exists():
        mark.touch()
        os._exit(3)
    return "done"

def corpus_error(folder, beat):
    with open(folder / "tries", "a") as file:
        file.write("x")
    raise InputError("no such file: a")

class Odd(InputError):
    def __init__(self, a, b):
        super().__init__(f"{a} {b}")

def odd_error(argument, beat):
    raise Odd("cannot be", "pickled")

def full(path, beat):
    raise OSError(errno.ENOSPC, "No space left on device", path)

def exits(code, beat):
    os._exit(code)

def system_exit(code, beat):
    sys.exit(code)

def segfault(argument, beat):
    ctypes.string_at(0)

def killed(number, beat):
    os.kill(os.getpid(), number)

def hangs(argument, beat):
    time.sleep(600)

def holds_the_gil(argument, beat):
    ctypes.PyDLL(None).sleep(600)

def slow_but_alive(seconds, beat):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)
        beat()
    return "alive"

def memory(mb, beat):
    held = []
    while True:  # It beats, so that it is its memory that is seen, however slow the machine.
        beat(0)
        held.append(b"x" * (mb << 17))
        time.sleep(0.05)

def memory_of_child(mb, beat):
    subprocess.Popen([sys.executable, "-c", f"held = b'x' * ({mb} << 20); import time; time.sleep(600)"])
    while True:
        beat(0)
        time.sleep(0.05)

def memory_error(argument, beat):
    raise MemoryError

def unpicklable(argument, beat):
    return lambda: None

class Trap:
    def __reduce__(self):
        return (int, ("not a number",))

def bad_unpickle(argument, beat):
    return Trap()

def closes_its_pipe(argument, beat):
    os.closerange(3, 256)
    return "nobody hears this"

def closes_and_stays(argument, beat):
    os.closerange(3, 256)
    time.sleep(600)

def garbage(argument, beat):
    beat.channel.sock.sendall((5).to_bytes(8, "little") + b"hello")
    time.sleep(600)

def dies_while_sending(argument, beat):
    threading.Timer(0.3, lambda: os._exit(9)).start()
    beat.channel.sock.sendall((1 << 30).to_bytes(8, "little") + b"x" * 100_000)
    time.sleep(600)

def leaves_work_to_the_end(folder, beat):
    global log  # a module's log that nobody closes
    log = open(folder / "buffered", "w")
    log.write("not flushed")
    atexit.register((folder / "atexit").write_text, "called")
    threading.Thread(target=lambda: (time.sleep(0.3), (folder / "thread").write_text("joined"))).start()

def forked_child_survives(path, beat):
    if os.fork() == 0:
        time.sleep(600)
        os._exit(0)
    os._exit(5)

def forked_child_returns(argument, beat):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return "parent" if child else "child"

def leaves_a_child(path, beat):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    path.write_text(str(child.pid))
    return child.pid

def writes_with_child(folder, beat):
    code = "import sys, time\\nwhile True:\\n    open(sys.argv[1], 'a').write('x'); time.sleep(0.01)"
    child = subprocess.Popen([sys.executable, "-c", code, str(folder / "child-writes")])
    (folder / f"pids-{os.getpid()}").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)

def environment(argument, beat):
    return {name: os.environ.get(name) for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")}, os.getpid()

def echo(argument, beat):
    return len(argument)
"""


@pytest.fixture(autouse=True)
def jobs_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "engine_jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(str(folder))


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    with LocalEngine(workers=2, memory_mb=400, hang_seconds=2, tries=2) as engine:
        yield engine


def job(function: str, argument: Any = None, name: str = "") -> Job:
    return Job(f"engine_jobs:{function}", name or function, argument)


def outcome(engine: LocalEngine, *jobs: Job) -> tuple[dict[str, Any], str]:
    """The results by name and the message of the error that `map` raised."""
    results: dict[str, Any] = {}
    message = ""
    try:
        engine.map(jobs, lambda job, result: results.__setitem__(job.name, result))
    except TaskError as error:
        message = str(error)
    return results, message


def gone(pid: int, seconds: float = 3.0) -> bool:
    """Whether the process ends (or is a zombie) within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_all_jobs_are_done_and_progress_adds_up(workers: int, capfd: pytest.CaptureFixture[str]) -> None:
    results: dict[str, int] = {}
    progress: dict[str, int] = {}
    with LocalEngine(workers=workers) as engine:
        engine.map(
            [job("double", number, f"job {number}") for number in range(20)],
            lambda job, result: results.__setitem__(job.name, result),
            lambda job, units: progress.__setitem__(job.name, progress.get(job.name, 0) + units),
        )
    assert results == {f"job {number}": 2 * number for number in range(20)}
    assert sum(progress.values()) == sum(range(20))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("noise on standard output") == 20


def test_workers_stay_warm_and_have_one_thread(engine: LocalEngine) -> None:
    first, _ = outcome(engine, job("environment"))
    second, _ = outcome(engine, job("environment"))
    environment, pid = first["environment"]
    assert environment == {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    assert second["environment"][1] == pid
    assert pid != os.getpid()


def test_large_arguments_and_results_pass(engine: LocalEngine) -> None:
    size = 20_000_000
    results, message = outcome(engine, job("big", size), job("echo", b"y" * size))
    assert message == ""
    assert len(results["big"]) == size
    assert results["echo"] == size


@pytest.mark.parametrize(
    ("function", "argument", "reason"),
    [
        ("exits", 7, "exited with status 7, 2 tries"),
        ("exits", 0, "exited with status 0, 2 tries"),
        ("system_exit", 4, "called sys.exit(4), 2 tries"),
        ("segfault", None, "killed by signal 11 (SIGSEGV), 2 tries"),
        ("killed", signal.SIGKILL, "killed by signal 9 (SIGKILL), 2 tries"),
        ("hangs", None, "no sign of life for 2 s, 2 tries"),
        ("holds_the_gil", None, "no sign of life for 2 s, 2 tries"),
        ("killed", signal.SIGSTOP, "no sign of life for 2 s, 2 tries"),
        ("memory", 500, "passed its memory limit"),
        ("memory_of_child", 500, "passed its memory limit"),
        ("memory_error", None, "out of memory (MemoryError), 2 tries"),
        ("unpicklable", None, "its result cannot be pickled"),
        ("bad_unpickle", None, "sent what cannot be unpickled"),
        ("closes_its_pipe", None, "exited with status 1, 2 tries"),
        ("closes_and_stays", None, "closed its connection to the driver, 2 tries"),
        ("garbage", None, "sent what cannot be unpickled"),
        ("dies_while_sending", None, "exited with status 9, 2 tries"),
        ("forked_child_survives", None, "exited with status 5, 2 tries"),
        ("nonsense", None, "AttributeError: module 'engine_jobs' has no attribute 'nonsense'"),
    ],
)
def test_a_failing_job_is_named_and_the_others_are_done(
    engine: LocalEngine, function: str, argument: Any, reason: str
) -> None:
    others = [job("double", number, f"good {number}") for number in range(3)]
    results, message = outcome(engine, job(function, argument, "bad job"), *others)
    assert message.startswith("bad job: ")
    assert reason in message
    assert "\n" not in message
    assert results == {f"good {number}": 2 * number for number in range(3)}


def test_an_exception_is_tried_again_and_named_in_one_line(engine: LocalEngine, tmp_path: Path) -> None:
    with pytest.raises(TaskError) as caught:
        engine.map([job("raises", tmp_path, "extract pages-00001")], lambda job, result: None)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("extract pages-00001: ValueError: two lines (engine_jobs.py:")
    assert str(caught.value).endswith(", 2 tries")
    assert "Traceback" in caught.value.__notes__[0]
    assert (tmp_path / "tries").read_text() == "xx"


def test_a_second_try_in_a_fresh_worker_can_succeed(engine: LocalEngine, tmp_path: Path) -> None:
    assert outcome(engine, job("second_try", tmp_path)) == ({"second_try": "done"}, "")


def test_all_failed_jobs_are_named_in_order(engine: LocalEngine) -> None:
    _, message = outcome(engine, job("exits", 1, "a"), job("double", 1, "b"), job("exits", 2, "c"))
    assert message == "a: exited with status 1, 2 tries; c: exited with status 2, 2 tries"


def test_a_corpus_error_is_raised_as_it_is_without_a_second_try(engine: LocalEngine, tmp_path: Path) -> None:
    results: dict[str, Any] = {}
    jobs = [job("corpus_error", tmp_path), job("double", 4)]
    with pytest.raises(InputError, match=r"^no such file: a$"):
        engine.map(jobs, lambda job, result: results.__setitem__(job.name, result))
    assert (tmp_path / "tries").read_text() == "x"
    assert results == {"double": 8}


def test_a_corpus_error_that_cannot_be_pickled_keeps_its_message(engine: LocalEngine) -> None:
    with pytest.raises(CorpusError, match=r"^cannot be pickled$"):
        engine.map([job("odd_error")], lambda job, result: None)


def test_a_full_disk_is_said_with_its_path(engine: LocalEngine) -> None:
    with pytest.raises(CorpusError, match=r"no space left on device: /data/out\.parquet: make room") as caught:
        engine.map([job("full", "/data/out.parquet")], lambda job, result: None)
    assert "\n" not in str(caught.value)


def test_a_beating_job_is_not_hanging(engine: LocalEngine) -> None:
    assert outcome(engine, job("slow_but_alive", 3)) == ({"slow_but_alive": "alive"}, "")


def test_a_fork_that_comes_back_does_not_speak_for_the_worker(engine: LocalEngine) -> None:
    jobs = [job("forked_child_returns", None, f"fork {number}") for number in range(3)]
    assert outcome(engine, *jobs) == ({f"fork {number}": "parent" for number in range(3)}, "")


def test_a_surviving_child_does_not_block_and_ends_with_the_engine(tmp_path: Path) -> None:
    with LocalEngine(workers=1) as engine:
        results, _ = outcome(engine, job("leaves_a_child", tmp_path / "pid"), job("double", 1))
        assert results["double"] == 2
        child = results["leaves_a_child"]
        assert psutil.pid_exists(child)
    assert gone(child)


def test_an_exception_in_a_callback_ends_the_workers(tmp_path: Path) -> None:
    def stop(job: Job, result: Any) -> None:
        raise KeyboardInterrupt

    with LocalEngine(workers=2) as engine:
        jobs = [job("writes_with_child", tmp_path), job("slow_but_alive", 0.5)]
        with pytest.raises(KeyboardInterrupt):
            engine.map(jobs, stop)
        assert engine._pool == []
    assert all(gone(pid) for pid in pids_in(tmp_path))


def test_an_idle_worker_that_was_killed_is_replaced(engine: LocalEngine) -> None:
    first, _ = outcome(engine, job("environment"))
    os.kill(first["environment"][1], signal.SIGKILL)
    assert gone(first["environment"][1])
    second, message = outcome(engine, job("environment"))
    assert message == ""
    assert second["environment"][1] != first["environment"][1]


DRIVER = """
import sys
sys.path[:0] = sys.argv[1:2]
from pathlib import Path
from corpus.engines import Job
from corpus.engines.local import LocalEngine
with LocalEngine(workers=2) as engine:
    jobs = [Job("engine_jobs:writes_with_child", str(n), Path(sys.argv[2])) for n in range(2)]
    engine.map(jobs, lambda job, result: None)
"""


def pids_in(folder: Path) -> list[int]:
    """Process ids of the workers in `folder` and of their children."""
    return [int(pid) for path in sorted(folder.glob("pids-*")) for pid in path.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_driver(tmp_path: Path, number: signal.Signals) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DRIVER), str(tmp_path / "modules"), str(tmp_path)],
        stderr=subprocess.DEVNULL,
        # In the background of a shell SIGINT is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 20
    writes = tmp_path / "child-writes"
    while (len(pids_in(tmp_path)) < 4 or not writes.exists()) and time.monotonic() < end:
        time.sleep(0.02)
    pids = pids_in(tmp_path)
    assert len(pids) == 4
    driver.send_signal(number)
    assert driver.wait(timeout=10) != 0
    assert all(gone(pid) for pid in pids)
    size = writes.stat().st_size
    time.sleep(0.1)
    assert writes.stat().st_size == size


def test_what_a_job_leaves_for_the_end_of_its_interpreter_is_done(tmp_path: Path) -> None:
    with LocalEngine(workers=1) as engine:
        outcome(engine, job("leaves_work_to_the_end", tmp_path))
    found = {name: (tmp_path / name).read_text() for name in ("buffered", "atexit", "thread")}
    assert found == {"buffered": "not flushed", "atexit": "called", "thread": "joined"}
