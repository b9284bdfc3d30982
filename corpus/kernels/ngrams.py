"""Counting n-grams exactly: an n-gram is (the number of its first n - 1 words, its last word), one uint64 to sort."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit
from corpus.kernels.ngrams_text import END
from corpus.kernels.shingles import mix

UNKNOWN, BEGIN, STOP = 0, 1, 2
"""Ids of <unk>, <s> and </s>; words follow."""
NONE = np.uint32(0xFFFFFFFF)
"""In positions: no n-gram begins here. Of nodes: the empty context."""


@njit
def count_types(hashes, first, starts, stops, keys, seen, fresh, used):  # type: ignore[no-untyped-def]
    """Count tokens by hash in the open-addressed `keys` (0 is free), from token `first` on.

    `seen[slot]` is the count, and where in a pool the word's bytes lie; of words seen for the first time that are
    the token's own `starts` and `stops`, and the slot goes into `fresh`, which has room for every token. Returns
    (tokens done: fewer than there are when the table is two thirds full, fresh slots, used slots).
    """
    mask = np.uint64(len(keys) - 1)
    limit = 2 * len(keys) // 3
    made = 0
    for k in range(first, len(hashes)):
        h = hashes[k]
        if h == END:
            continue
        slot = h & mask
        while keys[slot] != h and keys[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        if keys[slot] == 0:
            if used >= limit:
                return k, made, used
            used += 1
            keys[slot] = h
            seen[slot, 1] = starts[k]
            seen[slot, 2] = stops[k]
            fresh[made] = slot
            made += 1
        seen[slot, 0] += 1
    return len(hashes), made, used


@njit
def keep_words(data, seen, fresh, pool, at):  # type: ignore[no-untyped-def]
    """Copy the bytes of fresh words behind `pool[:at]`, and point `seen` there; where the pool ends then."""
    for slot in fresh:
        start = seen[slot, 1]
        size = seen[slot, 2] - start
        for k in range(size):
            pool[at + k] = data[start + k]
        seen[slot, 1] = at
        seen[slot, 2] = at + size
        at += size
    return at


@njit
def rehash(old_keys, old_seen, keys, seen):  # type: ignore[no-untyped-def]
    """Move the entries of `count_types` into a larger table."""
    mask = np.uint64(len(keys) - 1)
    for old in range(len(old_keys)):
        if old_keys[old] != 0:
            slot = old_keys[old] & mask
            while keys[slot] != 0:
                slot = (slot + np.uint64(1)) & mask
            keys[slot] = old_keys[old]
            seen[slot] = old_seen[old]


@njit
def fill_vocabulary(hashes, first, keys, values):  # type: ignore[no-untyped-def]
    """The hashes of the words from `first` on into the open-addressed table; whether one was there already."""
    mask = np.uint64(len(keys) - 1)
    twice = False
    for i in range(first, len(hashes)):
        slot = hashes[i] & mask
        while keys[slot] != 0 and keys[slot] != hashes[i]:
            slot = (slot + np.uint64(1)) & mask
        twice |= keys[slot] != 0
        keys[slot] = hashes[i]
        values[slot] = i
    return twice


@njit
def word_ids(hashes, keys, values, out):  # type: ignore[no-untyped-def]
    """Ids of tokens: UNKNOWN where the vocabulary lacks one, STOP for END."""
    mask = np.uint64(len(keys) - 1)
    for k in range(len(hashes)):
        h = hashes[k]
        if h == END:
            out[k] = STOP
            continue
        slot = h & mask
        while keys[slot] != h and keys[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        out[k] = values[slot] if keys[slot] == h else UNKNOWN


@njit
def with_begins(ids, out):  # type: ignore[no-untyped-def]
    """`ids` with BEGIN before each sentence."""
    at = 0
    begin = True
    for k in range(len(ids)):
        if begin:
            out[at] = BEGIN
            at += 1
        out[at] = ids[k]
        at += 1
        begin = ids[k] == STOP


@njit
def longer_keys(ids, numbers, order, keys):  # type: ignore[no-untyped-def]
    """keys[i] = (number of the n-gram at i) << 32 | the word behind it; all ones where the sentence ends before."""
    for i in range(len(ids)):
        keys[i] = np.uint64(0xFFFFFFFFFFFFFFFF)
        if i + order < len(ids) and numbers[i] != NONE and ids[i + order - 1] != STOP:
            keys[i] = (np.uint64(numbers[i]) << np.uint64(32)) | np.uint64(ids[i + order])


@njit
def distinct(keys, perm):  # type: ignore[no-untyped-def]
    """How many different keys there are, those of all ones apart; `perm` sorts them."""
    found = 0
    for k in range(len(perm)):
        key = keys[perm[k]]
        if key == np.uint64(0xFFFFFFFFFFFFFFFF):
            break
        found += k == 0 or key != keys[perm[k - 1]]
    return found


@njit
def number_keys(keys, perm, numbers, longer, prefix, word, count, suffix):  # type: ignore[no-untyped-def]
    """Number the different keys in their order: per n-gram its parts and count, per position its number (`longer`).

    `numbers` are the positions' numbers one order below, which give the n-gram's suffix.
    """
    at = -1
    for k in range(len(perm)):
        i = perm[k]
        key = keys[i]
        if key == np.uint64(0xFFFFFFFFFFFFFFFF):
            longer[i] = NONE
            continue
        if k == 0 or key != keys[perm[k - 1]]:
            at += 1
            prefix[at] = key >> np.uint64(32)
            word[at] = key & np.uint64(0xFFFFFFFF)
            suffix[at] = numbers[i + 1]
            count[at] = 0
        count[at] += 1
        longer[i] = at


@njit
def hash_documents(data, offsets, out):  # type: ignore[no-untyped-def]
    """A well mixed hash of each document's bytes."""
    for d in range(len(offsets) - 1):
        h = np.uint64(offsets[d + 1] - offsets[d])
        i = offsets[d]
        while i + 8 <= offsets[d + 1]:
            part = np.uint64(0)
            for k in range(8):
                part |= np.uint64(data[i + k]) << np.uint64(8 * k)
            h = mix(h ^ part)
            i += 8
        for k in range(i, offsets[d + 1]):
            h = mix(h ^ np.uint64(data[k]))
        out[d] = mix(h)
