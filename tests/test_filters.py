"""Filters from elsewhere: one's own functions, and datatrove's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.dataset import Layer, View
from corpus.engines.inline import InlineEngine
from corpus.errors import CorpusError, RecipeError
from corpus.quality.filters.config import FilterConfig
from corpus.quality.filters.datatrove_filter import changed_span
from corpus.quality.filters.function import FunctionFilter, failures, rule_name
from corpus.recipe import dump, load, parse
from corpus.report.outputs import Outputs
from corpus.report.tables import reconcile
from corpus.run import run

Command = Callable[..., subprocess.CompletedProcess[str]]
MODULE = """
import pyarrow.compute as pc

def long_enough(batch, min=10):
    return pc.greater_equal(pc.utf8_length(batch["text"]), min)

def reasons(batch):
    words = [len(text.split()) for text in batch["text"].to_pylist()]
    rows = [row for row, count in enumerate(words) if count < 3]
    return {"row": rows, "rule": ["words"] * len(rows), "value": [words[row] for row in rows], "threshold": [3] * len(rows)}

def stops(batch, text="stop"):
    if any(text in item for item in batch["text"].to_pylist()):
        raise SystemExit(3)
    return [True] * len(batch)

three = 3
"""
TEXTS = ["a", "two words", "three words here", "a text of five words", "stop"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a module of filters, and documents."""
    (tmp_path / "my_filters.py").write_text(MODULE)
    rows = [{"text": text, "url": f"http://a.example/{number}"} for number, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def recipe_of(folder: Path, *filters: dict[str, Any]) -> Path:
    raw = {
        "name": "small",
        "output": str(folder / "out"),
        "sources": [
            {
                "name": "rows",
                "kind": "jsonl",
                "path": str(folder / "in.jsonl"),
                "columns": {"text": "text", "url": "url"},
            }
        ],
        "quality": {"presets": "none", "filters": [{"folder": str(folder)} | item for item in filters]},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def run_here(folder: Path, *filters: dict[str, Any]) -> View:
    """The documents after the filters, made in this process."""
    recipe = load(recipe_of(folder, *filters))
    run(recipe, until="quality", engine=lambda limits: InlineEngine())
    layers = [Layer(f"quality/filter-{item.name}", (), True, item.is_datatrove) for item in recipe.quality.filters]  # type: ignore[union-attr]
    assert reconcile(Outputs.open(folder / "out")) == []
    return View(folder / "out", tuple(layers))


def texts(view: View) -> list[str]:
    return [
        text
        for name in view.partitions()
        for batch in view.batches(name, ["text"])
        for text in batch["text"].to_pylist()
    ]


def ledger(folder: Path, name: str) -> list[dict[str, Any]]:
    (path,) = (folder / "out" / "quality" / f"filter-{name}" / "_ledger").glob("*.parquet")
    return pq.read_table(path, columns=["rule", "value", "threshold", "detail"]).to_pylist()


def batch_of(texts: list[str]) -> pa.RecordBatch:
    ids = pa.array([bytes([number]) * 16 for number in range(len(texts))], pa.binary(16))
    return pa.record_batch({"id": ids, "text": pa.array(texts, pa.large_string())})


def function(folder: Path, name: str, **more: Any) -> FunctionFilter:
    return FunctionFilter(FilterConfig(name="mine", use=f"my_filters:{name}", folder=str(folder), **more))


# --- what a function may return ---


@pytest.mark.parametrize(
    "answer",
    [[True, False, True, False], np.array([True, False, True, False]), pa.array([True, False, True, False]),
     pa.chunked_array([[True, False], [True, False]]), (True, False, True, False)],
)  # fmt: skip
def test_booleans_say_what_is_kept(answer: Any) -> None:
    rows = failures(answer, 4, "mine").to_pylist()
    assert [(row["row"], row["rule"]) for row in rows] == [(1, "mine"), (3, "mine")]


def test_a_table_says_what_fails_and_why() -> None:
    found = failures(
        {"row": [3, 1, 3], "rule": ["b", "a", "c d"], "value": [3, 1, None], "detail": ["x", None, None]}, 4, "mine"
    )
    assert found.to_pylist() == [
        {"row": 1, "rule": "mine_a", "value": 1.0, "threshold": None, "detail": None},
        {"row": 3, "rule": "mine_b", "value": 3.0, "threshold": None, "detail": "x"},
        {"row": 3, "rule": "mine_c_d", "value": None, "threshold": None, "detail": None},
    ]
    for empty in (
        {"row": []},
        pa.table({"row": pa.array([], pa.int64())}),
        pa.record_batch({"row": pa.array([], pa.int8())}),
    ):
        assert failures(empty, 4, "mine").num_rows == 0


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (None, "it returned a NoneType"),
        (True, "it returned a bool"),
        ([True, None, True, True], "it returned a list of object"),
        ([1, 0, 1, 1], "it returned a list of int64"),
        (pa.array([True, None, True, True]), "it returned an array of bool with 1 nulls"),
        (pa.array([1, 0, 1, 1]), "it returned an array of int64 with 0 nulls"),
        (np.ones((4, 1), bool), "it returned a ndarray of bool"),
        ([True] * 3, "it returned 3 booleans for 4 documents"),
        ({}, "it returned a table without `row`"),
        ({"row": [4]}, "it returned `row` outside of 0 to 3"),
        ({"row": [-1]}, "it returned `row` outside of 0 to 3"),
        ({"row": [None, 1]}, "it returned `row` outside of 0 to 3"),
        ({"row": [1.5]}, "it returned `row` as double, not as integers"),
        ({"row": [1], "keep": [True]}, "it returned a table with a column 'keep'"),
        ({"row": [1], "rule": [None]}, "it returned a `rule` that is null"),
        ({"row": [1, 2], "rule": ["a"]}, "Column 1 named rule expected length 2 but got length 1"),
        ({"row": [1], "value": ["a"]}, "Failed to parse string: 'a' as a scalar of type double"),
    ],
)
def test_what_is_neither_is_told_in_one_line(folder: Path, answer: Any, complaint: str) -> None:
    made = function(folder, "long_enough")
    made._function = lambda batch, **options: answer
    with pytest.raises(CorpusError) as caught:
        made.judge(batch_of(TEXTS[:4]))
    message = str(caught.value)
    assert message.startswith(f"filter mine (my_filters:long_enough): {complaint}")
    assert message.endswith(
        "; return one boolean a document, true to keep it, or a table with `row` of those that fail"
    )
    assert "\n" not in message


