"""Whole runs over a small corpus: staleness, resuming, status, verify, one driver, bad input, equal bytes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parent.parent
Command = Callable[..., subprocess.CompletedProcess[str]]
# What a run keeps for itself; everything else is output.
PRIVATE = {".cache", "run.lock"}


def tree(root: Path) -> dict[str, str]:
    """path -> sha256 of every output file."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not PRIVATE & set(path.relative_to(root).parts)
    }


def entries(root: Path, step: str) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted((root / step / "_manifest").glob("*.json"))]


def done_steps(stderr: str) -> set[str]:
    return {line.partition(": done in")[0] for line in stderr.splitlines() if ": done in" in line}


@pytest.fixture
def finished(recipe: Callable[..., Path], corpus_command: Command, tmp_path: Path) -> tuple[Path, Path]:
    path = recipe()
    done = corpus_command("run", path)
    assert done.returncode == 0, done.stderr
    return path, tmp_path / "out"


def test_a_run_reconciles_and_a_second_one_does_nothing(finished: tuple[Path, Path], corpus_command: Command) -> None:
    path, out = finished
    alive = None
    for step in (
        "extract",
        "language/scores",
        "language/decision",
        "quality/signals",
        "quality/decision",
        "dedup/decision",
    ):
        found = entries(out, step)
        assert len(found) == 3
        rows_in, rows_out = sum(e["rows_in"] for e in found), sum(e["rows_out"] for e in found)
        assert rows_in == rows_out + sum(sum(e["dropped"].values()) for e in found)
        assert alive is None or rows_in == alive
        alive = rows_out
        for entry in found:
            ledger = out / step / "_ledger" / f"{entry['partition']}.parquet"
            if ledger.exists():
                ids = pq.read_table(ledger).column("id").to_pylist()
                assert len(set(ids)) == entry["rows_in"] - entry["rows_out"]
    dropped = {rule for e in entries(out, "extract") for rule in e["dropped"]}
    assert dropped == {"status", "content_type", "empty"}
    (shards,) = entries(out, "pack/shards")
    assert shards["rows_in"] == alive
    assert sum(e["dropped"].get("exact_duplicate", 0) for e in entries(out, "dedup/decision")) == 24
    assert sum(e["dropped"].get("near_duplicate", 0) for e in entries(out, "dedup/decision")) == 24
    before = tree(out)
    again = corpus_command("run", path)
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert again.stderr == ""
    assert tree(out) == before


def test_a_threshold_re_runs_no_extraction(finished: tuple[Path, Path], corpus_command: Command) -> None:
    path, out = finished
    status = corpus_command("status", path, "--set", "quality.min_words=80", "--json")
    by_step = {item["step"]: item for item in json.loads(status.stdout)}
    assert by_step["quality/signals"]["state"] == "up to date"
    assert by_step["quality/decision"]["state"] == "stale"
    assert any("quality.min_words" in reason and "-> 80" in reason for reason in by_step["quality/decision"]["reasons"])
    again = corpus_command("run", path, "--set", "quality.min_words=80")
    assert again.returncode == 0, again.stderr
    # No document is that short but those that failed before: the decision gives the same ids, and there it ends.
    assert "quality/decision" in done_steps(again.stderr)
    assert not {"extract", "language/scores", "quality/signals"} & done_steps(again.stderr)
    (first, *_) = entries(out, "quality/decision")
    assert first["config"]["min_words"] == 80


