"""C4's document rules: Raffel et al. 2020, arXiv:1910.10683, section 2.2. They expect C4's line rules to have run."""

from __future__ import annotations

from corpus.quality.rule import Rule

_SOURCE = "C4, arXiv:1910.10683, 2.2"

RULES = (
    Rule("min_sentences", "sentences", ">=", 5, _SOURCE),
    Rule("max_lorem_ipsum", "lorem_ipsum", "<=", 0, _SOURCE),
    Rule("max_curly_brackets", "curly_brackets", "<=", 0, _SOURCE),
)
