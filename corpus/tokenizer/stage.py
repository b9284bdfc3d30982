"""Stage `tokenizer`: a BPE model trained on the documents that are alive here, with its card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from corpus.plan import Step, Task
from corpus.store import Writer, fingerprint

if TYPE_CHECKING:
    from corpus.recipe import Recipe

MODEL = "tokenizer.model"


def steps(recipe: Recipe) -> list[Step]:
    if recipe.tokenizer is None:
        return []
    function = "corpus.tokenizer.stage:tokenizer"
    return [Step("tokenizer", function, "1", recipe.tokenizer, needs=("id", "text"), scope="corpus")]


def tokenizer(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Train on the whole corpus (or the sample of it that the recipe bounds) and write model and card."""
    from corpus.tokenizer.train import card, train

    def batches() -> Iterator[pa.RecordBatch]:
        for partition in task.partitions:
            for batch in task.view.batches(partition, ["id", "text"]):
                out.count(len(batch), len(batch))
                beat(len(batch))
                yield batch

    path = out.path(MODEL)
    facts = train(batches(), task.step.config, path)
    out.facts.update(facts)
    out.path("card.md").write_text(
        card(facts, task.step.config, corpus_digest=fingerprint(task.inputs)), encoding="utf-8"
    )
