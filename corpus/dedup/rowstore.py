"""Arrays that grow past the memory they may take: in memory up to a limit, from there on in an unnamed temporary file.

The file has no name, so nothing outlives the process. Raises OSError when the disk is full.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from corpus.kernels.jit import njit
from corpus.shuffle import read_into, write_all

_BLOCK = 1 << 22
"""Bytes that are read at once."""
_GAP = 1 << 15
"""Bytes between two rows that are read with them: a read more costs more than these."""


class Spill:
    """A flat array that is appended to, then read in pieces."""

    def __init__(self, folder: Path, dtype: Any, memory: int) -> None:
        self.folder = folder
        # Pages that are never written to take no memory.
        self._held = np.empty(max(memory // np.dtype(dtype).itemsize, 1), dtype)
        self._file: IO[bytes] | None = None
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def resident(self) -> np.ndarray | None:
        """The whole array, if it is in memory."""
        return None if self._file is not None else self._held

    def append(self, values: np.ndarray) -> None:
        if self._file is None:
            if self._size + len(values) <= len(self._held):
                self._held[self._size : self._size + len(values)] = values
                self._size += len(values)
                return
            self._file = TemporaryFile(dir=self.folder)  # noqa: SIM115 -- closed with the last reference
            self._write(self._held[: self._size])
            self._held = self._held[:0].copy()
        self._write(values.astype(self._held.dtype, copy=False))
        self._size += len(values)

    def _write(self, values: np.ndarray) -> None:
        assert self._file is not None
        write_all(self._file, values)

    def read(self, start: int, stop: int) -> np.ndarray:
        """The elements `start` to `stop`; not to be written to."""
        if self._file is None:
            return self._held[start:stop]
        out = np.empty(stop - start, self._held.dtype)
        read_into(self._file, out, start * out.itemsize)
        return out

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """All elements, `size` at a time."""
        for start in range(0, self._size, max(size, 1)):
            yield self.read(start, min(start + max(size, 1), self._size))


@njit
def _admit(pairs, first, lengths, limit, number, members, local):  # type: ignore[no-untyped-def]
    size = 0
    total = 0
    for p in range(first, len(pairs)):
        a = np.int64(pairs[p] >> np.uint64(32))
        b = np.int64(pairs[p] & np.uint64(0xFFFFFFFF))
        more = lengths[a] * (number[a] < 0) + lengths[b] * (number[b] < 0)
        if p > first and total + more > limit:
            return p, size
        total += more
        for row in (a, b):
            if number[row] < 0:
                number[row] = size
                members[size] = row
                size += 1
        local[p - first] = np.uint64(number[a]) << np.uint64(32) | np.uint64(number[b])
    return len(pairs), size


@njit
def _copy(block, base, starts, lengths, order, first, last, out, places):  # type: ignore[no-untyped-def]
    for k in range(first, last):
        row = order[k]
        begin = starts[row] - base
        out[places[row] : places[row] + lengths[row]] = block[begin : begin + lengths[row]]


@njit
def _all_stored(pairs, starts):  # type: ignore[no-untyped-def]
    for p in range(len(pairs)):
        if starts[pairs[p] >> np.uint64(32)] < 0 or starts[pairs[p] & np.uint64(0xFFFFFFFF)] < 0:
            return False
    return True


_ABSENT = "a row is asked for that was not stored"


class RowStore:
    """Rows 0 to `rows` - 1 of unequal length, each added once, in any order.

    To ask for one that was not is a mistake of the caller's: AssertionError.
    """

    def __init__(self, folder: Path, dtype: Any, rows: int, memory: int) -> None:
        self._flat = Spill(folder, dtype, memory)
        self._starts = np.full(rows, -1, np.int64)
        self._lengths = np.zeros(rows, np.int32)

    def add(self, rows: np.ndarray, values: np.ndarray, lengths: np.ndarray) -> None:
        """`values` flat, of `rows` int[m] of `lengths` int[m]."""
        self._lengths[rows] = lengths
        self._starts[rows] = len(self._flat) + np.cumsum(lengths) - lengths
        self._flat.append(values)

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(flat, int64[m] starts, int32[m] lengths) of `rows` int[m], each given once."""
        starts, lengths = self._starts[rows], self._lengths[rows]
        assert not (starts < 0).any(), _ABSENT
        if self._flat.resident is not None:
            return self._flat.resident, starts, lengths
        places = np.cumsum(lengths, dtype=np.int64) - lengths
        out = np.empty(int(lengths.sum(dtype=np.int64)), self._flat.read(0, 0).dtype)
        order = np.argsort(starts)
        begin = starts[order]
        end = begin + lengths[order]
        size = out.itemsize
        apart = (begin[1:] - end[:-1] > _GAP // size) | (np.diff(begin // (_BLOCK // size)) > 0)
        cuts = np.concatenate([[0], np.flatnonzero(apart) + 1, [len(rows)]])
        for first, last in itertools.pairwise(cuts):
            if first < last:
                base = int(begin[first])
                block = self._flat.read(base, int(end[first:last].max()))
                _copy(block, base, starts, lengths, order, first, last, out, places)
        return out, places, lengths

    def chunks(
        self, pairs: np.ndarray, memory: int
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """(which of `pairs`, these with their rows renumbered, flat, starts, lengths), so many pairs at a time that
        their rows take `memory` bytes; one pair at least. `pairs` uint64[m]: a row in either half.
        """
        assert _all_stored(pairs, self._starts), _ABSENT
        if self._flat.resident is not None:
            yield slice(0, len(pairs)), pairs, self._flat.resident, self._starts, self._lengths
            return
        number = np.full(len(self._lengths), -1, np.int32)
        members = np.empty(min(2 * len(pairs), len(number)), np.int64)
        local = np.empty(len(pairs), np.uint64)
        limit = memory // self._flat.read(0, 0).itemsize
        first = 0
        while first < len(pairs):
            last, size = _admit(pairs, first, self._lengths, limit, number, members, local)
            yield slice(first, last), local[: last - first], *self.gather(members[:size])
            number[members[:size]] = -1
            first = last
