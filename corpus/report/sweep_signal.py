"""What each threshold on one signal keeps, and which documents lie at the margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from corpus.quality import decide
from corpus.quality.rule import Rule
from corpus.quality.rules import RULES
from corpus.report.sweep import LANGUAGE_SCORE, Amount, Batch, Population
from corpus.report.sweep_language import Languages
from corpus.report.sweep_margin import Neighbour, Pool, shown
from corpus.tokenizer.sample import keyed_hash

Side = Literal["min", "max"]
_OP: dict[str, Literal[">=", "<="]] = {"min": ">=", "max": "<="}
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
SAMPLE = 1 << 20  # of so many documents quantiles are exact, of more they are those of a sample of so many
_MARKS = [f"p{100 * share:.0f}" for share in QUANTILES]


@dataclass(frozen=True)
class Row:
    """A threshold. `marks`: where it comes from ("recipe", a paper, "p5", "given"); `kept`: what it alone keeps of
    what is judged; `all_rules`: what the decision keeps of the same with it in the place of the recipe's own."""

    threshold: float
    marks: tuple[str, ...]
    kept: Amount
    all_rules: Amount


@dataclass(frozen=True)
class SignalSweep:
    """`population` reaches the decision, `judged` of it are judged by the signal (source files, or all others),
    `valueless` of these have no number and fail at every threshold; `now` is what the recipe's decision keeps, `rest`
    of it what is not judged: with a threshold the decision keeps that and the row's `all_rules`."""

    signal: str
    side: Side
    population: Amount
    judged: Amount
    valueless: int
    current: float | None
    now: Amount
    rest: Amount
    rows: tuple[Row, ...]
    neighbours: tuple[Neighbour, ...]

    def to_json(self) -> dict[str, Any]:
        rows = [
            {
                "threshold": row.threshold,
                "marks": list(row.marks),
                "kept": row.kept.to_json(),
                "all_rules": row.all_rules.to_json(),
            }
            for row in self.rows
        ]
        return {
            **{name: getattr(self, name) for name in ("signal", "side", "valueless", "current")},
            **{name: getattr(self, name).to_json() for name in ("population", "judged", "now", "rest")},
            "thresholds": rows,
            "neighbours": [vars(one) for one in self.neighbours],
        }


def _sides(signal: str, rules: Sequence[Rule]) -> tuple[Side, ...]:
    """Which bounds a signal has: those of the recipe's and the published rules, or what its meaning says."""
    known = {rule.op for rule in (*rules, *RULES) if rule.signal == signal}
    found: tuple[Side, ...] = tuple(side for side in ("min", "max") if _OP[side] in known)
    return found or (("max",) if signal == "perplexity" else ("min",))


def _nearest_side(signal: str, rules: Sequence[Rule], at: Sequence[float]) -> tuple[Side, ...]:
    """The bound that thresholds `at` are of: that of the recipe's or published rule nearest to them in ratio."""

    def distance(rule: Rule) -> tuple[float, float]:
        same_sign = all(one * rule.threshold > 0 for one in at)
        ratio = sum(abs(math.log(one / rule.threshold)) for one in at) if same_sign else math.inf
        return ratio, sum(abs(one - rule.threshold) for one in at)

    known = [rule for rule in (*rules, *RULES) if rule.signal == signal]
    if not known:
        return _sides(signal, rules)
    return ("min",) if min(known, key=distance).op == ">=" else ("max",)


