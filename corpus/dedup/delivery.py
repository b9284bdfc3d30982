"""Earlier deliveries as `dedup/clusters` reads them: who stays before whom, and what was found alike there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import Delivery

# The rule of documents that go for their URL.
URL = "url_duplicate"
# What `dedup/clusters` of a delivery says of its documents: columns of the views that `earlier.reading` gives.
SETTLED = ("cluster", "cluster_in", "rule")


@dataclass(frozen=True)
class Settled:
    """What is known of n documents of earlier deliveries, in the order of their rows.

    `delivery` int32[n] numbers their deliveries, oldest first; `standing` float64[n] is smaller for who stays before
    another: of an older delivery, and of one delivery the documents that stayed there; this folder's own documents come
    after it all. `links` int64[m, 2] ties each document that was removed there to the row of its cluster's survivor;
    `located` bool[n] are those that were removed for their URL, which take no part in what comes after.
    """

    delivery: np.ndarray
    standing: np.ndarray
    links: np.ndarray
    located: np.ndarray


NOTHING_SETTLED = Settled(np.zeros(0, np.int32), np.zeros(0), np.zeros((0, 2), np.int64), np.zeros(0, bool))


def settled(deliveries: Sequence[Delivery], parts: Sequence[tuple[int, pa.Table]]) -> Settled:
    """`parts`: (number of the delivery, its documents' `id` and SETTLED), in the order of the rows.

    Ids are unique in a delivery only. A survivor that is not there any more has no link.
    """
    numbers = np.repeat([number for number, _ in parts], [part.num_rows for _, part in parts]).astype(np.int32)
    stayed = np.concatenate([np.zeros(0, bool), *(_stayed(part) for _, part in parts)])
    located = np.concatenate([np.zeros(0, bool), *(_located(part) for _, part in parts)])
    starts = np.cumsum([0, *(part.num_rows for _, part in parts)])
    # Of each delivery the survivors, whose ids are looked up, and the rows that look one up there.
    survivors: list[list[tuple[pa.Array, np.ndarray]]] = [[] for _ in deliveries]
    seeking: list[list[tuple[pa.Array, np.ndarray]]] = [[] for _ in deliveries]
    for (number, part), start in zip(parts, starts, strict=False):
        here = np.flatnonzero(_stayed(part))
        survivors[number].append((_chunk(part, "id").take(pa.array(here)), start + here))
        gone = np.flatnonzero(~_stayed(part))
        cluster, where = _chunk(part, "cluster"), pc.fill_null(_chunk(part, "cluster_in"), -1).to_numpy()[gone]
        called = np.array([*deliveries[number].before, number])[where]
        for other in np.unique(called):
            rows = gone[called == other]
            seeking[other].append((cluster.take(pa.array(rows)), start + rows))
    links = [np.zeros((0, 2), np.int64)]
    for known, sought in zip(survivors, seeking, strict=True):
        if known and sought:
            ids, rows = _joined(known)
            wanted, removed = _joined(sought)
            at = pc.index_in(wanted, value_set=ids)
            there = at.is_valid().to_numpy(zero_copy_only=False)
            links.append(np.stack([rows[at.drop_null().to_numpy()], removed[there]], axis=1))
    return Settled(numbers, 3.0 * numbers + ~stayed + located, np.concatenate(links), located)


def _stayed(part: pa.Table) -> np.ndarray:
    return _chunk(part, "rule").is_null().to_numpy(zero_copy_only=False)


def _located(part: pa.Table) -> np.ndarray:
    return pc.fill_null(pc.equal(_chunk(part, "rule"), URL), False).to_numpy(zero_copy_only=False)


def _chunk(part: pa.Table, name: str) -> pa.Array:
    column = part.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _joined(found: Sequence[tuple[pa.Array, np.ndarray]]) -> tuple[pa.Array, np.ndarray]:
    return pa.concat_arrays([ids for ids, _ in found]), np.concatenate([rows for _, rows in found])
