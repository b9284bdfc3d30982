"""Hubs of long runs: the document that most of a run are alike to, without being alike to each other.

A page and a thousand variants of it share a band. Held against the first variant (`lsh.run_pairs`), most variants fail,
though each is a duplicate of the page, which may be any of the run. The most common value at each position of the run's
signatures, by the majority vote of Boyer and Moore (1981), is close to the page's signature wherever more than half of
the run are its variants; so it is one of those that are nearest to it. Of these, for a variant that differs by a word
may have the page's very signature, it is the one that is most like what more than half of some of the run have in
common, shingle by shingle. It becomes the centre of a second star.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from corpus.dedup.rowstore import RowStore
from corpus.kernels.jit import njit

SAMPLE = 17
"""Of a run, for its common shingles; a long run has more than 16 documents."""
CONTENDERS = 1024
"""Of a run, that are nearest to the vote; of more, some at even distances."""
_HALF = np.uint64(32)


@njit
def _vote(run, flat, starts, votes, weights):  # type: ignore[no-untyped-def]
    count = votes.shape[1]
    for k in range(len(run)):
        row = flat[starts[k] :][:count]
        vote = votes[run[k]]
        weight = weights[run[k]]
        for i in range(count):
            if weight[i] == 0:
                vote[i] = row[i]
            weight[i] += 1 if vote[i] == row[i] else -1


@njit
def _agreement(run, flat, starts, signatures, out):  # type: ignore[no-untyped-def]
    count = signatures.shape[1]
    for k in range(len(run)):
        equal = 0
        row = flat[starts[k] :][:count]
        other = signatures[run[k]]
        for i in range(count):
            equal += row[i] == other[i]
        out[k] = equal


@njit
def _most_common(flat, starts, lengths):  # type: ignore[no-untyped-def]
    size = 64
    while size < 2 * lengths[:SAMPLE].sum():
        size *= 2
    mask = np.uint64(size - 1)
    keys = np.zeros(size, np.uint64)
    counts = np.zeros(size, np.int64)
    common = 0
    for row in range(SAMPLE):
        for key in flat[starts[row] :][: lengths[row]]:
            at = key & mask
            while counts[at] and keys[at] != key:
                at = (at + np.uint64(1)) & mask
            keys[at] = key
            counts[at] += 1
            common += counts[at] == SAMPLE // 2 + 1
    best = -1.0
    found = 0
    for row in range(SAMPLE, len(starts)):
        both = 0
        for key in flat[starts[row] :][: lengths[row]]:
            at = key & mask
            while counts[at] and keys[at] != key:
                at = (at + np.uint64(1)) & mask
            both += counts[at] > SAMPLE // 2
        value = both / max(lengths[row] + common - both, 1)
        if value > best:
            best = value
            found = row - SAMPLE
    return found


@njit
def _mixed(members, lengths, labels, mixed):  # type: ignore[no-untyped-def]
    start = 0
    for r in range(len(lengths)):
        for k in range(start, start + lengths[r]):
            if labels[members[k]] != labels[members[start]]:
                mixed[r] = True
                break
        start += lengths[r]


def at_least(members: np.ndarray, lengths: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(members, lengths, bool[runs]): of the runs with SAMPLE members that are `there` (bool[n], by rank) these; and
    which runs they are."""
    known = there[members]
    many = np.add.reduceat(known, np.cumsum(lengths) - lengths, dtype=np.int64)
    enough = many >= SAMPLE
    return members[known & np.repeat(enough, lengths)], many[enough], enough


def mixed(members: np.ndarray, lengths: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(members, lengths) of the runs whose members have not all the same label (int32[n], by rank)."""
    apart = np.zeros(len(lengths), bool)
    _mixed(members, lengths, labels, apart)
    return members[np.repeat(apart, lengths)], lengths[apart]


def hubs(
    members: np.ndarray, lengths: np.ndarray, signatures: RowStore, shingles: RowStore, count: int, step: int
) -> np.ndarray:
    """uint32[runs]: the hub of each run of SAMPLE members or more, all of them in both stores. Of signatures, the first
    `count` values are looked at and `step` are read at a time; the result does not depend on it."""
    ranks, sizes = _contenders(members, lengths, signatures, count, step)
    begins = np.cumsum(lengths) - lengths
    ends = np.cumsum(sizes)
    found = ranks[ends - sizes]
    for run in np.flatnonzero(sizes > 1):
        some = members[begins[run] + np.arange(SAMPLE) * lengths[run] // SAMPLE]
        those = ranks[ends[run] - sizes[run] : ends[run]]
        found[run] = those[_most_common(*shingles.gather(np.concatenate([some, those])))]
    return found


def _contenders(
    members: np.ndarray, lengths: np.ndarray, signatures: RowStore, count: int, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """(uint32[m], int64[runs]): the members of each run that are nearest to its vote, and how many."""
    votes = np.zeros((len(lengths), count), np.uint32)
    weights = np.zeros((len(lengths), count), np.int32)
    for _, run, _, flat, starts in _parts(members, lengths, signatures, step):
        _vote(run, flat, starts, votes, weights)
    agreement = np.empty(len(members), np.int32)
    for where, run, _, flat, starts in _parts(members, lengths, signatures, step):
        _agreement(run, flat, starts, votes, agreement[where])
    begins = np.cumsum(lengths) - lengths
    nearest = agreement == np.repeat(np.maximum.reduceat(agreement, begins), lengths)
    sizes = np.add.reduceat(nearest, begins, dtype=np.int64)
    # At even distances: where the place, in steps of the share that is taken, is a new one.
    places = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    share, of = np.repeat(np.minimum(sizes, CONTENDERS), sizes), np.repeat(sizes, sizes)
    taken = places * share // of != (places - 1) * share // of
    return members[nearest][taken], np.minimum(sizes, CONTENDERS)


def star(
    members: np.ndarray,
    lengths: np.ndarray,
    centres: np.ndarray,
    labels: np.ndarray,
    signatures: RowStore,
    count: int,
    least: float,
    step: int,
) -> Iterator[np.ndarray]:
    """uint64[m] pairs: of each run its centre (uint32[runs]) with the members that have another label and whose first
    `count` values equal `least` of the centre's."""
    flat, starts, _ = signatures.gather(centres)
    wanted = np.empty((len(centres), count), np.uint32)
    for number, start in enumerate(starts):
        wanted[number] = flat[start : start + count]
    for _, run, part, flat, starts in _parts(members, lengths, signatures, step):
        agreement = np.empty(len(part), np.int32)
        _agreement(run, flat, starts, wanted, agreement)
        near = (agreement >= least) & (labels[part] != labels[centres[run]])
        a, b = part[near].astype(np.uint64), centres[run[near]].astype(np.uint64)
        yield np.minimum(a, b) << _HALF | np.maximum(a, b)


def _parts(
    members: np.ndarray, lengths: np.ndarray, signatures: RowStore, step: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """(where, number of the run of each, members, flat, starts of their signatures) of the next `step` members."""
    run = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    for first in range(0, len(members), step):
        where = slice(first, first + step)
        yield where, run[where], members[where], *signatures.gather(members[where])[:2]
