"""Apply spans of edits to a batch of texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpus.kernels.arrow import string_buffers
from corpus.kernels.jit import njit


@njit
def _check(data, offsets, rows, starts, ends):  # type: ignore[no-untyped-def]
    """The first edit that is out of order, out of its text or inside a character, or -1."""
    last_row, last_end = np.int64(0), np.int64(0)
    for k in range(len(rows)):
        row = rows[k]
        if row < last_row or row >= len(offsets) - 1:
            return k
        if row > last_row:
            last_row, last_end = row, np.int64(0)
        size = offsets[row + 1] - offsets[row]
        if starts[k] < last_end or ends[k] < starts[k] or ends[k] > size:
            return k
        for at in (starts[k], ends[k]):
            if at < size and data[offsets[row] + at] & 0xC0 == 0x80:
                return k
        last_end = ends[k]
    return -1


@njit
def _apply(data, offsets, rows, starts, ends, new, new_offsets, out, out_offsets):  # type: ignore[no-untyped-def]
    p = 0
    k = 0
    for row in range(len(offsets) - 1):
        out_offsets[row] = p
        at = offsets[row]
        while k < len(rows) and rows[k] == row:
            cut = offsets[row] + starts[k]
            out[p : p + cut - at] = data[at:cut]
            p += cut - at
            size = new_offsets[k + 1] - new_offsets[k]
            out[p : p + size] = new[new_offsets[k] : new_offsets[k + 1]]
            p += size
            at = offsets[row] + ends[k]
            k += 1
        out[p : p + offsets[row + 1] - at] = data[at : offsets[row + 1]]
        p += offsets[row + 1] - at
    out_offsets[len(offsets) - 1] = p


def apply_edits(texts: pa.Array, edits: pa.Table) -> pa.LargeStringArray:
    """`texts` (string or large_string, no nulls) with the edits' spans replaced.

    `edits` has `row`, `start`, `end` (integers: byte offsets into the UTF-8 text of that row) and `replacement`
    (string), sorted by row and start, disjoint within a row. Raises ValueError for edits that are not, or that cut
    a character in two.
    """
    if edits.num_rows == 0:
        return texts.cast(pa.large_string())
    data, offsets = string_buffers(texts)
    rows, starts, ends = (edits.column(name).to_numpy().astype(np.int64) for name in ("row", "start", "end"))
    new, new_offsets = string_buffers(edits.column("replacement").combine_chunks())
    for array in (data, new):  # one compiled variant, wherever the bytes come from
        array.flags.writeable = False
    wrong = _check(data, offsets, rows, starts, ends)
    if wrong >= 0:
        raise ValueError(
            f"edit {wrong} (row {rows[wrong]}, bytes {starts[wrong]} to {ends[wrong]}) is out of order, out of its "
            "text or cuts a character"
        )
    size = offsets[-1] - offsets[0] - int((ends - starts).sum()) + new_offsets[-1] - new_offsets[0]
    out, out_offsets = np.empty(int(size), np.uint8), np.empty(len(offsets), np.int64)
    _apply(data, offsets, rows, starts, ends, new, new_offsets, out, out_offsets)
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(out_offsets), pa.py_buffer(out))
