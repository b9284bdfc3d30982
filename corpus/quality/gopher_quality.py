"""Gopher's quality rules: Rae et al. 2021, "Scaling Language Models", arXiv:2112.11446, section A1.1."""

from __future__ import annotations

from corpus.quality.rule import Rule

_SOURCE = "Gopher, arXiv:2112.11446, A1.1"

RULES = (
    Rule("min_words", "words", ">=", 50, _SOURCE),
    Rule("max_words", "words", "<=", 100_000, _SOURCE),
    Rule("min_mean_word_length", "mean_word_length", ">=", 3, _SOURCE),
    Rule("max_mean_word_length", "mean_word_length", "<=", 10, _SOURCE),
    Rule("max_hash_ratio", "hash_ratio", "<=", 0.1, _SOURCE),
    Rule("max_ellipsis_ratio", "ellipsis_ratio", "<=", 0.1, _SOURCE),
    Rule("max_bullet_lines", "bullet_lines", "<=", 0.9, _SOURCE),
    Rule("max_ellipsis_lines", "ellipsis_lines", "<=", 0.3, _SOURCE),
    Rule("min_alpha_words", "alpha_words", ">=", 0.8, _SOURCE),
    Rule("min_stop_words", "stop_words", ">=", 2, _SOURCE),
)