class _Quality:
    """A signal as the quality decision looks at it: beside the recipe's other rules."""

    def __init__(self, population: Population, rule: Rule) -> None:
        self.rule = rule
        own = [other.threshold for other in population.rules if _same(other, rule)]
        self.threshold = (max(own) if rule.op == ">=" else min(own)) if own else None
        self.others = [other for other in population.rules if not _same(other, rule)]

    def values(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(float64[n] the signal, bool[n] whom it judges, bool[n] who passes the other rules, bool[n] who is kept)"""
        value = decide.values(batch.documents, self.rule.signal)
        judged = decide.concerned(batch.documents, self.rule)
        passes = np.ones(len(value), bool)
        for other in self.others:
            passes &= ~decide.failing(batch.documents, other)[0]
        kept = passes if self.threshold is None else passes & (_keeps(value, self.rule, self.threshold) | ~judged)
        return value, judged, passes, kept


def sweep_signal(
    population: Population,
    signal: str,
    at: Sequence[float] = (),
    side: Side | None = None,
    samples: int = 3,
    seed: int = 1,
) -> list[SignalSweep]:
    """Thresholds `at`, or else quantiles, with the recipe's own and the published one.

    Without a `side`: of that of the rule nearest to `at`, or else of each that the signal has.

    The neighbours are `samples` of the nearest documents on each side of the thresholds `at`, or else of the recipe's,
    the published or the median one: the same ones for the same seed. Raises CorpusError when the signal is not stored.
    """
    if side:
        which: tuple[Side, ...] = (side,)
    else:
        which = _nearest_side(signal, population.rules, at) if at else _sides(signal, population.rules)
    tried = [(threshold, "given") for threshold in at] or _quantiles(population, signal)
    return [_sweep(population, signal, one, tried, samples, seed) for one in which]


def _sweep(
    population: Population, signal: str, side: Side, tried: list[tuple[float, str]], samples: int, seed: int
) -> SignalSweep:
    rule = _rule(signal, side)
    standing = Languages(population) if signal == LANGUAGE_SCORE else _Quality(population, rule)
    own = [(standing.threshold, "recipe")] if standing.threshold is not None else []
    published = [(one.threshold, one.source.partition(" (")[0]) for one in RULES if _same(one, rule)]
    marks: dict[float, list[str]] = {}
    for threshold, name in [*tried, *own, *published]:
        marks.setdefault(threshold, []).append(name)
    rows = [Row(threshold, tuple(marks[threshold]), Amount(), Amount()) for threshold in sorted(marks)]
    edges = [threshold for threshold, name in tried if name == "given"] or _edge(marks)
    pools = {(edge, kept): Pool(samples, seed) for edge in dict.fromkeys(edges) for kept in (False, True)}
    whole, judged, now, rest, valueless = Amount(), Amount(), Amount(), Amount(), 0
    others = [] if isinstance(standing, Languages) else [other.signal for other in standing.others]
    for batch in population.batches([signal, *others]):
        value, concerned, passes, kept = standing.values(batch)
        everything = np.ones(len(value), bool)
        for amount, mask in ((whole, everything), (judged, concerned), (now, kept), (rest, kept & ~concerned)):
            amount.add(batch, mask)
        there = concerned & ~np.isnan(value)
        valueless += int(concerned.sum() - there.sum())
        for row in rows:
            keeps = _keeps(value, rule, row.threshold)
            row.kept.add(batch, keeps & concerned)
            row.all_rules.add(batch, keeps & concerned & passes)
            if samples and row.threshold in edges:
                pools[row.threshold, True].add(batch, there & keeps, value, row.threshold)
                pools[row.threshold, False].add(batch, there & ~keeps, value, row.threshold)
    found = [Neighbour(edge, kept, *pick) for (edge, kept), pool in pools.items() for pick in pool.picks(samples)]
    neighbours = tuple(shown(population, found))
    return SignalSweep(signal, side, whole, judged, valueless, standing.threshold, now, rest, tuple(rows), neighbours)


def _rule(signal: str, side: Side) -> Rule:
    return Rule(f"{side}_{signal}", signal, _OP[side], 0.0, "given")


def _same(one: Rule, other: Rule) -> bool:
    """Whether they are thresholds on the same side of the same signal."""
    return (one.signal, one.op) == (other.signal, other.op)


def _keeps(value: np.ndarray, rule: Rule, threshold: float) -> np.ndarray:
    """bool[n]; NaN is kept by none."""
    if rule.signal == LANGUAGE_SCORE:
        # The language decision compares in float32, as the scores are stored: 0.65 keeps what prints as 0.65.
        threshold = float(np.float32(threshold))
    return value >= threshold if rule.op == ">=" else value <= threshold


def _quantiles(population: Population, signal: str) -> list[tuple[float, str]]:
    """(threshold, its mark): quantiles in few digits, of the documents with the least hashes."""
    rule = _rule(signal, "min")
    languages = Languages(population) if signal == LANGUAGE_SCORE else None
    hashes, values = [np.zeros(0, np.uint64)], [np.zeros(0)]
    for batch in population.batches([signal]):
        if languages:
            value, judged, _, _ = languages.values(batch)
        else:
            value, judged = decide.values(batch.documents, signal), decide.concerned(batch.documents, rule)
        there = judged & np.isfinite(value)
        hashes.append(keyed_hash(batch.documents.column("id"), "sweep")[there])
        values.append(value[there])
        if sum(map(len, hashes)) > 2 * SAMPLE:
            one, other = np.concatenate(hashes), np.concatenate(values)
            least = np.argpartition(one, SAMPLE)[:SAMPLE]
            hashes, values = [one[least]], [other[least]]
    found = np.concatenate(values)
    if not len(found):
        return []
    whole = bool((found == np.floor(found)).all())
    cuts = np.quantile(found, QUANTILES, method="inverted_cdf").tolist()
    return list(zip(cuts if whole else _rounded(cuts), _MARKS, strict=True))


def _rounded(cuts: list[float]) -> list[float]:
    """In three significant digits, or as many more as keep different ones apart (scores crowd below 1)."""
    for digits in range(3, 17):
        found = [float(f"{cut:.{digits}g}") for cut in cuts]
        if len({*found}) == len({*cuts}):
            return found
    return cuts


def _edge(marks: dict[float, list[str]]) -> list[float]:
    """The one threshold to show the margin of: the recipe's, or a published one, or the median."""

    def rank(threshold: float) -> int:
        names = marks[threshold]
        return 0 if "recipe" in names else 1 if set(names) - {*_MARKS} else 2 if "p50" in names else 3

    return sorted(marks, key=lambda threshold: (rank(threshold), threshold))[:1]
