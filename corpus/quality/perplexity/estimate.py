"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998), as KenLM's lmplz does it (Heafield et al. 2013).

Exact counts, so the order of the documents shows nowhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from corpus.kernels.ngrams import BEGIN, UNKNOWN, distinct, longer_keys, number_keys
from corpus.quality.perplexity.model import Order


class _Counts(NamedTuple):
    """All n-grams of one length, none pruned: numbers of their prefixes and suffixes one order below, counts."""

    prefix: np.ndarray
    word: np.ndarray
    times: np.ndarray
    suffix: np.ndarray
    at_begin: np.ndarray
    """bool: begins with <s>."""
    known: np.ndarray
    """bool: holds no <unk>."""


class _Below(NamedTuple):
    """What the next order needs of one that is done."""

    number: np.ndarray
    """int64[all]: an n-gram's number among those kept, or -1."""
    probability: np.ndarray
    """float64[kept], no logarithm."""


def estimate(
    ids: np.ndarray,
    words: int,
    order: int,
    prune: Sequence[int] = (),
    tell: Callable[[str], None] = lambda text: None,
) -> tuple[tuple[Order, ...], list[list[float]], list[int]]:
    """(orders, the three discounts of each, n-grams of each before pruning) of a corpus.

    `ids`: uint32, each sentence between BEGIN and STOP; `words`: size of the vocabulary, at least all ids. n-grams of
    length n that occur at most `prune[n - 1]` times are left out (the last value holds for longer ones), and those
    with an unknown word; their share goes to the back-off. So an unknown word costs what an unseen one does: the mass
    that all words share evenly. Takes about 60 bytes a token.
    """
    thresholds = [prune[min(n, len(prune) - 1)] if prune else 0 for n in range(order)]
    numbers = ids
    now = _unigrams(ids, words)
    below: _Below | None = None
    made: list[Order] = []
    discounts: list[list[float]] = []
    seen: list[int] = []
    for n in range(1, order + 1):
        longer = None
        if n < order:
            longer, numbers = _longer(ids, numbers, n, now)
        adjusted = _adjusted(now, longer, n)
        keep = now.known & (now.times > thresholds[n - 1]) if n > 1 else np.ones(words, bool)
        discount = _discounts(adjusted[np.arange(words) != BEGIN] if n == 1 else adjusted)
        made, below = _finish(n, now, adjusted, keep, discount, made, below)
        discounts.append(discount.tolist()[1:])
        seen.append(len(now.word) if n > 1 else words)
        tell(f"{n}-grams: {len(made[-1]):,} of {seen[-1]:,}")
        if longer is not None:
            now = longer
    return tuple(made), discounts, seen


def _unigrams(ids: np.ndarray, words: int) -> _Counts:
    every = np.arange(words, dtype=np.uint32)
    none = np.zeros(0, np.uint32)
    count = np.bincount(ids, minlength=words)
    return _Counts(none, every, count, none, every == BEGIN, every != UNKNOWN)


def _longer(ids: np.ndarray, numbers: np.ndarray, n: int, now: _Counts) -> tuple[_Counts, np.ndarray]:
    """The n-grams of length n + 1, and their number at each position."""
    keys = np.empty(len(ids), np.uint64)
    longer_keys(ids, numbers, n, keys)
    perm = np.argsort(keys)
    size = distinct(keys, perm)
    prefix, word, suffix = (np.empty(size, np.uint32) for _ in range(3))
    count, positions = np.empty(size, np.uint32), np.empty(len(ids), np.uint32)
    number_keys(keys, perm, numbers, positions, prefix, word, count, suffix)
    known = now.known[prefix] & (word != UNKNOWN)
    return _Counts(prefix, word, count, suffix, now.at_begin[prefix], known), positions


def _adjusted(now: _Counts, longer: _Counts | None, n: int) -> np.ndarray:
    """int64: how many different words stand before an n-gram; its count for the longest, and for those with <s>."""
    if longer is None:
        found = now.times.astype(np.int64)
    else:
        found = np.bincount(longer.suffix, minlength=len(now.word))
        found[now.at_begin] = now.times[now.at_begin]
    if n == 1:
        found[BEGIN] = 0  # is never predicted
    return found


def _discounts(adjusted: np.ndarray) -> np.ndarray:
    """float64[4]: what is taken off a count of 0, 1, 2, 3 or more (Chen and Goodman 1998, equation 26).

    0.5, 1, 1.5 where there are too few n-grams to tell, as lmplz falls back.
    """
    t = np.bincount(np.minimum(adjusted, 5), minlength=6)[:5].astype(np.float64)
    if (t[1:4] > 0).all():
        y = t[1] / (t[1] + 2 * t[2])
        found = np.array([0.0, *(k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3))])
        if ((found >= 0) & (found <= np.arange(4))).all():
            return found
    return np.array([0.0, 0.5, 1.0, 1.5])


def _finish(
    n: int,
    now: _Counts,
    adjusted: np.ndarray,
    keep: np.ndarray,
    discount: np.ndarray,
    made: list[Order],
    below: _Below | None,
) -> tuple[list[Order], _Below]:
    """The probabilities of one order; the back-off weights that go with them belong to the order below."""
    taken = np.where(keep & now.known, discount[np.minimum(adjusted, 3)], adjusted)
    if below is None:
        total = max(float(adjusted.sum()), 1.0)
        # <unk> takes part in what is shared evenly, <s> does not.
        probability = (adjusted - taken) / total + taken.sum() / total / (len(adjusted) - 1)
        probability[BEGIN] = 1.0
        order = Order(now.prefix, now.word, _log10(probability), np.zeros(len(adjusted), np.float32))
        return [order], _Below(np.arange(len(adjusted)), probability)
    size = len(below.number)
    total_of = np.bincount(now.prefix, adjusted, size)
    with np.errstate(invalid="ignore"):
        rest = np.bincount(now.prefix, taken, size) / total_of
    rest = np.where(total_of > 0, rest, 1.0)
    last = made[-1]
    backoff = np.zeros(len(last), np.float32)
    kept_below = below.number >= 0
    backoff[below.number[kept_below]] = _log10(rest[kept_below])
    made = [*made[:-1], dataclasses.replace(last, backoff=backoff)]
    prefix, word = now.prefix[keep], now.word[keep]
    probability = (adjusted - taken)[keep] / total_of[prefix]
    probability += rest[prefix] * below.probability[below.number[now.suffix[keep]]]
    number = np.where(keep, np.cumsum(keep) - 1, -1)
    order = Order(below.number[prefix].astype(np.uint32), word, _log10(probability), np.zeros(len(word), np.float32))
    return [*made, order], _Below(number, probability)


def _log10(values: np.ndarray) -> np.ndarray:
    return np.minimum(np.log10(values), 0).astype(np.float32)