def test_a_new_file_re_runs_its_own_partition_only(
    small_input: Path, recipe: Callable[..., Path], corpus_command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("pages-0.warc.gz", "pages-2.warc.gz"):
        (folder / name).write_bytes((small_input / name).read_bytes())
    sources = [{"name": "web", "kind": "warc", "path": str(folder)}]
    path = recipe(sources=sources, tokenizer=None, pack=None)
    assert corpus_command("run", path).returncode == 0
    (folder / "pages-1.warc.gz").write_bytes((small_input / "pages-1.warc.gz").read_bytes())
    again = corpus_command("run", path)
    assert again.returncode == 0, again.stderr
    assert "extract: 1 of 3 tasks" in again.stderr
    assert "language/scores: 1 of 3 tasks" in again.stderr
    (folder / "pages-0.warc.gz").unlink()
    assert corpus_command("run", path).returncode == 0
    assert len(entries(tmp_path / "out", "extract")) == 2
    assert len(list((tmp_path / "out" / "extract").glob("*.parquet"))) == 2


def test_one_and_two_workers_give_equal_bytes(
    recipe: Callable[..., Path], corpus_command: Command, tmp_path: Path
) -> None:
    path = recipe()
    for workers in (1, 2):
        done = corpus_command("run", path, "--set", f"output={tmp_path / str(workers)}", "--workers", workers)
        assert done.returncode == 0, done.stderr
    one, two = tree(tmp_path / "1"), tree(tmp_path / "2")
    assert len(one) > 30
    assert one == two


def test_verify_names_a_changed_file(finished: tuple[Path, Path], corpus_command: Command) -> None:
    _, out = finished
    good = corpus_command("verify", out)
    assert good.returncode == 0
    assert "every digest as committed" in good.stdout
    (shard,) = (out / "pack" / "shards").glob("train-00000.bin")
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    (out / "pack" / "shards" / "left-behind.txt").write_text("x")
    bad = corpus_command("verify", out)
    assert bad.returncode == 1
    assert "train-00000.bin: sha256 differs" in bad.stderr
    assert "left-behind.txt: no manifest entry names it" in bad.stderr
    (out / "pack" / "shards" / "left-behind.txt").unlink()
    bad = corpus_command("verify", out, "--discard")
    faults = [f"{shard}: sha256 differs from the manifest", "1 fault; what is damaged is forgotten: run again"]
    assert bad.stderr == "".join(f"corpus: {line}\n" for line in faults)
    lines = corpus_command("status", out, "--set", "pack.validation_fraction=0.3").stdout.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_second_driver_is_turned_away(recipe: Callable[..., Path], corpus_command: Command, tmp_path: Path) -> None:
    path = recipe()
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / "run.lock").open("w") as stream:
        stream.write("process 12345 on there")
        stream.flush()
        fcntl.flock(stream, fcntl.LOCK_EX)
        done = corpus_command("run", path)
    assert done.returncode == 75
    assert (
        done.stderr
        == f"corpus: {tmp_path / 'out'}: process 12345 on there is working on it; wait for it to end, or stop it\n"
    )


def test_subcommands_are_the_same_code_as_the_recipe(
    finished: tuple[Path, Path], small_input: Path, corpus_command: Command, tmp_path: Path
) -> None:
    _, out = finished
    folder = tmp_path / "bystage"
    files = sorted(small_input.glob("*.warc.gz"))
    commands: list[list[object]] = [
        ["extract", *files, folder, "--name", "web"],
        ["language", folder, "--keep", "en", "--threshold", 0.3],
        ["quality", folder, "--presets", "gopher_quality"],
        ["dedup", folder],
        ["tokenizer", "train", folder, "--vocab-size", 600],
        ["pack", folder, "--set", "validation_fraction=0.1"],
    ]
    for command in commands:
        done = corpus_command(*command)
        assert done.returncode == 0, done.stderr
    different = {name for name, sha in tree(out).items() if tree(folder).get(name) != sha}
    assert {name for name in different if not name.startswith(("recipe.yaml", "report/"))} == set()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(recipe: Callable[..., Path], number: int, code: int) -> None:
    command = [sys.executable, "-m", "corpus", "run", str(recipe())]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("extract: ")
    process.send_signal(number)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == code
    assert rest.splitlines()[-1] == "corpus: interrupted; what is committed stays, run the same command to go on"
    assert "Traceback" not in rest


def test_extract_does_not_forget_sources_unasked(small_input: Path, corpus_command: Command, tmp_path: Path) -> None:
    one, two = (small_input / f"pages-{number}.warc.gz" for number in (0, 1))
    assert corpus_command("extract", one, tmp_path / "d").returncode == 0
    assert "nothing to do" in corpus_command("extract", one, tmp_path / "d").stdout
    refused = corpus_command("extract", two, tmp_path / "d")
    assert refused.returncode == 2
    assert "already holds other sources" in refused.stderr
    assert corpus_command("extract", one, two, tmp_path / "d", "--replace").returncode == 0
    assert len(entries(tmp_path / "d", "extract")) == 2


