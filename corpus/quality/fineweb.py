"""FineWeb's custom rules: Penedo et al. 2024, arXiv:2406.17557, section 3.6; the last is datatrove's, from the same."""

from __future__ import annotations

from corpus.quality.rule import Rule

_SOURCE = "FineWeb, arXiv:2406.17557, 3.6"

RULES = (
    Rule("min_line_punctuation", "line_punctuation", ">=", 0.12, _SOURCE),
    Rule("max_short_lines", "short_lines", "<=", 0.67, _SOURCE),
    # datatrove's default, with which FineWeb is made.
    Rule("max_char_duplicates", "char_duplicates", "<=", 0.01, "datatrove 0.10; arXiv:2406.17557, 3.6 prints 0.1"),
    Rule("max_newline_ratio", "newline_ratio", "<=", 0.3, "datatrove 0.10, FineWebQualityFilter"),
)
