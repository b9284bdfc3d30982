"""One side of `bench/dedup.py` in a process of its own: documents from a Parquet file, ids of the survivors to another.

All compare the same: 5-grams of lower-cased runs of `\\w` at THRESHOLD (datatrove: of spaCy's words). rensa and
datasketch take lists of strings, made here in the way that was the fastest of those tried, without a loop over n-grams.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

THRESHOLD, NGRAM = 0.8, 5
PERMUTATIONS = 128
"""Of the peers, as they document it; of both, where signatures alone are timed."""
CAREFUL_BANDS = 32
"""rensa's default, 8 of 16 rows, compares a pair at J = .8 with probability .20; 32 of 4 with more than .9999."""
BUCKETS, HASHES = 14, 8
"""datatrove's defaults, FineWeb's too."""
_WARM = 64

Survivors = np.ndarray
"""bool[n], by row."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("side", choices=sorted(SIDES))
    parser.add_argument("documents", type=Path, help="a Parquet file: id, text")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    SIDES[options.side](options.documents, options.out)


def shingled(texts: pa.Array, split: Callable[[str], list[str]] = re.compile(r"\w+").findall) -> Iterator[list[str]]:
    """The 5-grams of each document, as strings; of one with fewer words, its words."""
    for text in texts.to_pylist():
        words = split(text.lower())
        yield list(map(" ".join, zip(*(words[n:] for n in range(NGRAM)), strict=False))) or words


def _kept(side: Callable[[pa.Table], Survivors]) -> Callable[[Path, Path], None]:
    """Read, let `side` decide, write the ids of the survivors."""

    def run(documents: Path, out: Path) -> None:
        table = pq.read_table(documents)
        stay = side(table)
        pq.write_table(pa.table({"id": table.column("id").filter(pa.array(stay))}), out / "kept.parquet")

    return run


def ours_in_memory(table: pa.Table) -> Survivors:
    """What the stage does, from arrays in memory to an array in memory."""
    from corpus.dedup.config import DedupConfig
    from corpus.dedup.deduplicate import deduplicate_texts

    texts = table.column("text").combine_chunks()
    ids = np.zeros((len(texts), 2), ">u8")
    ids[:, 1] = np.arange(len(texts))
    binary = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(texts), [None, pa.py_buffer(ids.tobytes())])
    found = deduplicate_texts(binary, texts, DedupConfig(threshold=THRESHOLD, ngram=NGRAM))
    return np.asarray(found.column("rule").combine_chunks().is_null())


def rensa(table: pa.Table) -> Survivors:
    """As its README deduplicates: token lists into `add_pairs`, threshold .8, 128 permutations, its default bands."""
    return _rensa(table, None)


def rensa_careful(table: pa.Table) -> Survivors:
    """With bands that reach the threshold."""
    return _rensa(table, CAREFUL_BANDS)


def _rensa(table: pa.Table, bands: int | None) -> Survivors:
    from rensa import RMinHashDeduplicator

    made = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=PERMUTATIONS, use_lsh=True, num_bands=bands)
    pairs = zip(table.column("id").to_pylist(), shingled(table.column("text")), strict=True)
    return np.array(made.add_pairs(pairs))


def rensa_rho(table: pa.Table) -> Survivors:
    """Its fastest pipeline, which marks what shares a band with anything; of these the first of its kind is kept.

    The marks fall on originals and copies alike, so the marked go through the deduplicator.
    """
    from rensa import RMinHash, RMinHashDeduplicator, RMinHashLSH

    sets = list(shingled(table.column("text")))
    matrix = RMinHash.digest_matrix_from_token_sets_rho(sets, num_perm=PERMUTATIONS, seed=42)
    index = RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=8)
    stay = ~np.array(index.query_duplicate_flags_matrix_one_shot(matrix), bool)
    marked = np.flatnonzero(~stay).tolist()
    made = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=PERMUTATIONS, use_lsh=True, num_bands=CAREFUL_BANDS)
    stay[marked] = made.add_pairs((str(row), sets[row]) for row in marked)
    return stay


def datasketch(table: pa.Table) -> Survivors:
    """Signatures by its generator, one at a time into the index unless the index has a like one.

    Default bands for the threshold; a candidate's similarity is estimated from the signatures, as its guide has it.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    sets = ([token.encode() for token in tokens] for tokens in shingled(table.column("text")))
    signed: dict[int, Any] = {}
    stay = np.ones(table.num_rows, bool)
    for row, signature in enumerate(MinHash.generator(sets, num_perm=PERMUTATIONS)):
        if any(signature.jaccard(signed[other]) >= THRESHOLD for other in index.query(signature)):
            stay[row] = False
        else:
            index.insert(row, signature, check_duplication=False)
            signed[row] = signature
    return stay