BAD = [
    ("missing file", "nothing-*.warc.gz", "warc", r"nothing-\*\.warc\.gz"),
    ("unreadable parquet", "broken.parquet", "parquet", r"broken\.parquet"),
    ("wrong column", "other.parquet", "parquet", r"no column text|text"),
]


@pytest.mark.parametrize(("what", "pattern", "kind", "message"), BAD, ids=[item[0] for item in BAD])
def test_bad_input_gives_one_clear_line(
    what: str,
    pattern: str,
    kind: str,
    message: str,
    recipe: Callable[..., Path],
    corpus_command: Command,
    tmp_path: Path,
) -> None:
    import re

    import pyarrow as pa

    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is no parquet file PAR1")
    pq.write_table(pa.table({"body": ["a", "b"]}), tmp_path / "other.parquet")
    path = recipe(sources=[{"name": "web", "kind": kind, "path": str(tmp_path / pattern)}])
    done = corpus_command("run", path)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("corpus: ")]
    assert len(lines) == 1, done.stderr
    assert re.search(message, lines[0])
    assert "Traceback" not in done.stderr


def test_empty_and_truncated_warcs_lose_nothing_whole(
    small_input: Path, recipe: Callable[..., Path], corpus_command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    data = (small_input / "pages-0.warc.gz").read_bytes()
    (folder / "empty.warc.gz").write_bytes(b"")
    (folder / "whole.warc.gz").write_bytes(data)
    (folder / "cut.warc.gz").write_bytes(data[: len(data) // 2])
    path = recipe(sources=[{"name": "web", "kind": "warc", "path": str(folder)}], tokenizer=None, pack=None)
    done = corpus_command("run", path)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert any("empty.warc.gz" in line for line in warnings)
    assert any("cut.warc.gz" in line and "1 damaged" in line for line in warnings)
    by_name = {str(e["partition"]).partition(".")[0].partition("-")[0]: e for e in entries(tmp_path / "out", "extract")}
    assert by_name["empty"]["rows_in"] == 0
    assert by_name["cut"]["dropped"]["damaged"] == 1
    cut = (
        pq.read_table(tmp_path / "out" / "extract" / f"{by_name['cut']['partition']}.parquet")
        .column("text")
        .to_pylist()
    )
    whole = (
        pq.read_table(tmp_path / "out" / "extract" / f"{by_name['whole']['partition']}.parquet")
        .column("text")
        .to_pylist()
    )
    assert cut == whole[: len(cut)]
    assert len(cut) > 30


def test_nothing_left_to_train_on_is_said(recipe: Callable[..., Path], corpus_command: Command) -> None:
    done = corpus_command("run", recipe(quality={"presets": [], "min_words": 100000}))
    assert done.returncode == 1
    assert "tokenizer: no text to train on" in done.stderr.splitlines()[-1]


def test_a_full_disk_is_said(recipe: Callable[..., Path], corpus_command: Command, tmp_path: Path) -> None:
    """The output lies on a file system of 200 kB where that can be had (root), else the limit is a file's size."""
    target = tmp_path / "tiny"
    target.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(target)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        done = corpus_command("run", recipe(), "--set", f"output={target / 'out'}")
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert "no space left on device" in last
        assert "Traceback" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=200M", str(target)], check=True)
        again = corpus_command("run", recipe(), "--set", f"output={target / 'out'}")
        assert again.returncode == 0, again.stderr
        assert corpus_command("verify", target / "out").returncode == 0
    finally:
        subprocess.run(["umount", str(target)], check=True)


def test_a_stage_whose_package_is_missing_is_said_before_anything_runs(
    recipe: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    from corpus.errors import CorpusError
    from corpus.recipe import load
    from corpus.run import run

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CorpusError, match=r"train needs torch.*corpusmill\[train\]"):
        run(load(recipe(train={"steps": 1})))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_program_loads_ends_it(number: signal.Signals) -> None:
    # Where an import ignores what is raised, as in a weak reference's callback.
    code = f"""
import os, weakref
from corpus.cli import main
class Loaded: pass
def load(verb):
    loaded = Loaded()
    seen = weakref.ref(loaded, lambda _: os.kill(os.getpid(), {int(number)}))
    del loaded
    print("went on")
main._load = load
main.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (128 + number, "")
    assert done.stderr == "corpus: interrupted before anything was begun; run the same command again\n"
