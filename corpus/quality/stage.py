"""Stage `quality`: every signal measured once and stored, then the recipe's rules over what is stored.

`signals` (and `code` for source files, `perplexity` and `scores` where the recipe has them) measure; `decision`
compares with thresholds; `filter-NAME` are the recipe's own filters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from corpus.documents import EDITS, ID
from corpus.ledger import filter_partition
from corpus.plan import Step, Task
from corpus.quality.classifier import stage as classifier
from corpus.quality.config import QualityConfig
from corpus.quality.filters import stage as filters
from corpus.quality.names import IS_CODE
from corpus.quality.perplexity import stage as perplexity
from corpus.quality.rules import RULES
from corpus.store import Writer

if TYPE_CHECKING:
    from corpus.recipe import Recipe


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.quality
    if config is None:
        return []
    from corpus.quality.decide import columns

    code = recipe.reads_code
    measuring = [
        Step(
            "quality/signals",
            "corpus.quality.stage:signals",
            "3",
            config,
            fields=("line_rules",),
            needs=("id", "text", *([IS_CODE] if code else [])),
            adds=("signals",),
            edits=bool(config.line_rules),
        ),
        *([_code_step(config)] if code else []),
        *perplexity.steps(config),
        *classifier.steps(config),
    ]
    stored = {name for step in measuring for name in step.adds}
    looked_at = [name for name in columns(config.active_rules) if name in stored]
    decision = Step(
        "quality/decision",
        "corpus.quality.stage:decision",
        "2",
        config,
        fields=("bounds", *(rule.name for rule in RULES)),
        needs=("id", *looked_at, *([IS_CODE] if code else [])),
        filters=True,
    )
    return [*measuring, decision, *filters.steps(config)]


def _code_step(config: QualityConfig) -> Step:
    return Step(
        "quality/code",
        "corpus.quality.stage:code_signals",
        "1",
        config,
        fields=(),
        needs=("id", "text", IS_CODE),
        adds=("code_signals",),
    )


def signals(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Every signal of every document, on the text as the line rules leave it; their edits as spans."""
    from corpus.kernels.edits import apply_edits
    from corpus.quality.lines import edit_and_count
    from corpus.quality.signals import SIGNALS, compute

    schema = pa.schema([("id", ID), ("signals", SIGNALS)])
    table = out.table(schema)
    rules = task.step.config.line_rules
    edits = out.table(EDITS, "edits") if rules else None
    lines: dict[str, dict[str, int]] = {}
    for batch in task.view.batches(task.partition, list(task.step.needs)):
        ids, text, removed = batch.column("id"), batch.column("text"), None
        if edits is not None:
            spans, removed = edit_and_count(text, rules)
            if IS_CODE in batch.schema.names:  # a line of code needs no full stop
                prose = batch.column(IS_CODE).is_null()
                spans = spans.filter(prose.take(spans.column("row").combine_chunks()))
                removed[~prose.to_numpy(zero_copy_only=False)] = 0
            edits.write(spans.append_column("id", ids.take(spans.column("row").combine_chunks())))
            _tally(lines, spans)
            text = apply_edits(text, spans)
        table.write(pa.RecordBatch.from_arrays([ids, compute(text, removed=removed)], schema=schema))
        out.count(len(batch), len(batch))
        beat(len(batch))
    if lines:
        out.facts["lines"] = lines


def code_signals(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """The signals of source files; null for every other document."""
    from corpus.quality.code_signals import CODE_SIGNALS, compute_code

    schema = pa.schema([("id", ID), ("code_signals", CODE_SIGNALS)])
    table = out.table(schema)
    for batch in task.view.batches(task.partition, list(task.step.needs)):
        found = compute_code(batch.column("text"), batch.column(IS_CODE))
        table.write(pa.RecordBatch.from_arrays([batch.column("id"), found], schema=schema))
        out.count(len(batch), len(batch))
        beat(len(batch))


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
    from corpus.quality.decide import columns, decide

    # A rule on what this recipe does not measure (source files where there are none) judges nothing.
    rules = [rule for rule in task.step.config.active_rules if set(columns([rule])) <= set(task.step.needs)]
    filter_partition(task, out, beat, lambda batch: decide(batch, rules))
