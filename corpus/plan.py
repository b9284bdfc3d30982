"""Steps and tasks: what is to be done, what of it is stale, and why.

A step is the unit of work: one function over the partitions of the base table (or over all of them at once). Its key
hashes its settings, the version of its code and the digests of the files that it reads, so a change of any of these
makes exactly the affected partitions stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from corpus.dataset import Delivery, View
from corpus.sources import Piece
from corpus.sources.config import SourceConfig
from corpus.store import WORK, Entry, StepFolder


@dataclass(frozen=True)
class Step:
    """One step of a stage.

    `name` is its folder under the output (`quality/signals`); `function` the dotted name of `f(task, out, beat)`;
    `needs` the document columns it reads; `scope` whether a task is one partition or the whole corpus; `uses` earlier
    steps whose files it reads other than as document columns. `version` is raised when its bytes change.
    """

    name: str
    function: str
    version: str
    # The stage's own Config; its functions know which.
    config: Any
    # The keys of `config` that decide its bytes (all when None): a threshold leaves the signals as they are.
    fields: tuple[str, ...] | None = None
    needs: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    filters: bool = False
    edits: bool = False
    scope: Literal["partition", "corpus"] = "partition"
    uses: tuple[str, ...] = ()
    # Output folders of earlier deliveries whose documents it reads.
    earlier: tuple[Path, ...] = ()
    # (name, sha256) of files beside the sources that the recipe names, a list of domains for one.
    inputs: tuple[tuple[str, str], ...] = ()
    # Watched for hanging and for memory; training is not: it may rightly take hours and all there is.
    limited: bool = True
    # Modules that must be installed; said before anything is done.
    requires: tuple[str, ...] = ()
    # Why it cannot be run (code that the recipe names is not there); what it has committed can still be read.
    fault: str | None = None
    # Dotted name of `f(config)` that raises InputError for what only reading tells; called before a run does anything.
    proof: str | None = None

    @property
    def stage(self) -> str:
        return self.name.partition("/")[0]

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration as JSON, as it enters the key."""
        include = set(self.fields) if self.fields is not None else None
        return json.loads(self.config.model_dump_json(include=include, context={"key": True}))


ALL = "all"  # the partition's name where a step has but one
DELIVERY = "delivery "  # begins the names of inputs that lie in an earlier delivery's folder: `delivery 1/...`
BENCHMARK = "benchmark "  # begins the names of inputs that are benchmarks of `decontaminate`
FOLDER = "{folder}"  # in a warning: the output folder, which no output may depend on; who prints it fills it in


@dataclass(frozen=True)
class Task:
    """Everything a worker needs to do one partition of one step; picklable."""

    root: Path
    step: Step
    partition: str
    key: str
    inputs: dict[str, str]
    settings: dict[str, Any]
    view: View
    partitions: tuple[str, ...]
    # Only for `extract`: what to read, and how.
    piece: Piece | None = None
    source: SourceConfig | None = None
    # Only for a step with `earlier`: the documents of those folders.
    earlier: tuple[Delivery, ...] = ()
    # What the task's worker may hold, in MB; 0: no limit. Decides no byte.
    memory_mb: int = 0

    @property
    def name(self) -> str:
        return self.step.name if self.partition == ALL else f"{self.step.name} {self.partition}"

    @property
    def work(self) -> Path:
        """A folder that outlives a killed task and is found again by the same task (checkpoints lie there)."""
        return self.folder() / f"{WORK}{self.key[:16]}"

    def folder(self, step: str | None = None) -> Path:
        return self.root / (step or self.step.name)


@dataclass(frozen=True)
class Stale:
    """A task to be done, and why: one line a reason."""

    task: Task
    reasons: tuple[str, ...]


def stale(tasks: Sequence[Task]) -> Iterator[Stale]:
    """The tasks without a committed entry, with one of another key, or whose files are gone or of another size."""
    for task in tasks:
        entry = StepFolder(task.folder()).entry(task.partition)
        if entry is None:
            yield Stale(task, ("not done yet",))
        elif entry.key != task.key:
            yield Stale(task, tuple(changes(entry, task)))
        elif missing := StepFolder(task.folder()).missing(entry):
            yield Stale(task, tuple(missing))


def changes(entry: Entry, task: Task) -> Iterator[str]:
    """Why `entry` no longer serves `task`: value before and after, one line a change."""
    yield from setting_changes(task.step.stage, entry.config, task.settings)
    if entry.version != task.step.version:
        yield f"code of {task.step.name} {entry.version} -> {task.step.version}"
    for name in sorted(entry.inputs.keys() | task.inputs.keys()):
        old, new = entry.inputs.get(name), task.inputs.get(name)
        if old != new:
            what = "new" if old is None else "gone" if new is None else "changed"
            yield f"input {name} {what}"


def setting_changes(stage: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """`quality.min_words 50 -> 80` for each setting that differs."""
    old, new = _flat(before), _flat(after)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{stage}.{name} {_show(old.get(name))} -> {_show(new.get(name))}"


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {
            k: v for name, item in value.items() for k, v in _flat(item, f"{prefix}.{name}" if prefix else name).items()
        }
    return {prefix: value}


def _show(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:g}" if isinstance(value, float) else str(value)
