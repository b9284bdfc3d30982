"""What a sweep says is what a run then does; its counts are those of a plain count over the stored columns."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.documents import ID
from corpus.engines.inline import InlineEngine
from corpus.errors import CorpusError
from corpus.quality.rules import RULES
from corpus.recipe import load
from corpus.report import sweep_signal as thresholds
from corpus.report.lookup import fetch
from corpus.report.outputs import Outputs
from corpus.report.sweep import LANGUAGE, Amount, Population
from corpus.report.sweep_names import understand
from corpus.report.sweep_rules import sweep_rules
from corpus.report.sweep_signal import sweep_signal
from corpus.run import run

WORDS = ["river", "bridge", "winter", "garden", "music", "window", "letter", "paper", "voice", "station", "island"]


def prose(seed: int) -> str:
    rng = random.Random(seed)
    lines = []
    for _ in range(rng.randint(1, 9)):
        few = rng.choice([["of", "and", "the"], []])
        lines.append(
            "The " + " ".join(rng.choices([*few, *WORDS], k=rng.randint(3, 14))) + rng.choice([".", "", "..."])
        )
    return "\n".join(lines)


ROWS: list[dict[str, Any]] = [
    *({"text": prose(i), "url": f"http://a.example/{i}"} for i in range(180)),
    *({"text": "!! ?? -- ::", "url": f"http://empty.example/{i}"} for i in range(3)),  # no word: NaN
    *({"text": f"def f{i}(x):\n    return {i}\n" * (i + 1), "url": f"f{i}.py", "lang": "Python"} for i in range(9)),
]


def build(folder: Path, rows: list[dict[str, Any]], until: str | None = None, **sections: Any) -> Outputs:
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(3):
        text = "".join(json.dumps(row) + "\n" for row in rows[part::3])
        (folder / f"part-{part}.jsonl").write_text(text)
    columns = {"url": "url", "programming_language": "lang"}
    source = {"name": "web", "kind": "jsonl", "path": str(folder / "*.jsonl"), "columns": columns}
    raw = {"name": "swept", "output": str(folder / "out"), "sources": [source], **sections}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(raw))
    run(load(folder / "recipe.yaml"), until=until, engine=lambda limits: InlineEngine())
    return Outputs.open(folder / "out")


QUALITY = {"presets": ["gopher_quality", "fineweb"], "min_words": 20, "min_mean_word_length": 3.9}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    folder = tmp_path_factory.mktemp("sweep")
    return build(folder, ROWS, quality=QUALITY, tokenizer={"vocab_size": 300}, pack={"validation_fraction": 0.2})


def rerun(outputs: Outputs, *sets: str) -> int:
    """How many documents the quality decision keeps when the folder runs with other settings, and back again."""
    kept = []
    for overrides in (sets, ()):
        recipe = load(outputs.root.parent / "recipe.yaml", overrides)
        run(recipe, until="quality", engine=lambda limits: InlineEngine())
        entries = Outputs.open(outputs.root).entries["quality/decision"].values()
        kept.append(sum(entry.rows_out for entry in entries))
    return kept[0]


def say(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["sweep", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def table(outputs: Outputs, step: str, kind: str = "") -> pa.Table:
    return pa.concat_tables([pq.read_table(outputs.table(step, name, kind)) for name in outputs.partitions])


def test_what_a_threshold_keeps_is_counted_from_the_stored_column(outputs: Outputs) -> None:
    (found,) = sweep_signal(Population(outputs), "words", [5, 40, 1000], "min")
    base = table(outputs, "extract").to_pylist()
    words = {row["id"]: row["signals"]["words"] for row in table(outputs, "quality/signals").to_pylist()}
    prose = [row for row in base if row["programming_language"] is None]
    assert found.population.documents == len(base) == len(ROWS)
    assert (found.judged.documents, found.valueless) == (len(prose), 0)
    assert [row.threshold for row in found.rows] == [5, 20, 40, 50, 1000]
    assert [row.marks[0] for row in found.rows] == [
        "given",
        "recipe",
        "given",
        "Gopher, arXiv:2112.11446, A1.1",
        "given",
    ]
    for row in found.rows:
        kept = [one for one in prose if words[one["id"]] >= row.threshold]
        assert (row.kept.documents, row.kept.bytes) == (len(kept), sum(one["bytes"] for one in kept))


def test_tokens_are_exact_where_they_are_packed_and_estimated_elsewhere(outputs: Outputs) -> None:
    packed = table(outputs, "pack/tokens")
    size = sum(row["bytes"] for row in table(outputs, "extract").to_pylist())
    weighed = sweep_rules(Population(outputs), Population(outputs).rules)
    assert weighed.kept.documents == packed.num_rows
    assert (weighed.kept.tokens, weighed.kept.estimated) == (sum(packed.column("tokens").to_pylist()), False)
    ratio = Population(outputs).bytes_per_token
    assert ratio is not None
    rest = (size - sum(packed.column("bytes").to_pylist())) / ratio
    assert weighed.population.estimated
    assert weighed.population.tokens == pytest.approx(weighed.kept.tokens + rest)


@pytest.mark.parametrize(("signal", "side", "at"), [("words", "min", 41.0), ("short_lines", "max", 0.3)])
def test_a_run_keeps_what_the_sweep_says(outputs: Outputs, signal: str, side: Any, at: float) -> None:
    (found,) = sweep_signal(Population(outputs), signal, [at], side, samples=0)
    kept = {row.threshold: row.all_rules.documents + found.rest.documents for row in found.rows}
    assert all(row.all_rules.documents <= row.kept.documents for row in found.rows)
    assert found.rest.documents == 9
    assert found.now.documents == kept[found.current or 0] == rerun(outputs)
    assert kept[at] == rerun(outputs, f"quality.{side}_{signal}={at}") != found.now.documents


def test_a_run_keeps_what_a_rule_set_says(outputs: Outputs) -> None:
    population = Population(outputs)
    asked = ["c4", "min_sentences=1", "min_words=10", "max_lorem_ipsum=null", "min_unique_words=0.5"]
    _, rules = understand(population, asked)
    found = sweep_rules(population, rules or [])
    sets = ["quality.presets=[c4]", "quality.min_sentences=1", "quality.min_words=10", "quality.max_lorem_ipsum=null"]
    sets += ["quality.min_mean_word_length=null", "quality.bounds.unique_words.min=0.5"]
    assert found.kept.documents == rerun(outputs, *sets)
    assert found.now.documents == rerun(outputs) == found.kept.documents - found.gained.documents + found.lost.documents
    assert found.gained.documents
    assert found.lost.documents


def test_what_only_one_rule_drops_and_how_rules_overlap(outputs: Outputs) -> None:
    population = Population(outputs)
    found = sweep_rules(population, population.rules)
    failed: dict[bytes, list[str]] = {}
    for row in table(outputs, "quality/decision", "ledger").to_pylist():
        failed.setdefault(row["id"], []).append(row["rule"])
    names = [row.rule.name for row in found.rows]
    every = Counter(rule for rules in failed.values() for rule in rules)
    alone = Counter(rules[0] for rules in failed.values() if len(rules) == 1)
    assert {row.rule.name: row.failed.documents for row in found.rows if row.failed.documents} == dict(every)
    assert {row.rule.name: row.only.documents for row in found.rows if row.only.documents} == dict(alone)
    first = Counter(rules[0] for rules in failed.values())
    gone = np.cumsum([first[name] for name in names])
    assert [row.left.documents for row in found.rows] == (len(ROWS) - gone).tolist()
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            assert found.both[i, j] == sum(one in rules and other in rules for rules in failed.values())
    assert found.gained == found.lost == Amount(tokens=0.0)


def test_no_value_fails_at_every_threshold(outputs: Outputs) -> None:
    (low,) = sweep_signal(Population(outputs), "mean_word_length", [-1000.0], "min")
    assert low.valueless == 3
    assert low.rows[0].kept.documents == low.judged.documents - 3
    assert not {one.url for one in low.neighbours} & {row["url"] for row in ROWS if "empty" in row["url"]}


def test_source_files_have_signals_of_their_own(outputs: Outputs) -> None:
    (found,) = sweep_signal(Population(outputs), "code_lines", [5.0], "min", samples=2)
    assert (found.judged.documents, found.population.documents) == (9, len(ROWS))
    assert [row.kept.documents for row in found.rows] == [7]
    assert {one.url for one in found.neighbours} == {"f0.py", "f1.py", "f2.py", "f3.py"}
    assert found.now.documents - found.rows[0].all_rules.documents - found.rest.documents == 2


def test_given_thresholds_are_of_the_side_of_the_rule_nearest_in_ratio(outputs: Outputs) -> None:
    def sides(signal: str, *at: float) -> list[str]:
        return [one.side for one in sweep_signal(Population(outputs), signal, at, samples=0)]

    assert sides("words") == ["min", "max"]  # 20 in the recipe, 50 and 100,000 published
    assert sides("words", 50, 80, 120) == ["min"]
    assert sides("words", 1100) == ["min"]  # 50,050 lies midway
    assert sides("words", 30_000) == ["max"]
    assert sides("words", -5, 0) == ["min"]
    assert sides("short_lines", 0.3) == ["max"]
    assert sides("code_non_ascii", 1) == ["min"]  # without any rule


def test_rules_that_judge_no_document_are_left_out(tmp_path: Path) -> None:
    files = [row for row in ROWS if "lang" in row]
    population = Population(build(tmp_path, files, quality={"presets": ["gopher_quality", "code"]}))
    found = sweep_rules(population, population.rules)
    prose = [rule.name for rule in population.rules if not rule.signal.startswith("code_")]
    assert prose == [name for name in found.idle if name in prose]
    assert found.rows
    assert {*found.idle}.isdisjoint(row.rule.name for row in found.rows)
    assert len(found.rows) + len(found.idle) == len(population.rules)
    assert found.both.shape == (len(found.rows), len(found.rows))
    shown = say(population.outputs.root)
    assert f"of the kind that they judge: {len(found.idle)} rules" in shown
    assert "min_words" not in shown


def test_the_margin_is_near_seeded_and_beside_the_threshold(outputs: Outputs) -> None:
    found = [sweep_signal(Population(outputs), "words", [40.0], "min", 3, seed)[0].neighbours for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    for one in found[0]:
        assert one.kept == (one.value >= 40)
        row = next(row for row in ROWS if row["url"] == one.url)
        assert one.excerpt.startswith(" ".join(row["text"].split())[:60])
    words = [row["signals"]["words"] for row in table(outputs, "quality/signals").to_pylist()]
    nearest = sorted(abs(value - 40) for value in words)[2 * 60]
    assert max(abs(one.value - 40) for one in found[0]) <= nearest
    assert [one.kept for one in found[0]] == [False] * 3 + [True] * 3


def test_quantiles_come_from_a_sample_of_many(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    (exact,) = sweep_signal(Population(outputs), "words", (), "min", 0)
    marks = {mark: row.threshold for row in exact.rows for mark in row.marks}
    signals, base = table(outputs, "quality/signals").to_pylist(), table(outputs, "extract").to_pylist()
    values = [s["signals"]["words"] for s, b in zip(signals, base, strict=True) if b["programming_language"] is None]
    for share in thresholds.QUANTILES:
        assert marks[f"p{100 * share:.0f}"] == np.quantile(values, share, method="inverted_cdf")
    monkeypatch.setattr(thresholds, "SAMPLE", 20)
    (rough,) = sweep_signal(Population(outputs), "words", (), "min", 0)
    assert {row.threshold for row in rough.rows} <= {*values, 20.0, 50.0}
    assert rough.rows != exact.rows


def test_quantiles_are_rounded_but_kept_apart() -> None:
    assert thresholds._rounded([0.123456, 0.5]) == [0.123, 0.5]
    assert thresholds._rounded([0.99961, 0.99974, 0.99974]) == [0.9996, 0.9997, 0.9997]


def test_the_language_score_is_weighed_before_its_decision(tmp_path: Path) -> None:
    mixed = [f"{prose(i)} Le petit chat regarde la fenêtre de la maison avec son ami." for i in range(30)]
    rows = [{"text": text, "url": f"http://m.example/{i}"} for i, text in enumerate(mixed)] + ROWS
    outputs = build(tmp_path, rows, "language", language={"keep": ["en"], "threshold": 0.8}, quality={})
    population = Population(outputs, LANGUAGE)
    (found,) = sweep_signal(population, "language_score", [0.5], "min", samples=1)
    said = {row.threshold: row.all_rules.documents + found.rest.documents for row in found.rows}
    entries = outputs.entries["language/decision"].values()
    assert said[0.8] == found.now.documents == sum(entry.rows_out for entry in entries)
    lower = load(tmp_path / "recipe.yaml", ["language.threshold=0.5"])
    run(lower, until="language", engine=lambda limits: InlineEngine())
    kept = sum(entry.rows_out for entry in Outputs.open(outputs.root).entries["language/decision"].values())
    assert said[0.5] == kept > said[0.8]
    (english,) = sweep_signal(Population(outputs, LANGUAGE, "en"), "language_score", [0.5], "min", 0)
    assert english.population.documents < len(rows)


def test_the_command_says_it_in_tables_and_json(outputs: Outputs) -> None:
    before = {path: path.stat().st_mtime_ns for path in outputs.root.rglob("*") if path.is_file()}
    shown = say(outputs.root)
    assert "192 documents" in shown
    assert "fail only it" in shown
    assert "Overlap" in shown
    shown = say(outputs.root, "words", "c4", "--at", "40", "--side", "min", "--samples", "1")
    assert "Near words 40, dropped:" in shown
    assert "min_sentences" in shown
    assert "these keep and the recipe drops" in shown
    found = json.loads(say(outputs.root, "words", "--side", "max", "--json"))
    assert [one["side"] for one in found["signals"]] == ["max"]
    assert found["rules"] is None
    assert found["signals"][0]["thresholds"][0]["kept"].keys() == {"documents", "bytes", "tokens", "estimated"}
    assert {path: path.stat().st_mtime_ns for path in outputs.root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["wrods"], "did you mean words?"),
        (["min_wrds=3"], "did you mean min_words?"),
        (["score_edu"], "no signal, rule or preset"),
        (["=3"], "sweep: '=3' names no rule; write RULE=THRESHOLD, for example min_words=80"),
        (["words", ""], "sweep: '' names no rule"),
        (["min_words=many"], "a number, or null"),
        (["max_perplexity=3"], "its recipe does not measure perplexity"),
        (["c4", "--at", "3"], "--at and --side need a signal"),
        (["words", "--at", "3,x"], "--at 3,x: give numbers"),
        (["words", "--source", "wob"], "did you mean web?"),
        (["words", "--language", "en"], "no language was stored"),
        (["language_score"], "has no stage language"),
    ],
)
def test_what_cannot_be_swept_is_said_in_a_line(outputs: Outputs, words: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["sweep", str(outputs.root), *words])
    assert isinstance(result.exception, CorpusError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)


def test_nothing_is_swept_before_its_documents_are_there(tmp_path: Path) -> None:
    outputs = build(tmp_path, ROWS[:6], "extract", quality={})
    with pytest.raises(CorpusError, match="was not measured yet"):
        sweep_signal(Population(outputs), "words")


def test_a_view_reads_single_fields_of_a_struct(outputs: Outputs) -> None:
    view = outputs.view("quality/decision", inclusive=False)
    for name in outputs.partitions:
        (batch,) = view.batches(name, ["id", "signals.stop_words", "signals.words"])
        whole = pq.read_table(outputs.table("quality/signals", name)).column("signals").to_pylist()
        assert batch.schema.names == ["id", "signals"]
        assert batch.column("signals").to_pylist() == [{k: row[k] for k in ("words", "stop_words")} for row in whole]
    with pytest.raises(CorpusError, match="no column nothing"):
        next(view.batches(name, ["id", "nothing.words"]))


def test_single_rows_are_found_wherever_they_lie_in_a_large_group(tmp_path: Path) -> None:
    ids = [number.to_bytes(16, "big") for number in range(5000)]
    pq.write_table(pa.table({"id": pa.array(ids, ID), "n": range(5000)}), tmp_path / "t.parquet", row_group_size=3000)
    wanted = [0, 1023, 1024, 2999, 3000, 4999]
    found = fetch(tmp_path / "t.parquet", [ids[n] for n in wanted], ["n"])
    assert found.column("n").to_pylist() == wanted
    assert fetch(tmp_path / "t.parquet", [b"x" * 16], ["n"]).num_rows == 0


def test_presets_mean_what_was_published(outputs: Outputs) -> None:
    population = Population(outputs)
    published = {rule.name: rule for rule in RULES}
    assert understand(population, ["words"]) == (["words"], None)
    _, rules = understand(population, ["gopher_quality"])
    assert {rule.name: rule for rule in rules or []}["min_words"] == published["min_words"]
    _, rules = understand(population, ["min_words"])
    assert [rule.threshold for rule in rules or []] == [20]
    _, rules = understand(population, ["min_words=7"])
    assert [rule.name for rule in rules or []] == [rule.name for rule in population.rules]
    assert next(rule.threshold for rule in rules or [] if rule.name == "min_words") == 7
