"""Passages of a batch of texts, and the spans that cut them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.kernels import passages as kernel
from corpus.kernels import unicode
from corpus.kernels.arrow import string_buffers
from corpus.kernels.quality_flags import flags
from corpus.kernels.words import exceptions

SLICE_BYTES = 4 << 20
"""Of text, at a time: the passages of a run of words take several times its bytes."""


@dataclass(frozen=True)
class Passages:
    """In the order of the text: hash (uint64), row of the batch, start and end in bytes within its text (int64)."""

    hashes: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.hashes)


def find(texts: pa.Array, kind: str, settings: Mapping[str, Any]) -> Passages:
    """The passages of `kind` in `texts` (string or large_string, no nulls).

    `paragraphs` and `lines` of at least `min_words` words; `sentences`: every run of `length` sentences of at least
    `min_words` words; `substrings`: every run of `words` words.
    """
    data, offsets = _buffers(texts)
    codes = {
        "lines": kernel.LINES,
        "paragraphs": kernel.PARAGRAPHS,
        "sentences": kernel.SENTENCES,
        "substrings": kernel.WORDS,
    }
    length = settings.get("length", settings.get("words", 1))
    none = np.zeros(1, np.uint64)
    none.flags.writeable = False
    splitter = (np.zeros(0, np.uint32), np.zeros(0, np.uint64), np.zeros(0, np.uint16), none)
    if kind == "sentences":
        from corpus.kernels import dictionaries

        splitter = (flags(), *exceptions(), dictionaries.needed(data))
    table = kernel.word_table(digits=kind == "substrings")
    # A passage begins at every second byte at most; what none comes to is never touched, so it costs no memory.
    room = int(offsets[-1] - offsets[0]) // 2 + len(offsets)
    hashes = np.empty(room, np.uint64)
    rows, starts, ends = (np.empty(room, np.int64) for _ in range(3))
    least = settings.get("min_words", 1)
    shape = (codes[kind], length, least, table, unicode.classes(), *splitter)
    count = kernel.find(data, offsets, *shape, hashes, rows, starts, ends)
    return Passages(hashes[:count], rows[:count], starts[:count], ends[:count])


def cut(texts: pa.Array, passages: Passages, chosen: np.ndarray) -> pa.Table:
    """Edits (`row`, `start`, `end`, `replacement`) that cut the `chosen` passages (bool) out of `texts`."""
    data, offsets = _buffers(texts)
    rows, starts, ends = (values[chosen] for values in (passages.rows, passages.starts, passages.ends))
    out = np.empty((3, len(rows)), np.int64)
    table, classes = kernel.word_table(digits=True), unicode.classes()
    count = kernel.cut(data, offsets, rows, starts, ends, table, classes, out[0], out[1], out[2])
    spans = {name: out[i, :count] for i, name in enumerate(("row", "start", "end"))}
    return pa.table(spans | {"replacement": pa.repeat("", count)})


def count_words(texts: pa.Array) -> np.ndarray:
    """int64[texts]: words of each text."""
    data, offsets = _buffers(texts)
    out = np.zeros(len(texts), np.int64)
    kernel.count_words(data, offsets, kernel.word_table(digits=True), out)
    return out


def sliced(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """`batch` in parts of about SLICE_BYTES of text, a row at least."""
    ends = np.cumsum(np.diff(string_buffers(batch.column("text"))[1]))
    start = 0
    while start < len(batch):
        limit = (ends[start - 1] if start else 0) + SLICE_BYTES
        end = max(start + 1, int(np.searchsorted(ends, limit, "right")))
        yield batch.slice(start, end - start)
        start = end


def _buffers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    data, offsets = string_buffers(texts)
    data.flags.writeable = False  # one compiled variant, wherever the bytes come from
    return data, offsets
