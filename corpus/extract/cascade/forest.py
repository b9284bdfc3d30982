"""Boosted trees as flat arrays: made by the training script, walked by a kernel."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

# After so many trees a row whose log-odds are that far from even is not asked further: most blocks are plain.
_STEP, _SURE = 20, 3.0


class Forest(NamedTuple):
    """`roots`: int32[trees]; `splits`: int32[n, 3] of feature, left and right; `thresholds`: float32[n]; `values`:
    float32[leaves].

    A row goes left when its feature is not above the threshold. A negative branch is the leaf `-1 - branch`.
    """

    roots: np.ndarray
    splits: np.ndarray
    thresholds: np.ndarray
    values: np.ndarray

    def score(self, rows: np.ndarray) -> np.ndarray:
        """float64[n] of float32[n, features]: the sum of the leaves, log-odds."""
        return _score(rows, *self)


@numba.njit(cache=True, nogil=True)
def _score(rows, roots, splits, thresholds, values):  # type: ignore[no-untyped-def]
    n = rows.shape[0]
    out = np.zeros(n, np.float64)
    asked = np.arange(n)
    for first in range(0, roots.size, _STEP):
        for tree in range(first, min(first + _STEP, roots.size)):
            root = roots[tree]
            for k in range(n):
                row = asked[k]
                at = root
                while at >= 0:
                    at = splits[at, 1] if rows[row, splits[at, 0]] <= thresholds[at] else splits[at, 2]
                out[row] += values[-1 - at]
        left = 0
        for k in range(n):
            if abs(out[asked[k]]) <= _SURE:
                asked[left] = asked[k]
                left += 1
        n = left
    return out


@numba.njit(cache=True, nogil=True)
def belief(score):  # type: ignore[no-untyped-def]
    """A score as a number between 0 and 1: plain arithmetic, so that every machine gets the same (exp differs)."""
    return 0.5 + 0.5 * score / (1.0 + np.abs(score))
