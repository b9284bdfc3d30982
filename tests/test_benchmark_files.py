"""Files of benchmarks: how large they may be, where they may lie, how a recipe names them, and several that share
items."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from corpus.cli.options import stage_overrides
from corpus.decontaminate import benchmarks, stage
from corpus.decontaminate.attribute import Hits, common_grams, runs
from corpus.decontaminate.benchmarks import Item, read
from corpus.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from corpus.decontaminate.index import OWNERS, build
from corpus.engines.inline import InlineEngine
from corpus.errors import InputError, RecipeError
from corpus.kernels.contamination import find
from corpus.recipe import load, parse
from corpus.report import samples
from corpus.report.outputs import Outputs
from corpus.report.results import decontamination
from corpus.run import run


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


SHARED = "Which of the seven brass bells in the old harbour tower is rung when fog comes in from the sea at night?"
ANSWER = "The smallest bell, which hangs nearest the door of the tower."
MINE = "Who mends the long green nets that the herring boats leave on the northern pier before the spring tide comes?"
PARTLY = " ".join(SHARED.split()[:14]) + " cannot be heard from the town that lies behind the hill"


def found_in(texts: list[str], *tasks: list[str]) -> set[tuple[int, int, int]]:
    """(document, task, number of the item in its task)."""
    given = [([Item(str(n), ((text,),), (False,)) for n, text in enumerate(of_task)], False) for of_task in tasks]
    config = DecontaminateConfig(benchmarks=(BenchmarkConfig(name="x", path=Path("x.txt")),), max_count=None)
    built, items = build(given, config)
    found = find(pa.array(texts, pa.large_string()), built.index)
    hits = Hits(pa.array([b""] * len(texts)), found.pop("row"), found)
    of_task, labels = items.column("task").to_numpy(), items.column("item").to_pylist()
    held = runs(hits, built, common_grams([hits], built, config), of_task)
    return {(d, int(of_task[i]), int(labels[i])) for d, i in zip(held["document"].tolist(), held["item"], strict=True)}


def test_a_task_is_looked_for_as_if_it_was_alone() -> None:
    template = "Given the definition of the operator below compute the result and write all of it down: "
    many = [f"{template}{n} and {n + 1}" for n in range(OWNERS + 10)]
    tasks = [many, [SHARED, MINE], [f"{template}now", PARTLY], [MINE]]
    texts = [SHARED, f"So: {PARTLY} and {MINE}", f"{template}5 and 6, so", " ".join(SHARED.split()[:13]), "no"]
    alone = {(d, k, i) for k, task in enumerate(tasks) for d, _, i in found_in(texts, task)}
    assert alone == {
        *[(0, 1, 0), (0, 2, 1)],
        *[(1, 1, 0), (1, 1, 1), (1, 2, 1), (1, 3, 0)],
        *[(2, 0, 5), (2, 2, 0)],
        *[(3, 1, 0), (3, 2, 1)],
    }
    assert found_in(texts, *tasks) == alone
    assert found_in(texts, *reversed(tasks)) == {(d, len(tasks) - 1 - k, i) for d, k, i in alone}


@pytest.mark.parametrize(
    ("first", "second", "dropped", "masked"),
    [("flag", "remove", 3, 0), ("flag", "mask", 0, 3), ("mask", "remove", 3, 1), ("flag", "flag", 0, 0)],
)
def test_the_strictest_action_holds_whatever_the_order(
    tmp_path: Path, first: str, second: str, dropped: int, masked: int
) -> None:
    """Benchmark `a` has questions with answers, `b` the questions alone."""
    inputs = [f"They ask: {SHARED} {ANSWER} So.", f"Say: {MINE} Yes.", f"So {PARTLY}.", f"He said: {ANSWER} Oh.", "No."]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in inputs))
    lines = [{"q": SHARED, "a": ANSWER}, {"q": MINE, "a": "The oldest of the ropemakers does it alone."}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "b.txt").write_text(f"{MINE}\n\n{SHARED}\n")
    tasks = [{"name": "a", "path": str(tmp_path / "a.jsonl")}, {"name": "b", "path": str(tmp_path / "b.txt")}]
    digests: list[dict[Path, str]] = []
    for order in (tasks, tasks[::-1]):
        out = tmp_path / str(len(digests))
        section = {"benchmarks": order, "actions": {"a": first, "b": second}}
        raw: dict[str, Any] = {"name": "r", "output": str(out), "decontaminate": section}
        raw["sources"] = [{"name": "s", "kind": "jsonl", "path": str(tmp_path / "in.jsonl")}]
        (tmp_path / "r.yaml").write_text(yaml.safe_dump(raw))
        run(load(tmp_path / "r.yaml"), until="decontaminate", engine=lambda limits: InlineEngine())
        outputs = Outputs.open(out)
        counts = [(row.task, row.action, row.found, row.documents) for row in decontamination(outputs)]
        assert sorted(counts) == [("a", first, 2, 4), ("b", second, 2, 3)]
        assert [name for name, *_ in counts] == [task["name"] for task in order]
        (table,) = (out / "decontaminate/decision").glob("*.parquet")
        rows = pq.read_table(table).to_pylist()
        assert len(rows) == len(inputs) - dropped
        named = {row["id"]: [found["task"] for found in row["contamination"]] for row in rows}
        assert sorted(named.values()) == ([[], ["a"]] if dropped else [[], ["a"], *[["a", "b"]] * 3])
        edits = list((out / "decontaminate/decision/_edits").glob("*.parquet"))
        assert len({row["id"] for path in edits for row in pq.read_table(path).to_pylist()}) == masked
        gone = samples.dropped(outputs, 10, stage="decontaminate")
        assert {row["detail"].split()[0] for sample in gone for row in sample.failed} == ({"b"} if dropped else set())
        shown = {sample.around for sample in gone}
        assert not dropped or f"Say: >>>{MINE[:-1]}<<<? Yes." in shown
        assert len(shown) == dropped
        files = [path for path in (out / "decontaminate").rglob("*") if path.suffix in (".parquet", ".npy")]
        digests.append({path.relative_to(out): hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    assert len(digests[0]) > 10
    assert digests[0] == digests[1]
