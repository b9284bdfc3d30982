"""Candidate pairs from MinHash signatures: locality-sensitive hashing in bands (Leskovec, Rajaraman, Ullman:
Mining of Massive Datasets, 3.4).

Documents are named by their rank in the order of preference: the first document of a run is the one against which the
others are held, and where every document is compared to the one that would stay, most removals have it as their direct
partner. Results depend on that order alone.

What is sorted is one uint64 a document and band: leading bits of the band's hash over the rank. Of n documents log2(n)
bits of the hash give way to the rank, so in 10^6 documents two bands are taken for one in 2^-44 of all pairs;
verification, or `verify.agree` without it, sees to these.

A pair is a uint64: the smaller rank in the upper half, the other in the lower.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpus.kernels.jit import njit
from corpus.kernels.minhash import EMPTY
from corpus.kernels.shingles import mix

PAIRWISE = 16
"""Runs of up to so many documents give all their pairs."""

WINDOW, BEST = 256, 4
"""Of a longer run, how many others a document that its first did not match is held against by signature, and
how many of them are verified."""

LOOK = 128
"""Values of a signature that this looks at, so that longer ones do not cost more; the exact similarity decides."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@njit
def _records(signatures, ranks, bands, rows, shift, out):  # type: ignore[no-untyped-def]
    size = 0
    for d in range(len(ranks)):
        if ranks[d] < 0:
            continue
        row = signatures[d]
        words = False
        for i in range(len(row)):
            if row[i] != EMPTY:
                words = True
                break
        if not words:
            continue
        for b in range(bands):
            h = np.uint64(0)
            for r in range(b * rows, (b + 1) * rows):
                h = mix(h + _GOLDEN + np.uint64(row[r]))
            out[b, size] = (h >> shift << shift) | np.uint64(ranks[d])
        size += 1
    return size


@njit
def _census(records, shift, limit):  # type: ignore[no-untyped-def]
    pairs = 0
    runs = 0
    members = 0
    start = 0
    while start < len(records):
        end = start + 1
        while end < len(records) and records[end] >> shift == records[start] >> shift:
            end += 1
        m = end - start
        if m > limit:
            pairs += 2 * m - 3
            runs += 1
            members += m
        else:
            pairs += m * (m - 1) // 2
        start = end
    return pairs, runs, members


@njit
def _pairs(records, shift, limit, pairs, members, lengths):  # type: ignore[no-untyped-def]
    mask = (np.uint64(1) << shift) - np.uint64(1)
    size = 0
    runs = 0
    kept = 0
    start = 0
    while start < len(records):
        end = start + 1
        while end < len(records) and records[end] >> shift == records[start] >> shift:
            end += 1
        long = end - start > limit
        if long:
            lengths[runs] = end - start
            runs += 1
            for k in range(start, end):
                members[kept] = records[k] & mask
                kept += 1
        for i in range(start, end - 1):
            for j in range(i + 1, end):
                if long and i > start and j > i + 1:
                    break
                pairs[size] = (records[i] & mask) << _HALF | (records[j] & mask)
                size += 1
        start = end


@njit
def _unconnected(members, lengths, labels, left, ends):  # type: ignore[no-untyped-def]
    size = 0
    start = 0
    for r in range(len(lengths)):
        first = size
        for k in range(start + 1, start + lengths[r]):
            if labels[members[k]] != labels[members[start]]:
                left[size] = members[k]
                size += 1
        ends[first:size] = size
        start += lengths[r]
    return size


@njit
def _second_look(left, ends, first, last, labels, flat, starts, count, least, pairs):  # type: ignore[no-untyped-def]
    found = 0
    best = np.empty(BEST, np.int64)
    for i in range(first, last):
        best[:] = 0
        a = flat[starts[i - first] :][:count]
        for j in range(i + 1, min(i + 1 + WINDOW, ends[i])):
            if labels[left[i]] == labels[left[j]]:
                continue
            b = flat[starts[j - first] :][:count]
            equal = 0
            for k in range(count):
                equal += a[k] == b[k]
            # (equal positions, nearness) as one number; the worst of the best goes.
            score = equal * (WINDOW + 1) + (WINDOW - (j - i - 1))
            if equal >= least and score > best[BEST - 1]:
                at = BEST - 1
                while at > 0 and best[at - 1] < score:
                    best[at] = best[at - 1]
                    at -= 1
                best[at] = score
        for b in range(BEST):
            if best[b] > 0:
                other = left[i + 1 + WINDOW - best[b] % (WINDOW + 1)]
                pairs[found] = np.uint64(left[i]) << _HALF | np.uint64(other)
                found += 1
    return found


