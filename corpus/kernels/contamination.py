"""Word n-grams of benchmarks, hashed, and where documents have them.

Words and hashes are those of `corpus.kernels.shingles`. A document is read once: a rolling hash of `ngram` words and
one of as many words as the shortest passage has (its "anchor") go through a blocked Bloom filter each (Putze et al.
2007) before they are looked up, so that text which has nothing of a benchmark costs little more than its words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from corpus.kernels import unicode
from corpus.kernels.arrow import string_buffers
from corpus.kernels.jit import inlined, njit
from corpus.kernels.shingles import _NGRAM_MULTIPLIER, _WORD_SEED, ALONE, combine, fold, mix, scratch, word_hashes


class Lookup(NamedTuple):
    """`hashes` uint64[n], sorted and distinct; those whose leading bits (all but `shift`) are b lie at
    `starts[b]:starts[b + 1]`. `seen` is a Bloom filter of 16 to 32 bits a hash: three bits of the word that the leading
    bits (all but `seen_shift`) name."""

    hashes: np.ndarray
    starts: np.ndarray
    seen: np.ndarray
    shift: np.uint64
    seen_shift: np.uint64


class Index(NamedTuple):
    """What is looked for. `sizes` int64[k]: lengths in words of the n-grams of long passages. A shorter passage is one
    n-gram of all its words; its first `anchor` words are in `anchors`, and anchor a begins passages of
    `lengths[length_starts[a]:length_starts[a + 1]]` words."""

    grams: Lookup
    sizes: np.ndarray
    anchor: int
    anchors: Lookup
    length_starts: np.ndarray
    lengths: np.ndarray


def lookup(hashes: np.ndarray) -> Lookup:
    """The table of sorted, distinct uint64 hashes; about 6 bytes for each beside the hash."""
    bits = max(6, len(hashes).bit_length())
    starts = np.zeros((1 << bits) + 1, np.int32)
    shift = np.uint64(64 - bits)
    np.cumsum(np.bincount((hashes >> shift).astype(np.int64), minlength=1 << bits), out=starts[1:])
    seen = np.zeros(1 << (bits - 2), np.uint64)
    seen_shift = np.uint64(66 - bits)
    if len(hashes):
        _mark(hashes, seen, seen_shift)
    for array in (hashes, starts, seen):
        array.flags.writeable = False
    return Lookup(hashes, starts, seen, shift, seen_shift)


@inlined
def _bits(h):  # type: ignore[no-untyped-def]
    one = np.uint64(1)
    low = np.uint64(63)
    return (one << (h & low)) | (one << ((h >> np.uint64(6)) & low)) | (one << ((h >> np.uint64(12)) & low))


@njit
def _mark(hashes, seen, shift):  # type: ignore[no-untyped-def]
    for h in hashes:
        seen[h >> shift] |= _bits(h)


@njit
def _place(h, table):  # type: ignore[no-untyped-def]
    """Where `h` stands in the table, or -1."""
    bucket = h >> table.shift
    for k in range(table.starts[bucket], table.starts[bucket + np.uint64(1)]):
        if table.hashes[k] == h:
            return np.int64(k)
    return np.int64(-1)


@njit
def _sieve(hashes, count, seen, shift, out):  # type: ignore[no-untyped-def]
    """Which of `hashes[:count]` the filter lets through, into `out`; their number."""
    size = 0
    for k in range(count):
        bits = _bits(hashes[k])
        out[size] = k
        size += seen[hashes[k] >> shift] & bits == bits
    return size


@njit
def _known(words, count, n, table, hashes, out):  # type: ignore[no-untyped-def]
    """Where the n-grams of `words[:count]` begin that may be in the table, into `out`; their number. The hashes of all
    go into `hashes`."""
    # Two plain loops: hashing and looking up in one are several times slower.
    return _sieve(hashes, combine(words, count, n, hashes), table.seen, table.seen_shift, out) if count >= n else 0


@njit
def _gram(words, first, n):  # type: ignore[no-untyped-def]
    """The hash of `words[first:first + n]`, as `shingles.combine` makes it."""
    s = np.uint64(0)
    for k in range(first, first + n):
        s = s * _NGRAM_MULTIPLIER + words[k]
    return mix(s ^ (np.uint64(n) * _WORD_SEED))


@njit
def _word_spans(data, start, end, table, begins, ends):  # type: ignore[no-untyped-def]
    """Where the words of `word_hashes` begin and end, in bytes from `start`."""
    count = 0
    inside = False
    i = start
    while i < end:
        at = i
        b = data[i]
        if b < 0x80:
            point = table[b]
            i += 1
        else:
            raw, width = unicode.decode(data, i, end)
            point = table[raw]
            i += width
        if point != 0 and point < ALONE:
            if not inside:
                begins[count] = at - start
                inside = True
            ends[count] = i - start
            continue
        if inside:
            count += 1
            inside = False
        if point != 0:
            begins[count] = at - start
            ends[count] = i - start
            count += 1


@njit
def _add(out, size, row, gram, first, n, count):  # type: ignore[no-untyped-def]
    if size == len(out):
        larger = np.empty((2 * size, 7), np.int64)
        larger[:size] = out
        out = larger
    out[size, 0] = row
    out[size, 1] = gram
    out[size, 2] = first
    out[size, 3] = n
    out[size, 6] = count
    return out


@njit
def _find(data, offsets, table, words, index):  # type: ignore[no-untyped-def]
    out = np.empty((1024, 7), np.int64)
    size = 0
    hashes = np.empty_like(words)
    firsts = np.empty(len(words), np.int64)
    begins = np.empty(0, np.int64)
    ends = np.empty(0, np.int64)
    for d in range(len(offsets) - 1):
        before = size
        count = word_hashes(data, offsets[d], offsets[d + 1], table, words)
        for n in index.sizes:
            for k in range(_known(words, count, n, index.grams, hashes, firsts)):
                gram = _place(hashes[firsts[k]], index.grams)
                if gram >= 0:
                    out = _add(out, size, d, gram, firsts[k], n, count)
                    size += 1
        if index.anchor:
            for k in range(_known(words, count, index.anchor, index.anchors, hashes, firsts)):
                first = firsts[k]
                anchor = _place(hashes[first], index.anchors)
                if anchor < 0:
                    continue
                for j in range(index.length_starts[anchor], index.length_starts[anchor + 1]):
                    n = index.lengths[j]
                    if first + n <= count:
                        gram = _place(_gram(words, first, n), index.grams)
                        if gram >= 0:
                            out = _add(out, size, d, gram, first, n, count)
                            size += 1
        if size > before:
            if len(begins) < count:
                begins = np.empty(count, np.int64)
                ends = np.empty(count, np.int64)
            _word_spans(data, offsets[d], offsets[d + 1], table, begins, ends)
            for k in range(before, size):
                out[k, 4] = begins[out[k, 2]]
                out[k, 5] = ends[out[k, 2] + out[k, 3] - 1]
    return out[:size]


HITS = ("row", "gram", "first", "words", "start", "end", "of")


def find(texts: pa.Array, index: Index) -> dict[str, np.ndarray]:
    """Every occurrence of an n-gram of `index` in `texts` (string or large_string, no nulls), by row.

    int64[m] each: `row`; `gram`, its place among `index.grams`; `first` word and number of `words`; `start` and `end`
    in bytes of the row's text; `of`, the words of the row. In the order of `row`, `first`, `words`.
    """
    data, offsets = string_buffers(texts)
    if len(data) == 0:
        return {name: np.zeros(0, np.int64) for name in HITS}
    found = _find(data, offsets, fold(), scratch(offsets), index)
    order = np.lexsort((found[:, 3], found[:, 2], found[:, 0]))
    return {name: found[order, k] for k, name in enumerate(HITS)}


@njit
def _tokenise(data, offsets, table, flat):  # type: ignore[no-untyped-def]
    ends = np.zeros(len(offsets), np.int64)
    alone = np.zeros(len(offsets) - 1, np.int64)
    for d in range(len(offsets) - 1):
        ends[d + 1] = ends[d] + word_hashes(data, offsets[d], offsets[d + 1], table, flat[ends[d] :])
        i = offsets[d]
        while i < offsets[d + 1]:
            if data[i] < 0x80:
                i += 1
                continue
            raw, width = unicode.decode(data, i, offsets[d + 1])
            alone[d] += table[raw] >= ALONE
            i += width
    return ends, alone


def tokenise(texts: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(uint64[total] word hashes, int64[n + 1] offsets, int64[n] how many of a text's words are single characters of
    scripts without spaces)."""
    data, offsets = string_buffers(texts)
    if len(data) == 0:
        return np.zeros(0, np.uint64), np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts), np.int64)
    flat = np.empty((offsets[-1] - offsets[0]) // 2 + len(offsets), np.uint64)
    ends, alone = _tokenise(data, offsets, fold(), flat)
    return flat[: ends[-1]].copy(), ends, alone


@njit
def window_hashes(words, offsets, left, right, firsts, counts, sizes, anchor):  # type: ignore[no-untyped-def]
    """(uint64[m] hashes of n-grams, uint64[m] of their first `anchor` words).

    Passage p is the words of text `left[p]`, then those of text `right[p]` (-1: none); of it, `counts[p]` windows of
    `sizes[p]` words, from word `firsts[p]` on.
    """
    total = counts.sum()
    grams = np.empty(total, np.uint64)
    begins = np.empty(total, np.uint64)
    line = np.empty(64, np.uint64)
    at = 0
    for p in range(len(left)):
        if counts[p] == 0:
            continue
        a = offsets[left[p]]
        size_a = offsets[left[p] + 1] - a
        b = offsets[right[p]] if right[p] >= 0 else 0
        size_b = offsets[right[p] + 1] - b if right[p] >= 0 else 0
        if size_a + size_b > len(line):
            line = np.empty(2 * (size_a + size_b), np.uint64)
        line[:size_a] = words[a : a + size_a]
        line[size_a : size_a + size_b] = words[b : b + size_b]
        for k in range(firsts[p], firsts[p] + counts[p]):
            grams[at] = _gram(line, k, sizes[p])
            begins[at] = _gram(line, k, min(anchor, sizes[p]))
            at += 1
    return grams, begins
