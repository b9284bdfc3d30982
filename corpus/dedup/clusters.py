"""Clusters of duplicates, the one document of each that stays, and why each of the others goes.

The survivor is decided by a total order of the documents (`keep.preference`), so it depends neither on the order in
which documents come nor on how the work was cut up. Within, documents are named by their rank in that order: the
smallest of a component is its survivor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from corpus.dedup.delivery import URL
from corpus.dedup.keep import halves
from corpus.dedup.room import Room
from corpus.dedup.rowstore import Spill
from corpus.documents import ID, LEDGER
from corpus.kernels.jit import njit
from corpus.kernels.unionfind import settle, unite

EXACT, NEAR = "exact_duplicate", "near_duplicate"
RULES = (URL, EXACT, NEAR)

CLUSTERS = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        # The id of the document that stays; a document without duplicates is its own cluster.
        pa.field("cluster", ID, nullable=False),
        # Which earlier delivery has that document, from 0 on, oldest first; null: this folder.
        pa.field("cluster_in", pa.int32()),
        pa.field("cluster_size", pa.int64(), nullable=False),
        # For a removed document: which document it duplicates, and the rest of its ledger row.
        pa.field("duplicate_of", ID),
        pa.field("duplicate_in", pa.int32()),
        pa.field("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
    ]
)

_BLOCK = 1 << 18


@njit
def _lead(records, shift, keys, order, leader):  # type: ignore[no-untyped-def]
    mask = (np.uint64(1) << shift) - np.uint64(1)
    start = 0
    while start < len(records):
        end = start + 1
        while end < len(records) and records[end] >> shift == records[start] >> shift:
            end += 1
        for k in range(start + 1, end):
            here = records[k] & mask
            for j in range(start, k):
                other = records[j] & mask
                a = order[here]
                b = order[other]
                if leader[other] == other and keys[a, 0] == keys[b, 0] and keys[a, 1] == keys[b, 1]:
                    leader[here] = other
                    break
        start = end


@njit
def _best(pairs, values, partner, value):  # type: ignore[no-untyped-def]
    for p in range(len(pairs)):
        a = np.int64(pairs[p] >> np.uint64(32))
        b = np.int64(pairs[p] & np.uint64(0xFFFFFFFF))
        v = values[p]
        if v > value[a] or (v == value[a] and b < partner[a]):
            partner[a] = b
            value[a] = v
        if v > value[b] or (v == value[b] and a < partner[b]):
            partner[b] = a
            value[b] = v


@njit
def _direct(pairs, values, survivor, out):  # type: ignore[no-untyped-def]
    for p in range(len(pairs)):
        a = np.int64(pairs[p] >> np.uint64(32))
        b = np.int64(pairs[p] & np.uint64(0xFFFFFFFF))
        if survivor[b] == a:
            out[b] = values[p]


def leaders(keys: np.ndarray, order: np.ndarray, taking: np.ndarray) -> np.ndarray:
    """int32[n] by rank: the smallest rank with the same key, of those that are `taking` part (bool[n] by rank); of the
    others themselves.

    `keys` uint64[n, 2], of bits as good as random, by row; `order` int32[n]: the row of each rank.
    """
    shift = np.uint64(max(len(order) - 1, 1).bit_length())
    ranks = np.flatnonzero(taking).astype(np.uint64)
    records = (keys[order[taking], 0] >> shift << shift) | ranks
    records.sort()
    leader = np.arange(len(order), dtype=np.int32)
    _lead(records, shift, keys, order, leader)
    return leader


class Links:
    """Pairs of ranks (uint64, the smaller in the upper half) that are near duplicates: components, best partners."""

    def __init__(self, documents: int, room: Room) -> None:
        self.parent = np.arange(documents, dtype=np.int32)
        # Of each document the partner of highest value, of those the smallest; -1 without one.
        self.partner = np.full(documents, -1, np.int32)
        self.value = np.full(documents, -1.0)
        self._pairs = Spill(room.folder, np.uint64, room.share(0.03))
        self._values = Spill(room.folder, np.float64, room.share(0.03))

    def add(self, pairs: np.ndarray, values: np.ndarray) -> None:
        """Each pair but once, over all calls."""
        unite(pairs, self.parent)
        _best(pairs, values, self.partner, self.value)
        self._pairs.append(pairs)
        self._values.append(values)

    def tie(self, first: np.ndarray, second: np.ndarray) -> None:
        """Put documents into one cluster that are no near duplicates: ranks int[m] each."""
        for start in range(0, len(first), _BLOCK):
            a, b = (ranks[start : start + _BLOCK].astype(np.uint64) for ranks in (first, second))
            unite(a << np.uint64(32) | b, self.parent)

    def labels(self) -> np.ndarray:
        """int32[n]: the smallest rank of each document's component; not to be kept over the next `add`."""
        settle(self.parent)
        return self.parent

    def direct(self, survivor: np.ndarray) -> np.ndarray:
        """float64[n]: the value of each document's pair with its `survivor` int32[n]; NaN where there is none."""
        out = np.full(len(self.parent), np.nan)
        for pairs, values in zip(self._pairs.blocks(_BLOCK), self._values.blocks(_BLOCK), strict=True):
            _direct(pairs, values, survivor, out)
        return out


