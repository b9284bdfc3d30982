"""Signatures for other tools: the bytes of datasketch's LeanMinHash, and the hashes to query them with."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus.dataset import View
from corpus.dedup.config import DedupConfig
from corpus.documents import ID
from corpus.errors import CorpusError
from corpus.store import Table, published

# Documents are sorted by id in parts of about so many bytes of signatures.
_PART = 256 << 20
_AFFINE32 = 1  # datasketch's number of the scheme


def shingle_hashes(text: str, ngram: int = 5, normalise: tuple[str, ...] = ("case",)) -> list[int]:
    """The 32-bit hashes of a text's shingles, as signatures of `signature: datasketch` have them.

    `datasketch.MinHash(permutations, seed, hashfunc=int)` that was updated with them equals the signature of the text.
    """
    from corpus.kernels.shingles import shingles

    hashes, _ = shingles(pa.array([text], pa.large_string()), ngram, normalise)
    return (hashes & np.uint64(0xFFFFFFFF)).tolist()


def serialised(signed: np.ndarray, seed: int, scheme: str = "affine32") -> pa.Array:
    """binary[n]: what `LeanMinHash.serialize` writes (its version 2; `legacy`: before too) for signatures uint32[n, k],
    in the little-endian order of the machines that it runs on."""
    count = signed.shape[1]
    head = struct.pack("<qi", seed, count) if scheme == "legacy" else struct.pack("<qiB3x", seed, -count, _AFFINE32)
    rows = np.empty((len(signed), len(head) + 4 * count), np.uint8)
    rows[:, : len(head)] = np.frombuffer(head, np.uint8)
    rows[:, len(head) :] = signed.astype("<u4").view(np.uint8).reshape(len(signed), 4 * count)
    ends = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.Array.from_buffers(pa.binary(), len(rows), [None, pa.py_buffer(ends), pa.py_buffer(rows)])


def write(view: View, config: DedupConfig, out: Path) -> int:
    """Write `id`, `url` and `minhash` (bytes of LeanMinHash) of every signed document of `view` to the Parquet file
    `out`, by id, and return how many there are.

    The bytes depend on the documents alone. The file appears whole or not at all. Raises CorpusError when the
    signatures are not datasketch's, when the file is there already, or when it cannot be written.
    """
    if not config.minhash or config.signature == "corpusmill":
        raise CorpusError(
            f"{view.root}: its signatures are not datasketch's; "
            f"`corpus dedup {view.root} --set minhash=true --set signature=datasketch` makes them"
        )
    if out.exists():
        raise CorpusError(f"{out}: is there already; remove it or choose another name")
    with published(out) as temporary:
        table = Table(temporary, pa.schema([("id", ID), ("url", pa.string()), ("minhash", pa.binary())]))
        try:
            for part in _parts(view, config):
                table.write(part)
        finally:
            table.close()
    return table.rows


def _parts(view: View, config: DedupConfig) -> Iterator[pa.Table]:
    """The rows by id, in parts that fit in memory; ids are evenly spread, so a part is a range of them."""
    total = sum(len(batch) for partition in view.partitions() for batch in view.batches(partition, ["id"]))
    count = min(1 << 16, total * 4 * config.permutations // _PART + 1)
    bounds = np.arange(count + 1) * (1 << 16) // count
    scheme = "legacy" if config.signature == "datasketch-legacy" else "affine32"
    for first, last in itertools.pairwise(bounds):
        found = []
        for partition in view.partitions():
            for batch in view.batches(partition, ["id", "url", "signature"]):
                ids = batch.column("id")
                data = np.frombuffer(ids.buffers()[1], np.uint8)[16 * ids.offset :][: 16 * len(ids)].reshape(-1, 16)
                lead = data[:, 0].astype(np.int64) << 8 | data[:, 1]
                here = batch.filter(pa.array((lead >= first) & (lead < last)))
                signed = np.frombuffer(b"".join(here.column("signature").to_pylist()), "<u4")
                minhash = serialised(signed.reshape(-1, config.permutations), config.seed, scheme)
                found.append(pa.table({"id": here.column("id"), "url": here.column("url"), "minhash": minhash}))
        if found:
            yield pa.concat_tables(found).sort_by("id")
