"""The removal of repeated passages in whole runs: edits, account, order, memory, what a reader is told."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from corpus.cli.summary import finish_stage
from corpus.dataset import View
from corpus.dedup.passages import stage
from corpus.engines.inline import InlineEngine
from corpus.flow import Flow
from corpus.recipe import load
from corpus.report.lookup import spliced
from corpus.report.outputs import Outputs
from corpus.report.results import passages
from corpus.report.rule_names import rule_names
from corpus.report.tables import reconcile
from corpus.run import Summary, run
from corpus.store import StepFolder, Writer

NOTICE = "Cookies help us to show this page; by reading on you let us keep some of them, {} in all."
QUOTE = " ".join(f"{a}{b}" for a in ("ba", "de", "fi", "go", "lu") for b in "nrstvwxz")
STORY = "We came late. Nobody was there. So we went home again."
ALL: dict[str, Any] = {
    "minhash": False,
    "lines": {"min_count": 5},
    "paragraphs": True,
    "sentences": True,
    "substrings": {"words": 30},
}


def own(seed: int, count: int = 12) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnop", k=7)) for _ in range(count)).capitalize() + "."


def document(i: int) -> str:
    """Up to four passages of others around words of its own."""
    parts = [own(4 * i), f"Home | Page {10 + i}", own(4 * i + 1)]
    text = "\n".join(parts) + f"\n\n{NOTICE.format(10 + i)}\n\n{own(4 * i + 2)}"
    if i % 4 == 1:
        text += f" {STORY}"
    if i % 4 == 2:
        text += f"\n\n{own(4 * i + 3)} “{QUOTE},” {own(100 + i, 3)}"
    return text


def write(folder: Path, **dedup: Any) -> Path:
    """A recipe over two files of documents and one of source files."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"text": document(i), "url": f"http://a/{i}", "lang": None} for i in range(16)]
    rows.append({"text": "Home. Page 30", "url": "http://a/menu", "lang": None})
    rows += [{"text": f"home page 17\n{QUOTE}\n{STORY}\nx = {i}", "url": None, "lang": "Python"} for i in range(7)]
    for number, part in enumerate((rows[:9], rows[9:])):
        (folder / f"in{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    columns = {"text": "text", "url": "url", "programming_language": "lang"}
    source = {"name": "rows", "kind": "jsonl", "path": str(folder / "*.jsonl"), "columns": columns}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "p", "output": str(folder / "out"), "sources": [source], "dedup": dedup}))
    return path


def run_here(path: Path) -> View:
    recipe = load(path)
    run(recipe, until="dedup", engine=lambda limits: InlineEngine())
    assert recipe.output is not None
    assert reconcile(Outputs.open(recipe.output)) == []
    return Flow.of(recipe, recipe.output).views[""]


def texts(view: View) -> dict[bytes, str]:
    return {
        row["id"]: row["text"]
        for name in view.partitions()
        for batch in view.batches(name, ["id", "text"])
        for row in batch.to_pylist()
    }


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((root / "dedup").rglob("*"))
        if path.is_file()
    }


def manifests(root: Path, step: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((root / step / "_manifest").glob("*.json"))]


