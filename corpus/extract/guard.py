"""Extraction behind a guard: a page that hangs, crashes or eats memory loses only itself."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import CorpusError
from corpus.extract.child import Answer
from corpus.extract.config import ExtractConfig
from corpus.extract.decode import clean
from corpus.extract.pdf import PDF
from corpus.extract.process import Child
from corpus.extract.sniff import not_html

EXTRACTED = pa.schema(
    [
        # Null unless the outcome is `ok`.
        pa.field("text", pa.large_string()),
        # What the page declares, else what the record had.
        pa.field("title", pa.string()),
        pa.field("author", pa.string()),
        pa.field("date", pa.string()),
        pa.field("declared_language", pa.string()),
        # Only what the page declares: a record has none.
        pa.field("canonical_url", pa.string()),
        # One of OUTCOMES, or the record's own problem.
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("detail", pa.string()),
    ]
)
OUTCOMES = (
    *("ok", "empty", "too_large", "not_html", "limit", "timeout", "memory", "exception", "crash"),
    *("encrypted", "damaged"),  # of PDF files
)
_METADATA = ("title", "author", "date", "declared_language", "canonical_url")


class Guard:
    """Extracts batches in a child process that can be killed; a context manager.

    The child is started by the first HTML page, serves many batches, and is replaced when a page brought it down.
    A crash or too much memory is blamed on a page only when it happens in a child that saw no other page, so the
    verdict does not depend on what came before. `extractor` (`module:function`) replaces the configured one.
    """

    def __init__(self, config: ExtractConfig, extractor: str | None = None) -> None:
        self._config = config
        self._extractor = extractor or config.extractor
        self._child: Child | None = None

    def extract(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of `EXTRACTED`, row by row that of `batch` (schema `corpus.documents.RAW`).

        `value` and `threshold` say by how much a limit was passed; time and memory, which differ from run to run,
        have no `value`. Raises CorpusError when the extractor cannot be loaded or its process does not start.
        """
        rows = [_Row(record) for record in batch.select(_NEEDED).to_pylist()]
        config = self._config
        pages = []
        for row in rows:
            size = len(row.content)
            if row.problem:
                row.end(row.problem, detail=row.detail)
            elif row.media_type == PDF:
                pages.append(row)
            elif size > config.max_page_bytes:
                row.end("too_large", size, config.max_page_bytes, "bytes")
            elif row.media_type == "text/plain":
                row.take(clean(row.content.decode("utf-8", "replace")), config)
            elif name := not_html(row.content):
                row.end("not_html", detail=name)
            else:
                pages.append(row)
        _within_limits([row for row in pages if row.media_type != PDF], config)
        self._extract_pages([row for row in pages if not row.values])
        fields = [pa.array([row.values.get(field.name) for row in rows], field.type) for field in EXTRACTED]
        for i, field in enumerate(EXTRACTED):
            if field.name in _METADATA and field.name in batch.schema.names:
                fields[i] = pc.coalesce(fields[i], _cleaned(batch.column(field.name)))
        return pa.record_batch(fields, schema=EXTRACTED)

    def _extract_pages(self, pages: list[_Row]) -> None:
        at = idle_deaths = 0
        while at < len(pages):
            if self._child is None:
                self._child = Child(self._config, self._extractor)
            requests = [(row.content, row.media_type, row.charset, row.url) for row in pages[at:]]
            answers, fate = self._child.run(requests, self._config)
            for row, answer in zip(pages[at:], answers, strict=False):
                row.answer(answer, self._config)
            at += len(answers)
            if fate is None:
                continue
            alone, busy = self._child.served == 0, self._child.busy
            self.close()
            if busy and at < len(pages) and (alone or fate.outcome == "timeout"):
                pages[at].end(fate.outcome, None, fate.threshold, fate.detail)
                at += 1
            idle_deaths = idle_deaths + 1 if alone and not busy else 0
            if idle_deaths == 3:
                raise CorpusError(
                    f"the extracting process dies before any page ({fate.detail}); look for what kills it"
                )

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


@contextlib.contextmanager
def lasting_guard(config: ExtractConfig) -> Iterator[Guard]:
    """A guard for one task whose child serves the worker's next tasks too: to start one takes as long as 500 pages."""
    guard = _last_guard(config)
    try:
        yield guard
    except BaseException:
        guard.close()
        raise


_last_guard = functools.lru_cache(maxsize=1)(Guard)

_NEEDED = ["content", "media_type", "charset", "url", "problem", "detail"]


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
        else:
            value, threshold = page or (None, None)
            # An address would differ from run to run.
            self.end(outcome, value, threshold, clean(re.sub("0x[0-9a-fA-F]+", "0x", detail or "")) or None)


def _cleaned(column: pa.Array) -> pa.Array:
    """What a record says of itself, without what no text has."""
    return pa.array([value and (clean(value) or None) for value in column.to_pylist()], column.type)


def _within_limits(pages: list[_Row], config: ExtractConfig) -> None:
    """End as `limit` the pages that no parser may see."""
    if not pages:
        return
    from corpus.extract.scan import ATTRIBUTES, CELLS, DEPTH, scan

    # UTF-16 is ASCII with NULs between, as far as tags go.
    contents = [row.content.replace(b"\0", b"") if 0 in row.content[:4] else row.content for row in pages]
    offsets = np.concatenate([[0], np.cumsum([len(content) for content in contents])]).astype(np.int64)
    found = scan(np.frombuffer(b"".join(contents), np.uint8), offsets)
    limits = (
        (DEPTH, config.max_depth, "nested elements"),
        (ATTRIBUTES, config.max_attributes, "attributes of one tag"),
        (CELLS, config.max_cells, "table cells"),
    )
    for column, limit, what in limits:
        for i in np.flatnonzero(found[:, column] > limit):
            pages[i].end("limit", float(found[i, column]), limit, what)
