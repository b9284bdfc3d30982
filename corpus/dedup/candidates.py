"""Candidate pairs in bounded memory: band hashes, and the pairs that they suggest, are partitioned on disk."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

import numpy as np

from corpus.dedup import lsh
from corpus.dedup.banding import Banding
from corpus.dedup.room import Room
from corpus.dedup.rowstore import Spill
from corpus.shuffle import Shuffle

_PAIR = 8
_MOST_PAIRS = (lsh.PAIRWISE - 1) / 2
"""That a document has in a band, on average over its run."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Pairs:
    """A set of pairs, added in any order and as often as one likes; a context manager."""

    def __init__(self, room: Room, most: float) -> None:
        """`most` pairs, repeats included; it is no fault if there are more."""
        memory = room.share(0.05)
        self._bits = min(max(int(np.ceil(np.log2(max(_PAIR * most / max(memory, 1), 1)))), 0), 14)
        self._shuffle = Shuffle(room.folder, 1 << self._bits, memory=memory)

    def __enter__(self) -> Pairs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shuffle.__exit__(kind, error, trace)

    def add(self, pairs: np.ndarray) -> None:
        # By a hash, not by the first of the pair: one document may be the first of as many as there are.
        numbers = pairs * _MULTIPLIER >> np.uint64(64 - self._bits) if self._bits else np.zeros(len(pairs), np.uint64)
        self._shuffle.add(numbers, pairs)

    def blocks(self) -> Iterator[np.ndarray]:
        """uint64[m]: all of them, each once."""
        for bucket in range(1 << self._bits):
            yield lsh.distinct(self._shuffle.bucket(bucket).ravel())


class Candidates:
    """The signatures of up to `documents` documents, then the pairs of these that agree in a band; a context manager.

    `shift` is of `lsh.shift_of`.
    """

    def __init__(self, documents: int, shift: int, banding: Banding, room: Room) -> None:
        self._banding, self._shift = banding, shift
        # A band's records are sorted at once, or, where they take too much, in parts by their leading bits; a part
        # needs its records, up to 7.5 pairs each, and as much again while these are added to `Pairs`.
        parts = documents * 8 * (2 + 2 * _MOST_PAIRS) / max(room.share(0.25), 1)
        self._bits = min(max(int(np.ceil(np.log2(max(parts, 1)))), 0), 8)
        self._shuffle = Shuffle(room.folder, banding.bands << self._bits, memory=room.share(0.1))
        self._pairs = Pairs(room, documents * banding.bands * _MOST_PAIRS)
        self._members = Spill(room.folder, np.uint32, room.share(0.05))
        self._lengths = Spill(room.folder, np.int64, room.share(0.01))

    def __enter__(self) -> Candidates:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shuffle.__exit__(kind, error, trace)
        self._pairs.__exit__(kind, error, trace)

    def add(self, signatures: np.ndarray, ranks: np.ndarray) -> None:
        """Signatures uint32[n, permutations] of the documents `ranks` int32[n]; without those that are -1."""
        found = lsh.records(signatures, ranks, self._banding.bands, self._banding.rows, self._shift)
        numbers = np.repeat(np.arange(len(found), dtype=np.int32) << self._bits, found.shape[1])
        records = found.ravel()
        if self._bits:
            numbers += (records >> np.uint64(64 - self._bits)).astype(np.int32)
        self._shuffle.add(numbers, records)

    def blocks(self) -> Iterator[np.ndarray]:
        """uint64[m]: the distinct pairs of `lsh.run_pairs`, some at a time."""
        for bucket in range(self._shuffle.buckets):
            records = self._shuffle.bucket(bucket).ravel()
            records.sort()
            pairs, members, lengths = lsh.run_pairs(records, self._shift)
            self._pairs.add(pairs)
            self._members.append(members)
            self._lengths.append(lengths)
        yield from self._pairs.blocks()

    def long_runs(self, memory: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(uint32 members, int64 lengths) of the runs that gave but some of their pairs; after `blocks`."""
        at = 0
        for lengths in self._lengths.blocks(1 << 16):
            ends = at + np.cumsum(lengths)
            first = 0
            while first < len(ends):
                last = max(int(np.searchsorted(ends, at + memory // 4, "right")), first + 1)
                yield self._members.read(at, int(ends[last - 1])), lengths[first:last]
                first, at = last, int(ends[last - 1])
