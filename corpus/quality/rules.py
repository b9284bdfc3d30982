"""The registry of rule sets: a new one is a file with `RULES` and a line in `SETS`."""

from __future__ import annotations

from corpus.quality import c4, code, fineweb, gopher_quality, gopher_repetition, refinedweb
from corpus.quality.rule import Rule

SETS: dict[str, tuple[Rule, ...]] = {
    "gopher_quality": gopher_quality.RULES,
    "gopher_repetition": gopher_repetition.RULES,
    "c4": c4.RULES,
    "fineweb": fineweb.RULES,
    "refinedweb": refinedweb.RULES,
    "code": code.RULES,
    "code_comments": code.COMMENT_RULES,
}

# What a recipe names, as sets.
PRESETS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in SETS},
    "gopher": ("gopher_quality", "gopher_repetition"),
    "refinedweb": ("gopher_quality", "gopher_repetition", "refinedweb"),
    "none": (),
}

# Every rule, in the order of SETS and within a set: the order of verdicts and ledgers.
RULES: tuple[Rule, ...] = tuple(rule for rules in SETS.values() for rule in rules)
if len({rule.name for rule in RULES}) != len(RULES):
    raise RuntimeError("two quality rules share a name")

_C4_LINES = (
    "c4_long_words",
    "c4_citations",
    "c4_terminal_punctuation",
    "c4_short_lines",
    "c4_javascript",
    "c4_policy",
)
_REFINEDWEB_LINES = (
    "refinedweb_uppercase",
    "refinedweb_numeric",
    "refinedweb_counter",
    "refinedweb_one_word",
    "refinedweb_pattern",
)
# In the order of the bits of `corpus.kernels.lines`, which is the order in which they look at a line.
LINE_RULES: tuple[str, ...] = (*_C4_LINES, *_REFINEDWEB_LINES)
# What `line_rules` may name.
LINE_PRESETS: dict[str, tuple[str, ...]] = {
    "c4": _C4_LINES,
    "refinedweb": _REFINEDWEB_LINES,
    **{name: (name,) for name in LINE_RULES},
}
