"""Hubs of long runs: the document that most of a run are alike to, without being alike to each other.

A page and a thousand variants of it share a band. Held against the first variant (`lsh.run_pairs`), most variants fail,
though each is a duplicate of the page, which may be any of the run. The most common value at each position of the run's
signatures, by the majority vote of Boyer and Moore (1981), is close to the page's signature wherever more than half of
the run are its variants; so the member that is nearest to it becomes the centre of a second star. A variant that
differs by a word may have the page's very signature: which of the nearest is taken differs from run to run.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from corpus.dedup.rowstore import RowStore
from corpus.kernels.jit import njit
from corpus.kernels.shingles import mix

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
def _nearest(run, members, salts, flat, starts, votes, most, centres):  # type: ignore[no-untyped-def]
    count = votes.shape[1]
    for k in range(len(run)):
        equal = 0
        row = flat[starts[k] :][:count]
        vote = votes[run[k]]
        for i in range(count):
            equal += row[i] == vote[i]
        score = np.int64(equal) << 32 | np.int64(mix(salts[run[k]] + np.uint64(members[k])) >> _HALF)
        if score > most[run[k]]:
            most[run[k]] = score
            centres[run[k]] = members[k]


@njit
def _star(run, members, labels, flat, starts, centres, signatures, least, pairs):  # type: ignore[no-untyped-def]
    count = signatures.shape[1]
    found = 0
    for k in range(len(run)):
        centre = centres[run[k]]
        if labels[members[k]] == labels[centre]:
            continue
        equal = 0
        row = flat[starts[k] :][:count]
        other = signatures[run[k]]
        for i in range(count):
            equal += row[i] == other[i]
        if equal >= least:
            low, high = min(members[k], centre), max(members[k], centre)
            pairs[found] = np.uint64(low) << _HALF | np.uint64(high)
            found += 1
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


def mixed(members: np.ndarray, lengths: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(members, lengths) of the runs whose members have not all the same label (int32[n], by rank)."""
    apart = np.zeros(len(lengths), bool)
    _mixed(members, lengths, labels, apart)
    return members[np.repeat(apart, lengths)], lengths[apart]


def hub_pairs(
    members: np.ndarray,
    lengths: np.ndarray,
    labels: np.ndarray,
    signatures: RowStore,
    count: int,
    least: float,
    step: int,
) -> Iterator[np.ndarray]:
    """uint64[m]: of each run its hub with the members that have another label and whose first `count` values equal
    `least` of the hub's. Signatures are read `step` at a time, three times over; the result does not depend on it.
    """
    run = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)

    def parts() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        for first in range(0, len(members), step):
            part = members[first : first + step]
            flat, starts, _ = signatures.gather(part)
            yield run[first : first + step], part, flat, starts

    votes = np.zeros((len(lengths), count), np.uint32)
    weights = np.zeros((len(lengths), count), np.int32)
    for numbers, _, flat, starts in parts():
        _vote(numbers, flat, starts, votes, weights)
    salts = members[np.cumsum(lengths) - lengths].astype(np.uint64) << _HALF | lengths.astype(np.uint64)
    most, centres = np.full(len(lengths), -1, np.int64), np.zeros(len(lengths), np.uint32)
    for numbers, part, flat, starts in parts():
        _nearest(numbers, part, salts, flat, starts, votes, most, centres)
    flat, starts, _ = signatures.gather(centres)
    # The votes have done their work.
    for number, start in enumerate(starts):
        votes[number] = flat[start : start + count]
    for numbers, part, flat, starts in parts():
        pairs = np.empty(len(part), np.uint64)
        yield pairs[: _star(numbers, part, labels, flat, starts, centres, votes, least, pairs)]
