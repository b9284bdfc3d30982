"""Exported tables are what the layers say, whole or not there at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.documents import DOCUMENT, EDITS, ID, LEDGER
from corpus.errors import CorpusError
from corpus.recipe import parse
from corpus.report.export import export, jsonable
from corpus.report.outputs import Outputs
from corpus.store import StepFolder, Writer

RECIPE = """\
name: e
sources: [{name: s, kind: text, path: nowhere}]
quality: {presets: none, line_rules: c4}
"""
TEXTS = {"a": ["one é two", "", "line\n  and\ttab \u2028"], "b": ["four", "five"], "c": []}
CUT = "one "
SIGNALS = pa.struct([("words", pa.float64())])


def id_of(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def commit(root: Path, step: str, partition: str, tables: dict[str, pa.Table]) -> None:
    with Writer(StepFolder(root / step), partition) as out:
        for kind, table in tables.items():
            out.table(table.schema, kind).write(table)
        out.commit("k", "1", {}, {})


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    root = tmp_path / "out"
    for name, texts in TEXTS.items():
        ids = [id_of(f"{name}{i}") for i in range(len(texts))]
        rows = [
            {
                "id": id_,
                "text": text,
                "source": "s",
                "locator": f"{name}#{i}",
                "content_sha": hashlib.sha256(text.encode()).digest(),
                "bytes": len(text.encode()),
                "extractor": "none",
            }
            for i, (id_, text) in enumerate(zip(ids, texts, strict=True))
        ]
        commit(root, "extract", name, {"": pa.Table.from_pylist(rows, DOCUMENT), "ledger": LEDGER.empty_table()})
        signals = pa.array([{"words": float("nan") if not text else len(text)} for text in texts], SIGNALS)
        edits = (
            [{"id": id_of("a0"), "start": 0, "end": len(CUT), "replacement": "", "rule": "x"}] if name == "a" else []
        )
        layer = pa.table({"id": pa.array(ids, ID), "signals": signals})
        commit(root, "quality/signals", name, {"": layer, "edits": pa.Table.from_pylist(edits, EDITS)})
        kept = [id_ for id_ in ids if id_ != id_of("b1")]
        keep = pa.table({"id": pa.array(kept, ID)})
        commit(root, "quality/decision", name, {"": keep, "ledger": LEDGER.empty_table()})
    return Outputs.of(parse(RECIPE, "r"), root)


WANT = [TEXTS["a"][0][len(CUT) :], *TEXTS["a"][1:], TEXTS["b"][0]]


def test_parquet_holds_living_documents_with_edits_applied(outputs: Outputs, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "e.parquet"
    assert export(outputs, out, "parquet", stage="quality") == 4
    table = pq.read_table(out, page_checksum_verification=True)
    assert table.column_names == [*DOCUMENT.names, "signals"]
    assert table.column("text").to_pylist() == WANT
    assert table.column("bytes").to_pylist() == [len(text.encode()) for text in WANT]
    assert table.column("content_sha").to_pylist() == [hashlib.sha256(text.encode()).digest() for text in WANT]
    assert table.column("locator").to_pylist() == ["a#0", "a#1", "a#2", "b#0"]
    first = export(outputs, out, "parquet", stage="extract", force=True)
    assert first == 5
    assert pq.read_table(out).column("text").to_pylist() == [text for texts in TEXTS.values() for text in texts]


def test_jsonl_says_the_same(outputs: Outputs, tmp_path: Path) -> None:
    export(outputs, tmp_path / "e.jsonl", "jsonl")
    export(outputs, tmp_path / "e.parquet", "parquet")
    lines = (tmp_path / "e.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""

    def strict(name: str) -> Any:
        raise ValueError(name)

    rows = [json.loads(line, parse_constant=strict) for line in lines]
    assert rows == [jsonable(row) for row in pq.read_table(tmp_path / "e.parquet").to_pylist()]
    assert [row["text"] for row in rows] == WANT
    assert rows[1]["signals"]["words"] is None
    assert rows[0]["id"] == id_of("a0").hex()


def test_the_same_bytes_twice(outputs: Outputs, tmp_path: Path) -> None:
    for form in ("parquet", "jsonl"):
        for name in ("x", "y"):
            export(outputs, tmp_path / name, form, force=True)  # type: ignore[arg-type]
        assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_what_is_there_stays_unless_forced(outputs: Outputs, tmp_path: Path) -> None:
    out = tmp_path / "e.jsonl"
    out.write_text("mine")
    with pytest.raises(CorpusError, match="is there already"):
        export(outputs, out, "jsonl")
    assert out.read_text() == "mine"
    export(outputs, out, "jsonl", force=True)
    assert out.read_text() != "mine"
    with pytest.raises(CorpusError, match="is a folder"):
        export(outputs, tmp_path, "jsonl", force=True)


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_failed_export_leaves_nothing(outputs: Outputs, tmp_path: Path, form: Any) -> None:
    damaged = outputs.table("extract", "b")
    damaged.write_bytes(damaged.read_bytes()[:20])
    target = tmp_path / "here" / "e"
    with pytest.raises(CorpusError, match="cannot be read"):
        export(outputs, target, form)
    assert list(target.parent.iterdir()) == []


def test_stages_that_are_not_there(outputs: Outputs, tmp_path: Path) -> None:
    outputs = Outputs.of(parse(RECIPE + "dedup: {}\n", "r"), outputs.root)
    with pytest.raises(CorpusError, match=r"not run yet: dedup/signatures, dedup/decision; .*or add `--stage quality`"):
        export(outputs, tmp_path / "e", "jsonl")
    assert not (tmp_path / "e").exists()
    with pytest.raises(CorpusError, match="stage dedup has not run yet"):
        export(outputs, tmp_path / "e", "jsonl", stage="dedup")
    with pytest.raises(CorpusError, match="has no stage pack"):
        export(outputs, tmp_path / "e", "jsonl", stage="pack")


def test_no_documents_give_an_empty_table(tmp_path: Path) -> None:
    commit(tmp_path, "extract", "p", {"": DOCUMENT.empty_table(), "ledger": LEDGER.empty_table()})
    outputs = Outputs.of(parse(RECIPE, "r", ["quality=false"]), tmp_path)
    assert export(outputs, tmp_path / "e.parquet", "parquet") == 0
    assert pq.read_table(tmp_path / "e.parquet").schema.names == DOCUMENT.names
    assert export(outputs, tmp_path / "e.jsonl", "jsonl") == 0
    assert (tmp_path / "e.jsonl").read_bytes() == b""


def test_the_verb_takes_the_format_from_the_name(outputs: Outputs, tmp_path: Path) -> None:
    (outputs.root / "recipe.yaml").write_text(RECIPE)
    runner = CliRunner()
    done = runner.invoke(app, ["export", str(outputs.root), str(tmp_path / "e.jsonl")])
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'e.jsonl'}: 4 documents\n")
    done = runner.invoke(app, ["export", str(outputs.root), str(tmp_path / "e.csv")])
    assert isinstance(done.exception, CorpusError)
    assert "--format parquet or --format jsonl" in str(done.exception)


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_columns_that_are_named_alone_and_in_their_order(outputs: Outputs, tmp_path: Path, form: Any) -> None:
    out = tmp_path / f"e.{form}"
    assert export(outputs, out, form, columns=["content_sha", "locator", "bytes"]) == 4
    if form == "parquet":
        rows = pq.read_table(out).to_pylist()
    else:
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    shas = [hashlib.sha256(text.encode()) for text in WANT]
    want = [sha.digest() if form == "parquet" else sha.hexdigest() for sha in shas]
    assert [list(row) for row in rows] == [["content_sha", "locator", "bytes"]] * 4
    assert [row["content_sha"] for row in rows] == want
    assert [row["bytes"] for row in rows] == [len(text.encode()) for text in WANT]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("id,txt", "--columns: no column 'txt'; did you mean text?"),
        ("zzzz", "--columns: no column 'zzzz'; there are id, "),
        ("id,text,id", "--columns: id is there twice"),
        (" , ", "--columns: names none"),
    ],
)
def test_a_wrong_column_is_one_line_and_writes_nothing(outputs: Outputs, tmp_path: Path, given: str, said: str) -> None:
    (outputs.root / "recipe.yaml").write_text(RECIPE)
    out = tmp_path / "e.jsonl"
    done = CliRunner().invoke(app, ["export", str(outputs.root), str(out), "--columns", given])
    assert isinstance(done.exception, CorpusError)
    assert str(done.exception).startswith(said)
    assert not out.exists()
