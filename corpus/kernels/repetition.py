"""Repetition inside one document, in linear time: lines, paragraphs and word n-grams in one open-addressed table.

The table holds indices, not hashes, and is never cleared: a slot below `base` is free, and every use moves `base`
on. Equal hashes are compared character by character, so no verdict rests on a hash.
"""

from __future__ import annotations

import numba
import numpy as np

_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)


@numba.njit(cache=True, nogil=True)
def _slot(key, mask):  # type: ignore[no-untyped-def]
    key ^= key >> np.uint64(32)
    key *= np.uint64(0xD6E8FEB86659FD93)
    key ^= key >> np.uint64(32)
    return np.int64(key & np.uint64(mask))


@numba.njit(cache=True, nogil=True)
def _equal(points, a, b, length):  # type: ignore[no-untyped-def]
    for i in range(length):  # noqa: SIM110
        if points[a + i] != points[b + i]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def table_mask(items):  # type: ignore[no-untyped-def]
    """Slots - 1 of a table for so many items: the power of two above twice their number."""
    size = 16
    while size < 2 * items + 2:
        size *= 2
    return size - 1


@numba.njit(cache=True, nogil=True)
def duplicates(points, starts, ends, count, keys, slots, base):  # type: ignore[no-untyped-def]
    """(number, characters) of the segments `points[starts:ends]` that an earlier one equals; uses `count` of base."""
    mask = table_mask(count)
    number = characters = 0
    for i in range(count):
        key = np.uint64(0)
        for j in range(starts[i], ends[i]):
            key = (key + np.uint64(points[j]) + np.uint64(1)) * _MULTIPLIER
        keys[i] = key
        length = ends[i] - starts[i]
        slot = _slot(key, mask)
        while slots[slot] >= base:
            first = slots[slot] - base
            same = keys[first] == key and ends[first] - starts[first] == length
            if same and _equal(points, starts[first], starts[i], length):
                number += 1
                characters += length
                break
            slot = (slot + 1) & mask
        else:
            slots[slot] = base + i
    return number, characters


@numba.njit(cache=True, nogil=True)
def hash_words(letters, at, count, keys, powers):  # type: ignore[no-untyped-def]
    """Hash of each word and the multiplier raised to its length, so that hashes join as their words do."""
    for i in range(count):
        key, power = np.uint64(0), np.uint64(1)
        for j in range(at[i], at[i + 1]):
            key = key * _MULTIPLIER + np.uint64(letters[j]) + np.uint64(1)
            power *= _MULTIPLIER
        keys[i], powers[i] = key, power


@numba.njit(cache=True, nogil=True)
def extend(grams, keys, powers, count, n):  # type: ignore[no-untyped-def]
    """Hashes of (n - 1)-grams, of which there are `count - n + 2`, to those of n-grams, in place."""
    for i in range(count - n + 1):
        grams[i] = grams[i] * powers[i + n - 1] + keys[i + n - 1]


@numba.njit(cache=True, nogil=True)
def top_gram(letters, at, count, n, grams, counts, slots, base, mask):  # type: ignore[no-untyped-def]
    """Characters, with a space between words, of all occurrences of the commonest n-gram (the first of equals).

    Two n-grams are the same when their words are. A document of fewer than n words has 0.
    """
    total = count - n + 1
    for i in range(total):
        counts[i] = 1
        length = at[i + n] - at[i]
        slot = _slot(grams[i], mask)
        while slots[slot] >= base:
            first = slots[slot] - base
            if grams[first] == grams[i] and at[first + n] - at[first] == length:
                same = _equal(letters, at[first], at[i], length)
                for j in range(1, n):
                    same = same and at[first + j] - at[first] == at[i + j] - at[i]
                if same:
                    counts[first] += 1
                    break
            slot = (slot + 1) & mask
        else:
            slots[slot] = base + i
    best = -1
    for i in range(total):
        if best < 0 or counts[i] > counts[best]:
            best = i
    return counts[best] * (at[best + n] - at[best] + n - 1) if best >= 0 else 0


@numba.njit(cache=True, nogil=True)
def duplicate_grams(letters, at, count, n, grams, slots, base, mask):  # type: ignore[no-untyped-def]
    """Characters of n-grams seen before, each character counted once: after a repeat the next n words are skipped.

    Two n-grams are the same when their words run together are.
    """
    characters = 0
    i = 0
    while i < count - n + 1:
        length = at[i + n] - at[i]
        slot = _slot(grams[i], mask)
        step = 1
        while slots[slot] >= base:
            first = slots[slot] - base
            same = grams[first] == grams[i] and at[first + n] - at[first] == length
            if same and _equal(letters, at[first], at[i], length):
                characters += length
                step = n
                break
            slot = (slot + 1) & mask
        else:
            slots[slot] = base + i
        i += step
    return characters
