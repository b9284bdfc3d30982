"""Checkpoints and models on disk: a torch file and, as the commit point, a JSON file with its name and sha256.

`torch.load` takes a flipped bit in the weights for a weight, so nothing is loaded before its digest is checked,
and only with `weights_only`, which runs no code from the file. torch names the archive inside a file after the
file's path; saving through a file object keeps the path out of the bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from trainer import files
from trainer.errors import DamagedError, TrainerError
from trainer.model import Model, ModelConfig

CHECKPOINT, MODEL = "checkpoint.json", "config.json"


def save(folder: Path, card: str, data_file: str, state: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write `data_file`, then `card`, which names it; then remove the data file that the card named before.

    Raises TrainerError when the disk is full or the folder cannot be written.
    """
    before = _read_card(folder, card) if (folder / card).exists() else {}
    try:
        files.write(folder / data_file, lambda file: torch.save(state, file))
        with (folder / data_file).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files.write_json(folder / card, {**facts, "file": data_file, "sha256": digest})
    except (OSError, RuntimeError) as error:
        raise disk_error(folder, error) from None
    if before.get("file", data_file) != data_file:
        (folder / before["file"]).unlink(missing_ok=True)


def load(folder: Path, card: str, way_out: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The state and the facts of `save`.

    Raises TrainerError when there is none or it cannot be read, DamagedError when it is damaged.
    """
    facts = _read_card(folder, card, way_out)
    path = folder / str(facts.get("file"))
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != facts.get("sha256"):
                raise DamagedError(f"{path}: damaged: its sha256 is not the one in {card}; {way_out}")
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True), facts
    except OSError as error:
        kind = DamagedError if error.errno in (errno.ENOENT, errno.EIO) else TrainerError
        raise kind(f"{path}: {error.strerror}; {way_out}") from None


def load_model(folder: Path) -> tuple[Model, dict[str, Any]]:
    """A finished model and its config.json. Raises as `load` does."""
    state, facts = load(folder, MODEL, "train it again, or give the folder of a finished run")
    try:
        model = Model(ModelConfig(**facts["model"]))
        model.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise DamagedError(f"{folder / MODEL}: damaged: it does not describe {facts['file']}; train it again") from None
    return model.eval(), facts


def remove_orphans(folder: Path) -> None:
    """What a killed process was writing or had no time to remove."""
    files.remove_temporaries(folder)
    named = _read_card(folder, CHECKPOINT).get("file") if (folder / CHECKPOINT).exists() else None
    for path in folder.glob("checkpoint-*.pt"):
        if path.name != named:
            path.unlink()


def disk_error(folder: Path, error: Exception) -> TrainerError:
    number = getattr(error, "errno", None)
    why = getattr(error, "strerror", None) or str(error).splitlines()[0]
    way = "make room" if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "make the folder writable"
    return TrainerError(f"{folder}: cannot be written: {why}; {way} and give the same command again to go on")


def _read_card(folder: Path, card: str, way_out: str = "give --fresh to start anew") -> dict[str, Any]:
    path = folder / card
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrainerError(f"{folder}: no {card} in it; {way_out}") from None
    except OSError as error:
        kind = DamagedError if error.errno == errno.EIO else TrainerError
        raise kind(f"{path}: {error.strerror}; {way_out}") from None
    except ValueError as error:
        raise DamagedError(f"{path}: damaged: {error}; {way_out}") from None
    if not isinstance(facts, dict):
        raise DamagedError(f"{path}: damaged: not a JSON object; {way_out}")
    return facts


def guarded(folder: Path, action: Callable[[], Any]) -> Any:
    """Run `action`, with errors of the disk told in one line."""
    try:
        return action()
    except OSError as error:
        raise disk_error(folder, error) from None
