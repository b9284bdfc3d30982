"""What a recipe's steps have committed so far, read from their manifests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from corpus.dataset import Layer, View
from corpus.errors import CorpusError
from corpus.plan import Step
from corpus.recipe import Recipe, load
from corpus.stages import STAGES
from corpus.store import Entry, StepFolder, table_name

BASE = "extract"


def earlier(recipe: Recipe) -> tuple[Step, ...]:
    """The steps of every stage before the report, in order."""
    return tuple(step for stage in STAGES for step in stage.steps(recipe))


def _fitting(steps: tuple[Step, ...], entries: dict[str, dict[str, Entry]]) -> dict[str, dict[str, Entry]]:
    now: dict[str, str] = {}
    found = {}
    for step in steps:
        found[step.name] = {
            name: entry
            for name, entry in entries[step.name].items()
            if step.name == BASE or all(now.get(path) == sha for path, sha in entry.inputs.items())
        }
        now |= {f"{step.name}/{f.path}": f.sha256 for entry in found[step.name].values() for f in entry.files}
    return found


@dataclass(frozen=True)
class Outputs:
    """An output folder: its steps in order, and each step's committed entries by partition.

    An entry that was made from files which have been replaced since (a step before it ran again, this one did not)
    is left out: it says nothing of the documents as they are now.
    """

    root: Path
    recipe: Recipe
    steps: tuple[Step, ...]
    entries: dict[str, dict[str, Entry]] = field(repr=False)

    @classmethod
    def open(cls, target: Path) -> Outputs:
        """Of a folder that a run wrote, or of a recipe that names one. Raises RecipeError and CorpusError."""
        recipe = load(target)
        if recipe.output is None:
            raise CorpusError(f"{target}: names no `output` folder; give the folder")
        return cls.of(recipe, recipe.output.absolute())

    @classmethod
    def of(cls, recipe: Recipe, root: Path) -> Outputs:
        """Raises CorpusError when nothing at all was extracted there yet."""
        steps = earlier(recipe)
        entries = {step.name: StepFolder(root / step.name).entries() for step in steps}
        found = cls(root, recipe, steps, _fitting(steps, entries))
        if not found.partitions:
            raise CorpusError(f"{root}: nothing was extracted here yet; `corpus run` or `corpus extract` does it")
        return found

    @property
    def partitions(self) -> list[str]:
        return list(self.entries[BASE])

    def has(self, name: str) -> bool:
        """Whether the step is part of the recipe and done, and every step before it."""
        return name in [step.name for step in self.done]

    def _whole(self, step: Step) -> bool:
        wanted = set(self.partitions) if step.scope == "partition" else {"all"}
        return wanted <= self.entries[step.name].keys()

    @property
    def done(self) -> tuple[Step, ...]:
        """The steps up to the first that is not wholly committed."""
        count = next((i for i, step in enumerate(self.steps) if not self._whole(step)), len(self.steps))
        return self.steps[:count]

    def view(self, until: str | None = None, inclusive: bool = True) -> View:
        """The documents as they stand after step `until` (before it, when not `inclusive`; None: after all).

        Steps that are not committed are left out.
        """
        layers = []
        for step in self.done[1:]:
            if step.name == until and not inclusive:
                break
            if step.scope == "partition" and (step.adds or step.filters or step.edits):
                layers.append(Layer(step.name, step.adds, step.filters, step.edits))
            if step.name == until:
                break
        return View(self.root, tuple(layers) if until != BASE else ())

    def last_of(self, stage: str | None) -> str | None:
        """The name of a stage's last step; None for None. Raises CorpusError for a stage that the recipe lacks."""
        if stage is None:
            return None
        names = [step.name for step in self.steps if step.stage == stage]
        if not names:
            known = ", ".join(dict.fromkeys(step.stage for step in self.steps))
            raise CorpusError(f"{self.root}: has no stage {stage}; it has {known}")
        return names[-1]

    def table(self, step: str, partition: str, kind: str = "") -> Path:
        """Path of a partition's table (`kind`: "ledger" or "edits")."""
        return self.root / step / table_name(partition, kind)

    def ledgers(self, stage: str | None = None) -> Iterator[tuple[Step, str, Path]]:
        """(step, partition, path) of every committed ledger, of one stage only when given."""
        for step in self.done:
            if (step.filters or step.name == BASE) and stage in (None, step.stage):
                for partition in self.partitions:
                    yield step, partition, self.table(step.name, partition, "ledger")
