"""A language model against a labelled sample: accuracy, precision and recall a language, calibrated thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from statistics import fmean
from typing import Any

import numpy as np

from corpus.intervals import wilson
from corpus.language.codes import UNDETERMINED, canonical, same

SMALL = 100  # rows of a language under which its figures are rough
_GRID = 1000  # thresholds have three decimals


@dataclass(frozen=True)
class Threshold:
    """`value` keeps `kept` of the documents that bear the label; the rest as shares, with Wilson's 95% interval."""

    value: float
    kept: int
    precision: float
    precision_low: float
    recall: float


@dataclass(frozen=True)
class LanguageFigures:
    """One language of the sample, under the code that the sample gives it.

    `label`: the model's code for it, None where it has none; `rows`: of this language; `found`: documents that the
    model gives the label; `precision` is None where it gives it to none.
    """

    language: str
    label: str | None
    rows: int
    right: int
    found: int
    recall: float
    recall_low: float
    recall_high: float
    precision: float | None
    threshold: Threshold | None

    @property
    def small(self) -> bool:
        return self.rows < SMALL


@dataclass(frozen=True)
class Evaluation:
    """Over a sample; `macro_accuracy` is the mean of the languages' recalls, `known_macro_accuracy` of those that the
    model has a label for; `confusions`: (true, found, rows), the commonest first; `target`: precision asked for."""

    rows: int
    accuracy: float
    macro_accuracy: float
    known_macro_accuracy: float | None
    languages: tuple[LanguageFigures, ...]
    confusions: tuple[tuple[str, str, int], ...]
    target: float

    def thresholds(self) -> dict[str, float]:
        """label -> threshold, as `language.thresholds` of a recipe takes them."""
        return {row.label: row.threshold.value for row in self.languages if row.label and row.threshold}

    def found_as(self) -> tuple[tuple[str, str, int], ...]:
        """The rows of `confusions` that outnumber what is right of their language: its commonest label is another's."""
        right = {row.language: row.right for row in self.languages}
        first = {row[0]: row for row in reversed(self.confusions)}
        return tuple(row for language, row in sorted(first.items()) if row[2] > right[language])

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"found_as": self.found_as(), "thresholds": self.thresholds()}


def evaluate(
    true: Sequence[str], found: Sequence[str], scores: Sequence[float], labels: Collection[str], target: float = 0.9
) -> Evaluation:
    """Rows of (the sample's code, the model's label, its score); `labels`: all that the model has.

    Codes are compared by what they mean (`corpus.language.codes.same`). Where the sample divides a language that the
    model does not (zh and zh-Hant), the model's label is right for both; the label of a macrolanguage without a main
    member (sh) is not right for one of its members (sr): the figures say what a recipe that keeps `sr` would keep.
    Raises ValueError without a row.
    """
    if not true:
        raise ValueError("no row to evaluate")
    is_same = cache(same)
    right = np.array([is_same(t, f) for t, f in zip(true, found, strict=True)])
    score = np.asarray(scores, np.float32)
    (languages, row_language), (names, row_found) = _numbered(true), _numbered(found)
    figures = []
    for code, name in enumerate(languages):
        labelled = np.isin(row_found, [i for i, label in enumerate(names) if is_same(name, label)])
        figures.append(_figures(name, row_language == code, labelled, right, score, _label(name, labels), target))
    recalls = [row.recall for row in figures]
    known = [row.recall for row in figures if row.label is not None]
    wrong = Counter((t, f) for t, f, ok in zip(true, found, right, strict=True) if not ok)
    confusions = sorted(((t, f, n) for (t, f), n in wrong.items()), key=lambda row: (-row[2], row[0], row[1]))
    return Evaluation(
        len(true), float(right.mean()), fmean(recalls), fmean(known) if known else None,
        tuple(sorted(figures, key=lambda row: (-row.rows, row.language))), tuple(confusions), target,
    )  # fmt: skip


def _numbered(names: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """(the different names in order, int64 position of each in them)."""
    different = sorted(set(names))
    position = {name: i for i, name in enumerate(different)}
    return different, np.array([position[name] for name in names], np.int64)


def _label(language: str, labels: Collection[str]) -> str | None:
    """The model's label for a code of the sample: the one spelt so, else the first of those that mean it."""
    if language in labels or language == UNDETERMINED:
        return language
    meaning = sorted(label for label in labels if same(language, label))
    exact = [label for label in meaning if canonical(label) == canonical(language)]
    return next(iter(exact or meaning), None)


def _figures(
    name: str, own: np.ndarray, labelled: np.ndarray, right: np.ndarray, score: np.ndarray, label: str | None,
    target: float,
) -> LanguageFigures:  # fmt: skip
    rows, hits = int(own.sum()), int((own & right).sum())
    low, high = wilson(np.array(hits), np.array(rows))
    # A document that bears the label and is right belongs to this language, or to one that the label means too.
    correct = labelled & right
    found = int(labelled.sum())
    return LanguageFigures(
        name, label, rows, hits, found, hits / rows, round(float(low), 4), round(float(high), 4),
        int(correct.sum()) / found if found else None,
        _threshold(score, own, labelled, right, target) if label not in (None, UNDETERMINED) else None,
    )  # fmt: skip


def _threshold(
    score: np.ndarray, own: np.ndarray, labelled: np.ndarray, right: np.ndarray, target: float
) -> Threshold | None:
    value = _calibrate(score[labelled], right[labelled], target)
    if value is None:
        return None
    kept = labelled & (score >= np.float32(value))
    hits, n = int((kept & right).sum()), int(kept.sum())
    low, _ = wilson(np.array(hits), np.array(n))
    return Threshold(value, n, hits / n, round(float(low), 4), int((kept & right & own).sum()) / int(own.sum()))


def _calibrate(score: np.ndarray, correct: np.ndarray, target: float) -> float | None:
    """The lowest threshold from which on Wilson's lower bound of the precision is at least `target`, if there is one.

    The bound, not the share: three right of three are no evidence (35 of 35 are, for a target of .9).
    """
    # Rounded down, and then counted with what that lets in, as the decision compares (in float32).
    grid = np.unique(np.floor(score.astype(np.float64) * _GRID).astype(np.int64))
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(correct[order])
    kept = np.searchsorted(-score[order], -(grid / _GRID).astype(np.float32), "right")
    low, _ = wilson(hits[kept - 1], kept)
    reached = np.flatnonzero(low >= target)
    return float(grid[reached[0]] / _GRID) if len(reached) else None
