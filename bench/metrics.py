"""Quality figures, in one place for the gates and the benchmarks. Pure functions: texts and labels in, shares out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

_WORD = re.compile(r"\w+")


class Scores(NamedTuple):
    precision: float
    recall: float
    f1: float


def scores(tp: float, fp: float, fn: float) -> Scores:
    """Precision, recall and F1 of counts; 0 where nothing was found or nothing was to be found."""
    precision = tp / (tp + fp) if tp else 0.0
    recall = tp / (tp + fn) if tp else 0.0
    return Scores(precision, recall, 2 * precision * recall / (precision + recall) if tp else 0.0)


def segments(pages: Iterable[tuple[str, Sequence[str], Sequence[str]]]) -> Scores:
    """Over all pages (text, strings that must be in it, strings that must not); trafilatura's own evaluation."""
    tp = fp = fn = 0
    for text, wanted, unwanted in pages:
        found = sum(segment in text for segment in wanted)
        tp += found
        fn += len(wanted) - found
        fp += sum(segment in text for segment in unwanted)
    return scores(tp, fp, fn)


def ngrams(text: str, n: int = 4) -> Counter[tuple[str, ...]]:
    """n-grams of the runs of `\\w`; a shorter text is one n-gram, an empty one has none."""
    words = _WORD.findall(text)
    return Counter(tuple(words[i : i + n]) for i in range(max(len(words) - n + 1, 1))) if words else Counter()


def full_text(pages: Iterable[tuple[str, str]], n: int = 4) -> Scores:
    """Over all pages (true text, extracted text): n-grams shared, too many and missing, as shares of a page's sum.

    The metric of the article-extraction-benchmark (github.com/scrapinghub/article-extraction-benchmark): a long page
    counts no more than a short one. A page whose true text has no word says nothing and is left out.
    """
    tp = fp = fn = 0.0
    for true, extracted in pages:
        wanted, found = ngrams(true, n), ngrams(extracted, n)
        if not wanted:
            continue
        shared = (wanted & found).total()
        extra, missing = found.total() - shared, wanted.total() - shared
        total = shared + extra + missing
        tp, fp, fn = tp + shared / total, fp + extra / total, fn + missing / total
    return scores(tp, fp, fn)


def macro_accuracy(pairs: Iterable[tuple[str, str]]) -> float:
    """Mean over the true labels of the share labelled right, of pairs (true label, label found)."""
    right: dict[str, list[bool]] = defaultdict(list)
    for true, found in pairs:
        right[true].append(true == found)
    return fmean(fmean(hits) for hits in right.values())


class Removal(NamedTuple):
    recall: float
    """Of the true pairs, the share in one cluster."""
    precision: float
    """Of the removed documents, the share that has a true partner."""
    removed: int


def removal(pairs: Iterable[tuple[int, int]], clusters: Sequence[object], removed: Sequence[bool]) -> Removal:
    """Of a deduplication: true pairs of rows; cluster of each row; whether each row was removed."""
    true = list(pairs)
    partnered = {row for pair in true for row in pair}
    gone = [row for row, is_gone in enumerate(removed) if is_gone]
    return Removal(
        fmean(clusters[a] == clusters[b] for a, b in true), fmean(row in partnered for row in gone), len(gone)
    )
