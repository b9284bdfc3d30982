"""Keys of documents that are equal but for case and white space.

The text is lower-cased code point by code point, each run of white space becomes one space, and white space
at either end goes. Nothing else is normalised: Unicode composition (NFC) is left alone, as it is in the
shingles, so that two documents with one key have the same shingles and a Jaccard index of exactly 1. Web text
is in NFC nearly always; what differs in composition only is two documents here.
"""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from corpus.kernels import unicode
from corpus.kernels.arrow import string_buffers
from corpus.kernels.jit import njit
from corpus.kernels.shingles import mix

_SPACE = np.uint32(0x20)
_MULTIPLIER_1 = np.uint64(0x9FB21C651E98DF25)
_MULTIPLIER_2 = np.uint64(0xD6E8FEB86659FD93)
_SEED_1 = np.uint64(0x243F6A8885A308D3)
_SEED_2 = np.uint64(0x13198A2E03707344)


@functools.cache
def _fold() -> np.ndarray:
    return np.where(unicode.classes() & unicode.SPACE, _SPACE, unicode.lower()).astype(np.uint32)


@functools.cache
def _plain() -> np.ndarray:
    return np.arange(0x110000, dtype=np.uint32)


@njit
def _keys(data, offsets, table, points, out):  # type: ignore[no-untyped-def]
    for d in range(len(offsets) - 1):
        size = 0
        gap = True
        i = offsets[d]
        end = offsets[d + 1]
        while i < end:
            b = data[i]
            if b < 0x80:
                point = table[b]
                i += 1
            else:
                raw, width = unicode.decode(data, i, end)
                point = table[raw]
                i += width
            # Without a branch on where words end, which no predictor would guess.
            points[size] = point
            space = point == _SPACE
            size += not (space and gap)
            gap = space
        size -= gap and size > 0
        points[size] = 0
        h, g = _SEED_1, _SEED_2
        for k in range(0, size, 2):
            pair = np.uint64(points[k]) | np.uint64(points[k + 1]) << np.uint64(32)
            h = (h ^ pair) * _MULTIPLIER_1
            g = (g ^ pair) * _MULTIPLIER_2
            h ^= h >> np.uint64(32)
            g ^= g >> np.uint64(29)
        length = np.uint64(size)
        out[d, 0] = mix(h + length)
        out[d, 1] = mix(g ^ length)


def exact_keys(texts: pa.Array) -> pa.Array:
    """binary(16)[n]: equal for documents whose normalised text (see the module) is equal.

    128 bits of a fixed, non-cryptographic hash: among 10^10 documents an accidental agreement has probability
    10^-19, one made on purpose is possible. `texts` is a string or large_string array without nulls.
    """
    return _hashed(texts, _fold())


def plain_keys(texts: pa.Array) -> pa.Array:
    """binary(16)[n], as of `exact_keys`, of texts as they are, but for white space that is U+0020."""
    return _hashed(texts, _plain())


def _hashed(texts: pa.Array, table: np.ndarray) -> pa.Array:
    data, offsets = string_buffers(texts)
    out = np.empty((len(offsets) - 1, 2), np.uint64)
    # A point a byte at most, and one to fill the last pair.
    points = np.empty(int(np.diff(offsets).max(initial=0)) + 2, np.uint32)
    _keys(data, offsets, table, points, out)
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(out), [None, pa.py_buffer(out.astype("<u8").tobytes())]
    )
