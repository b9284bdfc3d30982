"""Stage `language`: `scores` labels every document, `decision` keeps the languages that the recipe asks for."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from corpus.documents import ID
from corpus.ledger import filter_partition
from corpus.plan import Step, Task
from corpus.recipe import Recipe
from corpus.store import Writer

COLUMNS = ("language", "language_score")
SCORES = pa.schema([("id", ID), ("language", pa.string()), ("language_score", pa.float32())])


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.language
    if config is None:
        return []
    return [
        Step(
            "language/scores",
            "corpus.language.stage:scores",
            "1",
            config,
            fields=("model", "model_sha256", "max_chars"),
            needs=("id", "text"),
            adds=COLUMNS,
        ),
        Step(
            "language/decision",
            "corpus.language.stage:decision",
            "1",
            config,
            fields=("keep", "threshold"),
            needs=("id", *COLUMNS),
            filters=True,
        ),
    ]


def scores(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Label and score of every document of a partition."""
    from corpus.language.identify import Identifier
    from corpus.language.model import locate

    table = out.table(SCORES)
    config = task.step.config
    identifier = Identifier(locate(config), max_chars=config.max_chars)
    for batch in task.view.batches(task.partition, ["id", "text"]):
        found = identifier.identify(batch.column("text"))
        table.write(
            pa.RecordBatch.from_arrays(
                [batch.column("id"), found.field("language"), found.field("language_score")], schema=SCORES
            )
        )
        out.count(len(batch), len(batch))
        beat(len(batch))


def decision(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Keep list and threshold over the stored scores."""
    from corpus.language.identify import decide

    def failures(batch: pa.RecordBatch) -> pa.Table:
        return decide(batch.column("language"), batch.column("language_score"), task.step.config)

    filter_partition(task, out, beat, failures)
