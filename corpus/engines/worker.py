"""The worker's side of the local engine: reads jobs from a socket, runs them, sends what became of them.

Frames in both directions: 8 bytes of length (little-endian), then a pickle. Driver to worker:
``(number, function, argument)``. Worker to driver, `kind` first:

- ``("start", number)``, when the function has been imported; ``("beat", number, units)``;
- ``("compiled", number, seconds)``: of the job's time, what compiling kernels took;
- ``("done", number, result)``;
- ``("corpus_error", number, error)``: the same input gives the same error, a second try is useless;
- ``("failed", number, reason, final, traceback)``: anything else; `final` when a second try is useless.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.errors import CorpusError
from corpus.kernels import compiling
from corpus.pii.hide import hidden

HEADER = struct.Struct("<Q")
BEAT_SECONDS = 0.1
PR_SET_PDEATHSIG = 1


def main(descriptor: int, driver: int) -> None:
    """Serve jobs from the socket `descriptor` until the driver (process id `driver`) closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(driver)
    channel = Channel(socket.socket(fileno=descriptor))
    while (message := channel.receive()) is not None:
        run(channel, *pickle.loads(message))


def die_with(driver: int) -> None:
    """Let the kernel kill this process when its parent ends (Linux; elsewhere the guard does it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != driver:
        os._exit(1)


class Channel:
    """Whole frames over a blocking socket; `send` may be called from any thread of this one process."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.lock = threading.Lock()
        self.pid = os.getpid()

    def send(self, *message: Any) -> None:
        """Pickle and send; raises what pickling raises before a byte has been sent."""
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        if os.getpid() != self.pid:
            # A process that the job forked must not speak in the worker's name.
            return
        with self.lock:
            self.sock.sendall(HEADER.pack(len(body)))
            self.sock.sendall(body)

    def receive(self) -> bytes | None:
        """The next frame, or None at the end."""
        header = self._exactly(HEADER.size)
        return None if header is None else self._exactly(HEADER.unpack(header)[0])

    def _exactly(self, size: int) -> bytes | None:
        data = bytearray()
        while len(data) < size:
            part = self.sock.recv(min(size - len(data), 1 << 20))
            if not part:
                return None
            data += part
        return bytes(data)


class Beat:
    """Progress and sign of life; sends at most one message each `BEAT_SECONDS`."""

    def __init__(self, channel: Channel, number: int) -> None:
        self.channel = channel
        self.number = number
        self.units = 0
        self.sent = 0.0

    def __call__(self, units: int = 1) -> None:
        self.units += units
        now = time.monotonic()
        if now - self.sent >= BEAT_SECONDS:
            self.sent = now
            self.flush()

    def flush(self) -> None:
        """Send what has been counted and not sent."""
        units, self.units = self.units, 0
        self.channel.send("beat", self.number, units)


def run(channel: Channel, number: int, function: str, argument: bytes) -> None:
    """Run one job and send what became of it."""
    beat = Beat(channel, number)
    result: Any = None
    try:
        call = resolve(function)
        channel.send("start", number)
        result = call(pickle.loads(argument), beat)
    except CorpusError as error:
        send_corpus_error(channel, number, error)
        return
    except BaseException as error:
        leave_fork(channel)
        full = no_space(error)
        if full is not None:
            send_corpus_error(channel, number, full)
        else:
            channel.send("failed", number, describe(error), False, hidden(traceback.format_exc()))
        return
    leave_fork(channel)
    if beat.units:
        beat.flush()
    if seconds := compiling.take():
        channel.send("compiled", number, seconds)
    try:
        channel.send("done", number, result)
    except OSError:
        # The pipe itself is broken: nothing more can be said on it.
        os._exit(1)
    except BaseException as error:
        reason = f"its result cannot be pickled: {describe(error)}"
        channel.send("failed", number, reason, True, hidden(traceback.format_exc()))


def leave_fork(channel: Channel) -> None:
    """End a process that the job forked and that came back from its function as if it were the worker."""
    if os.getpid() != channel.pid:
        os._exit(1)


def resolve(function: str) -> Callable[[Any, Beat], Any]:
    """The callable behind `package.module:function`."""
    module, _, name = function.partition(":")
    target: Any = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    return target


def send_corpus_error(channel: Channel, number: int, error: CorpusError) -> None:
    """Send the error itself, or one of the base class when it does not survive pickling."""
    leave_fork(channel)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = CorpusError(str(error))
    channel.send("corpus_error", number, error)


def no_space(error: BaseException) -> CorpusError | None:
    """The line for a full disk, when that is what lies behind `error`."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            where = seen.filename if seen.filename is not None else f"({one_line(str(seen))})"
            what = "no space left on device" if seen.errno == errno.ENOSPC else "disk quota exceeded"
            return CorpusError(f"{what}: {where}: make room there, then run the same command again")
        seen = seen.__cause__ or seen.__context__
    return None


def describe(error: BaseException) -> str:
    """One line: type, message (which may quote a document: personal data is hidden) and where it was raised."""
    if isinstance(error, MemoryError):
        return "out of memory (MemoryError)"
    if isinstance(error, SystemExit):
        return f"called sys.exit({error.code!r})"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return one_line(hidden(f"{type(error).__name__}: {error}")) + place


def one_line(text: str, limit: int = 300) -> str:
    """`text` with white space collapsed, cut at `limit` characters."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
