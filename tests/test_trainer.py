"""Whole runs through the command line: learning, resuming after kills, byte equality, errors."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from trainer.__main__ import main

ROOT = Path(__file__).parent.parent
SMALL = ["--layers", "1", "--width", "32", "--heads", "2", "--kv-heads", "1", "--hidden", "64"]
SMALL += ["--seq-len", "16", "--batch-tokens", "128", "--threads", "1"]
RUN = [*SMALL, "--steps", "60", "--lr", "0.01", "--evaluate-every", "25", "--checkpoint-every", "4"]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pattern to learn: each id follows from the one before it, with a little noise."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    facts: dict[str, Any] = {"version": 1, "name": "t", "dtype": "uint16", "vocab_size": 50, "eos_id": 2}
    facts |= {"tokenizer_sha256": "a" * 64, "corpus_digest": "b" * 64, "seed": 1, "splits": {}}
    for split, length in (("train", 6000), ("validation", 500)):
        tokens = np.cumsum(1 + (rng.random(length) < 0.1)) % 50
        data = tokens.astype("<u2").tobytes()
        (folder / f"{split}-00000.bin").write_bytes(data)
        counts = {"tokens": length, "documents": 1, "bytes": 3 * length}
        shard = {"name": f"{split}-00000", **counts, "sha256": {"bin": hashlib.sha256(data).hexdigest()}}
        facts["splits"][split] = {**counts, "shards": [shard]}
    (folder / "shards.json").write_text(json.dumps(facts))
    return folder


def start(*arguments: str | Path, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trainer", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, **{**pipes, **more})


def trainer(*arguments: str | Path, status: int = 0) -> str:
    """In this process, which has torch loaded. stdout, or for another status than 0 stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        found = main(list(map(str, arguments)))
    assert found == status, err.getvalue()
    return out.getvalue() if status == 0 else err.getvalue()


