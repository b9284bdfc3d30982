"""Which documents moved between two folders: equal to a plain comparison of the ledgers."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.engines.inline import InlineEngine
from corpus.errors import CorpusError
from corpus.recipe import load
from corpus.report import diff as module
from corpus.report.diff import diff
from corpus.report.outputs import Outputs
from corpus.run import run

WORDS = ["river", "bridge", "winter", "garden", "music", "window", "letter", "paper", "voice", "station", "island"]


def prose(seed: int) -> str:
    rng = random.Random(seed)
    lines = ["The " + " ".join(rng.choices(["of", "and", *WORDS], k=9)) + "." for _ in range(rng.randint(1, 9))]
    return "\n".join(lines)


ROWS: list[dict[str, Any]] = [
    *({"text": prose(i), "url": f"http://a.example/{i}"} for i in range(120)),
    *({"text": prose(i), "url": f"http://copy.example/{i}"} for i in range(6)),
    {"text": f"{prose(1)}\n{prose(2)}" + "\nPlease enable javascript to read this page.", "url": "http://js.example/"},
    {"none": "a record without a text"},
]
QUALITY = {"presets": "none", "min_words": 20, "max_words": 80}


def build(folder: Path, rows: list[dict[str, Any]], *sets: str, **sections: Any) -> Outputs:
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(2):
        (folder / f"part-{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[part::2]))
    source = {"name": "web", "kind": "jsonl", "path": str(folder / "*.jsonl"), "columns": {"url": "url"}}
    raw = {"name": "diffed", "output": str(folder / "out"), "sources": [source], "quality": QUALITY, "dedup": {}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(raw | sections))
    run(load(folder / "recipe.yaml", sets), engine=lambda limits: InlineEngine())
    return Outputs.open(folder / "out")


@pytest.fixture(scope="module")
def a(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    return build(tmp_path_factory.mktemp("a"), ROWS)


@pytest.fixture(scope="module")
def b(a: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """The same input, with another decision."""
    folder = tmp_path_factory.mktemp("b") / "out"
    shutil.copytree(a.root, folder)
    sets = ["quality.min_words=35", "quality.max_words=null", "quality.bounds.unique_words.max=0.9"]
    run(load(folder, sets), engine=lambda limits: InlineEngine())
    return Outputs.open(folder)


def plain(outputs: Outputs) -> dict[bytes, tuple[str, str]]:
    """id -> what became of it, from the ledgers, one row at a time."""
    found: dict[bytes, tuple[str, str]] = {}
    for partition in outputs.partitions:
        for row in pq.read_table(outputs.table("extract", partition)).to_pylist():
            found[row["id"]] = ("kept", "")
        for step in outputs.done:
            if step.filters or step.name == "extract":
                seen: set[bytes] = set()
                for row in pq.read_table(outputs.table(step.name, partition, "ledger")).to_pylist():
                    if row["id"] not in seen:
                        found[row["id"]] = (step.name, row["rule"])
                        seen.add(row["id"])
    return found


def moved(one: dict[bytes, tuple[str, str]], two: dict[bytes, tuple[str, str]]) -> Counter[Any]:
    absent = ("absent", "")
    pairs = [(one.get(id_, absent), two.get(id_, absent)) for id_ in one.keys() | two.keys()]
    return Counter(pair for pair in pairs if pair[0] != pair[1])


def say(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["diff", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == code
    return result.stdout


def test_a_folder_is_the_same_as_itself_and_as_its_copy(a: Outputs, tmp_path: Path) -> None:
    shutil.copytree(a.root, tmp_path / "copy")
    for other in (a, Outputs.open(tmp_path / "copy")):
        found = diff(a, other)
        assert found.same
        assert not found.settings
        assert (found.stayed, found.kept) == (len(ROWS), sum(fate == ("kept", "") for fate in plain(a).values()))
    assert "no document moved or changed" in say(a.root, tmp_path / "copy", "--exit-code")


def test_documents_that_moved_are_those_of_the_ledgers(a: Outputs, b: Outputs) -> None:
    found = diff(a, b, examples=1000)
    one, two = plain(a), plain(b)
    assert {(move.before, move.after): move.documents for move in found.moves} == dict(moved(one, two))
    kinds = [move.kind for move in found.moves]
    assert {"lost", "gained", "reason"} == {*kinds}
    assert kinds == sorted(kinds, key=["lost", "gained", "reason"].index)
    sizes = {}
    for partition in a.partitions:
        for row in pq.read_table(a.table("extract", partition)).to_pylist():
            sizes[row["id"]] = (row["bytes"], row["url"])
    for move in found.moves:
        ids = {id_ for id_ in one if (one[id_], two[id_]) == (move.before, move.after)}
        assert {example.id for example in move.examples} == ids
        assert move.bytes == sum(sizes[id_][0] for id_ in ids)
        assert {example.name for example in move.examples} == {sizes[id_][1] for id_ in ids}
        for example in move.examples:
            if move.after == ("quality/decision", "min_words"):
                assert example.after["threshold"] == 35
                assert (example.after["value"] or 99) < 35
    assert found.texts == 0
    back = {(move.after, move.before): move.documents for move in diff(b, a).moves}
    assert back == {(move.before, move.after): move.documents for move in found.moves}


def test_settings_and_counts_that_differ(a: Outputs, b: Outputs) -> None:
    found = diff(a, b)
    assert found.settings == (
        "quality.bounds.unique_words.max unset -> 0.9",
        "quality.max_words 80 -> unset",
        "quality.min_words 20 -> 35",
    )
    counts = {(row["stage"], row["rule"]): row for row in found.counts}
    entries = [side.entries["quality/decision"].values() for side in (a, b)]
    assert counts["quality", None]["kept"] == [sum(entry.rows_out for entry in side) for side in entries]
    failed = [sum(entry.failed.get("min_words", 0) for entry in side) for side in entries]
    assert counts["quality", "min_words"]["failed"] == failed
    assert "dedup" not in {row["stage"] for row in diff(a, b, "quality").counts}


def test_thresholds_that_follow_from_the_presets_are_told_in_a_line(a: Outputs, tmp_path: Path) -> None:
    for name, sets in (
        ("one", ["quality.presets=[gopher_quality, code]", "quality.min_words=20", "quality.max_hash_ratio=0.5"]),
        ("two", ["quality.presets=[c4, code]", "quality.min_words=35", "quality.max_words=null"]),
    ):
        shutil.copytree(a.root, tmp_path / name)
        run(load(tmp_path / name, sets), until="quality", engine=lambda limits: InlineEngine())
    found = diff(Outputs.open(tmp_path / "one"), Outputs.open(tmp_path / "two"), "quality")
    own = [words for words in found.settings if words not in found.implied]
    presets = 'quality.presets ["gopher_quality", "code"] -> ["c4", "code"]'
    assert presets in own
    assert {"quality.min_words 20 -> 35", "quality.max_hash_ratio 0.5 -> unset"} <= {*own}
    assert "quality.min_mean_word_length 3 -> unset" in found.implied
    assert "quality.min_sentences unset -> 5" in found.implied
    shown = say(tmp_path / "one", tmp_path / "two", "--until", "quality")
    assert f"and {len(found.implied)} thresholds that follow from the presets" in shown
    assert "min_mean_word_length 3" not in shown


def test_counts_are_listed_where_the_shown_number_differs(
    a: Outputs, b: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        {"stage": "quality", "rule": "only_failed", "dropped": [7, 7], "failed": [8, 9]},
        {"stage": "quality", "rule": "both", "dropped": [7, 8], "failed": [8, 9]},
    )
    monkeypatch.setattr(module, "_counts", lambda *_: iter(rows))
    assert diff(a, b).counts == rows
    shown = say(a.root, b.root)
    assert "both" in shown
    assert "only_failed" not in shown


def test_rounds_give_what_one_round_gives(a: Outputs, b: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = diff(a, b, examples=3)
    monkeypatch.setattr(module, "PART", 10)
    parts = diff(a, b, examples=3)
    assert parts == whole


def test_inputs_may_differ(a: Outputs, tmp_path: Path) -> None:
    other = build(tmp_path, [*ROWS[6:], {"text": prose(300), "url": "http://new.example/"}])
    found = diff(a, other)
    # A locator is a file and a line, so another row at the same place is the same document with another text.
    assert {(move.before, move.after): move.documents for move in found.moves} == dict(moved(plain(a), plain(other)))
    assert {move.kind for move in found.moves} >= {"only_a"}
    assert found.texts > 0
    assert found.edited == 0
    assert {move.kind for move in diff(other, a).moves} >= {"only_b"}


def test_a_text_that_only_line_rules_changed_is_counted(a: Outputs, tmp_path: Path) -> None:
    edited = build(tmp_path, ROWS, "quality.line_rules=c4_javascript")
    found = diff(a, edited)
    assert (found.texts, found.edited, found.moves) == (1, 1, ())
    assert [example.name for example in found.examples] == ["http://js.example/"]
    shown = say(a.root, edited.root, "--exit-code", code=1)
    assert "1 kept in both have another text, 1 of them by edits alone (passages cut or masked; " in shown


def test_a_section_that_one_side_alone_has_is_one_line(a: Outputs, tmp_path: Path) -> None:
    other = build(tmp_path, ROWS, "dedup=false", "pii=true", "quality.bounds.unique_words.max=0.9")
    shutil.copytree(a.root, tmp_path / "kept")
    run(load(tmp_path / "kept", ["dedup.keep=shortest"]), until="quality", engine=lambda limits: InlineEngine())
    found = diff(Outputs.open(tmp_path / "kept"), other, "quality").settings
    assert [line for line in found if not line.startswith("sources.")] == [
        'dedup only in A: {"keep": ["shortest"]}',
        "pii only in B: as it is by default",
        "quality.bounds.unique_words.max unset -> 0.9",
    ]
    assert "dedup only in B: as it is by default" in diff(other, a, "quality").settings


def test_the_command_shows_groups_and_says_by_its_status_that_something_moved(a: Outputs, b: Outputs) -> None:
    shown = say(a.root, b.root, "--limit", "1")
    assert "quality.min_words 20 -> 35" in shown
    assert "kept in A, dropped in B" in shown
    assert "more groups" in shown
    assert say(a.root, b.root, "--exit-code", code=1)
    raw = json.loads(say(a.root, b.root, "--json"))
    assert raw["same"] is False
    assert raw["moves"][0]["kind"] == "lost"
    assert raw["moves"][0]["documents"] >= len(raw["moves"][0]["examples"]) == 2
    assert raw["done"][0] == [step.name for step in a.done]


def test_a_stage_that_one_side_lacks_or_has_not_run(a: Outputs, tmp_path: Path) -> None:
    shutil.copytree(a.root, tmp_path / "half")
    run(load(tmp_path / "half", ["quality.min_words=30"]), until="quality", engine=lambda limits: InlineEngine())
    half = Outputs.open(tmp_path / "half")
    assert {move.kind for move in diff(a, half, "quality").moves} == {"lost"}
    with pytest.raises(CorpusError, match="dedup was not run yet"):
        diff(a, half, "dedup")
    with pytest.raises(CorpusError, match="has no stage language"):
        diff(a, half, "language")
    assert "not run yet or out of date: dedup/signatures" in say(a.root, half.root)