def test_of_each_passage_one_stays_and_the_account_is_exact(tmp_path: Path) -> None:
    view = run_here(write(tmp_path, **ALL))
    before, after = texts(View(view.root, view.layers[:1])), texts(view)
    mine = {id_: text for id_, text in before.items() if "x = " not in text}
    smallest = {name: min(id_ for id_, text in mine.items() if name in text) for name in ("Cookies", "Home", STORY)}
    quoting = min(id_ for id_, text in mine.items() if QUOTE in text)
    for id_, text in before.items():
        left = text
        if id_ in mine:
            number = int(text.partition("Page ")[2].split()[0])
            if id_ != smallest["Cookies"]:
                left = left.replace(f"{NOTICE.format(number)}\n\n", "")
            if id_ != smallest["Home"]:
                left = left.replace(f"Home | Page {number}\n", "").replace("Home. Page 30", "")
            if id_ != smallest[STORY]:
                left = left.replace(f" {STORY}", "")
            if id_ != quoting:
                left = left.replace(f"“{QUOTE},” ", "")
        assert after.get(id_, "") == left
    gone = [id_ for id_ in before if id_ not in after]
    menu = [id_ for id_, text in before.items() if text == "Home. Page 30"]
    assert gone == [id_ for id_ in menu if id_ != smallest["Home"]]
    rows = {row.rule: row for row in passages(Outputs.open(view.root))}
    assert [(row.documents, row.spans) for row in rows.values()] == [(15, 15), (15, 15), (3, 3), (3, 3)]
    assert sum(row.bytes for row in rows.values()) == sum(
        len(text.encode()) - len(after[id_].encode()) for id_, text in before.items() if id_ in after
    )
    dropped = [entry["dropped"] for entry in manifests(view.root, "dedup/lines") if entry["dropped"]]
    assert dropped == [{"repeated_line": 1}] * len(gone)
    assert set(rows) <= set(rule_names(load(view.root)))


def test_edits_tell_what_was_there_and_can_be_undone(tmp_path: Path) -> None:
    view = run_here(write(tmp_path, minhash=False, lines={"min_count": 17}))
    before, after = texts(View(view.root, view.layers[:-1])), texts(view)
    spans: dict[bytes, list[dict[str, Any]]] = {}
    for path in (view.root / "dedup/lines/_edits").glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            spans.setdefault(row["id"], []).append(row)
    assert {row["rule"] for rows in spans.values() for row in rows} == {"repeated_line"}
    assert {id_: spliced(before[id_], spans.get(id_, [])) for id_ in after} == after
    cut = {before[id_].encode()[row["start"] : row["end"]].decode() for id_, rows in spans.items() for row in rows}
    stays = min(id_ for id_, text in before.items() if "Home" in text)
    assert cut == {f"Home | Page {10 + i}\n" for i in range(16) if f"Page {10 + i}\n" not in before[stays]}


@pytest.mark.parametrize("keep", ["one", "none"])
def test_what_is_cut_and_left_with_too_little_is_dropped(tmp_path: Path, keep: str) -> None:
    view = run_here(write(tmp_path, minhash=False, lines={"min_count": 17, "keep": keep, "min_left": 54}))
    before, after = texts(View(view.root, view.layers[:-1])), texts(view)
    stays = min(id_ for id_, text in before.items() if "Home" in text) if keep == "one" else None
    # Three or five times 12 words of their own, 19 of the notice; those of the menu are gone.
    words = {id_: len(text.split()) - 4 if "Home |" in text else 0 for id_, text in before.items() if "Home" in text}
    gone = {id_ for id_, count in words.items() if count < 54 and id_ != stays}
    assert 1 <= len(gone) < 16
    assert before.keys() - after.keys() == gone
    tables = [pq.read_table(path) for path in (view.root / "dedup/lines/_ledger").glob("*.parquet")]
    rows = [row for table in tables for row in table.to_pylist()]
    assert {(row["id"], row["rule"], row["threshold"]) for row in rows} == {(i, "repeated_line", 54.0) for i in gone}
    assert sorted(row["value"] for row in rows)[0] == 0.0
    assert sum("Home" in text for text in after.values()) == (keep == "one")


def test_a_changed_threshold_counts_nothing_again(tmp_path: Path) -> None:
    path = write(tmp_path, minhash=False, lines={"min_count": 5})
    run_here(path)
    done = run(load(write(tmp_path, minhash=False, lines={"min_count": 17, "keep": "none"})), until="dedup",
               engine=lambda limits: InlineEngine()).done  # fmt: skip
    assert list(done) == ["dedup/lines"]
    done = run(load(write(tmp_path, minhash=False, lines={"min_count": 17, "min_words": 3})), until="dedup",
               engine=lambda limits: InlineEngine()).done  # fmt: skip
    assert list(done) == ["dedup/lines-counts", "dedup/lines"]


