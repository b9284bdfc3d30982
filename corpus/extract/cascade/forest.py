"""Boosted trees as flat arrays: made by the training script, walked by a kernel."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from corpus.kernels.jit import njit

# After so many trees a row whose log-odds are that far from even is not asked further: most blocks are plain.
_STEP, _SURE = 20, 3.0


@dataclass(frozen=True, eq=False)
class Forest:
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
        return _score(rows, *self._laid_out)

    @functools.cached_property
    def _laid_out(self) -> tuple[np.ndarray | np.uint32, ...]:
        """Roots, features, thresholds, branches and values of all nodes, and the number of splits.

        Leaves come behind the splits and branch to themselves; trees of one leaf without a value fill the last step.
        """
        n, size = len(self.splits), len(self.splits) + len(self.values) + 1
        features, thresholds = np.zeros(size, np.uint32), np.full(size, np.inf, np.float32)
        features[:n], thresholds[:n] = self.splits[:, 0], self.thresholds
        branches = np.repeat(np.arange(size, dtype=np.int64), 2)
        branches[: 2 * n] = self.splits[:, 1:].ravel()
        roots = np.full(-(-len(self.roots) // _STEP) * _STEP, size - 1, np.int64)
        roots[: len(self.roots)] = self.roots
        values = np.zeros(size, np.float64)
        values[n:-1] = self.values
        ways, begins = (np.where(at < 0, n - 1 - at, at).astype(np.uint32) for at in (branches, roots))
        return begins, features, thresholds, ways, values, np.uint32(n)


@njit
def _score(rows, roots, features, thresholds, branches, values, splits):  # type: ignore[no-untyped-def]
    """All trees of a step go down together: no branch to predict, and no walk waits for another's memory."""
    out = np.zeros(rows.shape[0], np.float64)
    at = np.empty(_STEP, np.uint32)
    for k in range(rows.shape[0]):
        row = rows[k]
        for first in range(0, roots.size, _STEP):
            for tree in range(_STEP):
                at[tree] = roots[first + tree]
            inside = True
            while inside:
                inside = False
                for tree in range(_STEP):
                    node = at[tree]
                    node = branches[np.uint32(2) * node + np.uint32(row[features[node]] > thresholds[node])]
                    at[tree] = node
                    inside |= node < splits
            for tree in range(_STEP):
                out[k] += values[at[tree]]
            if abs(out[k]) > _SURE:
                break
    return out


@njit
def belief(score):  # type: ignore[no-untyped-def]
    """A score as a number between 0 and 1: plain arithmetic, so that every machine gets the same (exp differs)."""
    return 0.5 + 0.5 * score / (1.0 + np.abs(score))
