"""Gopher's repetition rules: Rae et al. 2021, arXiv:2112.11446, table A1."""

from __future__ import annotations

from corpus.quality.rule import Rule

_SOURCE = "Gopher, arXiv:2112.11446, table A1"

RULES = (
    Rule("max_dup_lines", "dup_lines", "<=", 0.30, _SOURCE),
    Rule("max_dup_paragraphs", "dup_paragraphs", "<=", 0.30, _SOURCE),
    Rule("max_dup_line_chars", "dup_line_chars", "<=", 0.20, _SOURCE),
    Rule("max_dup_paragraph_chars", "dup_paragraph_chars", "<=", 0.20, _SOURCE),
    Rule("max_top_2gram", "top_2gram", "<=", 0.20, _SOURCE),
    Rule("max_top_3gram", "top_3gram", "<=", 0.18, _SOURCE),
    Rule("max_top_4gram", "top_4gram", "<=", 0.16, _SOURCE),
    Rule("max_dup_5gram", "dup_5gram", "<=", 0.15, _SOURCE),
    Rule("max_dup_6gram", "dup_6gram", "<=", 0.14, _SOURCE),
    Rule("max_dup_7gram", "dup_7gram", "<=", 0.13, _SOURCE),
    Rule("max_dup_8gram", "dup_8gram", "<=", 0.12, _SOURCE),
    Rule("max_dup_9gram", "dup_9gram", "<=", 0.11, _SOURCE),
    Rule("max_dup_10gram", "dup_10gram", "<=", 0.10, _SOURCE),
)
