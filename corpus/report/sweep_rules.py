"""How the rules of a set overlap, and what the set changes against the recipe's own decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.quality import decide
from corpus.quality.rule import Rule
from corpus.report.sweep import Amount, Population


@dataclass(frozen=True)
class RuleRow:
    """`failed`: what fails the rule; `only`: what fails no other of the set; `left`: what the rules so far keep."""

    rule: Rule
    failed: Amount
    only: Amount
    left: Amount


@dataclass(frozen=True)
class RuleSweep:
    """A rule set over a population.

    `both` int64[rules, rules]: documents that fail two rules. `now` is what the recipe's decision keeps; `gained` and
    `lost` are what the set keeps and the recipe drops, and the other way. Left out are the rules that `unmeasured`
    names, as nothing here measures their signals, and those of `idle`, which judge no document here (rules for source
    files where there are none, or the other way).
    """

    population: Amount
    kept: Amount
    now: Amount
    gained: Amount
    lost: Amount
    rows: tuple[RuleRow, ...]
    both: np.ndarray
    unmeasured: tuple[str, ...]
    idle: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        totals = {name: getattr(self, name).to_json() for name in ("population", "kept", "now", "gained", "lost")}
        rows = [
            {
                **{name: getattr(row.rule, name) for name in ("name", "signal", "op", "threshold", "source")},
                **{name: getattr(row, name).to_json() for name in ("failed", "only", "left")},
            }
            for row in self.rows
        ]
        overlap = {"rules": [row.rule.name for row in self.rows], "documents": self.both.tolist()}
        out = {"unmeasured": list(self.unmeasured), "idle": list(self.idle)}
        return {**totals, "rules": rows, "overlap": overlap, **out}


def sweep_rules(population: Population, rules: Sequence[Rule]) -> RuleSweep:
    """Judge a population by `rules`, in this order. Raises CorpusError for signals that are not stored."""
    asked = [rule for rule in rules if population.measured(rule.signal)]
    current = population.rules
    rows = [RuleRow(rule, Amount(), Amount(), Amount()) for rule in asked]
    both = np.zeros((len(asked), len(asked)), np.int64)
    judges = np.zeros(len(asked), bool)
    whole, kept, now, gained, lost = (Amount() for _ in range(5))
    for batch in population.batches(rule.signal for rule in (*asked, *current)):
        failed = np.zeros((len(asked), len(batch.size)), bool)
        for index, rule in enumerate(asked):
            failed[index] = decide.failing(batch.documents, rule)[0]
            judges[index] = judges[index] or decide.concerned(batch.documents, rule).any()
        dropped_now = np.zeros(len(batch.size), bool)
        for rule in current:
            known = failed[asked.index(rule)] if rule in asked else decide.failing(batch.documents, rule)[0]
            dropped_now |= known
        how_many = failed.sum(axis=0)
        alive = np.ones(len(batch.size), bool)
        for index, row in enumerate(rows):
            row.failed.add(batch, failed[index])
            row.only.add(batch, failed[index] & (how_many == 1))
            alive &= ~failed[index]
            row.left.add(batch, alive)
        # Counts of one batch are exact in float32, which multiplies much faster than integers.
        as_float = failed.astype(np.float32)
        both += (as_float @ as_float.T).astype(np.int64)
        for amount, mask in (
            (whole, np.ones(len(alive), bool)),
            (kept, alive),
            (now, ~dropped_now),
            (gained, alive & dropped_now),
            (lost, ~alive & ~dropped_now),
        ):
            amount.add(batch, mask)
    unmeasured = tuple(rule.name for rule in rules if rule not in asked)
    idle = tuple(rule.name for rule, some in zip(asked, judges, strict=True) if not some)
    shown = tuple(row for row, some in zip(rows, judges, strict=True) if some)
    return RuleSweep(whole, kept, now, gained, lost, shown, both[np.ix_(judges, judges)], unmeasured, idle)
