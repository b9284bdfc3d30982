"""How similar the two documents of a candidate pair are: exactly, or as their signatures say.

The kernels read rows as `rowstore.RowStore` gives them (flat, starts, lengths) and pairs as `lsh` does (uint64).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pyarrow as pa

from corpus.dedup.config import DedupConfig
from corpus.dedup.room import Room
from corpus.dedup.rowstore import RowStore
from corpus.kernels.jit import njit


@njit
def _similarity(pairs, flat, starts, lengths, contained, out):  # type: ignore[no-untyped-def]
    for p in range(len(pairs)):
        first = pairs[p] >> np.uint64(32)
        second = pairs[p] & np.uint64(0xFFFFFFFF)
        i = starts[first]
        j = starts[second]
        end_i = i + lengths[first]
        end_j = j + lengths[second]
        shared = 0
        while i < end_i and j < end_j:
            a = flat[i]
            b = flat[j]
            # Without a branch on the data, which no predictor would guess.
            i += a <= b
            j += b <= a
            shared += a == b
        size_i = np.int64(lengths[first])
        size_j = np.int64(lengths[second])
        whole = min(size_i, size_j) if contained else size_i + size_j - shared
        out[p] = shared / whole if whole else 0.0


@njit
def _estimate(pairs, flat, starts, count, out):  # type: ignore[no-untyped-def]
    for p in range(len(pairs)):
        a = flat[starts[pairs[p] >> np.uint64(32)] :][:count]
        b = flat[starts[pairs[p] & np.uint64(0xFFFFFFFF)] :][:count]
        equal = 0
        for k in range(count):
            equal += a[k] == b[k]
        out[p] = equal / count


@njit
def _agree(pairs, flat, starts, bands, rows, out):  # type: ignore[no-untyped-def]
    for p in range(len(pairs)):
        a = starts[pairs[p] >> np.uint64(32)]
        b = starts[pairs[p] & np.uint64(0xFFFFFFFF)]
        out[p] = False
        for band in range(bands):
            same = True
            for k in range(band * rows, (band + 1) * rows):
                same &= flat[a + k] == flat[b + k]
            if same:
                out[p] = True
                break


def _packed(pairs: np.ndarray) -> np.ndarray:
    first, second = np.ascontiguousarray(pairs, np.int64).reshape(-1, 2).T.astype(np.uint64)
    return first << np.uint64(32) | second


def jaccard(pairs: np.ndarray, hashes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """float64[m]: the exact Jaccard index of each pair int64[m, 2] of documents of `shingles`.

    Two documents without a shingle have index 0: nothing says that they are alike.
    """
    return _of(pairs, hashes, offsets, False)


def containment(pairs: np.ndarray, hashes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """float64[m], as of `jaccard`: the share of the shingles of the one that has fewer which the other has too (Broder
    1997); 0 where one has none."""
    return _of(pairs, hashes, offsets, True)


def _of(pairs: np.ndarray, hashes: np.ndarray, offsets: np.ndarray, contained: bool) -> np.ndarray:
    out = np.empty(np.size(pairs) // 2)
    _similarity(_packed(pairs), hashes, offsets[:-1], np.diff(offsets).astype(np.int32), contained, out)
    return out


def estimate(pairs: np.ndarray, signatures: np.ndarray) -> np.ndarray:
    """float64[m]: the share of equal positions in the signatures uint32[n, k] of each pair int64[m, 2]."""
    out = np.empty(np.size(pairs) // 2)
    count = signatures.shape[1]
    _estimate(_packed(pairs), np.ravel(signatures), np.arange(len(signatures)) * count, count, out)
    return out


def floor(threshold: float, count: int, measure: str = "jaccard") -> float:
    """The estimate below which no pair at `threshold` falls, but one in 10^9 (Hoeffding's bound).

    Of containment none: a short document within one ten times as long has a Jaccard index of .1, and signatures do
    not know of sizes.
    """
    if measure == "containment":
        return 0.0
    return threshold - float(np.sqrt(np.log(1e9) / (2 * count)))


class Source(Protocol):
    """The documents again, in the order of their rows."""

    def signatures(self) -> Iterator[np.ndarray]:
        """uint32[m, permutations] of each next m documents."""
        ...

    def texts(self, rows: np.ndarray) -> Iterator[pa.Array]:
        """Texts of `rows` int[k] (ascending, distinct), in batches."""
        ...


class Comparison:
    """The similarity of pairs of ranks, exact or estimated; signatures and shingles find place in `room`."""

    def __init__(self, source: Source, rank: np.ndarray, config: DedupConfig, room: Room) -> None:
        self._source, self._rank, self._config = source, rank, config
        self._room = room.share(0.3)
        self.signatures = RowStore(room.folder, np.uint32, len(rank) if config.minhash else 0, self._room)
        self.shingles = RowStore(room.folder, np.uint64, len(rank), room.share(0.3))
        self.shingled = np.zeros(len(rank), bool)
        # Half of what is left, for the rows of some pairs at a time, where they do not all fit.
        self.memory = room.share(0.15)

    def fits(self, count: int) -> bool:
        """Whether so many signatures find place in memory."""
        return 4 * count * self._config.permutations <= self._room

    def keep(self, ranks: np.ndarray, signatures: np.ndarray, wanted: np.ndarray) -> None:
        """Store those of the `signatures` of `ranks` that are `wanted` bool[n], by rank."""
        there = wanted[ranks]
        kept = signatures if there.all() else signatures[there]
        self.signatures.add(ranks[there], kept.ravel(), np.full(len(kept), kept.shape[1]))

    def shingle(self, wanted: np.ndarray) -> None:
        """Read the texts of the ranks that are `wanted` bool[n], unless they have been."""
        from corpus.kernels.shingles import shingles

        wanted = wanted & ~self.shingled
        rows = np.flatnonzero(wanted[self._rank])
        at = 0
        for texts in self._source.texts(rows) if len(rows) else ():
            flat, offsets = shingles(texts, self._config.ngram, self._config.normalise)
            self.shingles.add(self._rank[rows[at : at + len(texts)]], flat, np.diff(offsets))
            at += len(texts)
        self.shingled |= wanted

    def exact(self, pairs: np.ndarray) -> np.ndarray:
        """float64[m], by `config.measure`, of pairs that have been shingled."""
        out = np.empty(len(pairs))
        contained = self._config.measure == "containment"
        for where, local, flat, starts, lengths in self.shingles.chunks(pairs, self.memory):
            _similarity(local, flat, starts, lengths, contained, out[where])
        return out

    def estimate(self, pairs: np.ndarray) -> np.ndarray:
        """float64[m]: the share of equal positions in the signatures."""
        out = np.empty(len(pairs))
        for where, local, flat, starts, _ in self.signatures.chunks(pairs, self.memory):
            _estimate(local, flat, starts, self._config.permutations, out[where])
        return out

    def agree(self, pairs: np.ndarray) -> np.ndarray:
        """bool[m]: whether the signatures agree in a band."""
        out = np.empty(len(pairs), bool)
        banding = self._config.banding
        for where, local, flat, starts, _ in self.signatures.chunks(pairs, self.memory):
            _agree(local, flat, starts, banding.bands, banding.rows, out[where])
        return out
