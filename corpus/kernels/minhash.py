"""MinHash signatures (Broder 1997), tokenise + shingle + permute in one native pass.

Permutation i takes the halves of a 64-bit shingle hash x to `(low(x) ^ c_i) * a_i + high(x)` modulo 2^32, a_i
odd. The shingle hashes are mixed already, so this cheap family suffices (`docs/dedup.md` has the measured
bias and variance); 32 bits suffice because a signature is compared only position by position, where a
document of k shingles meets a wrong equality with probability about k / 2^32.

A signature is a minimum over a set: it depends neither on the order of the documents nor on the batches.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpus.kernels.arrow import string_buffers
from corpus.kernels.jit import njit
from corpus.kernels.shingles import CASE, combine, fold, mix, scratch, word_hashes

EMPTY = 0xFFFFFFFF
_BLOCK = 1024
_LANES = 32
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def permutations(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(uint32[count] a, odd; uint32[count] c): drawn by splitmix64 from `seed`; the first k of a longer
    draw."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed & 0xFFFFFFFFFFFFFFFF) + _GOLDEN * np.arange(1, count + 1, dtype=np.uint64)
        drawn = np.array(mix.py_func(state), np.uint64)
    return (drawn >> np.uint64(32)).astype(np.uint32) | np.uint32(1), drawn.astype(np.uint32)


@njit
def _lower(low, high, size, a, c, row):  # type: ignore[no-untyped-def]
    """row = min(row, permuted values of the first `size` shingles)."""
    for i in range(len(row)):
        m = row[i]
        multiplier = a[i]
        flip = c[i]
        for k in range(size):
            value = np.uint32(np.uint32((low[k] ^ flip) * multiplier) + high[k])
            m = value if value < m else m
        row[i] = m


@njit
def _signatures(data, offsets, ngram, table, words, hashes, a, c, out):  # type: ignore[no-untyped-def]
    low = np.empty(_BLOCK, np.uint32)
    high = np.empty(_BLOCK, np.uint32)
    for d in range(len(offsets) - 1):
        count = word_hashes(data, offsets[d], offsets[d + 1], table, words)
        total = combine(words, count, ngram, hashes)
        for start in range(0, total, _BLOCK):
            size = min(_BLOCK, total - start)
            for k in range(size):
                low[k] = np.uint32(hashes[start + k])
                high[k] = np.uint32(hashes[start + k] >> np.uint64(32))
            # A minimum does not mind repeats: whole vectors, no scalar rest.
            while size % _LANES:
                low[size] = low[0]
                high[size] = high[0]
                size += 1
            _lower(low, high, size, a, c, out[d])


def signatures(
    texts: pa.Array, count: int, ngram: int = 5, seed: int = 1, normalise: tuple[str, ...] = CASE
) -> np.ndarray:
    """uint32[n, count]: the MinHash signature of each document; a document without words has EMPTY
    throughout.

    `texts` is a string or large_string array without nulls, `normalise` of `corpus.kernels.shingles.fold`.
    Equal positions of two signatures estimate the Jaccard index of the shingle sets, with standard deviation
    sqrt(J (1 - J) / count). Raises ValueError for count or ngram < 1.
    """
    if count < 1 or ngram < 1:
        raise ValueError(f"signatures: count and ngram must be at least 1, not {count} and {ngram}")
    data, offsets = string_buffers(texts)
    a, c = permutations(count, seed)
    out = np.full((len(offsets) - 1, count), EMPTY, np.uint32)
    _signatures(data, offsets, ngram, fold(normalise), scratch(offsets), scratch(offsets), a, c, out)
    return out
