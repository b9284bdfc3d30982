"""Which passages of a corpus are repeated: each is hashed, and the hashes are counted out of memory.

A record is (hash, owner, place): the owner is the beginning of the document's id, the place the passage's number in
the order of reading. A shuffle brings equal hashes together, a table of fixed size counts them, and a second shuffle
brings what is repeated back into the order of reading. Memory is bounded by the table; where a bucket has more
different hashes than it holds, it is counted in halves. Time is linear in the passages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from corpus.kernels.tally import repeated, tally
from corpus.shuffle import Shuffle

_TOP = (1 << 64) - 1
_SLOT_BYTES = 48
_CACHED_SLOTS = 1 << 16  # of a table that a processor's cache holds
_MOST_BUCKETS = 4096
_PLACE_BYTES = 128  # a row of the second shuffle while it is sorted


class Repeats:
    """`add` the passages of all documents in order, then read `places`; a context manager.

    `folder` is for temporary files, `expected` about how many passages there will be, `memory` in bytes. With
    `across`, a passage must occur in two documents, not only twice.
    """

    def __init__(self, folder: Path, expected: int, memory: int, across: bool) -> None:
        self._folder, self._memory, self._across = folder, memory, across
        self._slots = 1 << max(10, (memory // 4 // _SLOT_BYTES).bit_length() - 1)
        wanted = max(1, expected * 2 // min(self._slots, _CACHED_SLOTS))
        self._bits = min(wanted, _MOST_BUCKETS - 1).bit_length()  # at least 1: a shift by 64 bits is none
        self._shuffle = Shuffle(folder, 1 << self._bits, 3, memory // 4)
        self.total = 0

    def __enter__(self) -> Repeats:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shuffle.__exit__(kind, error, trace)

    def add(self, hashes: np.ndarray, owners: np.ndarray) -> None:
        """Passages in the order of reading; `owners` uint64, those of one document one after another."""
        records = np.empty((len(hashes), 3), np.uint64)
        records[:, 0], records[:, 1] = hashes, owners
        records[:, 2] = np.arange(self.total, self.total + len(hashes), dtype=np.uint64)
        self._shuffle.add(hashes >> np.uint64(64 - self._bits), records)
        self.total += len(hashes)

    def places(self, beat: Callable[[int], object]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """(int64 places, ascending; int64 documents that have the passage; bool: the first of its occurrences).

        In batches, which follow one another. The first is that in the document of the smallest owner.
        """
        span = max(1024, self._memory // 4 // _PLACE_BYTES)
        with Shuffle(self._folder, self.total // span + 1, 2, self._memory // 4) as back:
            for bucket in range(1 << self._bits):
                low = bucket << (64 - self._bits)
                self._count(bucket, low, low + (_TOP >> self._bits), back, span, beat)
            for number in range(back.buckets):
                found = back.bucket(number)
                beat(0)
                found = found[np.argsort(found[:, 0])]
                yield (
                    found[:, 0].astype(np.int64),
                    (found[:, 1] >> np.uint64(1)).astype(np.int64),
                    (found[:, 1] & np.uint64(1)).astype(bool),
                )

    def _count(self, bucket: int, low: int, high: int, back: Shuffle, span: int, beat: Callable[[int], object]) -> None:
        """Put what is repeated of a bucket's hashes from `low` to `high` into `back`."""
        slots = min(self._slots, 1 << (2 * int(self._shuffle.sizes()[bucket]) + 8).bit_length())
        keys, last, least, first = (np.empty(slots, np.uint64) for _ in range(4))
        documents, times = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
        ends = np.uint64(low), np.uint64(high)
        used = 0
        for records in self._shuffle.pieces(bucket):
            used = tally(records, *ends, used, keys, documents, times, last, least, first)
            beat(0)
            if used < 0:
                del keys, last, least, first, documents, times
                middle = (low + high) // 2
                self._count(bucket, low, middle, back, span, beat)
                self._count(bucket, middle + 1, high, back, span, beat)
                return
        for records in self._shuffle.pieces(bucket):
            out = np.empty_like(records)
            found = out[: repeated(records, *ends, keys, documents, times, first, out)]
            if self._across:
                found = found[found[:, 1] > 1]
            back.add(found[:, 0] // np.uint64(span), np.stack([found[:, 0], found[:, 1] << 1 | found[:, 2]], axis=1))
            beat(0)
