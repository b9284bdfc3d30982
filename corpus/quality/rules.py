"""The registry of rule sets: a new one is a file with `RULES` and a line in `SETS`."""

from __future__ import annotations

from corpus.quality import c4, fineweb, gopher_quality, gopher_repetition
from corpus.quality.rule import Rule

SETS: dict[str, tuple[Rule, ...]] = {
    "gopher_quality": gopher_quality.RULES,
    "gopher_repetition": gopher_repetition.RULES,
    "c4": c4.RULES,
    "fineweb": fineweb.RULES,
}

# What a recipe names, as sets.
PRESETS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in SETS},
    "gopher": ("gopher_quality", "gopher_repetition"),
    "none": (),
}

# Every rule, in the order of SETS and within a set: the order of verdicts and ledgers.
RULES: tuple[Rule, ...] = tuple(rule for rules in SETS.values() for rule in rules)
if len({rule.name for rule in RULES}) != len(RULES):
    raise RuntimeError("two quality rules share a name")

# What `line_rules` may name: `c4` is all of them.
LINE_RULES: tuple[str, ...] = (
    "c4_long_words",
    "c4_citations",
    "c4_terminal_punctuation",
    "c4_short_lines",
    "c4_javascript",
    "c4_policy",
)
LINE_PRESETS: dict[str, tuple[str, ...]] = {"c4": LINE_RULES, **{name: (name,) for name in LINE_RULES}}
