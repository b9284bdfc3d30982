"""The step of `quality.perplexity`: every document's perplexity, once, to be compared with a bound."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from corpus.documents import ID
from corpus.plan import Step, Task
from corpus.quality.config import QualityConfig
from corpus.store import Writer

COLUMN = "perplexity"
PERPLEXITY = pa.schema([("id", ID), (COLUMN, pa.float64())])


def steps(config: QualityConfig) -> list[Step]:
    if config.perplexity is None:
        return []
    return [
        Step(
            "quality/perplexity",
            "corpus.quality.perplexity.stage:perplexity",
            "1",
            config,
            fields=("perplexity",),
            needs=("id", "text"),
            adds=(COLUMN,),
        )
    ]


def perplexity(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Perplexity of every document of a partition, as the line rules leave its text."""
    from corpus.quality.perplexity.score import Scorer

    table = out.table(PERPLEXITY)
    scorer = Scorer(task.step.config.perplexity)
    for batch in task.view.batches(task.partition, ["id", "text"]):
        columns = [batch.column("id"), scorer.perplexity(batch.column("text"))]
        table.write(pa.RecordBatch.from_arrays(columns, schema=PERPLEXITY))
        out.count(len(batch), len(batch))
        beat(len(batch))
