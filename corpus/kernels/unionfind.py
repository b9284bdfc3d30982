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


@njit
def _unite(pairs, parent):  # type: ignore[no-untyped-def]
    for k in range(len(pairs)):
        a = _find(parent, np.int64(pairs[k] >> np.uint64(32)))
        b = _find(parent, np.int64(pairs[k] & np.uint64(0xFFFFFFFF)))
        if a < b:
            parent[b] = a
        else:
            parent[a] = b


@njit
def _settle(parent):  # type: ignore[no-untyped-def]
    for i in range(len(parent)):
        parent[i] = parent[parent[i]]


def unite(pairs: np.ndarray, parent: np.ndarray) -> None:
    """Join the components of each pair, uint64[m]: a node in either half. `parent` int32[n] begins as 0 .. n - 1 and
    is `settle`d before it is read."""
    _unite(pairs, parent)


def settle(parent: np.ndarray) -> None:
    """`parent[i]` becomes the smallest node of i's component; more can be united later."""
    _settle(parent)
