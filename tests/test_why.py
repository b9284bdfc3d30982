"""One document's whole way, random samples, and the way back from a token."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.engines.inline import InlineEngine
from corpus.errors import CorpusError, InputError
from corpus.recipe import load
from corpus.report import samples
from corpus.report.history import histories
from corpus.report.lookup import find, spliced, urls
from corpus.report.outputs import Outputs
from corpus.report.text import beginning, excerpt, indented, line, plain, size
from corpus.run import run

HOSTILE = "\x1b[31mred\x1b[0m \x9b2J \u202edorw\u202c <script>alert('x')</script>"
WORDS = ["river", "bridge", "winter", "garden", "music", "window", "letter", "paper", "voice", "station", "island"]


def prose(seed: int, sentences: int = 8) -> str:
    rng = random.Random(seed)
    lines = []
    for _ in range(sentences):
        lines.append("The " + " ".join(rng.choices(["of", "and", "the", *WORDS], k=12)) + ".")
    return "\n".join(lines)


ROWS: list[dict[str, Any]] = [
    *({"text": prose(i), "url": f"http://a.example/{i}", "title": f"Page {i}"} for i in range(60)),
    {"text": prose(1), "url": "http://copy.example/1", "title": "copy"},
    {"text": prose(2).replace("river", "rivers", 1), "url": "http://near.example/2", "title": "near"},
    {"text": "Too short.", "url": "http://short.example/", "title": HOSTILE},
    {"text": HOSTILE + " " + prose(100), "url": "http://hostile.example/\x1b]0;owned\x07", "title": HOSTILE},
    {"text": prose(200), "url": "http://twice.example/", "title": "once"},
    {"text": prose(201), "url": "http://twice.example/", "title": "again"},
    {"text": prose(202) + "\nThis page needs javascript to be shown to you.", "url": "http://js.example/"},
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("why")
    for part in range(2):
        lines = [json.dumps(row) for row in ROWS[part::2]]
        (folder / f"part-{part}.jsonl").write_text("\n".join([*lines, '{"no": "text"}' if part else "{broken"]) + "\n")
    raw = {
        "name": "why",
        "output": str(folder / "out"),
        "sources": [
            {"name": "web", "kind": "jsonl", "path": str(folder), "columns": {"url": "url", "title": "title"}},
        ],
        "quality": {"presets": "none", "line_rules": "c4_javascript", "min_words": 20, "min_stop_words": 2},
        "dedup": {"ngram": 3, "threshold": 0.7},
        "tokenizer": {"vocab_size": 300},
        "pack": {"validation_fraction": 0.2},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(raw))
    run(load(folder / "recipe.yaml"), engine=lambda limits: InlineEngine())
    return folder / "out"


@pytest.fixture(scope="module")
def outputs(root: Path) -> Outputs:
    return Outputs.open(root)


def only(outputs: Outputs, query: str) -> Any:
    (found,) = histories(outputs, find(outputs, query))
    return found


def say(root: Path, *arguments: object) -> str:
    result = CliRunner().invoke(app, [str(arguments[0]), str(root), *map(str, arguments[1:])], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_kept_document_has_its_way_and_its_tokens(outputs: Outputs) -> None:
    found = only(outputs, "http://a.example/5")
    assert found.verdict == "kept"
    assert found.about["source"] == "web"
    assert found.about["locator"] == "part-1.jsonl#3"
    verdicts = {step.step: step.verdict for step in found.steps}
    assert verdicts["extract"] == verdicts["quality/decision"] == verdicts["dedup/decision"] == "kept"
    assert verdicts["quality/signals"] == "measured"
    signals = next(step for step in found.steps if step.step == "quality/signals").columns["signals"]
    assert signals["words"] == 8 * 13
    (place,) = found.tokens
    docs = pq.read_table(outputs.root / "pack" / "shards" / f"{place['shard']}.docs.parquet").to_pylist()
    assert {"id": found.id, "first_token": place["first_token"], "tokens": place["tokens"]}.items() <= next(
        row for row in docs if row["id"] == found.id
    ).items()


def test_every_token_leads_back_to_its_document(root: Path) -> None:
    docs = pq.read_table(root / "pack" / "shards" / "train-00000.docs.parquet").to_pylist()
    for row in (docs[0], docs[7], docs[-1]):
        for position in (row["first_token"], row["first_token"] + row["tokens"] - 1):
            (found,) = json.loads(say(root, "why", "--token", f"train-00000:{position}", "--json"))
            assert found["id"] == row["id"].hex()


@pytest.mark.parametrize("token", ["train-00000", "train-00000:x", ":5", "nope:5", "train-00000:999999999"])
def test_a_token_that_is_not_there(root: Path, token: str) -> None:
    result = CliRunner().invoke(app, ["why", str(root), "--token", token])
    assert isinstance(result.exception, CorpusError)
    assert "\n" not in str(result.exception)


def test_a_dropped_document_names_every_rule_with_value_and_threshold(outputs: Outputs) -> None:
    found = only(outputs, "http://short.example/")
    assert found.verdict == "dropped by quality/decision: min_words, min_stop_words"
    last = found.steps[-1]
    assert last.step == "quality/decision"
    assert [(row["rule"], row["value"], row["threshold"]) for row in last.failed] == [
        ("min_words", 2, 20),
        ("min_stop_words", 0, 2),
    ]
    assert found.tokens == ()


def test_duplicates_name_what_they_duplicate_and_the_survivor_names_them(outputs: Outputs) -> None:
    pairs = {"http://copy.example/1": "http://a.example/1", "http://near.example/2": "http://a.example/2"}
    for copy, original in pairs.items():
        both = [only(outputs, copy), only(outputs, original)]
        (gone,) = [found for found in both if found.verdict != "kept"]
        (stays,) = [found for found in both if found.verdict == "kept"]
        (row,) = gone.steps[-1].failed
        assert row["duplicate_of"] == stays.id.hex()
        assert row["duplicate_url"] == stays.about["url"]
        assert [item["id"] for item in stays.duplicates] == [gone.id.hex()]
        assert row["value"] >= row["threshold"]


def test_what_extraction_dropped_is_found_by_its_locator(outputs: Outputs) -> None:
    found = only(outputs, f"part-0.jsonl#{len(ROWS[0::2]) + 1}")
    assert found.verdict == "dropped by extract: bad_json"
    assert found.text is None
    assert found.about["locator"].startswith("part-0.jsonl#")


def test_edits_are_told_and_splice_to_the_text_that_was_packed(outputs: Outputs) -> None:
    found = only(outputs, "http://js.example/")
    (step,) = [step for step in found.steps if step.edits]
    assert step.step == "quality/signals"
    assert {edit.rule: edit.before for edit in step.edits}["c4_javascript"] == ROWS[-1]["text"].splitlines()[-1]
    spans = [{"start": edit.start, "end": edit.end, "replacement": edit.after} for edit in step.edits]
    view = outputs.view()
    rows = [row for batch in view.batches(found.partition, ["id", "text"]) for row in batch.to_pylist()]
    assert spliced(found.text, spans) == next(row["text"] for row in rows if row["id"] == found.id)


def test_documents_that_share_a_url_are_all_shown(root: Path, outputs: Outputs) -> None:
    found = histories(outputs, find(outputs, "http://twice.example/"))
    assert {item.about["title"] for item in found} == {"once", "again"}
    assert say(root, "why", "http://twice.example/").startswith("2 documents:")


def test_ids_by_prefix(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [id_ for id_ in urls(outputs, [item.id for row in ROWS for item in find(outputs, row["url"])])]
    for id_ in ids[:5]:
        for digits in (8, 11, 32):
            assert [item.id for item in find(outputs, id_.hex()[:digits].upper())] == [id_]
    import corpus.report.lookup as lookup

    monkeypatch.setattr(lookup, "_HEX", lookup.re.compile("[0-9a-f]{1,32}"))
    with pytest.raises(CorpusError, match="ids begin so"):
        find(outputs, max("0123456789abcdef", key=lambda digit: sum(id_.hex()[0] == digit for id_ in ids)))


@pytest.mark.parametrize("query", ["http://nowhere.example/", "ffffffff"])
def test_a_document_that_is_not_there_gives_one_line(root: Path, corpus_command: Any, query: str) -> None:
    done = corpus_command("why", root, query)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "no document" in done.stderr


def test_the_terminal_gets_no_control_characters(root: Path) -> None:
    query = ROWS[63]["url"]
    for words in (
        say(root, "why", query, "--all", "--text"),
        say(root, "why", query, "--json"),
        say(root, "sample", "--kept", "-n", 100, "--full"),
        say(root, "sample", "--kept", "-n", 100, "--json"),
        say(root, "sample", "--dropped", "min_words", "-n", 100),
    ):
        assert "alert('x')" in words
        assert all(c == "\n" or (c >= " " and not 0x7F <= ord(c) < 0xA0 and c not in "\u202e\u202c") for c in words)


def test_a_row_is_found_by_its_own_id_and_by_its_place(tmp_path: Path) -> None:
    for name, ids in (("a", ["near/54", "twice", "twice"]), ("b", ["12345678", "near"])):
        rows = [{"text": prose(i), "key": f"{key}"} for i, key in enumerate(ids)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "s", "kind": "jsonl", "path": f"{tmp_path}/*.jsonl", "columns": {"id": "key"}}
    raw = {"name": "ids", "output": str(tmp_path / "out"), "sources": [source]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(raw))
    run(load(tmp_path / "recipe.yaml"), until="extract", engine=lambda limits: InlineEngine())
    outputs = Outputs.open(tmp_path / "out")
    for query, locator in (
        ("near/54", "a.jsonl#1:near/54"),
        ("a.jsonl#3", "a.jsonl#3:twice"),
        ("12345678", "b.jsonl#1:12345678"),
        ("near", "b.jsonl#2:near"),
        ("a.jsonl#2:twice", "a.jsonl#2:twice"),
    ):
        assert only(outputs, query).about["locator"] == locator
    with pytest.raises(CorpusError) as several:
        find(outputs, "twice")
    assert str(several.value) == (
        "twice: 2 documents are called so (a.jsonl#2:twice, a.jsonl#3:twice); give the whole locator"
    )
    for query in ("54", "a.jsonl", "a.jsonl#", "jsonl#3", "a.jsonl#3:"):
        with pytest.raises(CorpusError, match=r"no document of .* has this id, URL or locator"):
            find(outputs, query)


def test_samples_are_the_same_for_a_seed_and_right(outputs: Outputs) -> None:
    once, again, other = (samples.kept(outputs, 7, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other
    alive = {row["id"] for p in outputs.partitions for b in outputs.view().batches(p, ["id"]) for row in b.to_pylist()}
    assert {item.id for item in once} < alive
    everything = samples.kept(outputs, 1000)
    assert {item.id for item in everything} == alive
    assert everything[:7] == once
    gone = samples.dropped(outputs, 1000, rule="min_stop_words")
    assert [item.url for item in gone] == ["http://short.example/"]
    assert [row["rule"] for row in gone[0].failed] == ["min_words", "min_stop_words"]
    lost = samples.dropped(outputs, 1000, stage="extract")
    assert {item.failed[0]["rule"] for item in lost} == {"bad_json", "no_text"}
    assert all(item.text is None for item in lost)
    with pytest.raises(CorpusError, match="did you mean min_words"):
        samples.dropped(outputs, 1, rule="min_word")
    with pytest.raises(CorpusError, match="has no stage langauge; it has extract, quality"):
        samples.kept(outputs, 1, stage="langauge")


def test_a_sample_after_a_stage_has_what_it_left(outputs: Outputs) -> None:
    after = samples.kept(outputs, 1000, stage="quality")
    assert {item.url for item in after} == {row["url"] for row in ROWS} - {"http://short.example/"}
    (edited,) = [item for item in after if item.url == "http://js.example/"]
    assert edited.text == prose(202)


def test_steps_that_have_not_run_are_said(root: Path, tmp_path: Path) -> None:
    recipe = load(root.parent / "recipe.yaml", [f"output={tmp_path / 'out'}"])
    run(recipe, until="quality", engine=lambda limits: InlineEngine())
    outputs = Outputs.open(tmp_path / "out")
    found = only(outputs, "http://a.example/5")
    assert found.verdict == "kept so far; not run yet: dedup/signatures, dedup/decision"
    assert samples.kept(outputs, 2)


def test_a_damaged_table_is_named(root: Path, tmp_path: Path) -> None:
    run(
        load(root.parent / "recipe.yaml", [f"output={tmp_path / 'out'}"]),
        until="extract",
        engine=lambda limits: InlineEngine(),
    )
    outputs = Outputs.open(tmp_path / "out")
    path = outputs.table("extract", outputs.partitions[0])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=f"{outputs.partitions[0]}.*cannot be read"):
        only(outputs, "http://a.example/5")


def test_nothing_there(tmp_path: Path, corpus_command: Any) -> None:
    for verb in ("why", "sample", "stats", "report"):
        done = corpus_command(verb, tmp_path, *(["x"] if verb == "why" else []))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_text_keeps_its_lines() -> None:
    text = "one\x1b[1m\n\n \n\n  two\t\nthree\n"
    assert indented(text, "..") == "..one[1m\n\n..  two\n..three"
    assert indented("", "..") == ""
    assert beginning("one two\nthree four", 12) == "one two\nthre…"
    assert beginning("one two\nthree four", 10) == "one two…"
    assert beginning("one two", 7) == "one two"


def test_text_made_fit_to_show() -> None:
    assert plain("a\x1b[1mb\r\n\tc\u200e\ud800") == "a[1mb\n\tc"
    assert line(" a\n\tb\x00 ") == "a b"
    assert excerpt("one two three four", 9) == "one two…"
    assert excerpt("word", 9) == "word"
    assert [size(n) for n in (0, 999, 1000, 1_234_567, 5e13)] == ["0 B", "999 B", "1 kB", "1.2 MB", "50 TB"]
    assert size(1 << 20, 1024) == "1 MiB"
