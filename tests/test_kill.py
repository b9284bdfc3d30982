"""`kill -9` at random moments over all stages, then the same command again: the bytes of an undisturbed run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent
KILLS = 20
PRIVATE = {".cache", "run.lock", "speed.jsonl"}
TRAIN = {"budget": None, "steps": 30, "layers": 2, "width": 32, "heads": 2, "kv_heads": 1, "seq_len": 32, "batch_tokens": 256}


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
    killed: set[str] = set()
    number = kills = 0
    while kills < KILLS:
        out = tmp_path / f"killed-{number}"
        number += 1
        assert number <= 3 * KILLS, "no moment to kill in was found"
        # Every run of this folder but the last is killed; the last one goes to its end.
        for _ in range(min(4, KILLS - kills)):
            target = steps[(kills * 3 + rng.randrange(3)) % len(steps)]
            hit = run_and_kill(path, out, target, driver=kills % 2 == 0, delay=rng.uniform(0, 0.25))
            kills += hit
            if hit:
                killed.add(target)
        done = corpus_command("run", path, "--set", f"output={out}")
        assert done.returncode == 0, done.stderr
        assert tree(out) == want
        leftovers = [p for p in out.rglob("*") if p.name.startswith((".tmp-", ".work-"))]
        assert leftovers == []
    assert len({step.partition("/")[0] for step in killed}) >= 5, killed


def run_and_kill(path: Path, out: Path, target: str, driver: bool, delay: float) -> bool:
    """Start a run; `delay` seconds into step `target` kill the driver, or one of its workers. Was anything killed?"""
    command = [sys.executable, "-m", "corpus", "run", str(path), "--set", f"output={out}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stderr is not None
    hit = False
    below: list[psutil.Process] = []
    for line in process.stderr:
        if line.startswith(f"{target}: ") and " tasks: " in line and not hit:
            time.sleep(delay)
            below = descendants(process.pid)
            workers = [p for p in below if p.is_running()]
            if driver:
                os.kill(process.pid, 9)
                hit = True
            elif workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    random.Random(target).choice(workers).kill()
                    hit = True
    code = process.wait()
    if driver and hit:
        assert code == -9
        # Nothing that the driver started may go on writing.
        _, alive = psutil.wait_procs(below, timeout=5)
        assert alive == []
    else:
        assert code == 0, f"a killed worker must cost no more than its task's try (step {target})"
    return hit
