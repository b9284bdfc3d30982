"""A sample of documents that depends on their ids alone, not on their order or partitions."""

from __future__ import annotations

import hashlib
import heapq

import numpy as np
import pyarrow as pa

from corpus.kernels.arrow import string_buffers


def keyed_hash(ids: pa.Array, key: str) -> np.ndarray:
    """uint64[n]: a hash of each 16-byte id (fixed_size_binary(16) without nulls), another one for each key.

    The ids are hashes already, so two rounds of the SplitMix64 finaliser (Steele, Lea and Flood 2014)
    suffice.
    """
    words = id_words(ids)
    salt = np.frombuffer(hashlib.blake2b(key.encode(), digest_size=8).digest(), "<u8")[0]
    return _mix(_mix(words[:, 0] ^ salt) ^ words[:, 1])


def id_words(ids: pa.Array) -> np.ndarray:
    """uint64[n, 2]: the 16-byte ids as two little-endian words, without a copy."""
    if ids.type != pa.binary(16) or ids.null_count:
        raise TypeError(f"ids must be fixed_size_binary(16) without nulls, not {ids.type}")
    if len(ids) == 0:
        return np.zeros((0, 2), np.uint64)
    return np.frombuffer(ids.buffers()[1], "<u8", 2 * len(ids), 16 * ids.offset).reshape(-1, 2)


def _mix(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Sample:
    """The documents with the smallest keyed hashes that fit into `limit` bytes of text.

    Formally: the longest prefix, in the order of the hash, whose texts sum to at most `limit` UTF-8 bytes. A
    document counts with at most a 16th of the limit, so that no single book fills the sample. Memory is
    bounded by the limit and one batch.
    """

    def __init__(self, limit: int, seed: int) -> None:
        self.limit = limit
        self.key = f"tokenizer sample {seed}"
        # Of all that was seen: documents, their UTF-8 bytes, and the bytes beyond the share of one document.
        self.documents = self.bytes = self.cropped_bytes = 0
        self._heap: list[tuple[int, bytes, bytes]] = []  # (-hash, id, text): the first is the first to go
        self._held = 0
        self._cut = (1 << 64) - 1  # nothing at or above this hash can be in the prefix

    def add(self, batch: pa.RecordBatch) -> None:
        """Columns used: `id` fixed_size_binary(16), `text` string or large_string."""
        hashes = keyed_hash(batch.column("id"), self.key)
        data, offsets = string_buffers(batch.column("text"))
        share = self.limit // 16
        sizes = np.diff(offsets)
        self.documents += len(batch)
        self.bytes += int(sizes.sum())
        self.cropped_bytes += int(np.maximum(sizes - share, 0).sum())
        for row in np.flatnonzero(hashes < self._cut).tolist():
            value = int(hashes[row])
            if value >= self._cut:
                continue
            text = data[offsets[row] : offsets[row + 1]].tobytes()
            if len(text) > share:
                text = text[:share].decode(errors="ignore").encode()
            heapq.heappush(self._heap, (-value, batch.column("id")[row].as_py(), text))
            self._held += len(text)
            while self._held > self.limit:
                negative, _, gone = heapq.heappop(self._heap)
                self._held -= len(gone)
                self._cut = min(self._cut, -negative)

    def texts(self) -> list[str]:
        """In the order of the hash."""
        return [text.decode() for _, _, text in sorted(self._heap, key=lambda entry: (-entry[0], entry[1]))]
