"""RefinedWeb's document rule over its line rules: Penedo et al. 2023, arXiv:2306.01116, appendix G.2.

It judges what `line_rules: [refinedweb]` took; the paper's other document rules are Gopher's.
"""

from __future__ import annotations

from corpus.quality.rule import Rule

RULES = (Rule("max_refinedweb_words", "refinedweb_words", "<=", 0.05, "RefinedWeb, arXiv:2306.01116, G.2"),)
