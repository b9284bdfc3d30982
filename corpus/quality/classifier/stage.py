"""The step of `quality.classifiers`: `scores` asks every classifier once a document."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from corpus.documents import ID
from corpus.plan import Step, Task
from corpus.quality.config import QualityConfig
from corpus.store import Writer

COLUMN = "scores"


def steps(config: QualityConfig) -> list[Step]:
    if not config.classifiers:
        return []
    return [
        Step(
            "quality/scores",
            "corpus.quality.classifier.stage:scores",
            "1",
            config,
            fields=("classifiers",),
            needs=("id", "text"),
            adds=(COLUMN,),
        )
    ]


def scores(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """A float64 a classifier for every document of a partition; null where the text has no word."""
    from corpus.quality.classifier.model import Scorer

    classifiers = task.step.config.classifiers
    scorers = [Scorer(classifier) for classifier in classifiers]
    fields = [pa.field(classifier.name, pa.float64()) for classifier in classifiers]
    schema = pa.schema([("id", ID), (COLUMN, pa.struct(fields))])
    table = out.table(schema)
    for batch in task.view.batches(task.partition, ["id", "text"], rows=1024):
        found = pa.StructArray.from_arrays([scorer.score(batch.column("text")) for scorer in scorers], fields=fields)
        table.write(pa.RecordBatch.from_arrays([batch.column("id"), found], schema=schema))
        out.count(len(batch), len(batch))
        beat(len(batch))
