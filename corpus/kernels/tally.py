"""Counting equal hashes in an open-addressed table of fixed size: in how many documents, and where first."""

from __future__ import annotations

from corpus.kernels.jit import njit


@njit
def tally(records, low, high, used, keys, documents, times, last, least, first):  # type: ignore[no-untyped-def]
    """Add `records` (uint64[n, 3]: hash, owner, place) whose hash is from `low` to `high`, in order of place.

    A slot is free while its `times` are 0. `documents` counts changes of owner, `least` is the smallest owner and
    `first` its first place. Returns how many slots are used, -1 when more than 3 of 4 would be.
    """
    mask = len(keys) - 1
    limit = len(keys) // 4 * 3
    for k in range(len(records)):
        key, owner, place = records[k, 0], records[k, 1], records[k, 2]
        if key < low or key > high:
            continue
        slot = int(key & mask)
        while times[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        if not times[slot]:
            if used == limit:
                return -1
            used += 1
            keys[slot], documents[slot], last[slot], least[slot], first[slot] = key, 1, owner, owner, place
        elif owner != last[slot]:
            documents[slot] += 1
            last[slot] = owner
            if owner < least[slot]:
                least[slot], first[slot] = owner, place
        times[slot] += 1
    return used


@njit
def repeated(records, low, high, keys, documents, times, first, out):  # type: ignore[no-untyped-def]
    """Of the `records` that `tally` counted more than once: place, documents and whether it is the first, into `out`
    (uint64[n, 3]); how many."""
    mask = len(keys) - 1
    count = 0
    for k in range(len(records)):
        key, place = records[k, 0], records[k, 2]
        if key < low or key > high:
            continue
        slot = int(key & mask)
        while keys[slot] != key:
            slot = (slot + 1) & mask
        if times[slot] > 1:
            out[count, 0], out[count, 1], out[count, 2] = place, documents[slot], place == first[slot]
            count += 1
    return count
