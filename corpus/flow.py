"""A recipe as a flow of steps: in which order, and what each of them may read."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from corpus.dataset import Delivery, Layer, View
from corpus.dedup import earlier
from corpus.errors import RecipeError
from corpus.plan import ALL, Step, Task
from corpus.recipe import Recipe
from corpus.report import stage as report
from corpus.sources import Piece
from corpus.stages import STAGES
from corpus.store import StepFolder, fingerprint


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
        steps = [step for stage in (*STAGES, report) for step in stage.steps(recipe)]
        flow = cls(recipe, root, steps)
        layers: tuple[Layer, ...] = ()
        for position, step in enumerate(steps):
            view = View(root, layers)
            flow.views[step.name] = view
            lacking = [f"column {name}" for name in step.needs if name not in view.columns and step.fault is None]
            if lacking:
                raise RecipeError(
                    f"{step.name} needs {', '.join(lacking)}, which nothing before it in the recipe gives"
                )
            for name in step.uses:
                if name not in [s.name for s in steps[:position]]:
                    stage = name.partition("/")[0]
                    raise RecipeError(
                        f"{step.stage} needs {stage}: add `{stage}:` to the recipe, or run that stage first"
                    )
            if position and step.scope == "partition" and (step.adds or step.filters or step.edits):
                layers = (*layers, Layer(step.name, step.adds, step.filters, step.edits))
        flow.views[""] = View(root, layers)
        return flow

    def until(self, stage: str | None) -> list[Step]:
        """The steps up to and including `stage` (all when None). Raises RecipeError for a stage that is left out."""
        if stage is None:
            return self.steps
        last = max((i for i, step in enumerate(self.steps) if step.stage == stage), default=-1)
        if last < 0:
            there = ", ".join(dict.fromkeys(step.stage for step in self.steps))
            raise RecipeError(f"the recipe has no stage {stage}; it has {there}")
        return self.steps[: last + 1]

    @contextlib.contextmanager
    def reading(self, step: Step) -> Iterator[tuple[Delivery, ...]]:
        """The earlier deliveries that a step reads; no run changes them meanwhile. Raises as `earlier.reading`."""
        if step.earlier:
            with earlier.reading(self.recipe, self.root) as deliveries:
                yield deliveries
        else:
            yield ()

    def prove(self, steps: Sequence[Step]) -> None:
        """Raise what `reading` raises for one of the steps, RecipeError for one with a fault, and what a step's proof
        raises, before anything is done."""
        for step in steps:
            if step.fault is not None:
                raise RecipeError(step.fault)
            if step.proof is not None:
                module, _, name = step.proof.partition(":")
                getattr(importlib.import_module(module), name)(step.config)
            with self.reading(step):
                pass

    def tasks(self, step: Step, pieces: Sequence[Piece], digests: dict[str, str]) -> list[Task]:
        """The tasks of a step whose inputs are all committed; `digests`: path -> sha256 of every source file."""
        names = tuple(piece.name for piece in pieces)
        view = self.views[step.name]
        if step.stage == "extract":
            files = dict(step.inputs)
            return [
                self._task(
                    step, piece.name, files | {f.relative: digests[f.path] for f in piece.files}, view, names, piece
                )
                for piece in pieces
            ]
        used = self._used(step)
        columns = list(step.needs)
        if step.scope == "corpus":
            read = {k: v for name in names for k, v in view.inputs(name, columns).items()} if columns else {}
            with self.reading(step) as before:
                task = self._task(step, ALL, used | dict(step.inputs) | read | earlier.inputs(before), view, names)
            return [replace(task, earlier=before)]
        # Of a step that wrote a file a partition, a task reads its own partition's file alone.
        known, shared, own = set(names), dict[str, str](), dict[str, dict[str, str]]()
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
            settings |= {"source": json.loads(source.model_dump_json(exclude={"path", "allow_private"}))}
        key = fingerprint(
            {"step": step.name, "version": step.version, "settings": settings, "inputs": inputs, "of": partition}
        )
        inputs = dict(sorted(inputs.items()))
        return Task(self.root, step, partition, key, inputs, settings, view, names, piece, source)
