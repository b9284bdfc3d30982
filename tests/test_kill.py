"""`kill -9` at random moments over all stages, then the same command again: the bytes of an undisturbed run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent
KILLS = 20
PRIVATE = {".cache", "run.lock"}
TRAIN = {
    "budget": None,
    "steps": 30,
    "layers": 2,
    "width": 32,
    "heads": 2,
    "kv_heads": 1,
    "seq_len": 32,
    "batch_tokens": 256,
}


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not PRIVATE & set(path.relative_to(root).parts)
    }


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.mark.slow
def test_killed_runs_end_like_an_undisturbed_one(
    recipe: Callable[..., Path], corpus_command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    path = recipe(train=TRAIN)
    done = corpus_command("run", path)
    assert done.returncode == 0, done.stderr
    want = tree(tmp_path / "out")
    steps = [line.partition(":")[0] for line in done.stderr.splitlines() if ": done in" in line]
    assert {step.partition("/")[0] for step in steps} >= {
        "extract", "language", "quality", "dedup", "tokenizer", "pack", "train", "report"
    }  # fmt: skip
    rng = random.Random(20)
    killed: list[str] = []
    for number in range(8):
        out = tmp_path / f"killed-{number}"
        hit: str | None = ""
        # Each run is killed in the first or second step that it begins, until there is no step left to begin.
        while hit is not None:
            hit = run_and_kill(path, out, rng.randint(1, 2), driver=rng.random() < 0.6, delay=rng.uniform(0, 0.1))
            killed += [hit] if hit else []
        done = corpus_command("run", path, "--set", f"output={out}")
        assert done.returncode == 0, done.stderr
        assert tree(out) == want
        assert [p for p in out.rglob("*") if p.name.startswith((".tmp-", ".work-", ".commit-"))] == []
        if len(killed) >= KILLS:
            break
    assert len(killed) >= KILLS
    assert len({step.partition("/")[0] for step in killed}) >= 6, killed


def run_and_kill(path: Path, out: Path, count: int, driver: bool, delay: float) -> str | None:
    """Start a run; `delay` seconds into the `count`-th step that it begins kill the driver, or else one of its processes
    and, once that step has been done all the same, the driver. The step; "" when the run ended before that; None when
    it began no step at all."""
    command = [sys.executable, "-m", "corpus", "run", str(path), "--set", f"output={out}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stderr is not None
    begun, target, hit = 0, "", False
    below: list[psutil.Process] = []
    for line in process.stderr:
        if begin := re.fullmatch(r"(\S+): (\d+ of )?\d+ tasks?(: .*)?\n", line):
            begun += 1
            if begun == count:
                target = begin[1]
                time.sleep(delay)
                below = descendants(process.pid)
                if driver:
                    os.kill(process.pid, 9)
                    hit = True
                elif below:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        random.Random(target).choice(below).kill()
                        hit = True
        elif hit and line.startswith(f"{target}: done in"):
            below = descendants(process.pid)
            os.kill(process.pid, 9)
    # A run whose worker was killed may have ended before the driver could be.
    assert process.wait() in ((-9,) if driver and hit else (-9, 0)), f"a killed worker costs a try, no more ({target})"
    # Nothing that the driver started may go on writing.
    _, alive = psutil.wait_procs(below, timeout=5)
    assert alive == []
    return target if hit else "" if begun else None
