"""All of a batch: a native pass finds where to look, the patterns say what is there."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from corpus.pii.kinds import KINDS
from corpus.pii.match import match

SPANS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
    ]
)
COUNTS = pa.struct([pa.field(kind, pa.int32()) for kind in KINDS])


def detect(texts: pa.Array, allow: Collection[str] = ()) -> pa.Table:
    """Spans (`SPANS`, in UTF-8 bytes, sorted and disjoint within a row) of what is found in `texts` (string or
    large_string, no nulls). `allow` holds domains and whole values that are not personal.
    """
    from corpus.kernels.arrow import string_buffers
    from corpus.kernels.pii import candidates

    data, offsets = string_buffers(texts)
    data.flags.writeable = False
    rows, places = candidates(data, offsets)
    allowed = frozenset(value.lower().encode() for value in allow)
    found: list[tuple[int, int, int, str]] = []
    current, text, floor, kind = -1, b"", 0, ""
    for row, at in zip(rows.tolist(), places.tolist(), strict=True):
        if row != current:
            current, text, floor, kind = row, data[offsets[row] : offsets[row + 1]].tobytes(), 0, ""
        if at >= floor and (hit := match(text, at, floor, kind)):
            kind, (start, end) = hit
            floor = end
            if not (allowed and _allowed(text[start:end].lower(), kind, allowed)):
                found.append((row, start, end, kind))
    columns = zip(*found, strict=True) if found else ([], [], [], [])
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, SPANS, strict=True)], schema=SPANS)


def _allowed(value: bytes, kind: str, allowed: frozenset[bytes]) -> bool:
    if value in allowed:
        return True
    if kind != "email":
        return False
    labels = value.partition(b"@")[2].split(b".")
    return any(b".".join(labels[at:]) in allowed for at in range(len(labels)))


def counts(spans: pa.Table, rows: int) -> pa.StructArray:
    """struct of int32[rows], a field a kind: how many spans each row has."""
    row = spans.column("row").to_numpy()
    kind = spans.column("kind")
    arrays = [
        pa.array(np.bincount(row[pa.compute.equal(kind, name).to_numpy()], minlength=rows).astype(np.int32))
        for name in KINDS
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(COUNTS))
