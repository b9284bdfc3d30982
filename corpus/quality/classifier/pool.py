"""The texts that a classifier is trained on and held out: without duplicates, in an order that a seed gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dedup.exact import exact_keys
from corpus.kernels.arrow import string_buffers
from corpus.quality.classifier.config import NEGATIVE, POSITIVE, Preparation
from corpus.quality.classifier.prepare import prepare

_KEY = np.dtype([("first", "<u8"), ("second", "<u8")])


@dataclass
class Pool:
    """Prepared lines in a file, and per line where it lies, its key and its class; 33 bytes of memory a line.

    The key is that of `corpus.dedup.exact`: equal for texts that are equal but for case and white space.
    """

    path: Path
    start: np.ndarray
    size: np.ndarray
    key: np.ndarray
    good: np.ndarray
    empty: int = 0
    """Texts without a word."""
    repeated: int = 0
    """Texts that repeat one of their own class."""
    contradictory: int = 0
    """Texts that are in both classes: all of them are left out."""

    def keys(self, rows: np.ndarray) -> pa.Array:
        """The keys of these rows, as `exact_keys` gives them."""
        return pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(16), len(rows), [None, pa.py_buffer(self.key[rows].tobytes())]
        )

    def lines(self, rows: np.ndarray) -> Iterator[bytes]:
        """The lines of these rows, in this order."""
        with self.path.open("rb") as file:
            for start, size in zip(self.start[rows].tolist(), self.size[rows].tolist(), strict=True):
                yield os.pread(file.fileno(), size, start)

    def write(self, rows: np.ndarray, path: Path) -> None:
        """These rows as fastText reads them: a label, a space and the line."""
        with path.open("wb") as out:
            for line, good in zip(self.lines(rows), self.good[rows].tolist(), strict=True):
                out.write((POSITIVE if good else NEGATIVE).encode() + b" " + line + b"\n")

    def batches(self, rows: np.ndarray, size: int = 512) -> Iterator[pa.Array]:
        """The lines of these rows, some hundred at a time."""
        for first in range(0, len(rows), size):
            yield pa.array(self.lines(rows[first : first + size]), pa.large_binary()).cast(pa.large_string())


class Collector:
    """Writes prepared lines to a file until `pool` is asked for."""

    def __init__(self, path: Path, preparation: Preparation) -> None:
        self._path, self._preparation = path, preparation
        self._file: IO[bytes] = path.open("wb")
        self._at = self._empty = 0
        self._sizes: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []
        self._good: list[np.ndarray] = []

    def add(self, texts: pa.Array, good: bool) -> None:
        """Texts (string or large_string without nulls) of one class."""
        lines = prepare(texts, self._preparation)
        self._empty += lines.null_count
        lines = lines.drop_null()
        data, offsets = string_buffers(lines)
        self._file.write(data[offsets[0] : offsets[-1]].tobytes())
        self._sizes.append(np.diff(offsets))
        self._keys.append(np.frombuffer(exact_keys(lines).buffers()[1], _KEY, len(lines)))
        self._good.append(np.full(len(lines), good))

    def pool(self) -> Pool:
        """What was added; of texts with one key the first, and none where both classes have it."""
        self._file.close()
        size = np.concatenate([np.zeros(0, np.int64), *self._sizes])
        key = np.concatenate([np.zeros(0, _KEY), *self._keys])
        good = np.concatenate([np.zeros(0, bool), *self._good])
        start = np.cumsum(size) - size
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        goods = np.bincount(place, weights=good, minlength=len(first))
        counts = np.bincount(place, minlength=len(first))
        both = (goods > 0) & (goods < counts)
        kept = np.sort(first[~both])
        contradictory = int(counts[both].sum())
        repeated = len(key) - contradictory - len(kept)
        return Pool(self._path, start[kept], size[kept], key[kept], good[kept], self._empty, repeated, contradictory)


@dataclass(frozen=True)
class Split:
    """Rows of a pool, each in the order of the seed's hash."""

    train: np.ndarray
    held_out: np.ndarray


def split(pool: Pool, seed: int, held_out: float, balance: bool, sample: int | None) -> Split:
    """Hold a share of each class out; with `sample` at most so many of a class, with `balance` equally many of both.

    The order is a hash of text and seed, so that it depends neither on the order of the inputs nor on how many there
    are, and fastText, which reads its lines as they come, sees both classes mixed.
    """
    order = _mix(pool.key["first"] ^ _mix(np.full(1, seed, np.uint64)))
    ranked = np.lexsort((pool.key["second"], order))
    rows = [ranked[pool.good[ranked] == good] for good in (True, False)]
    most = min(len(rows[0]), len(rows[1])) if balance else len(ranked)
    rows = [of_class[: min(most, sample or most)] for of_class in rows]
    counts = [max(1, round(held_out * len(of_class))) for of_class in rows]
    place = np.empty(len(ranked), np.int64)
    place[ranked] = np.arange(len(ranked))
    held, train = (
        np.concatenate(parts)
        for parts in (
            [of_class[:count] for of_class, count in zip(rows, counts, strict=True)],
            [of_class[count:] for of_class, count in zip(rows, counts, strict=True)],
        )
    )
    return Split(train[np.argsort(place[train])], held[np.argsort(place[held])])


def words_of(lines: pa.Array) -> np.ndarray:
    """int64[n]: words between white space, 0 for null."""
    trimmed = pc.utf8_trim_whitespace(lines)
    return pc.fill_null(pc.list_value_length(pc.utf8_split_whitespace(trimmed)), 0).to_numpy().astype(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser (Steele, Lea and Flood 2014), uint64[n]."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
