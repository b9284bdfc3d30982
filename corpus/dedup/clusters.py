"""Clusters of duplicates, the one document of each that stays, and why each of the others goes.

The survivor is decided by a total order of the documents (priority, then length, then id), so it depends
neither on the order in which documents come nor on how the work was cut up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from corpus.documents import ID, LEDGER
from corpus.kernels.unionfind import connected_components

EXACT, NEAR = "exact_duplicate", "near_duplicate"

CLUSTERS = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        # The id of the document that stays; a document without duplicates is its own cluster.
        pa.field("cluster", ID, nullable=False),
        pa.field("cluster_size", pa.int64(), nullable=False),
        # For a removed document: which document it duplicates, and the rest of its ledger row.
        pa.field("duplicate_of", ID),
        pa.field("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
    ]
)

# Pairs int64[m, 2] of rows -> their Jaccard indices float64[m].
Similarity = Callable[[np.ndarray], np.ndarray]


def _plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _halves(ids: pa.Array) -> np.ndarray:
    """uint64[n, 2] that order as the 16 bytes do."""
    data = np.frombuffer(memoryview(ids.buffers()[1] or b""), ">u8", 2 * (len(ids) + ids.offset))
    return data.reshape(-1, 2)[ids.offset :].astype(np.uint64)


def preference(
    ids: pa.Array, lengths: np.ndarray, priority: np.ndarray | None = None, keep: str = "longest"
) -> np.ndarray:
    """int64[n]: the rows, most preferred first: highest priority, then longest (if `keep` says so), then
    smallest id.

    Raises ValueError for an unknown `keep`.
    """
    if keep not in ("longest", "first_id"):
        raise ValueError(f"keep: longest or first_id, not {keep}")
    halves = _halves(_plain(ids))
    order = [halves[:, 1], halves[:, 0]]
    if keep == "longest":
        order.append(-np.asarray(lengths, np.int64))
    if priority is not None:
        order.append(-np.asarray(priority, np.float64))
    return np.lexsort(order)


def exact_leaders(keys: pa.Array | None, order: np.ndarray) -> np.ndarray:
    """int64[n]: for each row the most preferred row with the same key; itself where there are no keys."""
    if keys is None:
        return np.arange(len(order))
    codes = _plain(keys).dictionary_encode().indices.to_numpy()
    _, first, group = np.unique(codes[order], return_index=True, return_inverse=True)
    leaders = np.empty(len(order), np.int64)
    leaders[order] = order[first[group]]
    return leaders


def _best_partner(pairs: np.ndarray, jaccards: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(int64[n], float64[n]): the partner of highest index, of those the smallest; -1 and NaN without one."""
    partner = np.full(n, -1, np.int64)
    value = np.full(n, np.nan)
    a, b = np.concatenate([pairs, pairs[:, ::-1]]).T
    both = np.concatenate([jaccards, jaccards])
    order = np.lexsort([b, -both, a])
    rows, first = np.unique(a[order], return_index=True)
    partner[rows] = b[order][first]
    value[rows] = both[order][first]
    return partner, value


def _recalled(wanted: np.ndarray, pairs: np.ndarray, jaccards: np.ndarray) -> np.ndarray:
    """float64[k]: the index of each wanted pair (smaller first) as found among `pairs`, NaN where it is
    not."""
    packed = (pairs.min(axis=1) << np.int64(32)) | pairs.max(axis=1)
    order = np.argsort(packed, kind="stable")
    sought = (wanted[:, 0] << np.int64(32)) | wanted[:, 1]
    at = np.searchsorted(packed[order], sought)
    out = np.full(len(wanted), np.nan)
    inside = np.flatnonzero(at < len(packed))
    hit = inside[packed[order[at[inside]]] == sought[inside]]
    out[hit] = jaccards[order[at[hit]]]
    return out


def cluster(
    ids: pa.Array,
    order: np.ndarray,
    leaders: np.ndarray,
    pairs: np.ndarray,
    jaccards: np.ndarray,
    threshold: float | None,
    similarity: Similarity,
) -> pa.Table:
    """CLUSTERS, a row for each of `ids` in their order: components over exact groups and near pairs.

    `order` is the rows by `preference`, `leaders` those of `exact_leaders`, `pairs` int64[m, 2] near
    duplicates among the leaders with their `jaccards`. A removed document names what it duplicates: the
    survivor, if it is equal to it or `similarity` with it reaches `threshold`; else the leader of its exact
    group; else the pair of its own that has the highest index. `threshold` None: the pairs stand as they are,
    no index was asked of them.
    """
    n = len(ids)
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    # From here on documents are named by their rank: the smallest of a component is its survivor.
    leader = rank[leaders[order]]
    near = rank[np.asarray(pairs, np.int64).reshape(-1, 2)]
    survivor = connected_components(np.concatenate([np.stack([np.arange(n), leader], axis=1), near]), n)
    size = np.bincount(survivor, minlength=n)[survivor]

    removed = survivor != np.arange(n)
    exact = leader != np.arange(n)
    partner, value = _best_partner(near, jaccards, n)
    partner[exact], value[exact] = leader[exact], 1.0
    chained = np.flatnonzero(removed & ~exact)
    direct = _recalled(np.stack([survivor[chained], chained], axis=1), near, jaccards)
    unknown = np.flatnonzero(np.isnan(direct))
    direct[unknown] = similarity(order[np.stack([chained, survivor[chained]], axis=1)[unknown]])
    reached = direct >= (value[chained] if threshold is None else threshold)
    partner[chained[reached]], value[chained[reached]] = survivor[chained[reached]], direct[reached]

    def column(values: np.ndarray, kind: pa.DataType, absent: np.ndarray | None = None) -> pa.Array:
        return pa.array(values[rank], kind, mask=None if absent is None else absent[rank])

    def named(target: np.ndarray, absent: np.ndarray | None = None) -> pa.Array:
        return _plain(ids).take(column(order[target], pa.int64(), absent))

    limits = np.where(exact, 1.0, np.nan if threshold is None else threshold)
    rules = pa.DictionaryArray.from_arrays(column(np.where(exact, 0, 1), pa.int8(), ~removed), pa.array([EXACT, NEAR]))
    return pa.table(
        [
            _plain(ids),
            named(survivor),
            column(size, pa.int64()),
            named(partner, ~removed),
            rules.cast(pa.string()),
            column(value, pa.float64(), ~removed),
            column(limits, pa.float64(), ~removed | np.isnan(limits)),
        ],
        schema=CLUSTERS,
    )


def ledger(clusters: pa.Table) -> pa.Table:
    """LEDGER rows of the removed documents; `detail` is the id, in hexadecimal, of what each duplicates."""
    gone = clusters.filter(clusters["rule"].is_valid())
    hexadecimal = _halves(_plain(gone["duplicate_of"])).astype(">u8").tobytes().hex().encode()
    detail = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(gone), [None, pa.py_buffer(hexadecimal)])
    empty = pa.nulls(len(gone), pa.string())
    columns = {"detail": detail.cast(pa.binary()).cast(pa.string()), "url": empty, "locator": empty}
    return pa.table([columns[f.name] if f.name in columns else gone[f.name] for f in LEDGER], schema=LEDGER)
