"""Training a quality classifier: fastText supervised, the same bytes from the same texts and settings."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from corpus.errors import CorpusError, InputError
from corpus.quality.classifier.card import card, shown_json
from corpus.quality.classifier.config import NEGATIVE, POSITIVE, ClassifierConfig, Preparation
from corpus.quality.classifier.evaluate import evaluate
from corpus.quality.classifier.examples import Input, labelled, texts
from corpus.quality.classifier.model import Scorer
from corpus.quality.classifier.pool import Collector, Pool, Split, split, words_of
from corpus.quality.classifier.prepare import DESCRIPTION, prepare
from corpus.scratch import scratch
from corpus.store import TEMPORARY, fsync, sha256_file

CARD, SIDECAR = "card.md", "model.json"
_FEWEST = 10
_LEAST_EPOCHS, _MOST_EPOCHS, _LEAST_SEEN = 5, 100, 25_000


@dataclass(frozen=True)
class Settings:
    """What decides the model's bytes, beside the texts."""

    dim: int = 64
    epochs: int | None = None
    """How often each text is seen; none: see `default_epochs`."""
    lr: float = 0.1
    word_ngrams: int = 2
    buckets: int = 200_000
    min_count: int = 3
    """Words that occur less often have no vector of their own."""
    seed: int = 1
    held_out: float = 0.1
    balance: bool = True
    sample: int | None = None
    quantize: bool = False


@dataclass(frozen=True)
class Test:
    """A labelled file, and how its columns and labels are called; empty labels are found by their usual names."""

    path: str
    label_column: str = "label"
    good: str = ""
    bad: str = ""


def default_epochs(texts: int) -> int:
    """5, and for small sets as many as show the model 25,000 texts, 100 at most.

    fastText's output matrix begins as zeros, so that all scores begin at 0.5 and stay there for some thousand texts:
    the sets in docs/classifier.md left it after 2,000 to 20,000.
    """
    return min(_MOST_EPOCHS, max(_LEAST_EPOCHS, math.ceil(_LEAST_SEEN / texts)))


