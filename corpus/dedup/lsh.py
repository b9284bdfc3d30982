"""Candidate pairs from MinHash signatures: locality-sensitive hashing in bands (Leskovec, Rajaraman, Ullman:
Mining of Massive Datasets, 3.4).

The rows of the signatures should come in order of preference: the first document of a run is the one against
which the others are held, and where every document is compared to the one that would stay, most removals have
it as their direct partner. Results depend on that order alone.
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

Runs = tuple[np.ndarray, np.ndarray]
"""Groups of documents that agree in a band: (int64 members, ascending in a run; int64 offsets)."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit
def _band_hashes(signatures, alive, first, rows, out):  # type: ignore[no-untyped-def]
    for k in range(len(alive)):
        h = np.uint64(0)
        for r in range(first, first + rows):
            h = mix(h + _GOLDEN + np.uint64(signatures[alive[k], r]))
        out[k] = h


@njit
def _runs(hashes, order, alive):  # type: ignore[no-untyped-def]
    members = np.empty(len(order), np.int64)
    offsets = np.zeros(len(order) // 2 + 1, np.int64)
    size = 0
    count = 0
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and hashes[order[end]] == hashes[order[start]]:
            end += 1
        if end - start > 1:
            for k in range(start, end):
                members[size] = alive[order[k]]
                size += 1
            count += 1
            offsets[count] = size
        start = end
    return members[:size].copy(), offsets[: count + 1].copy()


@njit
def _run_pairs(members, offsets, limit):  # type: ignore[no-untyped-def]
    total = 0
    for r in range(len(offsets) - 1):
        m = offsets[r + 1] - offsets[r]
        total += m * (m - 1) // 2 if m <= limit else 2 * m - 3
    pairs = np.empty((total, 2), np.int64)
    p = 0
    for r in range(len(offsets) - 1):
        run = members[offsets[r] : offsets[r + 1]]
        for i in range(len(run)):
            for j in range(i + 1, len(run)):
                if len(run) <= limit or i == 0 or j == i + 1:
                    pairs[p, 0] = run[i]
                    pairs[p, 1] = run[j]
                    p += 1
                else:
                    break
    return pairs


@njit
def _second_look(members, offsets, labels, signatures, limit, least):  # type: ignore[no-untyped-def]
    pairs = np.empty((len(members) * BEST, 2), np.int64)
    found = 0
    left = np.empty(len(members), np.int64)
    count = signatures.shape[1]
    best = np.empty(BEST, np.int64)
    for r in range(len(offsets) - 1):
        run = members[offsets[r] : offsets[r + 1]]
        if len(run) <= limit:
            continue
        size = 0
        for i in range(1, len(run)):
            if labels[run[i]] != labels[run[0]]:
                left[size] = run[i]
                size += 1
        for i in range(size):
            best[:] = 0
            for j in range(i + 1, min(i + 1 + WINDOW, size)):
                if labels[left[i]] == labels[left[j]]:
                    continue
                equal = 0
                for k in range(count):
                    equal += signatures[left[i], k] == signatures[left[j], k]
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
                    pairs[found, 0] = left[i]
                    pairs[found, 1] = left[i + 1 + WINDOW - best[b] % (WINDOW + 1)]
                    found += 1
    return pairs[:found].copy()


def band_runs(signatures: np.ndarray, bands: int, rows: int) -> Runs:
    """The runs of two or more rows of the signatures uint32[n, >= bands * rows] that agree in a band, band by
    band.

    A document without words (EMPTY throughout) is in no run. Raises ValueError for signatures that are too
    short.
    """
    if signatures.shape[1] < bands * rows:
        raise ValueError(f"{bands} bands x {rows} rows need {bands * rows} values, not {signatures.shape[1]}")
    alive = np.flatnonzero((signatures != EMPTY).any(axis=1))
    hashes = np.empty(len(alive), np.uint64)
    runs = []
    for band in range(bands):
        _band_hashes(signatures, alive, band * rows, rows, hashes)
        runs.append(_runs(hashes, np.argsort(hashes, kind="stable"), alive))
    starts = np.cumsum([0] + [len(members) for members, _ in runs])
    offsets = [ends[1:] + start for (_, ends), start in zip(runs, starts, strict=False)]
    return np.concatenate([members for members, _ in runs]), np.concatenate([np.zeros(1, np.int64), *offsets])


def _distinct(pairs: np.ndarray) -> np.ndarray:
    packed = np.unique((pairs[:, 0] << np.int64(32)) | pairs[:, 1])
    return np.stack([packed >> np.int64(32), packed & np.int64(0xFFFFFFFF)], axis=1)


def run_pairs(runs: Runs) -> np.ndarray:
    """int64[m, 2], i < j, sorted, each once: all pairs of a run of up to PAIRWISE documents; of a longer run
    each document with the first (a star) and with its neighbours, 2 m - 3 in all, so that m equal documents
    do not cost m^2.
    """
    return _distinct(_run_pairs(*runs, PAIRWISE))


def second_look(runs: Runs, labels: np.ndarray, signatures: np.ndarray, least: float) -> np.ndarray:
    """int64[m, 2], as of `run_pairs`: what to compare next where the star of a long run failed.

    The documents that verified pairs (labels int64[n] of their components) do not connect with the first of
    their run are compared by signature, each with the WINDOW that follow it in the run; the BEST of these
    that are not yet connected with it and whose signatures agree in a share of `least` are its pairs.
    """
    return _distinct(_second_look(*runs, labels, signatures, PAIRWISE, least * signatures.shape[1]))


def candidate_pairs(signatures: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """int64[m, 2]: the pairs of rows that agree in a band, by `run_pairs`: complete unless a run is very
    long.

    Without verification the components of these pairs are those of all pairs that agree in a band. With it, a
    document may fail against the centre of its star and yet match another: `second_look` is for that.
    """
    return run_pairs(band_runs(signatures, bands, rows))


def scurve(bands: int, rows: int, at: np.ndarray | None = None) -> pa.Table:
    """(jaccard, probability): how likely a pair at J is to agree in a band, 1 - (1 - J^rows)^bands."""
    j = np.arange(1, 21) / 20 if at is None else np.asarray(at, float)
    return pa.table({"jaccard": pa.array(j), "probability": pa.array(1 - (1 - j**rows) ** bands)})
