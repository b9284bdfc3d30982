"""The process behind the guard: a child that extracts pages, watched, and killed when a page takes too long."""

from __future__ import annotations

import json
import marshal
import mmap
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from corpus.errors import CorpusError
from corpus.extract.child import PROGRESS, REPLY, REQUEST, Answer
from corpus.extract.config import ExtractConfig
from corpus.kernels import compiling

_LOOK_SECONDS = 0.05
# Until the extractor is ready: what it compiles on its first use takes a minute on a busy machine.
_START_SECONDS = 300
# A page may wait for a processor this many times its limit, then the machine is beyond waiting for.
_PATIENCE = 10
_BOOT = "import sys, json; a = json.loads(sys.argv[1]); sys.path[:] = a.pop('path'); "
_BOOT += "from corpus.extract.child import main; main(**a)"

Request = tuple[bytes, str | None, str | None, str | None]
"""(content, media type, charset, URL)."""


class Fate(NamedTuple):
    """What ended a child: the outcome of its page, when that is to blame."""

    outcome: str
    threshold: float | None
    detail: str


class Child:
    """One child process and the pipes to it."""

    def __init__(self, config: ExtractConfig, extractor: str) -> None:
        self.served = 0
        self.busy = False
        self._seen = self._waited = self._late = 0
        self._buffer = bytearray()
        request_read, self._requests = os.pipe()
        self._replies, reply_write = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)
        progress = os.memfd_create("corpus-extract")
        os.ftruncate(progress, PROGRESS.size)
        self._progress = mmap.mmap(progress, PROGRESS.size)
        given = (request_read, reply_write, progress)
        arguments = {
            "path": [entry or str(os.getcwd()) for entry in sys.path],  # noqa: PTH109
            "extractor": extractor,
            "markdown": config.format == "markdown",
            "requests": request_read,
            "replies": reply_write,
            "progress": progress,
            "parent": os.getpid(),
            "memory": config.max_memory_mb << 20,
        }
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps(arguments)],
            pass_fds=given,
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
        )
        for descriptor in given:
            os.close(descriptor)
        end = time.monotonic() + _START_SECONDS
        while not (hello := self._receive(_LOOK_SECONDS)) and self._process.poll() is None:
            if time.monotonic() > end:
                break
        if not hello or hello[0][0] != "ready":
            self.kill()
            why = hello[0][1] if hello else "its process did not start"
            raise CorpusError(f"extractor {extractor} cannot be used: {why}; install it or choose another")
        compiling.add(hello[0][2][0])

    def run(self, requests: Sequence[Request], config: ExtractConfig) -> tuple[list[Answer], Fate | None]:
        """(answers to the first pages, what ended the child at the page behind them, or None after all pages)."""
        request = marshal.dumps(list(requests))
        self._progress[:] = PROGRESS.pack(-1, 0)
        answers: list[Answer] = []
        fate: Fate | None = None
        try:
            self._write(REQUEST.pack(len(request)))
            self._write(request)
        except BrokenPipeError:
            fate = self._died()
        looked = time.monotonic()
        while fate is None and len(answers) < len(requests):
            fresh = self._receive(_LOOK_SECONDS)
            answers += fresh
            now = time.monotonic()
            if any(answer[0] == "memory" for answer in fresh):
                fate = Fate("memory", config.max_memory_mb, "MB")
            elif now - looked >= _LOOK_SECONDS:
                looked = now
                fate = self._look(config)
        if fate is not None:
            self._process.kill()
            self._process.wait()
            answers += self._drain()
            # It may have gone on to the next page, or to none, between the look and the kill.
            index, started = PROGRESS.unpack(self._progress[:])
            self.busy = index == len(answers) and started != 0 and self._late in (0, started)
            # What came behind a page that found no memory may have suffered from it.
            full = next((i for i, answer in enumerate(answers) if answer[0] == "memory"), None)
            if full is not None:
                del answers[full:]
                fate, self.busy = Fate("memory", config.max_memory_mb, "MB"), True
        self.served += len(answers)
        return answers, fate

    def _look(self, config: ExtractConfig) -> Fate | None:
        """What is wrong with the child right now."""
        if self._process.poll() is not None:
            return self._died()
        started = PROGRESS.unpack(self._progress[:])[1]
        if not started:
            return None
        waited = self._wait_ns()
        if started != self._seen:
            self._seen, self._waited = started, waited
        seconds = (time.monotonic_ns() - started) / 1e9
        worked = seconds - (waited - self._waited) / 1e9
        if worked > config.timeout_seconds or seconds > _PATIENCE * config.timeout_seconds:
            self._late = started
            return Fate("timeout", config.timeout_seconds, "seconds")
        return None

    def _wait_ns(self) -> int:
        """Nanoseconds that the child's main thread has stood ready and had no processor; 0 where nobody counts."""
        try:
            return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[1])
        except (OSError, IndexError):
            return 0

    def _died(self) -> Fate:
        code = self._process.wait()
        return Fate("crash", None, f"killed by signal {-code}" if code < 0 else f"exit status {code}")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._requests, view) :]

    def _receive(self, seconds: float) -> list[Answer]:
        """Answers that are there within `seconds`."""
        if not self._poll.poll(seconds * 1000):
            return []
        data = os.read(self._replies, 1 << 20)
        if not data:
            time.sleep(_LOOK_SECONDS / 10)
        self._buffer += data
        return self._complete()

    def _drain(self) -> list[Answer]:
        """What a dead child had answered before."""
        while data := os.read(self._replies, 1 << 20):
            self._buffer += data
        return self._complete()

    def _complete(self) -> list[Answer]:
        answers, at = [], 0
        while len(self._buffer) - at >= REPLY.size:
            end = at + REPLY.size + REPLY.unpack_from(self._buffer, at)[0]
            if end > len(self._buffer):
                break
            answers.append(marshal.loads(memoryview(self._buffer)[at + REPLY.size : end]))
            at = end
        del self._buffer[:at]
        return answers

    def kill(self) -> None:
        """Kill the process, wait for it, close every descriptor."""
        self._process.kill()
        self._process.wait()
        os.close(self._requests)
        os.close(self._replies)
        self._progress.close()
