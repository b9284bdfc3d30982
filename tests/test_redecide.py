"""A changed threshold, bound or preset decides anew from what is stored, and touches nothing before the decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus.cli import why
from corpus.engines.inline import InlineEngine
from corpus.errors import RecipeError
from corpus.quality.config import QualityConfig
from corpus.quality.rule import Rule
from corpus.recipe import dump, load, parse
from corpus.report.history import StepHistory
from corpus.run import run

TEXT = "name: n\nsources: [{name: s, kind: text, path: x}]\nquality: {presets: [gopher_quality], min_words: 60}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    words = "The river and the bridge of winter have a garden with music."
    rows = [json.dumps({"text": "\n".join([words] * n)}) for n in range(1, 12)]
    (tmp_path / "in.jsonl").write_text("\n".join(rows) + "\n")
    source = {"name": "s", "kind": "jsonl", "path": str(tmp_path / "in.jsonl")}
    raw = {"name": "n", "output": str(tmp_path / "out"), "sources": [source], "quality": {"presets": "gopher_quality"}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(raw | {"dedup": {}}))
    run(load(tmp_path / "recipe.yaml"), until="quality", engine=lambda limits: InlineEngine())
    return tmp_path / "out"


def touched(folder: Path, *sets: str) -> set[str]:
    """The steps that a run with these overrides does again."""
    before = {path: path.read_bytes() for path in folder.rglob("_manifest/*.json")}
    run(load(folder, sets), until="quality", engine=lambda limits: InlineEngine())
    return {
        str(path.parent.parent.relative_to(folder))
        for path in folder.rglob("_manifest/*.json")
        if path.read_bytes() != before.get(path)
    }


def test_only_the_decision_is_made_again(folder: Path) -> None:
    assert touched(folder) == set()
    assert touched(folder, "quality.min_words=80") == {"quality/decision"}
    assert touched(folder, "quality.min_words=80") == set()
    assert touched(folder, "quality.bounds.unique_words.min=0.2") == {"quality/decision"}
    assert touched(folder, "quality.bounds.unique_words.min=0.3") == {"quality/decision"}
    assert touched(folder, "quality.bounds.unique_words=null") == {"quality/decision"}
    assert touched(folder, "quality.presets=[c4]") == {"quality/decision"}
    # The same thresholds by another name decide nothing anew.
    same = ("quality.min_sentences=5", "quality.max_lorem_ipsum=0", "quality.max_curly_brackets=0")
    assert touched(folder, "quality.presets=none", *same) == set()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("quality.bounds.unique_wrds.max=3", "did you mean unique_words?"),
        ("quality.bounds.unique_words.mx=3", "did you mean max?"),
        ("quality.bounds.words.max=50", "there is a key for it, quality.max_words"),
        ("quality.bounds.perplexity.max=5", "nothing measures it"),
        ("quality.bounds.score_edu.min=0.5", "no classifier is called edu"),
        ("quality.min_wrds=3", "did you mean min_words?"),
    ],
)
def test_a_wrong_override_is_named_in_one_line(given: str, message: str) -> None:
    with pytest.raises(RecipeError) as raised:
        parse(TEXT, "r.yaml", [given])
    assert str(raised.value).startswith(f"--set {given}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_error_of_the_file_is_not_laid_on_an_override() -> None:
    with pytest.raises(RecipeError, match=r"^r.yaml:3: quality: bounds.wrds"):
        parse(
            TEXT.replace("min_words: 60", "bounds: {wrds: {max: 3}}"), "r.yaml", ["quality.bounds.unique_words.max=1"]
        )


@pytest.mark.parametrize("override", ["quality.presets=c4", "quality.presets.0=c4"])
def test_other_presets_keep_bounds_and_own_thresholds(override: str) -> None:
    text = TEXT.replace("min_words: 60", "min_words: 60, line_rules: [c4], bounds: {unique_words: {max: 0.9}}")
    resolved = dump(parse(text, "r.yaml"))
    config = parse(resolved, "r.yaml", [override]).quality
    assert config == QualityConfig.model_validate(
        {"presets": ["c4"], "min_words": 60, "line_rules": ["c4"], "bounds": {"unique_words": {"max": 0.9}}}
    )
    assert config is not None
    names = [rule.name for rule in config.active_rules]
    assert names == ["min_words", "min_sentences", "max_lorem_ipsum", "max_curly_brackets", "max_unique_words"]


RULES = [
    Rule("min_words", "words", ">=", 50, "x"),
    Rule("max_perplexity", "perplexity", "<=", 800, "x"),
    Rule("min_score_edu", "score_edu", ">=", 0.4, "x"),
]


@pytest.mark.parametrize(
    ("columns", "every", "shown"),
    [
        ({"signals": {"words": 12.0, "stop_words": None}}, False, ["2 signals (--all shows them)"]),
        (
            {"signals": {"words": 12.0, "stop_words": None}},
            True,
            ["2 signals", "words 12  (min_words >= 50)", "stop_words none"],
        ),
        ({"code_signals": None}, True, ["no source file"]),
        ({"code_signals": {"code_lines": 3.0}}, True, ["1 signals", "code_lines 3"]),
        ({"perplexity": 912.5}, False, ["perplexity 912.5  (max_perplexity <= 800)"]),
        ({"perplexity": None}, False, ["perplexity none  (max_perplexity <= 800)"]),
        (
            {"scores": {"edu": 0.25, "toxic": 0.5}},
            False,
            ["score_edu 0.25  (min_score_edu >= 0.4), score_toxic 0.5"],
        ),
        (
            {"languages": [{"language": "en", "score": 0.75}, {"language": "fr", "score": 0.125}]},
            False,
            ["languages en 0.75; fr 0.125"],
        ),
    ],
)
def test_stored_columns_are_shown_beside_their_rules(columns: dict[str, Any], every: bool, shown: list[str]) -> None:
    lines = list(why._step(StepHistory("quality/x", "measured", columns), RULES, every))
    assert [line.removeprefix("  quality/x").strip() for line in lines] == shown