def sums(folder: Path) -> dict[str, str]:
    """Everything but the wall-clock figures."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != "speed.jsonl"
    }


@pytest.fixture(scope="module")
def finished(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    process = start("train", "--shards", shards, "--out", out, *RUN)
    assert process.wait(timeout=120) == 0
    return out


def test_it_learns_and_says_so(finished: Path) -> None:
    result = json.loads((finished / "result.json").read_text())
    assert result["held_out_loss"] < 0.5 * result["unigram_entropy"]
    assert result["bits_per_byte"] == pytest.approx(result["held_out_loss"] / np.log(2) / 3)
    assert result["unigram_entropy"] == pytest.approx(np.log(50), abs=0.05)
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < losses[0]
    held = [(line["step"], line["held_out_loss"]) for line in lines if "held_out_loss" in line]
    assert [step for step, _ in held] == [25, 50, 60]
    assert held[-1][1] == result["held_out_loss"]
    assert not any("second" in key for line in lines for key in line)
    assert all(json.loads(line)["tokens_per_second"] > 0 for line in (finished / "speed.jsonl").open())
    assert sorted(sums(finished)) == ["config.json", "metrics.jsonl", "model.pt", "plan.json", "result.json"]


def test_a_finished_run_is_left_alone(finished: Path, shards: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.iterdir()}
    printed = trainer("train", "--shards", shards, "--out", finished, *RUN, "--json")
    assert json.loads(printed) == json.loads((finished / "result.json").read_text())
    assert {path: path.stat().st_mtime_ns for path in finished.iterdir()} == before


def test_killed_at_random_moments_it_ends_with_the_same_bytes(finished: Path, shards: Path, tmp_path: Path) -> None:
    rng, out, reached = random.Random(1), tmp_path / "killed", []
    for _ in range(5):
        process = start("train", "--shards", shards, "--out", out, *RUN, "--checkpoint-seconds", "0")
        seen: set[str] = set()
        wanted = rng.randint(2, 8)  # checkpoints of this start to wait for, and then a little longer
        while process.poll() is None and len(seen) < wanted:
            seen |= {path.name for path in out.glob("checkpoint-*.pt")}
        time.sleep(rng.random() / 100)
        process.kill()
        process.communicate()
        reached += sorted(seen)[-1:]
    assert reached == sorted(reached)
    assert len(set(reached)) > 2  # it was killed on the way, not before or after it
    trainer("train", "--shards", shards, "--out", out, *RUN)
    assert sums(out) == sums(finished)


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_write_a_checkpoint(finished: Path, shards: Path, tmp_path: Path, signum: int, status: int) -> None:
    out = tmp_path / "stopped"
    process = start("train", "--shards", shards, "--out", out, *RUN)
    deadline = time.monotonic() + 60
    while not (out / "checkpoint.json").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signum)
    err = process.communicate(timeout=60)[1]
    if process.returncode == 0:
        pytest.skip("it was done before the signal came")
    assert process.returncode == status, err
    assert "give the same command again to go on" in err
    trainer("train", "--shards", shards, "--out", out, *RUN)
    assert sums(out) == sums(finished)


def test_it_ends_with_its_parent(shards: Path, tmp_path: Path) -> None:
    arguments = ["train", "--shards", str(shards), "--out", str(tmp_path / "r"), *SMALL, "--steps", "1000000"]
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-m', 'trainer', *{arguments!r}, '--die-with-parent'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(120)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    deadline = time.monotonic() + 60
    while not (tmp_path / "r" / "speed.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.kill()
    parent.communicate()
    while time.monotonic() < deadline:
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the trainer outlived its parent")


def test_accumulation_changes_next_to_nothing(finished: Path, shards: Path, tmp_path: Path) -> None:
    trainer("train", "--shards", shards, "--out", tmp_path / "r", *RUN, "--micro-rows", "2")
    losses = [
        json.loads((folder / "result.json").read_text())["held_out_loss"] for folder in (finished, tmp_path / "r")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=0.05)


def test_evaluate_and_generate(finished: Path, shards: Path) -> None:
    result = json.loads((finished / "result.json").read_text())
    found = json.loads(trainer("evaluate", finished, "--shards", shards, "--threads", "1", "--json"))
    assert found["loss"] == result["held_out_loss"]
    assert found["bits_per_byte"] == result["bits_per_byte"]
    options = ["--tokens", "12", "--top-k", "1", "--ignore-eos", "--threads", "1"]
    ids = json.loads(trainer("generate", finished, "--prompt-ids", "[10, 11, 12]", *options))
    assert len(ids) == 12
    gaps = np.diff([12, *ids]) % 50
    assert np.isin(gaps, (1, 2)).mean() > 0.8
    process = start("generate", finished, *options, stdin=subprocess.PIPE)
    assert json.loads(process.communicate("[10, 11, 12]", timeout=60)[0]) == ids


def test_a_budget_is_planned_and_stored(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    process = start("train", "--shards", shards, "--out", out, "--budget", "8s", "--seq-len", "16", "--threads", "1")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    for word in ("budget: 8 s", "measured:", "tokens a weight", "steps:", "learning rate:"):
        assert word in err
    plan = json.loads((out / "plan.json").read_text())
    assert plan["request"]["budget"] == 8
    assert all(line in err for line in plan["derivation"])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def test_damage_and_other_settings_are_refused_in_one_line(shards: Path, finished: Path, tmp_path: Path) -> None:
    def refused(said: str, *arguments: str | Path, status: int = 1) -> None:
        err = trainer(*arguments, "--quiet", status=status)
        assert err.startswith("trainer: ")
        assert err.count("\n") == 1
        assert said in err

    out, other = tmp_path / "run", tmp_path / "other"
    command = ("train", "--shards", shards, "--out", out, *RUN)
    process = start(*command)
    while not (out / "checkpoint.json").exists() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    refused("steps 60 -> 61", "train", "--shards", shards, "--out", out, *RUN, "--steps", "61")
    plan = (out / "plan.json").read_text()
    (out / "plan.json").write_text(plan[:-9])
    refused("plan.json: damaged", *command, status=3)
    (out / "plan.json").write_text(plan)
    metrics = (out / "metrics.jsonl").read_bytes()
    (out / "metrics.jsonl").write_bytes(b"")
    refused("is shorter than", *command, status=3)
    (out / "metrics.jsonl").write_bytes(metrics)
    flip(next(out.glob("checkpoint-*.pt")))
    refused("damaged", *command, status=3)
    trainer(*command, "--fresh")
    assert sums(out) == sums(finished)

    shutil.copytree(finished, other)
    flip(other / "model.pt")
    refused("model.pt: damaged", "generate", other, "--prompt-ids", "[1]", status=3)
    refused("no config.json", "generate", tmp_path, "--prompt-ids", "[1]")
    refused("not a JSON list", "generate", finished, "--prompt-ids", "hello")
    for name, value in (("seed", 2**63), ("temperature", "nan"), ("temperature", 1e308), ("threads", 100_000)):
        refused(f"--{name} {value}: out of bounds; give 0 to ", "generate", finished, f"--{name}", str(value))
    refused("--lr inf: out of bounds", *command, "--lr", "inf")
    trainer("generate", finished, "--prompt-ids", "[1]", "--temperature", "1e-320", "--seed", str(2**63 - 1))
    refused("ids outside 0 to 49", "generate", finished, "--prompt-ids", "[50]")
    refused("no shards.json", "train", "--shards", tmp_path, "--out", other, *RUN)
    refused("training diverged", "train", "--shards", shards, "--out", tmp_path / "nan", *RUN, "--weight-decay", "1e30")
    shutil.copytree(shards, tmp_path / "foreign")
    card = tmp_path / "foreign" / "shards.json"
    card.write_text(card.read_text().replace("a" * 64, "c" * 64))
    refused("another tokenizer", "evaluate", finished, "--shards", tmp_path / "foreign")
    (tmp_path / "file").write_text("")
    refused("cannot be written", "train", "--shards", shards, "--out", tmp_path / "file", *RUN)


def test_a_full_disk_is_told_in_one_line(shards: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "full"
    # Room for metrics and plan, not for a checkpoint.
    process = start(
        "train",
        "--shards",
        shards,
        "--out",
        out,
        *RUN,
        "--quiet",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot be written: File too large; make room and give the same command again" in err
    assert err.count("\n") == 1
    assert not list(out.glob(".*"))
    trainer("train", "--shards", shards, "--out", out, *RUN)
    assert sums(out) == sums(finished)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_while_logging(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "speed.jsonl").symlink_to("/dev/full")
    err = trainer("train", "--shards", shards, "--out", tmp_path, *RUN, "--quiet", status=1)
    assert "cannot be written: No space left on device; make room" in err
    assert err.count("\n") == 1
