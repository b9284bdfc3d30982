"""How similar the two documents of a candidate pair are: exactly, or as their signatures say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from corpus.kernels.jit import njit

# Rows of documents -> their sorted distinct shingles (uint64 flat, int64 offsets), as `shingles` gives them.
Shingler = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@njit
def _jaccard(pairs, hashes, offsets, out):  # type: ignore[no-untyped-def]
    for p in range(len(pairs)):
        i = offsets[pairs[p, 0]]
        j = offsets[pairs[p, 1]]
        end_i = offsets[pairs[p, 0] + 1]
        end_j = offsets[pairs[p, 1] + 1]
        total = (end_i - i) + (end_j - j)
        shared = 0
        while i < end_i and j < end_j:
            a = hashes[i]
            b = hashes[j]
            # Without a branch on the data, which no predictor would guess.
            i += a <= b
            j += b <= a
            shared += a == b
        out[p] = shared / (total - shared) if total else 0.0


@njit
def _estimate(pairs, signatures, out):  # type: ignore[no-untyped-def]
    count = signatures.shape[1]
    for p in range(len(pairs)):
        a = signatures[pairs[p, 0]]
        b = signatures[pairs[p, 1]]
        equal = 0
        for k in range(count):
            equal += a[k] == b[k]
        out[p] = equal / count


def jaccard(pairs: np.ndarray, hashes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """float64[m]: the exact Jaccard index of each pair int64[m, 2] of documents of `shingles`.

    Two documents without a shingle have index 0: nothing says that they are alike.
    """
    out = np.empty(len(pairs))
    _jaccard(np.ascontiguousarray(pairs, np.int64).reshape(-1, 2), hashes, offsets, out)
    return out


def estimate(pairs: np.ndarray, signatures: np.ndarray) -> np.ndarray:
    """float64[m]: the share of equal positions in the signatures uint32[n, k] of each pair int64[m, 2]."""
    out = np.empty(len(pairs))
    _estimate(np.ascontiguousarray(pairs, np.int64).reshape(-1, 2), signatures, out)
    return out


def floor(threshold: float, count: int) -> float:
    """The estimate below which no pair at J >= `threshold` falls, but one in 10^9 (Hoeffding's bound)."""
    return threshold - float(np.sqrt(np.log(1e9) / (2 * count)))


def exact(pairs: np.ndarray, shingler: Shingler) -> np.ndarray:
    """`jaccard` of pairs of rows, for which just the rows that occur are shingled."""
    rows, local = np.unique(pairs, return_inverse=True)
    hashes, offsets = shingler(rows)
    return jaccard(local.reshape(-1, 2), hashes, offsets)
