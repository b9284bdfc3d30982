"""What a recipe means as steps, which of their partitions are stale, and why.

A step is the unit of work: one function over the partitions of the base table (or over all of them at once). Its key
hashes its settings, the version of its code and the digests of the files that it reads, so a change of any of these
makes exactly the affected partitions stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from corpus.config import Config
from corpus.dataset import Layer, View
from corpus.errors import RecipeError
from corpus.recipe import Recipe
from corpus.sources import Piece
from corpus.sources.config import SourceConfig
from corpus.store import WORK, Entry, StepFolder, fingerprint


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
    config: Config
    # The keys of `config` that decide its bytes (all when None): a threshold leaves the signals as they are.
    fields: tuple[str, ...] | None = None
    needs: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    filters: bool = False
    edits: bool = False
    scope: Literal["partition", "corpus"] = "partition"
    uses: tuple[str, ...] = ()
    # Watched for hanging and for memory; training is not: it may rightly take hours and all there is.
    limited: bool = True
    # Modules that must be installed; said before anything is done.
    requires: tuple[str, ...] = ()

    @property
    def stage(self) -> str:
        return self.name.partition("/")[0]

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration as JSON, as it enters the key."""
        return json.loads(self.config.model_dump_json(include=set(self.fields) if self.fields is not None else None))


ALL = "all"  # the partition's name where a step has but one


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


@dataclass
class Flow:
    """The steps of a recipe in order, and what each may read."""

    recipe: Recipe
    root: Path
    steps: list[Step]
    views: dict[str, View] = field(default_factory=dict)

    @classmethod
    def of(cls, recipe: Recipe, root: Path) -> Flow:
        """Raises RecipeError when a step needs a column or a step that nothing before it gives."""
        from corpus.stages import STAGES

        steps = [step for stage in STAGES for step in stage.steps(recipe)]
        flow = cls(recipe, root, steps)
        layers: tuple[Layer, ...] = ()
        for position, step in enumerate(steps):
            view = View(root, layers)
            flow.views[step.name] = view
            lacking = [f"column {name}" for name in step.needs if name not in view.columns]
            lacking += [f"step {name}" for name in step.uses if name not in [s.name for s in steps[:position]]]
            if lacking:
                raise RecipeError(f"{step.stage} needs {', '.join(lacking)}, which nothing before it in the recipe gives")
            if position and step.scope == "partition" and (step.adds or step.filters or step.edits):
                layers = (*layers, Layer(step.name, step.adds, step.filters, step.edits))
        flow.views[""] = View(root, layers)
        return flow

    def until(self, stage: str | None) -> list[Step]:
        """The steps up to and including `stage` (all when None)."""
        if stage is None:
            return self.steps
        last = max((i for i, step in enumerate(self.steps) if step.stage == stage), default=-1)
        return self.steps[: last + 1]

    def tasks(self, step: Step, pieces: Sequence[Piece], digests: dict[str, str]) -> list[Task]:
        """The tasks of a step whose inputs are all committed; `digests`: path -> sha256 of every source file."""
        names = tuple(piece.name for piece in pieces)
        view = self.views[step.name]
        if step.stage == "extract":
            return [
                self._task(step, piece.name, {f.relative: digests[str(f.path)] for f in piece.files}, view, names, piece)
                for piece in pieces
            ]
        used = self._used(step)
        columns = list(step.needs)
        if step.scope == "corpus":
            read = {k: v for name in names for k, v in view.inputs(name, columns).items()} if columns else {}
            return [self._task(step, ALL, used | read, view, names)]
        # Of a step that wrote a file a partition, a task reads its own partition's file alone.
        known, shared, own = set(names), {}, dict[str, dict[str, str]]()
        for path, sha in used.items():
            name = Path(path).stem
            (own.setdefault(name, {}) if name in known else shared)[path] = sha
        return [
            self._task(step, name, shared | own.get(name, {}) | view.inputs(name, columns), view, names)
            for name in names
        ]

    def _used(self, step: Step) -> dict[str, str]:
        return {
            f"{name}/{file.path}": file.sha256
            for name in step.uses
            for entry in StepFolder(self.root / name).entries().values()
            for file in entry.files
        }

    def _task(
        self,
        step: Step,
        partition: str,
        inputs: dict[str, str],
        view: View,
        names: tuple[str, ...],
        piece: Piece | None = None,
    ) -> Task:
        settings, source = step.settings, None
        if piece is not None:
            # How a source is read concerns its own partitions alone; where it lies concerns none.
            source = next(s for s in self.recipe.sources if s.name == piece.source)
            settings |= {"source": json.loads(source.model_dump_json(exclude={"path"}))}
        key = fingerprint(
            {"step": step.name, "version": step.version, "settings": settings, "inputs": inputs, "of": partition}
        )
        inputs = dict(sorted(inputs.items()))
        return Task(self.root, step, partition, key, inputs, settings, view, names, piece, source)


def stale(tasks: Sequence[Task]) -> Iterator[Stale]:
    """The tasks whose committed entry is missing or has another key."""
    for task in tasks:
        entry = StepFolder(task.folder()).entry(task.partition)
        if entry is None:
            yield Stale(task, ("not done yet",))
        elif entry.key != task.key:
            yield Stale(task, tuple(changes(entry, task)))


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
        return {k: v for name, item in value.items() for k, v in _flat(item, f"{prefix}.{name}" if prefix else name).items()}
    return {prefix: value}


def _show(value: Any) -> str:
    return "unset" if value is None else json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)
