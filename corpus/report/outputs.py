"""What a recipe's steps have committed so far, read from their manifests."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus.dataset import Layer, View
from corpus.errors import CorpusError
from corpus.plan import ALL, BENCHMARK, DELIVERY, Step
from corpus.recipe import Recipe, load
from corpus.stages import STAGES
from corpus.store import Entry, StepFolder, table_name

BASE = "extract"


def earlier(recipe: Recipe) -> tuple[Step, ...]:
    """The steps of every stage before the report, in order."""
    return tuple(step for stage in STAGES for step in stage.steps(recipe))


def changes(step: Step) -> bool:
    """Whether a step adds, filters or edits documents."""
    return step.name == BASE or (step.scope == "partition" and bool(step.adds or step.filters or step.edits))


def _fitting(steps: tuple[Step, ...], entries: dict[str, dict[str, Entry]]) -> dict[str, dict[str, Entry]]:
    now: dict[str, str] = {}
    found = {}
    for step in steps:
        settings = step.settings
        found[step.name] = {
            name: entry
            for name, entry in entries[step.name].items()
            if step.name == BASE or (_as_set(entry, settings) and _fits(entry, now, entries[BASE].keys()))
        }
        now |= {f"{step.name}/{f.path}": f.sha256 for entry in found[step.name].values() for f in entry.files}
    return found


def _as_set(entry: Entry, settings: dict[str, Any]) -> bool:
    """Whether it was made with the recipe's `settings`; one that it does not know came with later code."""
    return all(settings.get(name, value) == value for name, value in entry.config.items())


def _fits(entry: Entry, now: dict[str, str], partitions: Collection[str]) -> bool:
    """Whether the files that it was made from are those that are there now, and none has come since.

    Of the folder's own: like the sources, earlier deliveries and benchmarks may be gone since.
    """
    own = {path: sha for path, sha in entry.inputs.items() if not path.startswith((DELIVERY, BENCHMARK))}
    read = {Path(path).stem for path in own}.intersection(partitions)
    whole = not read or entry.partition != ALL or len(read) == len(partitions)
    return whole and all(now.get(path) == sha for path, sha in own.items())


def lateness(late: Mapping[str, str]) -> str:
    """`out of date: pii, dedup; not run yet: pack`, of what `Outputs.late` gives."""
    states = {state: ", ".join(name for name in late if late[name] == state) for state in late.values()}
    return "; ".join(f"{state}: {names}" for state, names in states.items())


@dataclass(frozen=True)
class Outputs:
    """An output folder: its steps in order, and each step's committed entries by partition.

    An entry that was made from files which have been replaced since (a step before it ran again, this one did not),
    or with other settings than the recipe's, is left out: it says nothing of the documents as they are now. `begun`
    holds the steps that have any entry, such ones included.
    """

    root: Path
    recipe: Recipe
    steps: tuple[Step, ...]
    entries: dict[str, dict[str, Entry]] = field(repr=False)
    begun: frozenset[str] = frozenset()

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
        begun = frozenset(name for name, of_step in entries.items() if of_step)
        found = cls(root, recipe, steps, _fitting(steps, entries), begun)
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
        if step.name == BASE:
            # Never left out, for without it there is nothing; the recipe may have changed and a run been cut off.
            settings = step.settings
            return all(_as_set(entry, settings) for entry in self.entries[BASE].values())
        wanted = set(self.partitions) if step.scope == "partition" else {ALL}
        return wanted <= self.entries[step.name].keys()

    @property
    def done(self) -> tuple[Step, ...]:
        """The steps up to the first that is not wholly committed."""
        count = next((i for i, step in enumerate(self.steps) if not self._whole(step)), len(self.steps))
        return self.steps[:count]

    @property
    def behind(self) -> tuple[Step, ...]:
        """The steps that are not done, or out of date."""
        return self.steps[len(self.done) :]

    def late(self, only_changes: bool = False) -> dict[str, str]:
        """stage -> "out of date" or "not run yet", of each stage with a step behind; `only_changes`: of those that
        add, filter or edit documents."""
        stages = dict.fromkeys(step.stage for step in self.behind if changes(step) or not only_changes)
        begun = {name.partition("/")[0] for name in self.begun}
        return {stage: "out of date" if stage in begun else "not run yet" for stage in stages}

    def require(self, stage: str) -> None:
        """Raise CorpusError for a stage that the recipe lacks, that has not run, or that is out of date."""
        if not self.has(self.last_of(stage) or ""):
            state = "has not run yet" if self.late().get(stage) == "not run yet" else "is out of date"
            raise CorpusError(
                f"{self.root}: stage {stage} {state}; `corpus run {self.root} --until {stage}` brings it up to date"
            )

    def view(self, until: str | None = None, inclusive: bool = True) -> View:
        """The documents as they stand after step `until` (before it, when not `inclusive`; None: after all).

        Steps that are not committed are left out.
        """
        layers = []
        for step in self.done[1:]:
            if step.name == until and not inclusive:
                break
            if changes(step):
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
