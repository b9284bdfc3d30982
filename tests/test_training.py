"""Stage `train` and `corpus generate`: what they make of a trainer that fails, of damage, full disks and odd prompts."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from corpus.errors import CorpusError
from corpus.store import StepFolder, Writer
from corpus.training import stage
from corpus.training.config import TrainConfig

Command = Callable[..., subprocess.CompletedProcess[str]]
SIZES = {"budget": None, "steps": 6, "layers": 1, "width": 32, "heads": 2, "kv_heads": 1}
TRAIN = {**SIZES, "seq_len": 32, "batch_tokens": 256, "threads": 1}


def task_in(root: Path) -> Any:
    def folder(name: str = "train") -> Path:
        return root / name

    step = SimpleNamespace(config=TrainConfig(**TRAIN))
    return SimpleNamespace(root=root, step=step, work=root / "train" / ".work-1", folder=folder)


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A task whose training is done: the trainer only hands back its result."""
    task = task_in(tmp_path)
    task.work.mkdir(parents=True)
    for name in ("model.pt", "result.json", stage.SPEED):
        (task.work / name).write_text(name)
    monkeypatch.setattr(stage, "trainer", lambda *_: '{"steps": 6}')
    monkeypatch.setattr(stage, "generate", lambda *_, **__: "The end")
    return task


def test_the_finished_model_is_linked_and_the_work_folder_stays(done: Any) -> None:
    with Writer(StepFolder(done.folder()), "all") as out:
        stage.train(done, out, lambda _: None)
        assert sorted(path.name for path in out.directory.iterdir()) == ["model.pt", "result.json", "sample.txt"]
        assert (out.directory / "model.pt").samefile(done.work / "model.pt")
        assert (out.directory / "sample.txt").read_text() == "The end\n"
    assert sorted(path.name for path in done.work.iterdir()) == ["model.pt", "result.json", "speed.jsonl"]


