"""The chain of `dedup` after the per-document work: keys and signatures -> pairs -> verified -> clusters.

Some dozens of bytes a document stay in memory; signatures, band hashes, pairs and shingles are kept on disk where they
do not fit (`rowstore`, `candidates`). The result does not depend on where they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus.dedup import clusters
from corpus.dedup.clusters import RULES, Clusters, Links
from corpus.dedup.config import DedupConfig
from corpus.dedup.delivery import NOTHING_SETTLED, Settled
from corpus.dedup.keep import preference, sort_keys
from corpus.dedup.near import link
from corpus.dedup.room import UNLIMITED, Room
from corpus.dedup.verify import Comparison, Source

_BATCH = 4096
_URL, _EXACT, _NEAR = range(len(RULES))


@dataclass(frozen=True)
class Documents:
    """What is known of n documents besides signature and text, by row.

    `ids` binary(16)[n]; `preferred` float64[k, n] of `keep.sort_keys`; `exact` uint64[n, 2] of `exact.exact_keys`
    (None: no exact matching); `url` uint64[n, 2] of `urls.url_keys` and `located` bool[n] where there is one (None:
    URLs do not count). The first rows are those of `settled`; they stay before all others, and none of them goes.
    """

    ids: pa.Array
    preferred: np.ndarray
    exact: np.ndarray | None = None
    url: np.ndarray | None = None
    located: np.ndarray | None = None
    settled: Settled = NOTHING_SETTLED


def deduplicate(
    documents: Documents,
    source: Source,
    config: DedupConfig,
    room: Room,
    beat: Callable[[int], object] = lambda units: None,
) -> Clusters:
    """Who duplicates whom: components over URLs, exact groups and near pairs.

    Of documents with one URL all but the most preferred go, and take no further part; then of those with one exact key;
    the others are compared by signature. A removed document names the document with its URL or key; else the survivor
    of its cluster, if their similarity reaches the threshold; else the partner of its own that is most similar.
    """
    settled = documents.settled
    n, before = len(documents.ids), len(settled.delivery)
    standing = np.full((1, n), np.inf)
    standing[0, :before] = settled.standing
    order = preference(documents.ids, np.concatenate([standing, documents.preferred])).astype(np.int32)
    del standing
    rank = np.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    leader = np.arange(n, dtype=np.int32)
    located = np.zeros(n, bool)
    if documents.url is not None and documents.located is not None:
        leader = clusters.leaders(documents.url, order, documents.located[order])
        # Those of earlier deliveries, the first in rank, stay.
        leader[:before] = np.arange(before)
        located = leader != np.arange(n)
        located[rank[:before]] = settled.located
    if documents.exact is not None:
        leader = np.where(located, leader, clusters.leaders(documents.exact, order, ~located))
    leads = (leader == np.arange(n)) & ~located
    located[:before] = False
    beat(0)

    comparison = Comparison(source, rank, config, room)
    links = Links(n, room)
    links.tie(rank[settled.links[:, 0]], rank[settled.links[:, 1]])
    if config.minhash:
        heads = leader
        if before:
            known = Links(n, room)
            known.tie(rank[settled.links[:, 0]], rank[settled.links[:, 1]])
            known.tie(leader, np.arange(n))
            heads = known.labels()
        link(source, rank, leads, before, comparison, links, heads, config, room, beat)
    links.tie(leader, np.arange(n))
    survivor = links.labels()

    removed = survivor != np.arange(n)
    rule = np.full(n, -1, np.int8)
    rule[removed & leads] = _NEAR
    rule[~leads] = _EXACT
    rule[located] = _URL
    rule[:before] = -1
    partner, value = links.partner, links.value
    partner[~leads], value[~leads] = leader[~leads], 1.0
    chained = np.flatnonzero(rule == _NEAR)
    direct = links.direct(survivor)[chained]
    unknown = np.flatnonzero(np.isnan(direct))
    direct[unknown] = _similarity(survivor, chained[unknown], comparison, not config.verify)
    reached = direct >= (config.threshold if config.verify else value[chained])
    partner[chained[reached]], value[chained[reached]] = survivor[chained[reached]], direct[reached]
    apart = np.flatnonzero(located)
    value[apart] = _similarity(leader, apart, comparison)
    return Clusters(
        documents.ids,
        rank,
        order,
        survivor,
        np.bincount(survivor, minlength=n),
        rule,
        partner,
        value,
        settled.delivery,
        config.threshold if config.verify else None,
    )


def _similarity(target: np.ndarray, ranks: np.ndarray, comparison: Comparison, estimated: bool = False) -> np.ndarray:
    """float64[m]: that of each of `ranks` int[m] with its `target` int32[n]."""
    pairs = target[ranks].astype(np.uint64) << np.uint64(32) | ranks.astype(np.uint64)
    if estimated:
        return comparison.estimate(pairs)
    wanted = np.zeros(len(target), bool)
    wanted[ranks] = wanted[target[ranks]] = True
    comparison.shingle(wanted)
    return comparison.exact(pairs)


def sign(texts: pa.Array, config: DedupConfig) -> np.ndarray:
    """uint32[n, permutations]: signatures of the family that `config` asks for."""
    from corpus.kernels import datasketch, minhash

    plain = (texts, config.permutations, config.ngram, config.seed, config.normalise)
    if config.signature == "corpusmill":
        return minhash.signatures(*plain)
    return datasketch.signatures(*plain, "legacy" if config.signature == "datasketch-legacy" else "affine32")


@dataclass(frozen=True)
class _Texts:
    """A `Source` in memory."""

    given: pa.Array
    config: DedupConfig

    def signatures(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self.given), _BATCH):
            yield sign(self.given.slice(start, _BATCH), self.config)

    def texts(self, rows: np.ndarray) -> Iterator[pa.Array]:
        for start in range(0, len(rows), _BATCH):
            yield self.given.take(pa.array(rows[start : start + _BATCH]))


def key_pairs(keys: pa.Array) -> np.ndarray:
    """uint64[n, 2] of binary(16)[n]; what a null is stands for nothing."""
    flat = np.frombuffer(keys.buffers()[1] or b"", "<u8")
    return flat[2 * keys.offset : 2 * (keys.offset + len(keys))].reshape(-1, 2)


def deduplicate_texts(
    ids: pa.Array,
    texts: pa.Array,
    config: DedupConfig,
    documents: pa.RecordBatch | None = None,
    memory: int = UNLIMITED,
) -> pa.Table:
    """`clusters.CLUSTERS` of texts in memory, a row each in their order; a document stays if its `rule` is null.

    `ids` binary(16)[n]; `texts` large_string[n] without nulls; `documents` has the columns that `config.keep` looks at,
    and with `config.url` the `url`; `memory` in bytes, for what is not in memory already.
    """
    from corpus.dedup.exact import exact_keys
    from corpus.dedup.urls import url_keys
    from corpus.kernels.arrow import string_buffers

    batch = pa.RecordBatch.from_arrays([ids], ["id"]) if documents is None else documents
    located = url_keys(batch.column("url")) if config.url else None
    found = deduplicate(
        Documents(
            ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids,
            sort_keys(config.keep, batch, np.diff(string_buffers(texts)[1])),
            key_pairs(exact_keys(texts)) if config.exact else None,
            None if located is None else key_pairs(located),
            None if located is None else located.is_valid().to_numpy(zero_copy_only=False),
        ),
        _Texts(texts, config),
        config,
        Room(Path(tempfile.gettempdir()), memory),
    )
    return found.table(0, len(ids))
