"""How good a score separates two classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from corpus.intervals import Z, share_interval

KEPT = (0.95, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05)
"""Shares of the texts whose thresholds are told."""
GOOD_KEPT = 0.95
"""Share of the good texts that the proposed bound keeps."""
_DIGITS = 10**6


def auc(score: np.ndarray, good: np.ndarray) -> float:
    """The chance that a good one has the higher score (ties count half); NaN when a class is empty.

    `score` float64[n], `good` bool[n].
    """
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positive, negative = int(good.sum()), int((~good).sum())
    if not positive or not negative:
        return math.nan
    return float((rank[good].sum() - positive * (positive + 1) / 2) / (positive * negative))


def auc_interval(area: float, positive: int, negative: int) -> tuple[float, float]:
    """95% interval of an AUC of so many good and bad ones: Newcombe 2006 (Statistics in Medicine 25), method 5.

    Hanley and McNeil's variance at the bounds instead of at the estimate, so that it has a width at 1 too.
    """
    if math.isnan(area):
        return math.nan, math.nan
    half = (positive + negative) / 2

    def spread(bound: float) -> float:
        shape = 1 + (half - 1) * (1 - bound) / (2 - bound) + (half - 1) * bound / (1 + bound)
        return Z * math.sqrt(bound * (1 - bound) * shape / (positive * negative))

    return (
        _cross(lambda low: area - low - spread(low), 0.0, area),
        _cross(lambda high: area - high + spread(high), area, 1.0),
    )


def _cross(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is positive at `low` and falls becomes 0."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2


def evaluate(score: np.ndarray, words: np.ndarray, good: np.ndarray) -> dict[str, Any]:
    """Figures of a score (float64[n], NaN counts as lowest) against labels (bool[n]).

    `words` (int64[n]) gives the baseline that knows a text's length alone. Raises ValueError when a class is empty.
    """
    positive, negative = int(good.sum()), int((~good).sum())
    if not positive or not negative:
        raise ValueError("evaluate: needs texts of both classes")
    known = score[~np.isnan(score)]
    score = np.nan_to_num(score, nan=-1.0)
    area = auc(score, good)
    right = int(((score >= 0.5) == good).sum())
    return {
        "positive": positive,
        "negative": negative,
        "auc": area,
        "auc_interval": list(auc_interval(area, positive, negative)),
        "auc_of_words": auc(words.astype(np.float64), good),
        "accuracy": right / len(good),
        "accuracy_interval": list(share_interval(right, len(good))),
        "majority": max(positive, negative) / len(good),
        "scores": [float(known.min()), float(known.max())] if len(known) else None,
        "thresholds": [_at(threshold, score, good) for threshold in _thresholds(score)],
        "bound": _at(_keeping(score[good], GOOD_KEPT), score, good),
    }


def _thresholds(score: np.ndarray) -> list[float]:
    """0.5 and those that keep the shares of `KEPT`: a fixed grid says nothing where scores lie close together."""
    return sorted({0.5, *(_keeping(score, share) for share in KEPT)})


def _keeping(score: np.ndarray, share: float) -> float:
    """The highest threshold, to six digits and not below 0, that keeps at least this share of those with a score."""
    rank = math.ceil(round(share * len(score), 9))
    found = float(np.sort(score)[::-1][rank - 1])
    return max(0.0, math.floor(found * _DIGITS) / _DIGITS)


def _at(threshold: float, score: np.ndarray, good: np.ndarray) -> dict[str, float | None]:
    kept = score >= threshold
    hits, chosen = int((kept & good).sum()), int(kept.sum())
    return {
        "threshold": threshold,
        "kept": chosen / len(good),
        "kept_bad": (chosen - hits) / int((~good).sum()),
        "precision": hits / chosen if chosen else None,
        "recall": hits / int(good.sum()),
    }
