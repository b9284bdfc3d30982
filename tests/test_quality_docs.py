"""docs/quality.md says what the code does: every rule, threshold, source and signal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corpus.quality import names
from corpus.quality.config import QualityConfig
from corpus.quality.rules import LINE_PRESETS, LINE_RULES, PRESETS, SETS

DOCS = (Path(__file__).parent.parent / "docs" / "quality.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """The cells of the table with this header, row by row."""
    lines = DOCS.splitlines()
    start = lines.index(header) + 2
    end = next(i for i in range(start, len(lines)) if not lines[i].startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:end]]


def test_the_table_of_rules() -> None:
    assert table("| set | rule | signal | keeps | source |") == [
        [name, f"`{rule.name}`", f"`{rule.signal}`", f"{rule.op} {rule.threshold:,g}", rule.source]
        for name, rules in SETS.items()
        for rule in rules
    ]


def test_every_threshold_names_a_paper_or_a_program() -> None:
    sources = {rule.source for rules in SETS.values() for rule in rules}
    assert all("arXiv:" in source or "datatrove" in source for source in sources)


def test_the_table_of_signals() -> None:
    assert table("| signal | what it measures |") == [[f"`{signal.name}`", signal.doc] for signal in names.TEXT]


def test_signals_named_beside_redpajama_s_exist() -> None:
    known = {signal.name for signal in names.TEXT} | {names.PERPLEXITY.name}
    named = {name for _, ours in table("| theirs | ours |") for name in re.findall(r"`(\w+)`", ours)}
    assert named <= known
    assert {signal.name for signal in names._REDPAJAMA} - named <= {
        *("common_3gram", "common_4gram"),
        *(f"repeated_{n}gram" for n in range(6, 11)),
    }


@pytest.mark.parametrize("name", [*LINE_RULES, *PRESETS])
def test_line_rules_and_presets_are_in_the_text(name: str) -> None:
    assert name in DOCS
    assert set(LINE_PRESETS) == {"c4", "refinedweb", *LINE_RULES}


def test_the_preset_of_refinedweb() -> None:
    rules = QualityConfig(presets="refinedweb").active_rules
    assert {rule.name for rule in rules} == {
        rule.name for part in ("gopher_quality", "gopher_repetition", "refinedweb") for rule in SETS[part]
    }
    assert QualityConfig(presets="refinedweb").line_rules == ()