def datatrove(documents: Path, out: Path) -> None:
    """The four stages of its MinHash example on this machine: signatures, buckets, clusters, filter.

    Its defaults: 14 buckets of 8, 32-bit hashes by xxhash, spaCy's words; a process for each core that it has.
    """
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(
        n_grams=NGRAM, num_buckets=BUCKETS, hashes_per_bucket=HASHES, hash_config=HashConfig(precision=32)
    )
    cores = len(os.sched_getaffinity(0))
    reader = ParquetReader(str(documents.parent), glob_pattern=documents.name, id_key="id")
    folders = {name: str(out / name) for name in ("signatures", "buckets", "remove", "kept")}
    stages: list[tuple[int, list[Any]]] = [
        (1, [reader, MinhashDedupSignature(folders["signatures"], config=config)]),
        (BUCKETS, [MinhashDedupBuckets(folders["signatures"], folders["buckets"], config=config)]),
        (1, [MinhashDedupCluster(folders["buckets"], folders["remove"], config=config)]),
        (1, [reader, MinhashDedupFilter(folders["remove"]), ParquetWriter(folders["kept"])]),
    ]
    for number, (tasks, steps) in enumerate(stages):
        LocalPipelineExecutor(
            steps, tasks=tasks, workers=min(cores, tasks), logging_dir=str(out / f"log{number}")
        ).run()
    kept = pq.read_table(folders["kept"], columns=["id"])
    pq.write_table(kept, out / "kept.parquet")


def _signed(sign: Callable[[pa.Array], object]) -> Callable[[Path, Path], None]:
    """Time signatures of texts that lie in memory, tokenising included."""

    def run(documents: Path, out: Path) -> None:
        texts = pq.read_table(documents, columns=["text"]).column("text").combine_chunks()
        sign(texts[:_WARM])
        size = texts.buffers()[2].size
        start, cpu = time.perf_counter(), time.process_time()
        sign(texts)
        spent = {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu, "bytes": size}
        with (out / "timings.jsonl").open("a") as lines:
            lines.write(json.dumps(spent) + "\n")

    return run


def signatures_ours(texts: pa.Array) -> object:
    from corpus.kernels.minhash import signatures

    return signatures(texts, PERMUTATIONS, NGRAM)


def signatures_rensa(texts: pa.Array) -> object:
    """Its matrix of signatures from token lists: the whole set, as its `RMinHash` has it."""
    from rensa import RMinHash

    return RMinHash.digest_matrix_from_token_sets(shingled(texts), num_perm=PERMUTATIONS, seed=42)


def signatures_rensa_split(texts: pa.Array) -> object:
    """With words as its README and its benchmarks split them, at white space."""
    from rensa import RMinHash

    return RMinHash.digest_matrix_from_token_sets(shingled(texts, str.split), num_perm=PERMUTATIONS, seed=42)


def signatures_rensa_rho(texts: pa.Array) -> object:
    """Its fastest, a sample of the tokens."""
    from rensa import RMinHash

    return RMinHash.digest_matrix_from_token_sets_rho(shingled(texts), num_perm=PERMUTATIONS, seed=42)


DECIDED = (ours_in_memory, rensa, rensa_careful, rensa_rho, datasketch)
SIGNED = (signatures_ours, signatures_rensa, signatures_rensa_split, signatures_rensa_rho)
SIDES: dict[str, Callable[[Path, Path], None]] = {
    "datatrove": datatrove,
    **{side.__name__: _kept(side) for side in DECIDED},
    **{side.__name__: _signed(side) for side in SIGNED},
}

if __name__ == "__main__":
    main()
