"""Records partitioned on disk into buckets that each fit in memory: the shuffle of MapReduce (Dean and Ghemawat 2004).

Records are rows of uint64. They are held back in memory, written to one unnamed temporary file, bucket by bucket, when
they pass half of `memory`, and read again a bucket at a time. Nothing outlives the process: the file has no name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np


def write_all(file: IO[bytes], values: np.ndarray) -> None:
    """Append the bytes of an array. Raises OSError when the disk is full."""
    view = np.ascontiguousarray(values).data.cast("B") if values.size else memoryview(b"")
    while view:
        view = view[os.write(file.fileno(), view) :]


def read_into(file: IO[bytes], out: np.ndarray, position: int) -> None:
    """Fill a contiguous array from byte `position` on. Raises OSError for a file that ends before."""
    view = out.data.cast("B") if out.size else memoryview(b"")
    while view:
        done = os.preadv(file.fileno(), [view], position)
        if not done:
            raise OSError("a temporary file is shorter than what was written to it")
        view, position = view[done:], position + done


class Shuffle:
    """`add` records with the number of their bucket, then read `bucket(i)`; a context manager.

    `folder` should lie on the disk of the outputs, not in a small `/tmp`. `width` uint64s a record; `memory` in bytes.
    Raises OSError when the disk is full.
    """

    def __init__(self, folder: Path, buckets: int, width: int = 1, memory: int = 64 << 20) -> None:
        self.buckets, self.width = buckets, width
        self._limit = max(memory // 2, 1 << 16)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 -- closed by `__exit__`
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []
        self._held = self._end = 0
        # Of each bucket: (offset in records, records) of its chunks, in the order of adding.
        self._chunks: list[list[tuple[int, int]]] = [[] for _ in range(buckets)]

    def __enter__(self) -> Shuffle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, numbers: np.ndarray, records: np.ndarray) -> None:
        """Records uint64[n, width] (or [n], for width 1) into the buckets `numbers` int[n]."""
        if not len(records):
            return
        records = np.ascontiguousarray(records, np.uint64).reshape(-1, self.width)
        self._pending.append((np.asarray(numbers, np.int32), records))
        self._held += records.nbytes + 4 * len(records)
        if self._held > self._limit:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        from corpus.kernels.partition import scatter

        counts = np.zeros(self.buckets, np.int64)
        for numbers, _ in self._pending:
            counts += np.bincount(numbers, minlength=self.buckets)
        records = np.empty((int(counts.sum()), self.width), np.uint64)
        places = np.cumsum(counts) - counts
        for numbers, given in self._pending:
            scatter(numbers, given, places, records)
        self._pending, self._held = [], 0
        start = self._end
        for bucket in np.flatnonzero(counts):
            self._chunks[bucket].append((start, int(counts[bucket])))
            start += int(counts[bucket])
        write_all(self._file, records)
        self._end = start

    def sizes(self) -> np.ndarray:
        """int64[buckets]: how many records each bucket holds."""
        self._flush()
        return np.array([sum(count for _, count in chunks) for chunks in self._chunks], np.int64)

    def bucket(self, number: int) -> np.ndarray:
        """uint64[m, width]: a bucket's records, in the order of adding."""
        self._flush()
        out = np.empty((sum(count for _, count in self._chunks[number]), self.width), np.uint64)
        at = 0
        for offset, count in self._chunks[number]:
            self._read(offset, out[at : at + count])
            at += count
        return out

    def pieces(self, number: int, rows: int = 1 << 16) -> Iterator[np.ndarray]:
        """A bucket's records in the order of adding, at most `rows` at a time."""
        self._flush()
        for offset, count in self._chunks[number]:
            for first in range(0, count, rows):
                out = np.empty((min(rows, count - first), self.width), np.uint64)
                self._read(offset + first, out)
                yield out

    def _read(self, offset: int, out: np.ndarray) -> None:
        """Fill `out` with the records from number `offset` on."""
        read_into(self._file, out, offset * 8 * self.width)
