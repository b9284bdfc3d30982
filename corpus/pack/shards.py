"""Token shards: documents, shuffled as one, in `.bin` + `.idx` + `.docs.parquet`, described by `shards.json`.

The format is documented in docs/shards.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.documents import ID
from corpus.errors import CorpusError
from corpus.pack.config import PackConfig
from corpus.pack.gather import TokenFiles
from corpus.pack.megatron import index_bytes
from corpus.tokenizer.encode import token_dtype
from corpus.tokenizer.sample import id_words, keyed_hash

VERSION = 1
# A row a document, in the order of the `.bin`. `first_token` counts from the start of the shard.
DOCS = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("first_token", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
# Tokens gathered before a write.
_CHUNK = 8_000_000


def write_shards(
    inputs: Sequence[tuple[Path, Path]],
    out_dir: Path,
    config: PackConfig,
    *,
    vocab_size: int,
    eos_id: int,
    tokenizer_sha256: str,
    corpus_digest: str,
    progress: Callable[[int], None] = lambda documents: None,
) -> dict[str, Any]:
    """Shuffle the documents of all `inputs`, pairs that `write_tokens` wrote, into shards in `out_dir`.

    The order is that of a hash of (seed, id), so it does not depend on how the documents were partitioned.
    Writes `SPLIT-NNNNN.bin`, `.idx`, `.docs.parquet` and, last, `shards.json`, whose contents are returned.
    In memory are about 150 bytes a document, and a chunk of tokens plus the longest document. `progress`
    is called with the number of documents in each shard written.

    Raises CorpusError for an empty corpus, an empty split, an id that comes twice, or a tokens file that does
    not fit its index; OSError when the disk is full.
    """
    dtype = token_dtype(vocab_size)
    tables = [pq.read_table(path, read_dictionary=["source"], page_checksum_verification=True) for _, path in inputs]
    documents = [table.num_rows for table in tables]
    if not sum(documents):
        raise CorpusError("pack: no documents to pack; loosen the filters before it or add input")
    index = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    lengths = _flat(index.column("tokens")).to_numpy()
    bins = TokenFiles([path for path, _ in inputs], documents, lengths, dtype)
    splits = {}
    for split, rows in _split(index, config).items():
        shards = []
        for number, shard_rows in enumerate(_shard_rows(rows, bins.lengths, config.shard_tokens)):
            shard = f"{split}-{number:05d}"
            shards.append(_write_shard(out_dir, shard, index.take(shard_rows), bins, shard_rows))
            progress(len(shard_rows))
        splits[split] = {
            **{key: sum(shard[key] for shard in shards) for key in ("tokens", "documents", "bytes")},
            "shards": shards,
        }
    facts = {
        "version": VERSION,
        "dtype": dtype.name,
        "vocab_size": vocab_size,
        "eos_id": eos_id,
        "tokenizer_sha256": tokenizer_sha256,
        "corpus_digest": corpus_digest,
        "seed": config.seed,
        "validation_fraction": config.validation_fraction,
        "splits": splits,
    }
    (out_dir / "shards.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts


def _split(index: pa.Table, config: PackConfig) -> dict[str, np.ndarray]:
    """Row numbers of each split, in shuffled order."""
    ids = _flat(index.column("id"))
    words = id_words(ids)
    hashes = keyed_hash(ids, f"shuffle {config.seed}")
    order = np.argsort(hashes, kind="stable")
    if (hashes[order[1:]] == hashes[order[:-1]]).any():  # rare, and eight times as slow
        order = np.lexsort((words[:, 1], words[:, 0], hashes))
    twice = np.flatnonzero((words[order[1:]] == words[order[:-1]]).all(axis=1))
    if len(twice):
        raise CorpusError(
            f"pack: {len(twice):,} documents come twice, the first is "
            f"{ids[int(order[twice[0]])].as_py().hex()}; give each source of the recipe a name of its own"
        )
    if config.validation_fraction == 0:
        return {"train": order}
    # In [0, 1): another hash than the shuffle's, without the seed.
    place = keyed_hash(ids, "validation") / 2.0**64
    held = (place < config.validation_fraction)[order]
    splits = {"train": order[~held], "validation": order[held]}
    if held.all() or not held.any():
        # A little beyond the outermost document, because the number is rounded.
        empty, way_out = ("train", 0.99 * place.max()) if held.all() else ("validation", 1.01 * place.min())
        raise CorpusError(
            f"pack: the {empty} split is empty: {len(ids):,} documents, "
            f"validation_fraction={config.validation_fraction:g}; set pack.validation_fraction to "
            f"{way_out:.3g} or give more documents"
        )
    return splits


def _shard_rows(rows: np.ndarray, lengths: np.ndarray, shard_tokens: int) -> Iterator[np.ndarray]:
    """Cut `rows` after each document that brings a shard to `shard_tokens`."""
    ends = np.cumsum(lengths[rows])
    start, before = 0, 0
    while start < len(rows):
        stop = min(int(np.searchsorted(ends, before + shard_tokens)) + 1, len(rows))
        yield rows[start:stop]
        start, before = stop, int(ends[stop - 1])


def _write_shard(out_dir: Path, name: str, index: pa.Table, bins: TokenFiles, rows: np.ndarray) -> dict[str, Any]:
    """Write the three files of one shard; `index` holds the rows of INDEX in the order of `rows`."""
    lengths = bins.lengths[rows]
    digest = hashlib.sha256()
    with (out_dir / f"{name}.bin").open("wb") as out:
        for tokens in bins.gather(rows, _CHUNK):
            out.write(tokens.data)
            digest.update(tokens.data)
    idx = index_bytes(lengths, bins.dtype)
    (out_dir / f"{name}.idx").write_bytes(idx)
    firsts = np.cumsum(lengths) - lengths
    docs = index.add_column(2, DOCS.field("first_token"), pa.array(firsts)).cast(DOCS)
    docs_path = out_dir / f"{name}.docs.parquet"
    pq.write_table(
        docs.combine_chunks(), docs_path, compression="zstd", use_dictionary=["source"], write_page_checksum=True
    )
    with docs_path.open("rb") as file:
        docs_digest = hashlib.file_digest(file, "sha256")
    return {
        "name": name,
        "tokens": int(lengths.sum()),
        "documents": len(rows),
        "bytes": int(_flat(index.column("bytes")).to_numpy().sum()),
        "sha256": {
            "bin": digest.hexdigest(),
            "idx": hashlib.sha256(idx).hexdigest(),
            "docs": docs_digest.hexdigest(),
        },
    }


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