def test_same_bytes_whatever_the_workers_and_the_memory(
    tmp_path: Path, corpus_command: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a", **ALL)
    for workers, memory in ((1, "4GB"), (2, "1GB")):
        out = tmp_path / str(workers)
        arguments = ["run", path, "--until", "dedup", "--set", f"output={out}", "--workers", workers]
        done = corpus_command(*arguments, "--memory", memory)
        assert done.returncode == 0, done.stderr
    monkeypatch.setattr(stage, "budget", lambda memory_mb: 1)
    run_here(path)
    found = [tree(folder) for folder in (tmp_path / "1", tmp_path / "2", tmp_path / "a" / "out")]
    assert len(found[0]) > 30
    assert found[0] == found[1] == found[2]


def test_a_reader_is_told(
    tmp_path: Path,
    corpus_command: Callable[..., subprocess.CompletedProcess[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, **ALL)
    view = run_here(path)
    shown = corpus_command("stats", view.root, "--json")
    assert shown.returncode == 0, shown.stderr
    rows = json.loads(shown.stdout)["passages"]
    finish_stage(load(path), view.root, "dedup", Summary(done={"dedup/lines": 1}))
    told = capsys.readouterr().out.splitlines()[-4:]
    assert told[0] == f"  {'repeated_paragraph':<30} {15:>11} cut from 15 documents, {rows[0]['bytes']:,} bytes"
    assert [line.split()[0] for line in told] == [row["rule"] for row in rows]
    kept = json.loads(shown.stdout)["lengths"]["kept"]
    left = sum(len(text.encode()) for text in texts(view).values())
    assert (kept["bytes"], kept["extracted_bytes"] - left) == (left, sum(row["bytes"] for row in rows))
    assert [row["rule"] for row in rows] == [
        "repeated_paragraph", "repeated_line", "repeated_sentences", "repeated_substring"
    ]  # fmt: skip
    plain = corpus_command("stats", view.root).stdout
    assert "Repeated passages" in plain
    assert f"text that is kept: {left:,} bytes ({kept['extracted_bytes']:,} as extracted, " in plain
    before, after = texts(View(view.root, view.layers[:1])), texts(view)
    id_ = next(id_ for id_, text in after.items() if QUOTE in before[id_] and "Home" not in text and QUOTE not in text)
    told = corpus_command("why", view.root, id_.hex())
    assert told.returncode == 0, told.stderr
    assert "repeated_line removed" in told.stdout
    assert "'Home | Page" in told.stdout
    assert "repeated_substring removed" in told.stdout


def test_files_of_counts_are_the_same_however_their_rows_come(tmp_path: Path) -> None:
    rng = random.Random(3)
    starts = [0, 40_000, 40_000, 40_010, 90_000, 90_000]
    places = np.array([place for place in range(90_000) if place < 30_000 or place % 3 == 0])
    columns = (places % 7, places % 2 == 0)
    digests = []
    for sizes in ((len(places),), (1,), tuple(rng.randrange(0, 9_000) for _ in range(100)), (16_384, 0, 1)):
        ends = list(itertools.takewhile(lambda end: end < len(places), itertools.accumulate(itertools.cycle(sizes))))
        if sizes == (1,):
            ends = list(range(29_900, 30_100))
        parts = [tuple(column[a:b] for column in (places, *columns)) for a, b in itertools.pairwise([0, *ends, None])]
        folder = StepFolder(tmp_path / str(len(digests)))
        with Writer(folder, "all") as out:
            stage._write(out, ["a", "b", "c", "d", "e"], starts, iter(parts))
            files = {file.path: (file.rows, file.sha256) for file in out.commit("key", "1", {}, {}).files}
        digests.append(files)
    assert [rows for rows, _ in digests[0].values()] == [33_334, 0, 3, 16_663, 0]
    assert all(files == digests[0] for files in digests)
    read = pq.read_table(tmp_path / "0" / "d.parquet").to_pydict()
    mine = places[places >= 40_010]
    assert read["passage"] == (mine - 40_010).tolist()
    assert read["documents"] == (mine % 7).tolist()
    assert read["first"] == (mine % 2 == 0).tolist()