def test_without_links_it_is_copied_and_a_full_disk_keeps_its_number(
    done: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(source: Path, target: Path) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links here")

    def full(source: Path, target: Path, **_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(os, "link", no_link)
    with Writer(StepFolder(done.folder()), "all") as out:
        stage.train(done, out, lambda _: None)
        assert (out.directory / "model.pt").read_text() == "model.pt"
    monkeypatch.setattr(shutil, "copyfile", full)
    with Writer(StepFolder(done.folder()), "all") as out, pytest.raises(OSError, match="No space") as caught:
        stage.train(done, out, lambda _: None)
    assert caught.value.errno == errno.ENOSPC
    assert (done.work / "model.pt").exists()


@pytest.mark.parametrize(
    ("verb", "status", "said"),
    [
        ("train", 1, "train: `python -m trainer train` ended with status 1 (its message is above); run the same command again to go on from the last checkpoint"),
        ("train", -9, "train: `python -m trainer train` was killed by signal 9 (SIGKILL; out of memory?); run the same command again to go on from the last checkpoint"),
        ("generate", 1, "generate: `python -m trainer generate` ended with status 1 (its message is above)"),
        ("generate", -11, "generate: `python -m trainer generate` was killed by signal 11 (SIGSEGV); run the same command again"),
        ("generate", -40, "generate: `python -m trainer generate` was killed by signal 40 (unknown); run the same command again"),
    ],
)  # fmt: skip
def test_how_the_trainer_ended_is_said(verb: str, status: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert signal.SIGKILL == 9
    ended = subprocess.CompletedProcess([], status, b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(CorpusError) as caught:
        stage.trainer([verb])
    assert str(caught.value) == said
    assert not isinstance(caught.value, stage.DamagedError)


@pytest.mark.parametrize(
    "given",
    [
        *({"budget": "0s"}, {"budget": "0.0h"}, {"budget": "9" * 400 + "s"}, {"budget": "soon"}),
        *({"lr": float("inf")}, {"lr": float("nan")}, {"lr": 0}, {"lr": 1.5}),
        *({"threads": 100_000}, {"threads": -1}, {"seed": 2**63}, {"prompt": "\ud800"}),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainConfig(**given)


def test_settings_at_their_bounds() -> None:
    assert TrainConfig(budget="0.5s", lr=1, threads=4096, seed=2**63 - 1).budget == "0.5s"


def damage_checkpoint(work: Path) -> None:
    next(work.glob("checkpoint-*.pt")).write_bytes(b"rubbish")


def shorten_metrics(work: Path) -> None:
    (work / "metrics.jsonl").write_bytes(b"")


def edit_plan(work: Path) -> None:
    path = work / "plan.json"
    path.write_text(path.read_text().replace('"steps": 6', '"steps": 7'))


def finish_and_damage_model(work: Path) -> None:
    committed = json.loads((work.parent / "config.json").read_text())
    card = {**committed, "sha256": "0" * 64}
    (work / "config.json").write_text(json.dumps(card))
    (work / "model.pt").write_bytes(b"rubbish")
    identity = json.loads((work / "plan.json").read_text())["identity"]
    (work / "result.json").write_text(json.dumps({"identity": identity}))


@pytest.mark.slow
def test_a_folder_of_real_shards(
    recipe: Callable[..., Path], corpus_command: Command, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Damage starts training anew, and `corpus generate` takes or refuses what is odd."""
    pytest.importorskip("torch")
    run = corpus_command("run", recipe(train=TRAIN))
    assert run.returncode == 0, run.stderr
    root = tmp_path / "out"
    task = task_in(root)
    model = (root / "train" / "model.pt").read_bytes()
    options = [f"--{name.replace('_', '-')}={value}" for name, value in TRAIN.items() if value is not None]
    command = ["train", "--shards", str(root / "pack" / "shards"), "--out", str(task.work), "--checkpoint-every=4"]
    for damage in (damage_checkpoint, shorten_metrics, edit_plan, finish_and_damage_model):
        stop_after_checkpoint([*command, *options, "--seed=1"], task.work)
        damage(task.work)
        capfd.readouterr()
        with Writer(StepFolder(task.folder()), "again") as out:
            stage.train(task, out, lambda _: None)
            assert (out.directory / "model.pt").read_bytes() == model, damage
        assert capfd.readouterr().err.count("train: the checkpoint is damaged; training starts anew\n") == 1, damage
        shutil.rmtree(task.work)

    def generate(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return corpus_command("generate", root, "--tokens", 3, *arguments, env=env)

    for arguments in (["--prompt", "word " * 25_000], ["--temperature", "1e-320"], ["--seed", 2**63 - 1]):
        taken = generate(*arguments)
        assert taken.returncode == 0, taken.stderr[-500:]
    shown = generate("--prompt", "é €", env={"PYTHONIOENCODING": "ascii"})
    assert (shown.returncode, shown.stdout[:3]) == (0, "? ?"), shown.stderr
    for arguments in (
        ["--temperature", "1e308"],
        ["--temperature", "inf"],
        ["--temperature", "nan"],
        ["--seed", 2**63],
    ):
        refused = generate(*arguments)
        assert refused.returncode in (1, 2)
        assert "Traceback" not in refused.stderr
    refused = generate("--prompt", "a\udcff")  # a byte that is not UTF-8
    assert refused.stderr == "corpus: generate: the prompt is not UTF-8; give it in UTF-8\n"
    (root / "train" / "config.json").write_text("{")
    refused = generate()
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1


def stop_after_checkpoint(command: list[str], work: Path) -> None:
    """Train in a process that ends itself when the first checkpoint is on disk."""
    code = (
        "import os, sys\n"
        "from trainer import checkpoint\n"
        "from trainer.__main__ import main\n"
        "save = checkpoint.save\n"
        "def save_and_end(*arguments):\n"
        "    save(*arguments)\n"
        "    os._exit(9)\n"
        "checkpoint.save = save_and_end\n"
        "main(sys.argv[1:])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *command, "--quiet"], cwd=Path(__file__).parent.parent, check=False
    )
    assert ended.returncode == 9
    assert (work / "checkpoint.json").exists()