def test_rules_are_named_after_their_filter() -> None:
    given = [None, "", "mine", "mine_short", "short", "< 3 paragraphs", "…", "x" * 200]
    expected = ["mine", "mine", "mine", "mine_short", "mine_short", "mine_3_paragraphs", "mine", f"mine_{'x' * 80}"]
    assert [rule_name("mine", reason) for reason in given] == expected


def test_a_function_that_raises_or_exits_names_the_document(folder: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        function(folder, "stops").judge(batch_of([*TEXTS, "last"]))
    assert str(caught.value) == f"filter mine (my_filters:stops): it called sys.exit(3), document {'04' * 16}"
    with pytest.raises(CorpusError, match=r"unexpected keyword argument 'least' \(function.py:\d+\), document 0{32}$"):
        function(folder, "long_enough", options={"least": 3}).judge(batch_of(TEXTS))
    flaky = function(folder, "long_enough")
    calls = iter([ValueError("once"), *[None] * 9])

    def once(batch: pa.RecordBatch) -> list[bool]:
        if error := next(calls):
            raise error
        return [True] * len(batch)

    flaky._function = once
    with pytest.raises(CorpusError, match=r"ValueError: once \(test_filters.py:\d+\)$"):
        flaky.judge(batch_of(TEXTS))


# --- finding the module ---


@pytest.mark.parametrize(
    ("use", "complaint"),
    [
        ("nowhere.at_all:f", r"there is no module nowhere.at_all in /\S+, and none is installed; correct `use` or `folder` of filter mine"),
        ("my_filters:long_enuogh", r"/\S+/my_filters.py has no long_enuogh; did you mean long_enough\?"),
        ("my_filters:zzz", r"/\S+/my_filters.py has no zzz; correct `use` of filter mine"),
        ("broken:f", r"/\S+/broken.py:1: .*"),
        ("wrapped.inner:f", r"/\S+/wrapped/inner.py:2: .*"),
        ("textwrap:dedent", r"textwrap is both /\S+/textwrap.py and, installed, /\S+/textwrap.py; rename yours"),
        ("datatrove.pipeline.filters.URLFiler", r"\S+/__init__.py has no URLFiler; did you mean URLFilter\?"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_by_check(folder: Path, use: str, complaint: str) -> None:
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "wrapped").mkdir()
    (folder / "wrapped" / "__init__.py").write_text("raise RuntimeError('imported by the driver')")
    (folder / "wrapped" / "inner.py").write_text("\n  x = 1\n")
    (folder / "textwrap.py").write_text("def dedent(batch): ...\n")
    with pytest.raises(RecipeError, match=rf"^filter mine \({use}\): {complaint}$"):
        run(load(recipe_of(folder, {"name": "mine", "use": use})))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"name": "min_words"}, "is the name of a rule, or begins one (min_words); choose another"),
        ({"name": "max_perplexity"}, "is the name of a rule, or begins one (max_perplexity); choose another"),
        ({"name": "near"}, "is the name of a rule, or begins one (near_duplicate); choose another"),
        ({"name": "min_score_edu"}, "could be the name of a bound on a score; choose another"),
        ({"use": "my_filters"}, "write it as package.module:function, or as the dotted name of a filter of datatrove"),
        ({"use": "a..b:c"}, "write it as package.module:function, or as the dotted name of a filter of datatrove"),
        ({"use": "datatrove.pipeline.filters.LambdaFilter"}, "LambdaFilter takes a function, which no recipe can hold; name yours as module:function"),
        ({"columns": ["text", "text"]}, "text is given twice"),
        ({"options": {"x": float("inf")}}, "holds a number that is not finite"),
    ],
)  # fmt: skip
def test_what_the_recipe_refuses(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FilterConfig.model_validate({"name": "mine", "use": "my_filters:f"} | given)
    (error,) = caught.value.errors()
    assert error["msg"] == f"Value error, {complaint}"


def test_a_name_that_only_resembles_a_rule_is_free() -> None:
    for name in ("min_length", "words", "c4_again", "urls", "score"):
        assert FilterConfig(name=name, use="a:b").name == name


def test_unknown_columns_are_told_by_check(folder: Path, corpus_command: Command) -> None:
    path = recipe_of(folder, {"name": "mine", "use": "my_filters:long_enough", "columns": ["text", "langauge"]})
    done = corpus_command("check", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"corpus: {path}: quality/filter-mine needs column langauge, which nothing before it in the recipe gives\n"
    )


def test_the_folder_is_absolute_and_outside_of_the_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    path = recipe_of(folder, {"name": "mine", "use": "my_filters:long_enough", "folder": "."})
    recipe = load(path)
    monkeypatch.chdir("/")
    assert parse(dump(recipe), "dumped").quality == recipe.quality
    assert recipe.quality is not None
    assert recipe.quality.filters[0].folder == str(folder)
    assert json.loads(recipe.quality.filters[0].model_dump_json(context={"key": True}))["folder"] is None


# --- through the stage ---


def test_filters_run_in_order_and_reconcile(folder: Path) -> None:
    view = run_here(
        folder,
        {"name": "words", "use": "my_filters:reasons"},
        {"name": "long", "use": "my_filters:long_enough", "options": {"min": 18}},
    )
    assert texts(view) == ["a text of five words"]
    assert ledger(folder, "words") == [
        {"rule": "words", "value": count, "threshold": 3.0, "detail": None} for count in (1.0, 2.0, 1.0)
    ]
    assert ledger(folder, "long") == [{"rule": "long", "value": None, "threshold": None, "detail": None}]


def test_every_column_of_the_moment_can_be_asked_for(folder: Path) -> None:
    (folder / "my_filters.py").write_text(
        "def f(batch, **more):\n"
        "    assert batch.schema.names == ['url', 'signals', 'id'], batch.schema\n"
        "    assert batch['id'].type.byte_width == 16\n"
        "    return [row['words'] > 2 and not row['words'] > 4 for row in batch['signals'].to_pylist()]\n"
    )
    view = run_here(folder, {"name": "mine", "use": "my_filters:f", "columns": ["url", "signals", "id"]})
    assert texts(view) == ["three words here"]


def test_an_edit_of_the_same_size_and_second_re_runs_that_filter_alone(folder: Path) -> None:
    filters: tuple[dict[str, Any], ...] = (
        {"name": "first", "use": "other:f"},
        {"name": "second", "use": "my_filters:long_enough"},
    )
    (folder / "other.py").write_text("def f(batch): return [True] * len(batch)\n")
    assert texts(run_here(folder, *filters)) == ["three words here", "a text of five words"]
    (folder / "my_filters.py").write_text(MODULE.replace("min=10", "min=20"))
    summary = run(load(recipe_of(folder, *filters)), until="quality", engine=lambda limits: InlineEngine())
    assert summary.done == {"quality/filter-second": 1}
    assert texts(run_here(folder, *filters)) == ["a text of five words"]


def test_from_the_command_line_in_fresh_workers_and_from_elsewhere(folder: Path, corpus_command: Command) -> None:
    own = folder / "mine"
    own.mkdir()
    (own / "helpers.py").write_text("LEAST = 10\n")
    (own / "printing.py").write_text(
        "from helpers import LEAST\n"
        "def f(batch):\n"
        "    print('noise')\n"
        "    return [len(text) >= LEAST for text in batch['text'].to_pylist()]\n"
    )
    path = recipe_of(folder, {"name": "mine", "use": "printing:f", "folder": str(own)})
    done = corpus_command("run", path, "--until", "quality")
    assert done.returncode == 0, done.stderr
    assert "noise" not in done.stdout
    out = folder / "out"
    status = json.loads(corpus_command("status", out, "--json").stdout)
    assert {item["state"] for item in status if item["step"].startswith("quality/")} == {"up to date"}
    why = corpus_command("why", out, "http://a.example/0").stdout
    assert "dropped by quality/filter-mine: mine" in why
    sample = json.loads(corpus_command("sample", out, "--dropped", "mine", "-n", 9, "--json").stdout)
    assert sorted(item["text"] for item in sample) == ["a", "stop", "two words"]
    # What was made can be read without the module; only to make it again takes that.
    (own / "printing.py").unlink()
    assert corpus_command("why", out, "http://a.example/0").stdout == why
    assert "there is no module printing in" in corpus_command("run", out).stderr


def test_a_filter_that_kills_its_process_is_named(folder: Path, corpus_command: Command) -> None:
    (folder / "my_filters.py").write_text("import os\ndef f(batch): os._exit(4)\n")
    done = corpus_command("run", recipe_of(folder, {"name": "mine", "use": "my_filters:f"}), "--until", "quality")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("corpus: quality/filter-mine in-")
    assert last.endswith(": exited with status 4, 3 tries")


# --- spans ---


@given(st.text("aé😀\n", max_size=12), st.text("aé😀\n", max_size=12))
def test_a_span_makes_one_text_of_the_other(before: str, after: str) -> None:
    span = changed_span(before.encode(), after.encode())
    if before == after:
        assert span is None
        return
    assert span is not None
    start, end, replacement = span
    data = before.encode()
    assert (data[:start].decode() + replacement + data[end:].decode()) == after
    assert len(replacement) + len(data[start:end].decode()) <= len(before) + len(after)
