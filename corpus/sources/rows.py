"""Rows of `corpus.documents.RAW`, and their batches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa

from corpus.documents import RAW

BATCH_ROWS, BATCH_BYTES = 256, 16 << 20
_SURROGATES = re.compile("[\ud800-\udfff]")


class Row(NamedTuple):
    """One record; the fields are those of `RAW`, in its order."""

    locator: str
    url: str | None = None
    date: str | None = None
    title: str | None = None
    author: str | None = None
    declared_language: str | None = None
    content: bytes | None = None
    media_type: str | None = None
    charset: str | None = None
    problem: str | None = None
    detail: str | None = None
    license: str | None = None
    programming_language: str | None = None
    opt_out: str | None = None
    payload: bytes | None = None


def valid(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate, so that it has a UTF-8 form."""
    return _SURROGATES.sub("\ufffd", text)


def batches(rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    """Batches of at most 256 rows and about 16 MB of content."""
    pending: list[Row] = []
    size = 0
    for row in rows:
        more = len(row.content) if row.content else 0
        if pending and (len(pending) == BATCH_ROWS or size + more > BATCH_BYTES):
            yield _batch(pending)
            pending, size = [], 0
        pending.append(row)
        size += more
    if pending:
        yield _batch(pending)


def _batch(rows: list[Row]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, RAW, strict=True)], schema=RAW
    )
