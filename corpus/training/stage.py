"""Stage `train`: starts the trainer as a subprocess on the shards; the shard format is all that they share."""

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
from typing import TYPE_CHECKING

from corpus.errors import CorpusError
from corpus.plan import Step, Task
from corpus.store import Writer
from corpus.tokenizer.stage import MODEL

if TYPE_CHECKING:
    from corpus.recipe import Recipe

SAMPLE_TOKENS = 120
SPEED = "speed.jsonl"
DAMAGED = 3  # the trainer's exit status when what lies in the run's folder is damaged


class DamagedError(CorpusError):
    """A checkpoint, or a finished model, that is damaged."""


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
    command = ["train", "--shards", str(shards), "--out", str(task.work), "--threads", str(threads), "--json", *options]

    def run(*more: str) -> tuple[str, str]:
        found = trainer([*command, *more])
        model = task.folder("tokenizer") / MODEL
        return found, generate(task.work, model, config.prompt, SAMPLE_TOKENS, seed=config.seed)

    try:
        found, sample = run()
    except DamagedError:
        print("train: the checkpoint is damaged; training starts anew", file=sys.stderr, flush=True)
        found, sample = run("--fresh")
    out.facts.update(json.loads(found))
    # Wall-clock figures differ from run to run, so they are no output; they lie with the run's other private files.
    (task.root / ".cache").mkdir(exist_ok=True)
    shutil.copy(task.work / SPEED, task.root / ".cache" / f"train-{SPEED}")
    for path in sorted(task.work.iterdir()):
        if path.name != SPEED:
            _link(path, out.directory / path.name)
    out.path("sample.txt").write_text(sample + "\n", encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    """A second name for the file, which takes no space; a copy on file systems without links. Raises OSError."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        shutil.copyfile(source, target)


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
    """The prompt and up to `tokens` further tokens of the model in `run`, as text.

    Raises CorpusError, DamagedError when the model is damaged.
    """
    import numpy as np
    import pyarrow as pa

    from corpus.tokenizer.encode import Encoder

    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise CorpusError("generate: the prompt is not UTF-8; give it in UTF-8") from None
    encoder = Encoder(model)
    card = run / "config.json"
    try:
        trained_with = json.loads(card.read_text(encoding="utf-8"))["tokenizer_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{card}: missing or damaged ({error!r}); train the model again") from None
    if encoder.sha256 != trained_with:
        raise CorpusError(f"{run}: the model was trained with another tokenizer than {model}; train it again")
    # A space belongs to the word after it: alone at the end it is a token that hardly ever comes before a word.
    prompt = prompt.rstrip(" ")
    ids, _ = encoder.encode(pa.array([prompt], pa.large_string()))
    found = trainer(
        [
            *("generate", str(run), "--tokens", str(tokens)),
            *("--seed", str(seed), "--temperature", str(temperature), "--top-k", str(top_k)),
        ],
        json.dumps(ids[:-1].tolist()),  # on stdin, because an argument's length is bounded
    )
    return prompt + encoder.decode(np.array(json.loads(found))).decode("utf-8", "replace")


def trainer(arguments: list[str], stdin: str = "") -> str:
    """Stdout of `python -m trainer ARGUMENTS`, given `stdin`; its stderr goes where ours goes.

    Raises CorpusError when it fails, DamagedError when the run's folder is damaged; the trainer has then said why,
    unless it was killed.
    """
    # An engine's workers are bound to one thread each; the trainer uses them all.
    env = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-m", "trainer", *arguments]
    done = subprocess.run(
        [*command, "--die-with-parent"], input=stdin.encode(), stdout=subprocess.PIPE, env=env, check=False
    )
    if done.returncode:
        kind = DamagedError if done.returncode == DAMAGED else CorpusError
        raise kind(_failure(arguments[0], done.returncode))
    return done.stdout.decode()


def _failure(verb: str, status: int) -> str:
    """One line for a trainer that ended with another status than 0; negative: with a signal."""
    what = f"{verb}: `python -m trainer {verb}`"
    if status < 0:
        names = {number.value: number.name for number in signal.Signals}
        why = names.get(-status, "unknown") + ("; out of memory?" if -status == signal.SIGKILL else "")
        what += f" was killed by signal {-status} ({why}); run the same command again"
    else:
        what += f" ended with status {status} (its message is above)"
        what += "; run the same command again" if verb == "train" else ""
    return what + (" to go on from the last checkpoint" if verb == "train" else "")
