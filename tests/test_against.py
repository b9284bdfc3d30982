"""Deliveries: a folder deduplicated against earlier ones keeps what one run over all would, and leaves them alone."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.dataset import Delivery
from corpus.dedup.delivery import settled
from corpus.documents import ID
from corpus.engines.inline import InlineEngine
from corpus.errors import BusyError, CorpusError, InputError, RecipeError
from corpus.recipe import load
from corpus.report.history import histories
from corpus.report.lookup import find
from corpus.report.outputs import Outputs
from corpus.run import lock, run
from corpus.status import status

ROOT = Path(__file__).parent.parent
WORDS = [f"{a}{b}" for a in ("ri", "bri", "win", "gar", "mu", "let", "pa", "voi", "sta", "is") for b in "aeioux"]
Write = Callable[..., Path]


def text(seed: int, *changed: int, words: int = 100) -> str:
    """Words drawn by `seed`, those at `changed` put by others."""
    found = random.Random(seed).choices(WORDS, k=words)
    for place in changed:
        found[place] = f"other{place}"
    return " ".join(found)


# Of each delivery: near and exact duplicates within and across, chains, and documents that are new.
FIRST = [text(n) for n in range(12)] + [text(3, 5), text(4), text(5, 2, words=101)]
SECOND = [text(20), text(3), text(4, 50), text(21), text(21, 7), text(22), text(3, 5, 60), *map(text, range(30, 36))]
THIRD = [
    text(40),
    text(20, 9),
    text(21),
    text(3, 5, 90),
    text(3, 60),
    text(41, words=105),
    text(41, 3),
    text(30),
    text(42),
]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the input and the recipe of a delivery, by default of one source called `web`; returns the recipe."""

    def made(name: str, texts: list[str], *against: Path | str, source: str = "web", **dedup: Any) -> Path:
        folder = tmp_path / "in" / name
        folder.mkdir(parents=True, exist_ok=True)
        rows = [{"text": one, "url": f"http://{name}.example/{n}"} for n, one in enumerate(texts)]
        for part in range(2):
            lines = [json.dumps(row) for row in rows[part::2]]
            (folder / f"part-{part}.jsonl").write_text("\n".join(lines) + "\n")
        raw = {
            "name": name,
            "output": str(tmp_path / name),
            "sources": [{"name": source, "kind": "jsonl", "path": str(folder), "columns": {"url": "url"}}],
            "dedup": {"ngram": 3, "against": [str(tmp_path / one) for one in against], **dedup},
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(raw))
        return path

    return made


def do(recipe: Path, *overrides: str) -> Path:
    """Run a recipe in this process; its output folder."""
    loaded = load(recipe, overrides)
    run(loaded, until="dedup", engine=lambda limits: InlineEngine())
    assert loaded.output is not None
    return loaded.output


def stays(root: Path) -> set[str]:
    view = Outputs.open(root).view()
    return {url for p in view.partitions() for b in view.batches(p, ["url"]) for url in b.column("url").to_pylist()}


def fate(root: Path, url: str) -> tuple[str, dict[str, Any]]:
    """(verdict, row of the ledger) of the document with an URL."""
    outputs = Outputs.open(root)
    (history,) = histories(outputs, find(outputs, url))
    last = history.steps[-1]
    return last.verdict, last.failed[0] if last.failed else {}


