"""Files of benchmarks: how large they may be, where they may lie, and how a recipe names them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
import yaml

from corpus.cli.options import stage_overrides
from corpus.decontaminate import benchmarks, stage
from corpus.decontaminate.benchmarks import read
from corpus.decontaminate.config import BenchmarkConfig
from corpus.errors import InputError, RecipeError
from corpus.recipe import parse


def test_an_item_and_a_file_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks, "_ITEM", 1000)
    monkeypatch.setattr(benchmarks, "_UNASKED", 100_000)
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b'{"q": "x"}\n' * 100_000))
    (tmp_path / "long.jsonl").write_text('{"q": "%s"}\n' % ("x" * 1000))
    (tmp_path / "long.txt").write_text("a line\n" * 99 + "\n" + "a line\n" * 200)
    for name, message in (
        ("bomb.jsonl.gz", ": holds over 100 times what it takes compressed"),
        ("long.jsonl", ":1: a line is an item, and over 0 MB is none; cut it"),
        ("long.txt", ":243: a paragraph is an item, and over 0 MB is none; cut it"),
    ):
        with pytest.raises(InputError, match=re.escape(f"{name}{message}")):
            list(read(BenchmarkConfig(name="quiz", path=tmp_path / name)))


def test_a_benchmark_in_the_output_folder_is_refused(tmp_path: Path) -> None:
    raw = {"name": "r", "output": str(tmp_path / "out"), "sources": [{"name": "s", "kind": "text", "path": "no"}]}
    (tmp_path / "out" / "b").mkdir(parents=True)
    (tmp_path / "out" / "b" / "quiz.jsonl").write_text('{"q": "What is it?"}\n')
    for path in (tmp_path / "out", tmp_path, tmp_path / "out" / "b" / "*"):
        recipe = parse(yaml.safe_dump(raw), "r", [f"decontaminate.benchmarks=[{{name: quiz, path: '{path}'}}]"])
        fault = stage.steps(recipe)[0].fault
        assert fault is not None
        assert fault.startswith(f"benchmark quiz: {path}: lies in the output folder")
        assert stage.steps(recipe.model_copy(update={"output": tmp_path / "other"}))[0].fault is None


def test_benchmarks_that_are_no_list_are_told_their_form() -> None:
    for form in ("b.jsonl", "[b.jsonl]", "{name: b, path: b.jsonl}"):
        with pytest.raises(RecipeError, match=r"is a list of tasks: write it as \[\{name: NAME, path: FILE\}\]"):
            parse("name: r\nsources: [{name: s, kind: text, path: no}]", "r", [f"decontaminate.benchmarks={form}"])
    with pytest.raises(RecipeError, match=r"^--set x: write it as key=value"):
        stage_overrides("decontaminate", ["x"])
