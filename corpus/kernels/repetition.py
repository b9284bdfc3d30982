"""Repetition inside one document, in linear time: lines, paragraphs and word n-grams in one open-addressed table.

The table holds indices, not hashes, and is never cleared: a slot below `base` is free, and every use moves `base`
on. Equal hashes are compared character by character, so no verdict rests on a hash.

`source`, `hashes` and `powers` are points, the hashes of their beginnings and the powers of the multiplier, as
`to_hashed_points` and `multiplier_powers` make them; `starts` and `ends` are spans of `source`.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import inlined, njit
from corpus.kernels.quality_flags import MULTIPLIER, span_hash

# Two n-grams of so many letters and more are only the same when their first so many are.
_WINDOW = 12


@inlined
def slot_of(key, mask):  # type: ignore[no-untyped-def]
    """Where in a table of `mask + 1` slots a key is looked for first."""
    key ^= key >> np.uint64(32)
    key *= np.uint64(0xD6E8FEB86659FD93)
    key ^= key >> np.uint64(32)
    return np.int64(key & np.uint64(mask))


@njit
def table_mask(items):  # type: ignore[no-untyped-def]
    """Slots - 1 of a table for so many items: the power of two above twice their number."""
    size = 16
    while size < 2 * items + 2:
        size *= 2
    return size - 1


@njit
def multiplier_powers(size):  # type: ignore[no-untyped-def]
    powers = np.empty(size, np.uint64)
    power = np.uint64(1)
    for i in range(size):
        powers[i] = power
        power *= MULTIPLIER
    return powers


@njit
def equal_spans(source, a, b, length):  # type: ignore[no-untyped-def]
    for i in range(length):  # noqa: SIM110
        if source[a + i] != source[b + i]:
            return False
    return True


@njit
def duplicates(source, hashes, powers, starts, ends, count, keys, slots, base):  # type: ignore[no-untyped-def]
    """(number, characters) of the segments that an earlier one equals; uses `count` of base."""
    mask = table_mask(count)
    number = characters = 0
    for i in range(count):
        key = span_hash(hashes, powers, starts[i], ends[i])
        keys[i] = key
        length = ends[i] - starts[i]
        slot = slot_of(key, mask)
        while slots[slot] >= base:
            first = slots[slot] - base
            same = keys[first] == key and ends[first] - starts[first] == length
            if same and equal_spans(source, starts[first], starts[i], length):
                number += 1
                characters += length
                break
            slot = (slot + 1) & mask
        else:
            slots[slot] = base + i
    return number, characters


@njit
def repeated(classes, counts, count, live):  # type: ignore[no-untyped-def]
    """Positions of what occurs more than once into `live`, ascending; how many."""
    alive = 0
    for i in range(count):
        if counts[classes[i]] > 1:
            live[alive] = i
            alive += 1
    return alive


@njit
def longer_grams(classes, live, alive, keys, counts, slots, base):  # type: ignore[no-untyped-def]
    """One word on: from the repeated (n - 1)-grams to the repeated n-grams, in place: (how many, the commonest).

    `live[:alive]` are the ascending positions of the repeated (n - 1)-grams, `classes` the first position of an equal
    one: an n-gram is repeated only where both of its (n - 1)-grams are. The commonest, the first of equals, is its
    first position, or -1; `counts` there says how often it occurs.
    """
    mask = table_mask(alive)
    found = 0
    for a in range(alive - 1):
        i = live[a]
        if live[a + 1] != i + 1:
            continue
        key = (np.uint64(classes[i]) << np.uint64(32)) | np.uint64(classes[i + 1])
        slot = slot_of(key, mask)
        while slots[slot] >= base:
            first = slots[slot] - base
            if keys[first] == key:
                break
            slot = (slot + 1) & mask
        else:
            first = i
            slots[slot] = base + i
            keys[i] = key
            counts[i] = 0
        counts[first] += 1
        classes[i] = first
        live[found] = i
        found += 1
    kept = 0
    best = -1
    for a in range(found):
        i = live[a]
        often = counts[classes[i]]
        if often > 1:
            live[kept] = i
            kept += 1
            if best < 0 or often > counts[best]:
                best = i
    return kept, best


@njit
def covered(live, alive, at, n):  # type: ignore[no-untyped-def]
    """Characters of the words that lie in an n-gram that begins at one of `live[:alive]`."""
    characters = end = 0
    for a in range(alive):
        first = max(live[a], end)
        end = live[a] + n
        characters += at[end] - at[first]
    return characters


@njit
def hash_words(hashes, powers, starts, ends, count, at, joined):  # type: ignore[no-untyped-def]
    """Of the words run together: where each begins (`at`) and the hash of what is before it (`joined`)."""
    total = 0
    key = np.uint64(0)
    for i in range(count):
        at[i], joined[i] = total, key
        total += ends[i] - starts[i]
        key = key * powers[ends[i] - starts[i]] + span_hash(hashes, powers, starts[i], ends[i])
    at[count], joined[count] = total, key


@njit
def gram_candidates(hashes, powers, starts, count, at, joined, keys, live, slots, base):  # type: ignore[no-untyped-def]
    """Positions into `live`, ascending, outside which no n-gram of 5 and more words is repeated; how many.

    They are those whose next `_WINDOW` letters occur at another word too, and those of n-grams that may be shorter.
    """
    mask = table_mask(count)
    last = 0
    for i in range(count):
        live[i] = 0
        to = at[i] + _WINDOW
        if to > at[count]:
            live[i] = 1
            continue
        while last < count and at[last + 1] <= to:
            last += 1
        key = joined[last] - joined[i] * powers[at[last] - at[i]]
        if at[last] < to:
            rest = to - at[last]
            key = key * powers[rest] + span_hash(hashes, powers, starts[last], starts[last] + rest)
        keys[i] = key
        if i + 5 <= count and at[i + 5] < to:
            live[i] = 1
        slot = slot_of(key, mask)
        while slots[slot] >= base:
            first = slots[slot] - base
            if keys[first] == key:
                live[i] = live[first] = 1
                break
            slot = (slot + 1) & mask
        else:
            slots[slot] = base + i
    alive = 0
    for i in range(count):
        if live[i]:
            live[alive] = i
            alive += 1
    return alive


@njit
def _same_letters(source, starts, ends, i, j, length):  # type: ignore[no-untyped-def]
    """Whether `length` letters from words `i` and `j` on are the same when the words are run together."""
    a, b = starts[i], starts[j]
    while length:
        while a == ends[i]:
            i += 1
            a = starts[i]
        while b == ends[j]:
            j += 1
            b = starts[j]
        if source[a] != source[b]:
            return False
        a += 1
        b += 1
        length -= 1
    return True


@njit
def duplicate_grams(source, powers, starts, ends, count, n, at, joined, live, alive, keys, slots, base):  # type: ignore[no-untyped-def]
    """Characters of n-grams seen before, each character counted once: after a repeat the next n words are skipped.

    Two n-grams are the same when their words run together are. `live[:alive]` are the positions to look at.
    """
    mask = table_mask(alive)
    characters = following = 0
    for a in range(alive):
        i = live[a]
        if i < following:
            continue
        if i + n > count:
            break
        length = at[i + n] - at[i]
        key = joined[i + n] - joined[i] * powers[length]
        keys[i] = key
        slot = slot_of(key, mask)
        while slots[slot] >= base:
            first = slots[slot] - base
            same = keys[first] == key and at[first + n] - at[first] == length
            if same and _same_letters(source, starts, ends, first, i, length):
                characters += length
                following = i + n
                break
            slot = (slot + 1) & mask
        else:
            slots[slot] = base + i
    return characters