def train(
    positive: Sequence[str],
    negative: Sequence[str],
    out: Path,
    settings: Settings,
    preparation: Preparation,
    *,
    name: str = "quality",
    text_column: str = "text",
    lines: bool = False,
    test: Test | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train, evaluate and write `out`: the model, `card.md` and `model.json`, whose content is returned.

    With `lines`, each line of a plain text file is a text. `out` appears whole or not at all. Raises CorpusError when
    it is there and not to be replaced (`force` replaces what an earlier training wrote, nothing else), InputError for
    inputs that cannot be read or hold too little.
    """
    _check_place(out, force)
    with scratch(out.parent, "classifier") as place:
        if test:
            _check_test(test, text_column)
        pool, data = _collect(positive, negative, preparation, text_column, lines, place / "lines", say)
        parts = _split(pool, settings)
        settings = replace(settings, epochs=settings.epochs or default_epochs(len(parts.train)))
        made = place / "out"
        made.mkdir()
        model = made / ("model.ftz" if settings.quantize else "model.bin")
        say(f"training on {len(parts.train):,} texts, {settings.epochs} epochs")
        fitted = _fit(pool, parts, settings, place, model)
        digest = sha256_file(model)
        config = ClassifierConfig(
            name=name, model_path=str(model), model_sha256=digest, label=POSITIVE, **dict(preparation)
        )
        scorer = Scorer(config)
        say(f"evaluating on {len(parts.held_out):,} texts held out")
        report = {
            "version": 1,
            "name": name,
            "model": model.name,
            "sha256": digest,
            "bytes": model.stat().st_size,
            "label": POSITIVE,
            "labels": [POSITIVE, NEGATIVE],
            "preparation": {**dict(preparation), "always": DESCRIPTION},
            "settings": asdict(settings),
            "versions": {package: version(package) for package in ("corpusmill", "fasttext", "numpy", "pyarrow")},
            "data": data,
            "trained_on": _counts(pool, parts.train) | {"vocabulary": fitted["words"]},
            "held_out": _held_out(scorer, pool, parts),
            "test": _test(scorer, pool, parts, test, text_column, preparation) if test else None,
        }
        (made / SIDECAR).write_text(shown_json(report), encoding="utf-8")
        (made / CARD).write_text(card(report), encoding="utf-8")
        _move(made, out)
    return report


def _check_place(out: Path, force: bool) -> None:
    if not out.exists():
        return
    if out.is_dir() and not any(out.iterdir()):
        return
    if not force:
        raise CorpusError(f"{out}: is there already; choose another --out, or add --force to replace it")
    ours = {CARD, SIDECAR, "model.bin", "model.ftz"}
    if not out.is_dir() or not {path.name for path in out.iterdir()} <= ours:
        raise CorpusError(f"{out}: holds more than a classifier, so it is not replaced; choose another --out")


def _collect(
    positive: Sequence[str],
    negative: Sequence[str],
    preparation: Preparation,
    text_column: str,
    lines: bool,
    path: Path,
    say: Callable[[str], None],
) -> tuple[Pool, dict[str, Any]]:
    collector = Collector(path, preparation)
    found: dict[str, Any] = {}
    for what, paths in (("positive", positive), ("negative", negative)):
        found[what] = []
        for given in map(Input, paths):
            for batch in texts(given, text_column, lines):
                collector.add(batch, what == "positive")
            say(f"{what} {given.path}: {given.documents:,} texts" + _problems(given))
            found[what].append(asdict(given) | {"problems": dict(sorted(given.problems.items()))})
    pool = collector.pool()
    found |= {"empty": pool.empty, "repeated": pool.repeated, "contradictory": pool.contradictory}
    for good, what in ((True, "positive"), (False, "negative")):
        count = int((pool.good == good).sum())
        if count < _FEWEST:
            without = sum(given["problems"].get("no_text", 0) for given in found[what])
            hint = f"; {without:,} rows have none in column `{text_column}`, --text-column names it" if without else ""
            raise InputError(
                f"--{what}: {count} different texts, which is too few to learn from; give {_FEWEST} at least{hint}"
            )
    return pool, found


def _problems(given: Input) -> str:
    return "".join(f", {count:,} {rule}" for rule, count in sorted(given.problems.items()))


def _split(pool: Pool, settings: Settings) -> Split:
    parts = split(pool, settings.seed, settings.held_out, settings.balance, settings.sample)
    counts = _counts(pool, parts.train)
    if not min(counts.values()):
        raise InputError("nothing is left to train on; lower --held-out or raise --sample")
    return parts


def _fit(pool: Pool, parts: Split, settings: Settings, place: Path, model: Path) -> dict[str, Any]:
    """Run `fit.py`. Raises CorpusError when it fails or its model is none."""
    lines, asked = place / "train.txt", place / "fit.json"
    pool.write(parts.train, lines)
    buckets = settings.buckets if settings.word_ngrams > 1 else 0
    given = asdict(settings) | {"input": str(lines), "output": str(model), "buckets": buckets, "parent": os.getpid()}
    asked.write_text(json.dumps(given), encoding="utf-8")
    command = [sys.executable, "-m", "corpus.quality.classifier.fit", str(asked)]
    # glibc fills what it allocates with the complement: zeros, where fastText reads what it never wrote.
    environment = os.environ | {"MALLOC_PERTURB_": "255"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode or not model.is_file():
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CorpusError(
            f"fastText could not train ({said[-1] if said else f'exit status {done.returncode}'}); "
            "with too little memory, lower --buckets and --dim; with a loss that is no number, lower --lr"
        )
    found: dict[str, Any] = json.loads(done.stdout)
    if not found["finite"]:
        raise CorpusError("the trained model holds numbers that are none (NaN); lower --lr, and train again")
    return found


def _counts(pool: Pool, rows: np.ndarray) -> dict[str, int]:
    good = int(pool.good[rows].sum())
    return {"positive": good, "negative": len(rows) - good}


def _held_out(scorer: Scorer, pool: Pool, parts: Split) -> dict[str, Any]:
    scores, words = [], []
    for batch in pool.batches(parts.held_out):
        scores.append(scorer.score(batch).to_numpy(zero_copy_only=False))
        words.append(words_of(batch))
    score = np.concatenate(scores)
    if not np.isfinite(score).all():
        raise CorpusError("the trained model gives scores that are no numbers; lower --lr, and train again")
    return evaluate(score, np.concatenate(words), pool.good[parts.held_out])


def _check_test(test: Test, text_column: str) -> None:
    """Read it once before anything is trained: what is wrong with it is then said in seconds. Raises InputError."""
    found: set[bool] = set()
    for batch in labelled(Input(test.path), text_column, test.label_column, test.good, test.bad):
        found.update(pc.unique(batch.column("good")).to_pylist())
    if found != {True, False}:
        raise InputError(f"{test.path}: needs texts of both labels that the model was not trained on")


def _test(
    scorer: Scorer, pool: Pool, parts: Split, test: Test, text_column: str, preparation: Preparation
) -> dict[str, Any]:
    """Figures on texts from elsewhere; those that the model was trained on are left out and counted."""
    from corpus.dedup.exact import exact_keys

    given = Input(test.path)
    known = pool.keys(parts.train)
    scores, words, goods = [], [], []
    seen = 0
    for batch in labelled(given, text_column, test.label_column, test.good, test.bad):
        lines = prepare(batch.column("text"), preparation)
        new = pc.invert(pc.is_in(exact_keys(lines.fill_null("")), known)).to_numpy(zero_copy_only=False)
        seen += int((~new).sum())
        scores.append(scorer.score(batch.column("text")).to_numpy(zero_copy_only=False)[new])
        words.append(words_of(lines)[new])
        goods.append(batch.column("good").to_numpy(zero_copy_only=False)[new])
    try:
        figures = evaluate(np.concatenate(scores), np.concatenate(words), np.concatenate(goods))
    except ValueError as error:
        raise InputError(f"{test.path}: needs texts of both labels that the model was not trained on") from error
    return {"path": given.path, "sha256": given.sha256, "in_training": seen, **figures}


def _move(made: Path, out: Path) -> None:
    for path in made.iterdir():
        fsync(path)
    made.chmod(0o755)
    old = None
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}old-", dir=out.parent)) / "old"
        out.replace(old)
    made.replace(out)
    fsync(out.parent)
    if old is not None:
        shutil.rmtree(old.parent)