@dataclass(frozen=True)
class Clusters:
    """The result, by rank, but for `ids` and `rank`, which are by row.

    `rule` int8[n] numbers RULES, -1 for who stays; `partner` and `value` say what each of the others duplicates and
    how similar they are; `delivery` int32[m] is of the first m rows, those of earlier deliveries.
    """

    ids: pa.Array
    rank: np.ndarray
    order: np.ndarray
    survivor: np.ndarray
    size: np.ndarray
    rule: np.ndarray
    partner: np.ndarray
    value: np.ndarray
    delivery: np.ndarray
    threshold: float | None

    def table(self, start: int, stop: int) -> pa.Table:
        """CLUSTERS of the rows `start` to `stop`."""
        rank = self.rank[start:stop]
        rule = self.rule[rank]
        stays = rule < 0
        limits = np.array([np.nan, 1.0, np.nan if self.threshold is None else self.threshold])[rule]
        names = pa.DictionaryArray.from_arrays(pa.array(rule, mask=stays), pa.array(RULES))

        def named(target: np.ndarray, absent: np.ndarray | None = None) -> tuple[pa.Array, pa.Array]:
            row = self.order[target]
            delivery = np.full(len(row), -1, np.int32)
            before = row < len(self.delivery)
            delivery[before] = self.delivery[row[before]]
            elsewhere = delivery < 0 if absent is None else absent | (delivery < 0)
            return self.ids.take(pa.array(row, mask=absent)), pa.array(delivery, mask=elsewhere)

        return pa.table(
            [
                self.ids.slice(start, stop - start),
                *named(self.survivor[rank]),
                pa.array(self.size[self.survivor[rank]], pa.int64()),
                *named(np.where(stays, 0, self.partner[rank]), stays),
                names.cast(pa.string()),
                pa.array(self.value[rank], mask=stays),
                pa.array(limits, mask=stays | np.isnan(limits)),
            ],
            schema=CLUSTERS,
        )


def ledger(clusters: pa.Table) -> pa.Table:
    """LEDGER rows of the removed documents; `detail` is the id, in hexadecimal, of what each duplicates."""
    gone = clusters.filter(clusters["rule"].is_valid())
    named = gone["duplicate_of"]
    named = named.combine_chunks() if isinstance(named, pa.ChunkedArray) else named
    hexadecimal = halves(named).astype(">u8").tobytes().hex().encode()
    detail = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(gone), [None, pa.py_buffer(hexadecimal)])
    empty = pa.nulls(len(gone), pa.string())
    columns = {"detail": detail.cast(pa.binary()).cast(pa.string()), "url": empty, "locator": empty}
    return pa.table([columns[f.name] if f.name in columns else gone[f.name] for f in LEDGER], schema=LEDGER)
