"""What a run would do and why, and whether what was committed is still what it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from corpus.errors import CorpusError
from corpus.flow import Flow
from corpus.plan import Step, setting_changes, stale
from corpus.recipe import Recipe
from corpus.run import find, output_of, source_digests
from corpus.store import MANIFEST, Entry, StepFolder


@dataclass(frozen=True)
class StepStatus:
    """One line of `corpus status`: `state` is "up to date", "stale", "to do" (never done) or "waits"."""

    step: str
    state: str
    tasks: int
    stale: int
    reasons: tuple[str, ...]


def _never_done(step: Step, partitions: int) -> StepStatus:
    reasons = () if step.fault is None else (step.fault,)
    return StepStatus(step.name, "to do", partitions if step.scope == "partition" else 1, 0, reasons)


def status(recipe: Recipe) -> list[StepStatus]:
    """What a run would do, and why, without doing it."""
    root = output_of(recipe)
    flow, pieces = Flow.of(recipe, root), find(recipe)
    if not root.is_dir():
        return [_never_done(step, len(pieces)) for step in flow.steps]
    digests = source_digests(root, pieces)
    found: list[StepStatus] = []
    behind = ""
    for step in flow.steps:
        if behind:
            entries = StepFolder(root / step.name).entries()
            if not entries:
                found.append(_never_done(step, len(pieces)))
                continue
            reasons: list[str] = []
            for entry in entries.values():
                reasons += _own_changes(step, entry)
            reasons.append(f"its input may change: {behind} is stale")
            found.append(StepStatus(step.name, "waits", len(entries), 0, tuple(dict.fromkeys(reasons))))
            continue
        if step.fault is not None:
            count = len(StepFolder(root / step.name).entries()) or 1
            found.append(StepStatus(step.name, "waits", count, 0, (step.fault,)))
            behind = step.name
            continue
        try:
            tasks = flow.tasks(step, pieces, digests)
        except CorpusError as error:
            if not step.earlier:
                raise
            # A delivery that it is compared with is gone, or out of date.
            found.append(StepStatus(step.name, "waits", 1, 0, (str(error),)))
            behind = step.name
            continue
        todo = list(stale(tasks))
        reasons = [reason for item in todo for reason in item.reasons]
        state = "stale" if todo else "up to date"
        found.append(StepStatus(step.name, state, len(tasks), len(todo), tuple(dict.fromkeys(reasons))))
        behind = step.name if todo else ""
    return found


def _own_changes(step: Step, entry: Entry) -> list[str]:
    """Changed settings of a step whose inputs cannot be known yet."""
    settings = step.settings | ({"source": entry.config["source"]} if "source" in entry.config else {})
    return list(setting_changes(step.stage, entry.config, settings))


def verify(
    recipe: Recipe, beat: Callable[[int], None] = lambda files: None, discard: bool = False
) -> tuple[int, list[str]]:
    """(files checked, one line a fault) over every digest of every committed step, and files that no entry names.

    `discard` un-commits the partitions with a fault, so that the next run makes them again.
    """
    root = output_of(recipe)
    checked, faults = 0, []
    for step in Flow.of(recipe, root).steps:
        folder = StepFolder(root / step.name)
        strays = folder.strays()  # before a partition is forgotten, whose files would seem to be some
        for name, entry in folder.entries().items():
            found = folder.verify(name)
            if found and discard:
                folder.discard(name)
            faults += found
            checked += len(entry.files)
            beat(len(entry.files))
        faults += [
            f"{path}: no manifest entry names it; the next run writes it anew, or else it can be removed"
            for path in strays
        ]
    return checked, faults


def abandoned(recipe: Recipe) -> list[Path]:
    """The folders of steps that were committed once and that the recipe has no longer, sorted."""
    root = output_of(recipe)
    steps = {root / step.name for step in Flow.of(recipe, root).steps}
    found = [path.parent for pattern in ("*", "*/*") for path in root.glob(f"{pattern}/{MANIFEST}")]
    return sorted(path for path in found if path not in steps and any(StepFolder(path).manifest.glob("*.json")))
