"""Stage `language`: `scores` labels every document, `second` asks another model where the recipe has one, `decision`
keeps what the recipe asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from corpus.documents import ID
from corpus.errors import RecipeError
from corpus.language.codes import left_out, unknown
from corpus.language.config import LanguageConfig, SecondConfig
from corpus.ledger import filter_partition
from corpus.plan import Step, Task
from corpus.store import Writer

if TYPE_CHECKING:
    from corpus.recipe import Recipe

COLUMNS = ("language", "language_score", "languages", "script")
SECOND = pa.schema(
    [
        ("id", ID),
        ("second_language", pa.string()),
        ("second_score", pa.float32()),
        # Null where the two cannot be compared.
        ("second_agrees", pa.bool_()),
    ]
)


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.language
    if config is None:
        return []
    found = [
        Step(
            "language/scores",
            "corpus.language.stage:scores",
            "2",
            config,
            fields=("model", "model_sha256", "max_chars"),
            needs=("id", "text"),
            adds=COLUMNS,
        )
    ]
    looked_at = ["id", "language", "language_score"]
    if config.script == "drop":
        looked_at.append("script")
    if config.second is not None:
        found.append(_second_step(config, config.second))
        if config.disagreement == "drop":
            looked_at += ["second_language", "second_agrees"]
    if recipe.reads_code:
        looked_at.append("programming_language")
    decision = Step(
        "language/decision",
        "corpus.language.stage:decision",
        "2",
        config,
        fields=("keep", "threshold", "thresholds", "script", "disagreement", "source_files"),
        needs=tuple(looked_at),
        filters=True,
    )
    return [*found, decision]


def _second_step(config: LanguageConfig, second: SecondConfig) -> Step:
    package = () if second.model_path else (second.model,)
    version = ", ".join(["1", *(f"{name} {_version(name)}" for name in package)])
    return Step(
        "language/second",
        "corpus.language.stage:second",
        version,
        config,
        fields=("second",),
        needs=("id", "text", "language"),
        adds=tuple(SECOND.names[1:]),
        requires=package,
    )


def _version(package: str) -> str:
    """Of a model that comes as a package: another version may give other labels."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def check_codes(config: LanguageConfig, labels: Collection[str]) -> None:
    """Raises RecipeError when the recipe names languages that the model does not."""
    name = "lid.176" if config.model_path is None else Path(config.model_path).name
    if fault := unknown(config.codes, labels, name):
        raise RecipeError(f"language: {fault}; correct `keep` or `thresholds`")


def scores(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Labels, scores and script of every document of a partition."""
    from corpus.language import identify, model
    from corpus.language.scripts import disagreements

    config = task.step.config
    identifier = identify.Identifier(model.locate(config), max_chars=config.max_chars)
    check_codes(config, identifier.labels)
    schema = pa.schema([("id", ID), *identify.IDENTIFIED])
    table = out.table(schema)
    tally = _Tally()
    for batch in task.view.batches(task.partition, ["id", "text"]):
        found = identifier.identify(batch.column("text"))
        table.write(pa.RecordBatch.from_arrays([batch.column("id"), *found.flatten()], schema=schema))
        language, script = found.field("language"), found.field("script")
        tally.add(disagreements(language, script), language, script)
        out.count(len(batch), len(batch))
        beat(len(batch))
    out.facts["script"] = tally.facts("written_so", "not_written_so", "unknown")


def second(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Label and score of the second model, and whether it agrees with the first."""
    import pyarrow.compute as pc

    from corpus.language.second import agreement, load

    opinion = load(task.step.config.second)
    table = out.table(SECOND)
    tally = _Tally()
    for batch in task.view.batches(task.partition, ["id", "text", "language"]):
        labels, values = opinion.identify(batch.column("text"))
        agrees = agreement(batch.column("language"), labels, opinion.labels)
        table.write(pa.RecordBatch.from_arrays([batch.column("id"), labels, values, agrees], schema=SECOND))
        tally.add(pc.invert(agrees), batch.column("language"), labels)
        out.count(len(batch), len(batch))
        beat(len(batch))
    out.facts["second"] = tally.facts("agree", "disagree", "not_comparable")


class _Tally:
    """Documents by label: those that differ from a second label, by that too; those that do not; the rest."""

    def __init__(self) -> None:
        self._right: dict[str, int] = {}
        self._wrong: dict[str, dict[str, int]] = {}
        self._rest = 0

    def add(self, differs: pa.BooleanArray, label: pa.Array, other: pa.Array) -> None:
        table = pa.table({"differs": differs, "label": label, "other": other})
        self._rest += differs.null_count
        for row in table.group_by(["differs", "label", "other"]).aggregate([([], "count_all")]).to_pylist():
            name, count = row["label"], row["count_all"]
            if row["differs"]:
                others = self._wrong.setdefault(name, {})
                others[row["other"]] = others.get(row["other"], 0) + count
            elif row["differs"] is not None:
                self._right[name] = self._right.get(name, 0) + count

    def facts(self, right: str, wrong: str, rest: str) -> dict[str, Any]:
        differing = {name: dict(sorted(others.items())) for name, others in sorted(self._wrong.items())}
        return {right: dict(sorted(self._right.items())), wrong: differing, rest: self._rest}


def decision(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Keep list, thresholds, script and second opinion over the stored columns."""
    from corpus.language.decide import decide
    from corpus.language.model import labels

    config = task.step.config
    if config.model_path is None:
        # Said once, not by every partition.
        if task.partition == task.partitions[0] and (hint := left_out(config.keep)):
            out.facts["warnings"] = [f"language: {hint}"]
    elif config.codes:
        check_codes(config, labels(config))
    filter_partition(task, out, beat, lambda batch: decide(batch, config))
