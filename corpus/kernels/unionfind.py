"""Connected components (union-find with path halving, Tarjan and van Leeuwen 1984)."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit


@njit
def _find(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit
def _components(pairs, parent):  # type: ignore[no-untyped-def]
    for k in range(len(pairs)):
        a = _find(parent, pairs[k, 0])
        b = _find(parent, pairs[k, 1])
        # The smaller root stays: the label of a component is its smallest member, in whatever order edges
        # come.
        if a < b:
            parent[b] = a
        else:
            parent[a] = b
    for i in range(len(parent)):
        parent[i] = parent[parent[i]]


def connected_components(pairs: np.ndarray, n: int) -> np.ndarray:
    """int64[n]: for each of n nodes the smallest node of its component, under the edges int64[m, 2].

    Raises ValueError for an edge outside 0 .. n - 1.
    """
    pairs = np.ascontiguousarray(pairs, np.int64).reshape(-1, 2)
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= n):
        raise ValueError(f"connected_components: an edge leaves 0..{n - 1}")
    parent = np.arange(n, dtype=np.int64)
    _components(pairs, parent)
    return parent
