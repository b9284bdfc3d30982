"""MinHash signatures equal to datasketch's (github.com/ekzhu/datasketch) over our shingles, cut to 32 bits.

`affine32` is its scheme from 2.0 on: the hash, mixed by MurmurHash3's finaliser, times an odd a plus b, modulo 2^32.
`legacy` is the one before: (a h + b) modulo 2^64, then modulo the Mersenne prime 2^61 - 1, of that the low 32 bits.
"""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from corpus.kernels.arrow import string_buffers
from corpus.kernels.jit import inlined, njit
from corpus.kernels.minhash import EMPTY
from corpus.kernels.shingles import CASE, combine, fold, scratch, word_hashes

SCHEMES = ("affine32", "legacy")
_BLOCK = 1024
_PRIME = np.uint64((1 << 61) - 1)
_PRIME_BITS = np.uint64(61)


@functools.cache
def permutations(count: int, seed: int, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    """(uint64[count] a, uint64[count] b), drawn as datasketch draws them."""
    random = np.random.RandomState(seed)
    if scheme == "legacy":
        drawn = [random.randint(low, int(_PRIME), dtype=np.uint64) for _ in range(count) for low in (1, 0)]
        a, b = np.array(drawn, np.uint64).reshape(count, 2).T
        return np.ascontiguousarray(a), np.ascontiguousarray(b)
    a = random.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return a.astype(np.uint64), random.randint(0, 1 << 32, count, dtype=np.uint32).astype(np.uint64)


@inlined
def _finalise(h):  # type: ignore[no-untyped-def]
    """MurmurHash3's fmix32."""
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit
def _lower_affine(low, a, b, row):  # type: ignore[no-untyped-def]
    for i in range(len(row)):
        m = row[i]
        multiplier = np.uint32(a[i])
        addend = np.uint32(b[i])
        for k in range(len(low)):
            value = np.uint32(low[k] * multiplier + addend)
            m = value if value < m else m
        row[i] = m


@njit
def _lower_legacy(low, a, b, row):  # type: ignore[no-untyped-def]
    for i in range(len(row)):
        m = row[i]
        for k in range(len(low)):
            x = a[i] * np.uint64(low[k]) + b[i]
            x = (x & _PRIME) + (x >> _PRIME_BITS)
            x = x - _PRIME if x >= _PRIME else x
            value = np.uint32(x)
            m = value if value < m else m
        row[i] = m


@njit
def _signatures(data, offsets, ngram, table, words, hashes, legacy, a, b, out):  # type: ignore[no-untyped-def]
    low = np.empty(_BLOCK, np.uint32)
    for d in range(len(offsets) - 1):
        count = word_hashes(data, offsets[d], offsets[d + 1], table, words)
        total = combine(words, count, ngram, hashes)
        for start in range(0, total, _BLOCK):
            size = min(_BLOCK, total - start)
            for k in range(size):
                h = np.uint32(hashes[start + k])
                low[k] = h if legacy else _finalise(h)
            if legacy:
                _lower_legacy(low[:size], a, b, out[d])
            else:
                _lower_affine(low[:size], a, b, out[d])


def signatures(
    texts: pa.Array,
    count: int,
    ngram: int = 5,
    seed: int = 1,
    normalise: tuple[str, ...] = CASE,
    scheme: str = "affine32",
) -> np.ndarray:
    """uint32[n, count], as of `corpus.kernels.minhash.signatures`: `datasketch.MinHash(count, seed, scheme=scheme)` of
    the low 32 bits of each document's shingles.

    Raises ValueError for count or ngram < 1 and for an unknown scheme.
    """
    if count < 1 or ngram < 1:
        raise ValueError(f"signatures: count and ngram must be at least 1, not {count} and {ngram}")
    if scheme not in SCHEMES:
        raise ValueError(f"scheme: {' or '.join(SCHEMES)}, not {scheme}")
    data, offsets = string_buffers(texts)
    a, b = permutations(count, seed, scheme)
    out = np.full((len(offsets) - 1, count), EMPTY, np.uint32)
    spare = scratch(offsets), scratch(offsets)
    _signatures(data, offsets, ngram, fold(normalise), *spare, scheme == "legacy", a, b, out)
    return out