def shift_of(documents: int) -> int:
    """How many bits the ranks of so many documents take."""
    return max(documents - 1, 1).bit_length()


def records(signatures: np.ndarray, ranks: np.ndarray, bands: int, rows: int, shift: int) -> np.ndarray:
    """uint64[bands, m]: of the signatures uint32[n, >= bands * rows] with rank >= 0 (int32[n]) those with a word.

    A document without words (EMPTY throughout) agrees with none. Raises ValueError for signatures that are too short.
    """
    if signatures.shape[1] < bands * rows:
        raise ValueError(f"{bands} bands x {rows} rows need {bands * rows} values, not {signatures.shape[1]}")
    out = np.empty((bands, len(signatures)), np.uint64)
    # As it comes from Arrow: one variant of the kernel serves all.
    signatures = np.ascontiguousarray(signatures).view()
    signatures.flags.writeable = False
    size = _records(signatures, np.asarray(ranks, np.int32), bands, rows, np.uint64(shift), out)
    return np.ascontiguousarray(out[:, :size])


def run_pairs(ordered: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(uint64[m] pairs, uint32 members of long runs, int64 lengths of these) of sorted records of one band.

    All pairs of a run of up to PAIRWISE documents; of a longer run each document with the first (a star) and with its
    neighbours, 2 m - 3 in all, so that m equal documents do not cost m^2.
    """
    bits = np.uint64(shift)
    count, runs, kept = _census(ordered, bits, PAIRWISE)
    pairs, members, lengths = np.empty(count, np.uint64), np.empty(kept, np.uint32), np.empty(runs, np.int64)
    _pairs(ordered, bits, PAIRWISE, pairs, members, lengths)
    return pairs, members, lengths


def distinct(pairs: np.ndarray) -> np.ndarray:
    """`pairs` sorted, each once; sorts them where they are."""
    pairs.sort()
    return pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])] if len(pairs) else pairs


def unconnected(members: np.ndarray, lengths: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(uint32[m], int64[m]): of long runs those whose label (int32[n]) is not that of their run's first, and where
    among these their run ends."""
    left, ends = np.empty(len(members), np.uint32), np.empty(len(members), np.int64)
    size = _unconnected(members, lengths, labels, left, ends)
    return left[:size], ends[:size]


def second_look(
    left: np.ndarray,
    ends: np.ndarray,
    first: int,
    last: int,
    labels: np.ndarray,
    flat: np.ndarray,
    starts: np.ndarray,
    count: int,
    least: float,
) -> np.ndarray:
    """uint64[m] pairs: each of `left` from `first` to `last` (see `unconnected`) with the BEST of the WINDOW that
    follow it in its run, of those that have another label and `least` equal positions in their signatures.

    The signature of left[first + k] is flat[starts[k] :][:count].
    """
    pairs = np.empty((last - first) * BEST, np.uint64)
    return pairs[: _second_look(left, ends, first, last, labels, flat, starts, count, least, pairs)]


def candidate_pairs(signatures: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """int64[m, 2], i < j, sorted, each once: the pairs of rows that agree in a band, by `run_pairs`: complete unless a
    run is very long.

    Without verification the components of these pairs are those of all pairs that agree in a band. With it, a
    document may fail against the centre of its star and yet match another: `second_look` is for that.
    """
    shift = shift_of(len(signatures))
    found = [np.zeros(0, np.uint64)]
    for band in records(signatures, np.arange(len(signatures)), bands, rows, shift):
        band.sort()
        found.append(run_pairs(band, shift)[0])
    pairs = distinct(np.concatenate(found))
    return np.stack([pairs >> _HALF, pairs & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def scurve(bands: int, rows: int, at: np.ndarray | None = None) -> pa.Table:
    """(jaccard, probability): how likely a pair at J is to agree in a band, 1 - (1 - J^rows)^bands."""
    j = np.arange(1, 21) / 20 if at is None else np.asarray(at, float)
    return pa.table({"jaccard": pa.array(j), "probability": pa.array(1 - (1 - j**rows) ** bands)})
