"""Extraction behind a guard: a page that hangs, crashes or eats memory loses only itself."""

from __future__ import annotations

import json
import marshal
import mmap
import os
import re
import select
import subprocess
import sys
import time
from types import TracebackType
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import CorpusError
from corpus.extract.child import PROGRESS, REPLY, REQUEST, Answer
from corpus.extract.config import ExtractConfig
from corpus.extract.decode import clean

EXTRACTED = pa.schema(
    [
        # Null unless the outcome is `ok`.
        pa.field("text", pa.large_string()),
        # What the page declares, else what the record had.
        pa.field("title", pa.string()),
        pa.field("author", pa.string()),
        pa.field("date", pa.string()),
        pa.field("declared_language", pa.string()),
        # `ok`, `empty`, `too_large`, `timeout`, `exception`, `limit`, `crash`, `memory`, or the record's own problem.
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("detail", pa.string()),
    ]
)
_METADATA = ("title", "author", "date", "declared_language")
_LOOK_SECONDS = 0.05
_START_SECONDS = 120
_BOOT = "import sys, json; a = json.loads(sys.argv[1]); sys.path[:] = a.pop('path'); "
_BOOT += "from corpus.extract.child import main; main(**a)"


class Guard:
    """Extracts batches in a child process that can be killed; a context manager.

    The child is started by the first HTML page, serves many batches, and is replaced when a page brought it down.
    A crash or too much memory is blamed on a page only when it happens in a child that saw no other page, so the
    verdict does not depend on what came before. `extractor` (`module:function`) replaces the configured one.
    """

    def __init__(self, config: ExtractConfig, extractor: str | None = None) -> None:
        self._config = config
        self._extractor = extractor or config.extractor
        self._child: _Child | None = None

    def extract(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of `EXTRACTED`, row by row that of `batch` (schema `corpus.documents.RAW`).

        `value` and `threshold` say by how much a limit was passed; time and memory, which differ from run to run,
        have no `value`. Raises CorpusError when the extractor cannot be
        loaded or its process does not start.
        """
        rows = [_Row(record) for record in batch.select(_NEEDED).to_pylist()]
        config = self._config
        pages = []
        for row in rows:
            size = len(row.content)
            if row.problem:
                row.end(row.problem, detail=row.detail)
            elif size > config.max_page_bytes:
                row.end("too_large", size, config.max_page_bytes, "bytes")
            elif row.media_type == "text/plain":
                row.take(clean(row.content.decode("utf-8", "replace")), config)
            else:
                pages.append(row)
        self._extract_pages(_within_limits(pages, config))
        fields = [pa.array([row.values.get(field.name) for row in rows], field.type) for field in EXTRACTED]
        for i, field in enumerate(EXTRACTED):
            if field.name in _METADATA:
                fields[i] = pc.coalesce(fields[i], batch.column(field.name))
        return pa.record_batch(fields, schema=EXTRACTED)

    def _extract_pages(self, pages: list[_Row]) -> None:
        at = idle_deaths = 0
        while at < len(pages):
            if self._child is None:
                self._child = _Child(self._config, self._extractor)
            answers, fate = self._child.run(pages[at:], self._config)
            for row, answer in zip(pages[at:], answers, strict=False):
                row.answer(answer, self._config)
            at += len(answers)
            if fate is None:
                continue
            alone, busy = self._child.served == 0, self._child.busy
            self.close()
            if busy and at < len(pages) and (alone or fate[0] == "timeout"):
                pages[at].end(*fate)
                at += 1
            idle_deaths = idle_deaths + 1 if alone and not busy else 0
            if idle_deaths == 3:
                raise CorpusError(f"the extracting process dies before any page ({fate[3]}); look for what kills it")

    def close(self) -> None:
        """End the child process; the next batch starts another."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


_NEEDED = ["content", "media_type", "charset", "url", "problem", "detail"]
_Fate = tuple[str, float | None, float | None, str | None]


class _Row:
    """One row on its way from record to result."""

    __slots__ = ("charset", "content", "detail", "media_type", "problem", "url", "values")

    def __init__(self, record: dict[str, Any]) -> None:
        self.content: bytes = record["content"] or b""
        self.media_type, self.charset = record["media_type"], record["charset"]
        self.url, self.problem, self.detail = record["url"], record["problem"], record["detail"]
        self.values: dict[str, Any] = {}

    def end(
        self, outcome: str, value: float | None = None, threshold: float | None = None, detail: str | None = None
    ) -> None:
        self.values = {"outcome": outcome, "value": value, "threshold": threshold, "detail": detail}

    def take(self, text: str, config: ExtractConfig, *metadata: str | None) -> None:
        if len(text) < config.min_chars:
            self.end("empty", len(text), config.min_chars, "characters")
        else:
            self.end("ok")
            self.values["text"] = text
        self.values.update(zip(_METADATA, metadata, strict=False))

    def answer(self, answer: Answer, config: ExtractConfig) -> None:
        outcome, detail, page = answer
        if outcome == "ok":
            text, *metadata = page
            self.take(text or "", config, *(field and clean(field) for field in metadata))
        elif outcome == "memory":
            self.end(outcome, None, config.max_memory_mb, "MB")
        else:
            # An address would differ from run to run.
            self.end(outcome, detail=clean(re.sub("0x[0-9a-fA-F]+", "0x", detail or "")) or None)


def _within_limits(pages: list[_Row], config: ExtractConfig) -> list[_Row]:
    """The pages that a parser may see; the others end as `limit`."""
    if not pages:
        return pages
    from corpus.extract.scan import ATTRIBUTES, CELLS, DEPTH, scan

    offsets = np.concatenate([[0], np.cumsum([len(row.content) for row in pages])]).astype(np.int64)
    found = scan(np.frombuffer(b"".join(row.content for row in pages), np.uint8), offsets)
    limits = (
        (DEPTH, config.max_depth, "nested elements"),
        (ATTRIBUTES, config.max_attributes, "attributes of one tag"),
        (CELLS, config.max_cells, "table cells"),
    )
    for column, limit, what in limits:
        for i in np.flatnonzero(found[:, column] > limit):
            pages[i].end("limit", float(found[i, column]), limit, what)
    return [row for row in pages if not row.values]


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, config: ExtractConfig, extractor: str) -> None:
        self.served = 0
        self.busy = False
        self._started = 0
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
        self._usage = psutil.Process(self._process.pid)
        end = time.monotonic() + _START_SECONDS
        while not (hello := self._receive(_LOOK_SECONDS)) and self._process.poll() is None:
            if time.monotonic() > end:
                break
        if not hello or hello[0][0] != "ready":
            self.kill()
            why = hello[0][1] if hello else "its process did not start"
            raise CorpusError(f"extractor {extractor} cannot be used: {why}; install it or choose another")

    def run(self, rows: list[_Row], config: ExtractConfig) -> tuple[list[Answer], _Fate | None]:
        """(answers to the first rows, what ended the child at the row behind them, or None after all rows)."""
        request = marshal.dumps([(row.content, row.charset, row.url) for row in rows])
        self._progress[:] = PROGRESS.pack(-1, 0)
        answers: list[Answer] = []
        fate: _Fate | None = None
        try:
            self._write(REQUEST.pack(len(request)))
            self._write(request)
        except BrokenPipeError:
            fate = self._died()
        looked = time.monotonic()
        while fate is None and len(answers) < len(rows):
            answers += self._receive(_LOOK_SECONDS)
            now = time.monotonic()
            if now - looked >= _LOOK_SECONDS:
                looked = now
                fate = self._look(config)
        if fate is not None:
            self._process.kill()
            self._process.wait()
            answers += self._drain()
            # It may have gone on to the next page, or to none, between the look and the kill.
            index, started = PROGRESS.unpack(self._progress[:])
            self.busy = index == len(answers) and started != 0 and self._started in (0, started)
        self.served += len(answers)
        return answers, fate

    def _look(self, config: ExtractConfig) -> _Fate | None:
        """What is wrong with the child right now."""
        if self._process.poll() is not None:
            return self._died()
        started = PROGRESS.unpack(self._progress[:])[1]
        seconds = (time.monotonic_ns() - started) / 1e9 if started else 0.0
        if seconds > config.timeout_seconds:
            self._started = started
            return "timeout", None, config.timeout_seconds, "seconds"
        try:
            memory = self._usage.memory_info().rss / (1 << 20)
        except psutil.Error:
            return None
        if memory > config.max_memory_mb:
            return "memory", None, config.max_memory_mb, "MB"
        return None

    def _died(self) -> _Fate:
        code = self._process.wait()
        return "crash", None, None, f"killed by signal {-code}" if code < 0 else f"exit status {code}"

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
