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
from corpus.kernels.jit import inlined, njit
from corpus.kernels.shingles import mix

_SPACE = np.uint32(0x20)
_MULTIPLIER_1 = np.uint64(0x9FB21C651E98DF25)
_MULTIPLIER_2 = np.uint64(0xD6E8FEB86659FD93)
_SEED_1 = np.uint64(0x243F6A8885A308D3)
_SEED_2 = np.uint64(0x13198A2E03707344)


@functools.cache
def _fold() -> np.ndarray:
    return np.where(unicode.classes() & unicode.SPACE, _SPACE, unicode.lower()).astype(np.uint32)


@inlined
def _add(h, g, point):  # type: ignore[no-untyped-def]
    h = (h ^ point) * _MULTIPLIER_1
    g = (g ^ point) * _MULTIPLIER_2
    return h ^ (h >> np.uint64(32)), g ^ (g >> np.uint64(29))


@njit
def _keys(data, offsets, table, out):  # type: ignore[no-untyped-def]
    for d in range(len(offsets) - 1):
        h, g = _SEED_1, _SEED_2
        gap = 0
        length = np.uint64(0)
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
            if point == _SPACE:
                gap = 1 if length > 0 else 0
                continue
            if gap == 1:
                h, g = _add(h, g, np.uint64(_SPACE))
                length += np.uint64(1)
                gap = 0
            h, g = _add(h, g, np.uint64(point))
            length += np.uint64(1)
        out[d, 0] = mix(h + length)
        out[d, 1] = mix(g ^ length)


def exact_keys(texts: pa.Array) -> pa.Array:
    """binary(16)[n]: equal for documents whose normalised text (see the module) is equal.

    128 bits of a fixed, non-cryptographic hash: among 10^10 documents an accidental agreement has probability
    10^-19, one made on purpose is possible. `texts` is a string or large_string array without nulls.
    """
    data, offsets = string_buffers(texts)
    out = np.empty((len(offsets) - 1, 2), np.uint64)
    _keys(data, offsets, _fold(), out)
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(out), [None, pa.py_buffer(out.astype("<u8").tobytes())]
    )
