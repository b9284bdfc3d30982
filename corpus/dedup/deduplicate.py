"""The chain of `dedup` after the per-document work: keys and signatures -> pairs -> verified -> clusters.

Everything is arrays over the documents at hand, in memory; each function of the chain can be put on another
footing (signatures from files, runs by an external sort) without the others.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpus.dedup import lsh, verify
from corpus.dedup.clusters import Similarity, cluster, exact_leaders, preference
from corpus.dedup.config import DedupConfig
from corpus.kernels.minhash import signatures
from corpus.kernels.shingles import shingles
from corpus.kernels.unionfind import connected_components


def near_pairs(signed: np.ndarray, config: DedupConfig, similarity: Similarity) -> tuple[np.ndarray, np.ndarray]:
    """(int64[m, 2], float64[m]): near duplicates among the rows of the signatures and their Jaccard indices.

    With `verify`, pairs whose signatures rule `threshold` out are skipped (`verify.floor`), of the others
    `similarity` has the word; long runs get a `lsh.second_look`, at most two standard deviations of the
    estimate below `threshold`. Without it, all pairs stand, with the estimate as index.
    """
    runs = lsh.band_runs(signed, config.banding.bands, config.banding.rows)
    pairs = lsh.run_pairs(runs)
    if not config.verify:
        return pairs, verify.estimate(pairs, signed)
    pairs = pairs[verify.estimate(pairs, signed) >= verify.floor(config.threshold, signed.shape[1])]
    jaccards = similarity(pairs)
    near = jaccards >= config.threshold
    pairs, jaccards = pairs[near], jaccards[near]

    labels = connected_components(pairs, len(signed))
    spread = float(np.sqrt(config.threshold * (1 - config.threshold) / signed.shape[1]))
    more = lsh.second_look(runs, labels, signed, config.threshold - 2 * spread)
    again = similarity(more)
    near = again >= config.threshold
    return np.concatenate([pairs, more[near]]), np.concatenate([jaccards, again[near]])


def deduplicate(
    ids: pa.Array,
    lengths: np.ndarray,
    keys: pa.Array | None,
    signed: np.ndarray | None,
    shingler: verify.Shingler,
    config: DedupConfig,
    priority: np.ndarray | None = None,
) -> pa.Table:
    """`clusters.CLUSTERS`, one row a document, in the order of `ids`; a document stays if its `rule` is null.

    `ids` binary(16)[n]; `lengths` int64[n] bytes of text; `keys` of `exact_keys` (None: no exact matching);
    `signed` uint32[n, permutations] of `signatures` (None: no near matching); `shingler` gives `shingles` of
    the rows asked for; a higher `priority` float64[n] stays before a lower. Raises ValueError for signatures
    too short.
    """
    order = preference(ids, lengths, priority, config.keep[0])
    leaders = exact_leaders(keys, order)

    def similarity(pairs: np.ndarray) -> np.ndarray:
        if config.verify or signed is None:
            return verify.exact(pairs, shingler)
        return verify.estimate(pairs, signed)

    pairs, jaccards = np.zeros((0, 2), np.int64), np.zeros(0)
    if signed is not None:
        # Equal documents are settled: one of each, most preferred first.
        rows = order[leaders[order] == order]
        pairs, jaccards = near_pairs(signed[rows], config, lambda local: similarity(rows[local]))
        pairs = rows[pairs]
    threshold = config.threshold if config.verify else None
    return cluster(ids, order, leaders, pairs, jaccards, threshold, similarity)


def deduplicate_texts(
    ids: pa.Array, texts: pa.Array, config: DedupConfig, priority: np.ndarray | None = None
) -> pa.Table:
    """`deduplicate` of texts in memory: keys, signatures and shingles are made here.

    `texts` is a large_string array without nulls, of the length of `ids`.
    """
    from corpus.dedup.exact import exact_keys
    from corpus.kernels.arrow import string_buffers

    keys = exact_keys(texts) if config.exact else None
    signed = signatures(texts, config.permutations, config.ngram, config.seed) if config.minhash else None
    return deduplicate(
        ids,
        np.diff(string_buffers(texts)[1]),
        keys,
        signed,
        lambda rows: shingles(texts.take(rows), config.ngram),
        config,
        priority,
    )