def image(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and when it was written."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def facts(root: Path) -> int:
    return int(Outputs.open(root).entries["dedup/clusters"]["all"].facts["against"])


@pytest.mark.parametrize("verify", [True, False])
def test_of_a_delivery_stays_what_would_in_one_run_over_all(write: Write, tmp_path: Path, verify: bool) -> None:
    rng = random.Random(verify)
    pool = [rng.choices(WORDS, k=rng.randint(30, 90)) for _ in range(20)]
    sources: list[dict[str, Any]] = []
    gone = 0
    for year, name in enumerate(("one", "two", "three"), 2001):
        texts = []
        for _ in range(50):
            words = list(rng.choice(pool))
            for _ in range(rng.randrange(5)):
                words[rng.randrange(len(words))] = f"other{rng.randrange(1000)}"
            pool.append(words)
            texts.append(" ".join(words))
        against = [source["name"] for source in sources[-1:]]
        recipe = write(name, texts, *against, source=name, threshold=0.7, verify=verify)
        kept = stays(do(recipe))
        for path in (tmp_path / "in" / name).iterdir():
            rows = map(json.loads, path.read_text().splitlines())
            path.write_text("".join(json.dumps(row | {"date": str(year)}) + "\n" for row in rows))
        folder, columns = str(tmp_path / "in" / name), {"url": "url", "date": "date"}
        sources.append({"name": name, "kind": "jsonl", "path": folder, "columns": columns})
        dedup = {"ngram": 3, "threshold": 0.7, "verify": verify, "keep": ["oldest", "longest"]}
        # One run, in which an earlier delivery's documents are older.
        raw = {"name": "all", "output": str(tmp_path / f"all-{name}"), "sources": sources, "dedup": dedup}
        (tmp_path / "all.yaml").write_text(yaml.safe_dump(raw))
        assert kept == {url for url in stays(do(tmp_path / "all.yaml")) if f"//{name}." in url}
        if against:
            gone += facts(tmp_path / name)
            assert facts(tmp_path / name) <= 50 - len(kept)
    assert gone > 20


def test_the_same_ids_in_two_deliveries(write: Write, tmp_path: Path) -> None:
    one = do(write("one", [text(0), text(1), text(2)]))
    # Every line moves by one: the second document of `two` has the id of the second of `one` and the text of the first.
    two = do(write("two", [text(9, words=105), text(0), text(9, 4), text(2)], "one"))
    assert stays(two) == {"http://two.example/0"}
    verdict, row = fate(two, "http://two.example/1")
    assert verdict == "dropped"
    assert row["duplicate_folder"] == str(one)
    assert (row["duplicate_url"], row["duplicate_locator"]) == ("http://one.example/0", "part-0.jsonl#1")
    _, row = fate(two, "http://two.example/2")
    assert row["duplicate_url"] == "http://two.example/0"
    assert "duplicate_folder" not in row
    # The identical delivery: nothing is new, and each names the document with its own id.
    again = do(write("again", [text(0), text(1), text(2)], "two", "one"))
    assert stays(again) == set()
    for n in range(3):
        _, row = fate(again, f"http://again.example/{n}")
        assert (row["rule"], row["value"]) == ("exact_duplicate", 1.0)
        assert row["duplicate_url"] == f"http://one.example/{n}"
    said = CliRunner().invoke(app, ["why", str(again), "http://again.example/1"]).stdout
    assert f"= http://one.example/1\n{'':21}of an earlier delivery, {one}, part-1.jsonl#1\n" in said
    shown = CliRunner().invoke(app, ["sample", str(two), "--stage", "dedup"]).stdout
    assert shown.count(f"of an earlier delivery, {one}\n") == 2
    assert shown.count("_duplicate") == 3
    assert "dropped because an earlier delivery has them: 3" in CliRunner().invoke(app, ["stats", str(again)]).stdout
    # A document of `two` has the id of one of `one`, of which others are duplicates: those are not its own.
    outputs = Outputs.open(two)
    (kept,) = histories(outputs, find(outputs, "http://two.example/0"))
    assert [item["url"] for item in kept.duplicates] == ["http://two.example/2"]


def test_urls_across_deliveries(write: Write, tmp_path: Path) -> None:
    def at(name: str, *urls: str) -> None:
        for part in range(2):
            path = tmp_path / "in" / name / f"part-{part}.jsonl"
            rows = map(json.loads, path.read_text().splitlines())
            lines = [json.dumps(row | {"url": url}) for row, url in zip(rows, urls[part::2], strict=True)]
            path.write_text("\n".join(lines) + "\n")

    recipe = write("one", [text(0, words=110), text(1)], url=True)
    at("one", "http://a.example/", "http://a.example/#top")
    assert stays(do(recipe)) == {"http://a.example/"}
    # What went for its URL takes no further part, here as in one run over all: its text is new.
    recipe = write("two", [text(1), text(2), text(0, 5, words=110)], "one", url=True)
    at("two", "http://b.example/", "https://A.example/", "http://c.example/")
    two = do(recipe)
    assert stays(two) == {"http://b.example/"}
    _, row = fate(two, "https://A.example/")
    assert (row["rule"], row["duplicate_url"]) == ("url_duplicate", "http://a.example/")
    _, row = fate(two, "http://c.example/")
    assert (row["rule"], row["duplicate_url"]) == ("near_duplicate", "http://a.example/")
    assert facts(two) == 2


def test_links_lead_to_the_delivery_that_has_the_survivor() -> None:
    def part(rows: list[tuple[int, int, int | None, bool]]) -> pa.Table:
        ids, clusters = (pa.array([bytes([row[k]]) * 16 for row in rows], ID) for k in (0, 1))
        rules = pa.array([None if row[3] else "near_duplicate" for row in rows], pa.string())
        return pa.table([ids, clusters, pa.array([r[2] for r in rows], pa.int32()), rules],
                        ["id", "cluster", "cluster_in", "rule"])  # fmt: skip

    views = [Delivery(Path(), (), before=before) for before in ((), (), (1, 0))]
    first = part([(1, 1, None, True), (2, 1, None, False)])
    second = part([(1, 1, None, True)])
    # Its delivery 0 is number 1 here. The last one's survivor is not there any more.
    third = part([(1, 1, None, True), (3, 1, 0, False), (4, 1, 1, False), (5, 1, None, False), (6, 7, 0, False)])
    third = third.set_column(3, "rule", pa.array([None, *["exact_duplicate"] * 2, "url_duplicate", "near_duplicate"]))
    known = settled(views, [(0, first), (1, second), (2, third)])
    assert known.delivery.tolist() == [0, 0, 1, 2, 2, 2, 2, 2]
    assert np.lexsort((np.arange(8), known.standing)).tolist() == [0, 1, 2, 3, 4, 5, 7, 6]
    assert known.located.tolist() == [False] * 6 + [True, False]
    assert sorted(map(tuple, known.links.tolist())) == [(0, 1), (0, 5), (2, 4), (3, 6)]


def test_earlier_folders_stay_as_they_are_and_none_is_compared_with_twice(write: Write, tmp_path: Path) -> None:
    one, two = do(write("one", FIRST)), do(write("two", SECOND, "one"))
    before = image(one), image(two)
    (tmp_path / "link").symlink_to(one)
    three = do(write("three", THIRD, "two", "link", "one/../one"))
    assert (image(one), image(two)) == before
    of = {name.partition("/")[0] for name in Outputs.open(three).entries["dedup/clusters"]["all"].inputs}
    assert of == {"dedup", "extract", "delivery 1", "delivery 2"}
    # Sideways and by the verb: the same, to the byte.
    same = load(three).model_copy(update={"output": tmp_path / "four"})
    run(same, until="dedup", engine=lambda limits: InlineEngine())
    entries = [Outputs.open(root).entries["dedup/clusters"]["all"] for root in (three, tmp_path / "four")]
    assert entries[0] == entries[1]


def test_a_change_of_an_earlier_delivery_is_seen(write: Write, tmp_path: Path) -> None:
    one, two = do(write("one", FIRST)), do(write("two", SECOND, "one"))
    assert {item.step: item.state for item in status(load(two))}["dedup/decision"] == "up to date"
    kept = stays(two)
    do(write("one", [*FIRST, text(22)]))
    found = {item.step: item for item in status(load(two))}
    assert found["dedup/signatures"].state == "up to date"
    assert found["dedup/clusters"].state == "stale"
    assert "input delivery 1/dedup/clusters/part-1-" in " ".join(found["dedup/clusters"].reasons)
    # What was committed can be read all the same, and is no index any more.
    assert stays(two) == kept
    with pytest.raises(InputError, match=f"{two}: is out of date, what it compared has changed since; `corpus dedup"):
        do(write("three", THIRD, "two"))
    do(two)
    assert kept - stays(two) == {"http://two.example/5"}
    # Where it lies is nothing to the output; that it is gone is said.
    one.rename(tmp_path / "moved")
    (line,) = next(item for item in status(load(two)) if item.step == "dedup/clusters").reasons
    assert line == f"dedup.against: {one}: no such folder; name where it lies, or leave it out"
    with pytest.raises(InputError, match=r"no such folder \(.*/two was compared with it\); if it was moved, `corpus"):
        do(write("three", THIRD, "two"))
    moved = load(two, [f"dedup.against={tmp_path / 'moved'}"])
    assert run(moved, until="dedup", engine=lambda limits: InlineEngine()).done == {}
    # Without an earlier one: everything is new again.
    alone = load(two, ["dedup.against=[]"])
    assert status(alone)[2].reasons[0] == "dedup.against 1 -> 0"
    _, row = fate(two, "http://two.example/1")
    assert row["duplicate_url"] == "http://one.example/3"
    shutil.rmtree(tmp_path / "moved")
    _, row = fate(two, "http://two.example/1")
    assert (row["duplicate_folder"], row["duplicate_url"]) == (None, None)
    for verb in (["export", two, tmp_path / "two.jsonl"], ["diff", two, two], ["sample", two], ["stats", two]):
        assert CliRunner().invoke(app, list(map(str, verb))).exit_code == 0, verb
    exported = map(json.loads, (tmp_path / "two.jsonl").read_text().splitlines())
    assert {row["url"] for row in exported} == stays(two)


def fails(recipe: Path, kind: type[CorpusError], line: str) -> None:
    """Refused with one line, before anything is written."""
    loaded = load(recipe)
    assert loaded.output is not None
    there = loaded.output.exists()
    with pytest.raises(kind) as caught:
        run(loaded, until="dedup", engine=lambda limits: InlineEngine())
    assert str(caught.value) == line
    assert loaded.output.exists() == there


def test_what_cannot_be_compared_with(write: Write, tmp_path: Path) -> None:
    one = do(write("one", FIRST))
    head = f"dedup.against: {one}"
    fails(write("two", SECOND, "one", ngram=4), RecipeError,
          f"dedup.ngram is 4 here and 3 in {one}, so signatures cannot be compared; set dedup.ngram=3 here, or run "
          "dedup there with 4")  # fmt: skip
    fails(
        write("two", SECOND, "two.yaml"),
        InputError,
        f"dedup.against: {tmp_path / 'two.yaml'}: no such folder; name where it lies, or leave it out",
    )
    fails(write("two", SECOND, "in"), InputError,
          f"dedup.against: {tmp_path / 'in'}: holds no recipe.yaml; give a recipe, or a folder that `corpus` "
          "wrote")  # fmt: skip
    (tmp_path / "two").mkdir()
    fails(write("two", SECOND, "two"), RecipeError,
          f"dedup.against: {tmp_path / 'two'} is this output folder; a delivery is compared with earlier ones, not with "
          "itself")  # fmt: skip
    with lock(one), pytest.raises(BusyError) as busy:
        do(write("two", SECOND, "one"))
    assert (
        str(busy.value)
        == f"{head}: process {os.getpid()} on {os.uname().nodename} is working on it; wait for it to end"
    )
    two = do(write("two", SECOND, "one"))
    fails(write("one", FIRST, "two"), RecipeError,
          f"dedup.against: {two} was compared with {one}, which is this output folder; a delivery is compared with "
          "earlier ones, not with itself")  # fmt: skip
    raw = yaml.safe_load((one / "recipe.yaml").read_text())
    good = (one / "recipe.yaml").read_text()
    (one / "recipe.yaml").write_text(yaml.safe_dump(raw | {"dedup": raw["dedup"] | {"against": [str(two)]}}))
    fails(write("three", THIRD, "one"), RecipeError,
          f"dedup.against: {one} and {two} were each compared with the other; `corpus dedup {two} --set against=[]` "
          "makes it the earlier one")  # fmt: skip
    (one / "recipe.yaml").write_text(yaml.safe_dump({k: v for k, v in raw.items() if k != "dedup"}))
    fails(write("three", THIRD, "one"), InputError, f"{head}: was not deduplicated; `corpus dedup {one}` does it")
    (one / "recipe.yaml").write_text(yaml.safe_dump(raw | {"dedup": raw["dedup"] | {"threshold": 0.7}}))
    fails(write("three", THIRD, "one"), CorpusError,
          f"{one}: stage dedup is out of date; `corpus run {one} --until dedup` brings it up to date")  # fmt: skip
    (one / "recipe.yaml").write_text(good)
    manifest = one / "dedup" / "clusters" / "_manifest" / "all.json"
    entry = manifest.read_text()
    manifest.write_text(json.dumps(json.loads(entry) | {"version": "0"}))
    fails(write("three", THIRD, "one"), InputError,
          f"{head}: its dedup/clusters are of another version of the code; `corpus dedup {one}` brings it up to "
          "date")  # fmt: skip
    manifest.unlink()
    fails(write("three", THIRD, "one"), CorpusError,
          f"{one}: stage dedup is out of date; `corpus run {one} --until dedup` brings it up to date")  # fmt: skip
    manifest.write_text(entry)
    (table, *_) = sorted((one / "dedup" / "signatures").glob("*.parquet"))
    table.rename(tmp_path / "aside")
    fails(write("three", THIRD, "one"), InputError,
          f"dedup.against: {table}: missing; `corpus dedup {one}` brings it up to date")  # fmt: skip


def test_texts_that_are_gone(write: Write, tmp_path: Path) -> None:
    one = do(write("one", FIRST))
    whole = stays(do(write("two", SECOND, "one", verify=False)))
    shutil.rmtree(one / "extract")
    fails(write("three", THIRD, "one"), InputError,
          f"dedup.against: {one}: its texts (extract/) are gone, and `verify` reads them; put them back, or set "
          "dedup.verify=false, which compares the signatures alone")  # fmt: skip
    shutil.rmtree(tmp_path / "two")
    assert stays(do(write("two", SECOND, "one", verify=False))) == whole
    # `two` was itself compared with `one`: that it has no texts any more does not make it out of date.
    assert stays(do(write("three", THIRD, "two", verify=False))) == {f"http://three.example/{n}" for n in (0, 5, 8)}


def test_an_earlier_one_is_not_worked_on_meanwhile(write: Write, tmp_path: Path) -> None:
    one = do(write("one", FIRST))
    with (one / "run.lock").open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        do(write("two", SECOND, "one"))
        with pytest.raises(BusyError, match="a later delivery is being compared with it; wait for that to end, or"):
            do(tmp_path / "one.yaml", "dedup.threshold=0.7")
    do(tmp_path / "one.yaml", "dedup.threshold=0.7")


def test_a_killed_comparison_leaves_both_folders_usable(write: Write, tmp_path: Path) -> None:
    one, two, calm = do(write("one", FIRST)), do(write("two", SECOND)), do(write("calm", SECOND, "one"))
    before = image(one)
    command = [sys.executable, "-m", "corpus", "dedup", str(two), "--against", "one", "--workers", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    assert process.stderr is not None
    said = []
    while not said or not said[-1].startswith("dedup/clusters: 1 of 1 task"):
        said.append(process.stderr.readline())
        assert said[-1], said
    process.kill()
    process.wait()
    assert image(one) == before
    # The clusters of before, or those of now: whole in any case, and what is missing is done by the same command.
    assert {item.step: item.state for item in status(load(two))}["dedup/signatures"] == "up to date"
    again = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert again.returncode == 0, again.stderr
    assert "because an earlier delivery has them: 3" in again.stdout
    assert load(two).dedup.against == (one,)  # type: ignore[union-attr]
    for step in ("dedup/clusters", "dedup/decision"):
        done, undisturbed = (Outputs.open(root).entries[step] for root in (two, calm))
        assert {k: v.files for k, v in done.items()} == {k: v.files for k, v in undisturbed.items()}
    assert image(one) == before
    assert [p for p in two.rglob("*") if p.name.startswith((".tmp-", ".work-", ".commit-"))] == []
