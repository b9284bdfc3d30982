"""Stage `quality`: `signals` measures every document once, `decision` applies the recipe's rules to what is stored."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from corpus.documents import EDITS, ID
from corpus.ledger import filter_partition
from corpus.plan import Step, Task
from corpus.recipe import Recipe
from corpus.store import Writer


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.quality
    if config is None:
        return []
    return [
        Step(
            "quality/signals",
            "corpus.quality.stage:signals",
            "1",
            config,
            fields=("line_rules",),
            needs=("id", "text"),
            adds=("signals",),
            edits=bool(config.line_rules),
        ),
        Step(
            "quality/decision",
            "corpus.quality.stage:decision",
            "1",
            config,
            needs=("id", "signals"),
            filters=True,
        ),
    ]


def signals(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Every signal of every document, on the text as the line rules leave it; their edits as spans."""
    from corpus.kernels.edits import apply_edits
    from corpus.quality.lines import edit_lines
    from corpus.quality.signals import SIGNALS, compute

    schema = pa.schema([("id", ID), ("signals", SIGNALS)])
    table = out.table(schema)
    rules = task.step.config.line_rules
    edits = out.table(EDITS, "edits") if rules else None
    lines: dict[str, dict[str, int]] = {}
    for batch in task.view.batches(task.partition, ["id", "text"]):
        ids, text = batch.column("id"), batch.column("text")
        if edits is not None:
            spans = edit_lines(text, rules)
            edits.write(spans.append_column("id", ids.take(spans.column("row").combine_chunks())))
            _tally(lines, spans)
            text = apply_edits(text, spans)
        table.write(pa.RecordBatch.from_arrays([ids, compute(text)], schema=schema))
        out.count(len(batch), len(batch))
        beat(len(batch))
    if lines:
        out.facts["lines"] = lines


def _tally(lines: dict[str, dict[str, int]], spans: pa.Table) -> None:
    """Add lines and bytes removed, by rule."""
    sized = pa.table(
        {"rule": spans.column("rule"), "bytes": pa.compute.subtract(spans.column("end"), spans.column("start"))}
    )
    for row in sized.group_by("rule").aggregate([("bytes", "count"), ("bytes", "sum")]).to_pylist():
        so_far = lines.setdefault(row["rule"], {"lines": 0, "bytes": 0})
        so_far["lines"] += row["bytes_count"]
        so_far["bytes"] += row["bytes_sum"]


def decision(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """The recipe's rules over the stored signals; the ledger holds every rule that a document fails."""
    from corpus.quality.decide import decide

    filter_partition(task, out, beat, lambda batch: decide(batch.column("signals"), task.step.config))
