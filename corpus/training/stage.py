"""Stage `train`: starts the trainer as a subprocess on the shards; the shard format is all that they share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from corpus.errors import CorpusError
from corpus.plan import Step, Task
from corpus.recipe import Recipe
from corpus.store import Writer
from corpus.tokenizer.stage import MODEL

SAMPLE_TOKENS = 120
SPEED = "speed.jsonl"


def steps(recipe: Recipe) -> list[Step]:
    if recipe.train is None:
        return []
    return [
        Step(
            "train",
            "corpus.training.stage:train",
            "1",
            recipe.train,
            scope="corpus",
            uses=("tokenizer", "pack/shards"),
            limited=False,
            requires=("torch",),
        )
    ]


def train(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Train (going on from the checkpoint of a killed run), then generate a short sample."""
    config = task.step.config
    options = []
    for name, value in config.model_dump(exclude={"prompt", "threads"}).items():
        if value is not None:
            options += [f"--{name.replace('_', '-')}", str(value)]
    threads = config.threads or len(os.sched_getaffinity(0))
    shards = task.folder("pack/shards")
    found = trainer(
        ["train", "--shards", str(shards), "--out", str(task.work), "--threads", str(threads), "--json", *options]
    )
    out.facts.update(json.loads(found))
    text = generate(task.work, task.folder("tokenizer") / MODEL, config.prompt, SAMPLE_TOKENS, seed=config.seed)
    (task.work / "sample.txt").write_text(text + "\n", encoding="utf-8")
    # Wall-clock figures differ from run to run, so they are no output; they lie with the run's other private files.
    (task.root / ".cache").mkdir(exist_ok=True)
    shutil.copy(task.work / SPEED, task.root / ".cache" / f"train-{SPEED}")
    shutil.copytree(task.work, out.directory, ignore=shutil.ignore_patterns(SPEED), dirs_exist_ok=True)


def generate(
    run: Path,
    model: Path,
    prompt: str,
    tokens: int,
    *,
    seed: int,
    temperature: float = 0.8,
    top_k: int = 50,
) -> str:
    """The prompt and up to `tokens` further tokens of the model in `run`, as text. Raises CorpusError."""
    import numpy as np
    import pyarrow as pa

    from corpus.tokenizer.encode import Encoder

    encoder = Encoder(model)
    trained_with = json.loads((run / "config.json").read_text(encoding="utf-8"))["tokenizer_sha256"]
    if encoder.sha256 != trained_with:
        raise CorpusError(f"{run}: the model was trained with another tokenizer than {model}; train it again")
    # A space belongs to the word after it: alone at the end it is a token that hardly ever comes before a word.
    prompt = prompt.rstrip(" ")
    ids, _ = encoder.encode(pa.array([prompt], pa.large_string()))
    found = trainer(
        [
            *("generate", str(run), "--prompt-ids", json.dumps(ids[:-1].tolist()), "--tokens", str(tokens)),
            *("--seed", str(seed), "--temperature", str(temperature), "--top-k", str(top_k)),
        ]
    )
    return prompt + encoder.decode(np.array(json.loads(found))).decode("utf-8", "replace")


def trainer(arguments: list[str]) -> str:
    """Stdout of `python -m trainer ARGUMENTS`; its stderr goes where ours goes.

    Raises CorpusError when it fails; the trainer has then said why.
    """
    # An engine's workers are bound to one thread each; the trainer uses them all.
    env = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-m", "trainer", *arguments]
    done = subprocess.run([*command, "--die-with-parent"], stdout=subprocess.PIPE, env=env, check=False)
    if done.returncode:
        raise CorpusError(
            f"train: `python -m trainer {arguments[0]}` ended with status {done.returncode} (its message is above); "
            "run the same command again to go on from the last checkpoint"
        )
    return done.stdout.decode()
