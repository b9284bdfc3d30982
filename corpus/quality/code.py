"""Rules of the published code corpora, for source files alone.

Codex (Chen et al. 2021, arXiv:2107.03374, 3.1), The Stack (Kocetkov et al. 2022, arXiv:2211.15533), StarCoder (Li et
al. 2023, arXiv:2305.06161, 3) and StarCoder2 (Lozhkov et al. 2024, arXiv:2402.19173), each refining those before it.
"""

from __future__ import annotations

from corpus.quality.rule import Rule

_CODEX = "Codex, arXiv:2107.03374, 3.1"
_STACK = "The Stack's basic filter, arXiv:2211.15533"
_STARCODER2 = "StarCoder2, arXiv:2402.19173, source code filters"
_SANTACODER = "SantaCoder, arXiv:2301.03988"

RULES = (
    Rule("max_code_longest_line", "code_longest_line", "<=", 1000, _CODEX),
    Rule("max_code_mean_line", "code_mean_line", "<=", 100, _CODEX),
    Rule("max_code_lines", "code_lines", "<=", 100_000, _STARCODER2),
    Rule("min_code_alphanumeric", "code_alphanumeric", ">=", 0.25, _STACK),
    Rule("min_code_alphabetic", "code_alphabetic", ">=", 0.25, _STARCODER2),
    Rule("max_code_generated", "code_generated", "<=", 0, _STARCODER2),
    Rule("max_code_encoded", "code_encoded", "<=", 0.5, _STARCODER2),
)

# What SantaCoder trained on: for corpora of languages whose comments are known and of files of some length.
COMMENT_RULES = (
    Rule("min_code_comments", "code_comments", ">=", 0.01, _SANTACODER),
    Rule("max_code_comments", "code_comments", "<=", 0.8, _SANTACODER),
)
