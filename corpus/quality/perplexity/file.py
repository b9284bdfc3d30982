"""Our own format of n-gram models: a JSON header, then each array compressed by zstd.

    b"corpusmill n-gram 1\\n", the header's length (8 bytes, little-endian), the header, the arrays

The header has `reading`, `facts`, `counts` (n-grams an order) and `arrays`: [name, compressed bytes] in their order.
Arrays are little-endian: `vocabulary` (UTF-8), `lengths` (uint32 bytes a word), and per order n `probability_n`,
`backoff_n` (float32; none for the highest order), from 2 on `children_n` (uint32: how many n-grams begin with each one
of the order below) and `word_n` (uint32, ascending within them). 12 to 16 bytes an n-gram before compression.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.errors import InputError
from corpus.kernels.arrow import string_buffers
from corpus.quality.perplexity.model import MAX_ORDER, SPECIALS, NgramModel, Order, most_bytes, unsound
from corpus.quality.perplexity.tokens import Reading, strings

MAGIC = b"corpusmill n-gram 1\n"
_HEADER_LIMIT = 1 << 20
_NODES = 0xFFFFFFFE  # a node's number is a uint32, and one value says "none"


def dump(model: NgramModel) -> bytes:
    """The model as bytes, the same for the same model."""
    import zstandard

    data, offsets = string_buffers(model.vocabulary)
    arrays = {"vocabulary": data[offsets[0] : offsets[-1]], "lengths": np.diff(offsets).astype("<u4")}
    for n, order in enumerate(model.orders, 1):
        if n > 1:
            parents = len(model.orders[n - 2])
            arrays[f"children_{n}"] = np.bincount(order.prefix, minlength=parents).astype("<u4")
            arrays[f"word_{n}"] = order.word.astype("<u4")
        arrays[f"probability_{n}"] = order.probability.astype("<f4")
        if n < len(model.orders):
            arrays[f"backoff_{n}"] = order.backoff.astype("<f4")
    # A compressor is used once: what it did before must not show.
    packed = {name: zstandard.ZstdCompressor(3).compress(array.tobytes()) for name, array in arrays.items()}
    header = {
        "reading": dataclasses.asdict(model.reading) if model.reading else None,
        "facts": model.facts,
        "counts": model.counts,
        "arrays": [[name, len(part)] for name, part in packed.items()],
    }
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join([MAGIC, len(text).to_bytes(8, "little"), text, *packed.values()])


def parse(data: bytes, name: str) -> NgramModel:
    """The model in `data`. Raises InputError, with `name`, for what `dump` did not write."""
    try:
        return _parse(memoryview(data))
    except _Damaged as error:
        raise InputError(f"{name}: is damaged ({error}); get it again, or train it again") from None


class _Damaged(Exception):
    pass


def _check(holds: Any, what: str) -> None:
    if not holds:
        raise _Damaged(what)


def _parse(data: memoryview) -> NgramModel:
    _check(data[: len(MAGIC)] == MAGIC, "it does not begin as a model of this version")
    at = len(MAGIC) + 8
    size = int.from_bytes(data[len(MAGIC) : at], "little")
    _check(size <= min(_HEADER_LIMIT, len(data) - at), "its header is cut")
    try:
        header = json.loads(bytes(data[at : at + size]))
        counts, listed, facts = header["counts"], header["arrays"], header["facts"]
        reading = None if header["reading"] is None else Reading(**header["reading"])
        if reading is not None:
            reading.check()
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _Damaged("its header cannot be read") from None
    _check(isinstance(facts, dict) and isinstance(counts, list) and 1 <= len(counts) <= MAX_ORDER, "its header")
    _check(all(type(count) is int and count >= 0 for count in counts) and sum(counts) <= _NODES, "its counts")
    sound = isinstance(listed, list) and all(
        isinstance(item, list) and len(item) == 2 and type(item[1]) is int and item[1] >= 0 for item in listed
    )
    _check(sound, "its list of arrays")
    _check(at + size + sum(item[1] for item in listed) == len(data), "its length")
    # 16 bytes an n-gram, 8 of a highest order: what the counts ask for is judged before anything is unpacked.
    _check(12 * sum(counts) <= most_bytes(len(data)), "its counts")
    parts = iter(listed)
    arrays = _Arrays(data[at + size :], parts, most_bytes(len(data)))
    lengths_after = arrays.take("vocabulary", np.dtype("u1"), None)
    lengths = arrays.take("lengths", np.dtype("<u4"), counts[0])
    vocabulary = _vocabulary(lengths_after, lengths)
    orders: list[Order] = []
    for n, count in enumerate(counts, 1):
        prefix, word = np.zeros(0, np.uint32), np.arange(count, dtype=np.uint32)
        if n > 1:
            children = arrays.take(f"children_{n}", np.dtype("<u4"), counts[n - 2])
            _check(int(children.sum(dtype=np.uint64)) == count, f"children_{n}")
            prefix = np.repeat(np.arange(counts[n - 2], dtype=np.uint32), children)
            word = arrays.take(f"word_{n}", np.dtype("<u4"), count)
            _check((word < counts[0]).all(), f"word_{n}")
            _check(((np.diff(word.astype(np.int64)) > 0) | (np.diff(prefix) != 0)).all(), f"word_{n}")
        probability = arrays.take(f"probability_{n}", np.dtype("<f4"), count)
        backoff = np.zeros(count, np.float32)
        if n < len(counts):
            backoff = arrays.take(f"backoff_{n}", np.dtype("<f4"), count)
        _check(len(unsound(probability, backoff)) == 0, f"probability_{n} or backoff_{n}")
        orders.append(Order(prefix, word, probability, backoff))
    _check(next(parts, None) is None, "its list of arrays")
    return NgramModel(vocabulary, tuple(orders), reading, facts)


class _Arrays:
    """The arrays one after the other, each checked against the size that it must have."""

    def __init__(self, data: memoryview, listed: Iterator[list[Any]], most: int) -> None:
        self._data, self._listed, self._most, self._at = data, listed, most, 0

    def take(self, name: str, dtype: np.dtype, count: int | None) -> np.ndarray:
        import zstandard

        found, size = next(self._listed, ("", 0))
        _check(found == name, f"{name} is not there")
        part = self._data[self._at : self._at + size]
        self._at += size
        try:
            frame = zstandard.get_frame_parameters(part)
            wanted = frame.content_size if count is None else count * dtype.itemsize
            _check(frame.content_size == wanted and wanted <= self._most, name)
            raw = zstandard.ZstdDecompressor().decompress(part) if wanted else b""
        except (zstandard.ZstdError, MemoryError):
            raise _Damaged(name) from None
        _check(len(raw) == wanted, name)
        return np.frombuffer(raw, dtype)


def _vocabulary(data: np.ndarray, lengths: np.ndarray) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    _check(offsets[-1] == len(data), "lengths")
    words = strings(data, offsets)
    try:
        words.validate(full=True)
    except pa.ArrowInvalid:
        raise _Damaged("vocabulary") from None
    _check(tuple(words[: len(SPECIALS)].to_pylist()) == SPECIALS, "vocabulary")
    return words
