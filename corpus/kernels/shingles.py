"""Hashed word n-grams ("shingles", Broder 1997) of text, natively.

A word is a run of `\\w`, lower-cased code point by code point (so `İ` and a final `ς` keep what `str.lower`
would change by context or to several characters); `fold` knows what else may not count. Scripts that are
written without spaces have no such runs: each `\\w` character of Han, Hiragana, Katakana, Thai, Lao, Khmer and
Myanmar is a word of its own. A document with fewer than n words, but at least one, has one shingle of all its
words; a document without words has none.

Hashes are 64 bits, well mixed, fixed for ever by this file, and not cryptographic: two different shingles of
the same corpus of 10^9 shingles agree with probability 0.03, a Jaccard index is off by nothing that can be
seen.
"""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from corpus.kernels import unicode
from corpus.kernels.arrow import string_buffers
from corpus.kernels.jit import inlined, njit

# Inclusive code point ranges, by Unicode's Scripts.txt, widened to whole blocks.
SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3021, 0x3029),  # Hangzhou numerals
    (0x3031, 0x303C),
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),  # Myanmar extended
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1AFF0, 0x1B16F),  # Kana supplements
    (0x20000, 0x323AF),
)

ALONE = np.uint32(0x80000000)
SKIP = np.uint32(0xFFFFFFFF)
CASE = ("case",)
_WORD_SEED = np.uint64(0x9E3779B97F4A7C15)
_WORD_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
_NGRAM_MULTIPLIER = np.uint64(0xA0761D6478BD642F)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MOVES = 8


@functools.cache
def fold(normalise: tuple[str, ...] = CASE) -> np.ndarray:
    """uint32[0x110000]: what a code point counts as: 0 for what is in no word, else itself, with ALONE for spaceless
    scripts.

    With `case` in `normalise` it counts as its lower case; with `digits` every decimal digit, of any script, as 0;
    with `accents` as the first code point of its canonical decomposition, and combining marks are SKIP: they are no
    part of a word and do not end it either, so that a text has the same words in NFC and in NFD (Hangul apart, whose
    letters decompose into letters).
    """
    import unicodedata

    points = np.arange(0x110000, dtype=np.uint32)
    if "accents" in normalise:
        points = unicode.base()
    if "case" in normalise:
        points = unicode.lower()[points]
    if "digits" in normalise:
        decimal = [p for p in np.flatnonzero(unicode.classes() & unicode.DIGIT) if unicodedata.decimal(chr(p), -1) >= 0]
        points[decimal] = ord("0")
    table = np.where(unicode.classes() & unicode.WORD, points, 0).astype(np.uint32)
    for first, last in SPACELESS:
        block = table[first : last + 1]
        block[block != 0] |= ALONE
    if "accents" in normalise:
        table[unicode.marks()] = SKIP
    return table


@inlined
def mix(x):  # type: ignore[no-untyped-def]
    """A bijection of uint64 in which each bit of x changes each bit of the result (splitmix64's, Stafford
    13)."""
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


@njit
def word_hashes(data, start, end, table, out):  # type: ignore[no-untyped-def]
    """Hash the words of `data[start:end]` (UTF-8) into `out`; their number. `out` holds (end - start) // 2 +
    1."""
    count = 0
    h = _WORD_SEED
    i = start
    while i < end:
        b = data[i]
        if b < 0x80:
            point = np.uint64(table[b])
            i += 1
        else:
            raw, width = unicode.decode(data, i, end)
            folded = table[raw]
            i += width
            if folded == SKIP:
                continue
            if folded >= ALONE:
                if h != _WORD_SEED:
                    out[count] = h
                    count += 1
                out[count] = (_WORD_SEED ^ np.uint64(folded)) * _WORD_MULTIPLIER
                count += 1
                h = _WORD_SEED
                continue
            point = np.uint64(folded)
        # Without a branch on where words end, which no predictor would guess.
        out[count] = h
        inside = point != 0
        count += h != _WORD_SEED and not inside
        longer = (h ^ point) * _WORD_MULTIPLIER
        longer ^= longer >> np.uint64(32)
        h = longer if inside else _WORD_SEED
    if h != _WORD_SEED:
        out[count] = h
        count += 1
    for k in range(count):
        out[k] = mix(out[k])
    return count


