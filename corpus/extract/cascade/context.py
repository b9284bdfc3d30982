"""What the second classifier sees besides: what the first one believed of the block and of those around it."""

from __future__ import annotations

import numpy as np

from corpus.kernels import html as h
from corpus.kernels.jit import njit

REACH = 4
WINDOWS = (2, 6)
CONTEXT = (
    "belief",
    *(f"belief_{'before' if k < 0 else 'after'}{abs(k)}" for k in range(-REACH, REACH + 1) if k),
    "kept_before", "kept_share", "belief_highest",
    *(f"belief_window{width}" for width in WINDOWS),
    "belief_near", "belief_up", "belief_over", "up_of_kept",
)  # fmt: skip
N_CONTEXT = len(CONTEXT)
_NEAR, _WIDE = WINDOWS


@njit
def with_context(rows, beliefs, blocks, nodes):  # type: ignore[no-untyped-def]
    """float32[blocks, FEATURES + CONTEXT]: `rows` as `features` gives them, and the columns of CONTEXT.

    Means are weighted by characters.
    """
    n, width = rows.shape
    out = np.zeros((n, width + N_CONTEXT), np.float32)
    chars, kept = np.zeros(n + 1), np.zeros(n + 1)
    highest = 0.0
    for i in range(n):
        chars[i + 1] = chars[i] + blocks[i, h.CHARS]
        kept[i + 1] = kept[i] + blocks[i, h.CHARS] * beliefs[i]
        highest = max(highest, beliefs[i])
    sums = np.zeros((nodes.shape[0], 2))
    for i in range(n):
        sums[blocks[i, h.NODE], 0] += blocks[i, h.CHARS]
        sums[blocks[i, h.NODE], 1] += blocks[i, h.CHARS] * beliefs[i]
    for k in range(nodes.shape[0] - 1, 0, -1):
        sums[nodes[k, h.PARENT], 0] += sums[k, 0]
        sums[nodes[k, h.PARENT], 1] += sums[k, 1]
    for i in range(n):
        row = out[i]
        row[:width] = rows[i]
        at = width
        row[at] = beliefs[i]
        at += 1
        for k in range(-REACH, REACH + 1):
            if k != 0:
                row[at] = beliefs[i + k] if 0 <= i + k < n else 0.0
                at += 1
        row[at] = kept[i] / max(kept[n], 1e-9)
        row[at + 1] = kept[n] / max(chars[n], 1.0)
        row[at + 2] = highest
        row[at + 3] = _mean(chars, kept, i, _NEAR, n)
        row[at + 4] = _mean(chars, kept, i, _WIDE, n)
        at += 5
        node = blocks[i, h.NODE]
        for _ in range(3):
            row[at] = sums[node, 1] / max(sums[node, 0], 1.0)
            at += 1
            node = max(nodes[node, h.PARENT], 0)
        up = max(nodes[blocks[i, h.NODE], h.PARENT], 0)
        row[at] = sums[up, 1] / max(sums[0, 1], 1e-9)
    return out


@njit
def _mean(chars, kept, i, reach, n):  # type: ignore[no-untyped-def]
    low, high = max(i - reach, 0), min(i + reach + 1, n)
    return (kept[high] - kept[low]) / max(chars[high] - chars[low], 1.0)