@njit
def combine(words, count, ngram, out):  # type: ignore[no-untyped-def]
    """Shingles of `words[:count]` into `out`, in order of the text, repeats included; their number.

    A polynomial in the (mixed) word hashes modulo 2^64, rolled over the window, mixed at the end. The number
    of words goes in, so that a short document is no shingle of a long one.
    """
    if count == 0:
        return 0
    n = min(count, ngram)
    salt = np.uint64(n) * _WORD_SEED
    leaving = np.uint64(1)
    for _ in range(n):
        leaving *= _NGRAM_MULTIPLIER
    s = np.uint64(0)
    for k in range(n):
        s = s * _NGRAM_MULTIPLIER + words[k]
    out[0] = mix(s ^ salt)
    for k in range(n, count):
        s = s * _NGRAM_MULTIPLIER + words[k] - words[k - n] * leaving
        out[k - n + 1] = mix(s ^ salt)
    return count - n + 1


@njit
def longest(offsets):  # type: ignore[no-untyped-def]
    """Bytes of the longest document."""
    most = 0
    for d in range(len(offsets) - 1):
        most = max(most, offsets[d + 1] - offsets[d])
    return most


@njit
def _radix(run, spare, starts):  # type: ignore[no-untyped-def]
    """Sort any uint64, byte by byte from the last: eight passes, so that the result is in `run` again."""
    source = run
    target = spare
    for byte in range(8):
        shift = np.uint64(8 * byte)
        starts[:257] = 0
        for k in range(len(run)):
            starts[np.int64(source[k] >> shift & np.uint64(255)) + 1] += 1
        for k in range(256):
            starts[k + 1] += starts[k]
        for k in range(len(run)):
            digit = np.int64(source[k] >> shift & np.uint64(255))
            target[starts[digit]] = source[k]
            starts[digit] += 1
        source, target = target, source


@njit
def _sort(run, spare, starts):  # type: ignore[no-untyped-def]
    """Sort uint64, uniform as a rule: count by the leading bits, about one value a bucket, then insert.

    Where many are alike inserting them would be quadratic; what takes too many moves is sorted by `_radix`.
    """
    bits = 1
    while bits < 16 and (1 << bits) < len(run):
        bits += 1
    shift = np.uint64(64 - bits)
    starts[: (1 << bits) + 1] = 0
    for k in range(len(run)):
        spare[k] = run[k]
        starts[np.int64(run[k] >> shift) + 1] += 1
    for k in range(1 << bits):
        starts[k + 1] += starts[k]
    for k in range(len(run)):
        bucket = np.int64(spare[k] >> shift)
        run[starts[bucket]] = spare[k]
        starts[bucket] += 1
    moves = _MOVES * len(run)
    for k in range(1, len(run)):
        value = run[k]
        j = k
        while j > 0 and run[j - 1] > value:
            run[j] = run[j - 1]
            j -= 1
        run[j] = value
        moves -= k - j
        if moves < 0:
            _radix(run, spare, starts)
            break


@njit
def _shingles(data, offsets, ngram, table, words, flat):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    ends = np.zeros(n + 1, np.int64)
    starts = np.empty(65537, np.int64)
    size = 0
    for d in range(n):
        count = word_hashes(data, offsets[d], offsets[d + 1], table, words)
        run = flat[size : size + combine(words, count, ngram, flat[size:])]
        _sort(run, words, starts)
        for k in range(len(run)):
            if k == 0 or run[k] != run[k - 1]:
                flat[size] = run[k]
                size += 1
        ends[d + 1] = size
    return ends


def scratch(offsets: np.ndarray) -> np.ndarray:
    """uint64 workspace for the words, or the shingles, of any one document."""
    return np.empty(longest(offsets) // 2 + 1, np.uint64)


def shingles(texts: pa.Array, ngram: int = 5, normalise: tuple[str, ...] = CASE) -> tuple[np.ndarray, np.ndarray]:
    """The distinct shingles of each document: (uint64[total], int64[n + 1] offsets), sorted within a
    document.

    `normalise` is of `fold`; `texts` is a string or large_string array without nulls. Raises ValueError for ngram < 1.
    """
    if ngram < 1:
        raise ValueError(f"shingles: ngram must be at least 1, not {ngram}")
    data, offsets = string_buffers(texts)
    # Room for a word every two bytes; what no word comes to is never touched, so it costs no memory.
    flat = np.empty((offsets[-1] - offsets[0]) // 2 + len(offsets), np.uint64)
    ends = _shingles(data, offsets, ngram, fold(normalise), scratch(offsets), flat)
    return flat[: ends[-1]], ends
