"""The steps of `quality.filters`: one a filter, so that a changed filter re-runs itself and what comes after it."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from corpus.documents import EDITS, ID, LEDGER
from corpus.errors import CorpusError
from corpus.ledger import judge
from corpus.plan import Step, Task
from corpus.quality.config import QualityConfig
from corpus.quality.filters.config import FilterConfig, OneFilter
from corpus.store import Writer


def steps(config: QualityConfig) -> list[Step]:
    return [_step(item) for item in config.filters]


def _step(config: FilterConfig) -> Step:
    from corpus.quality.filters.source import identity

    version, fault = "1", None
    try:
        version += f", {identity(config)}"
    except CorpusError as error:
        fault = str(error)
    columns = ("id", *(("text",) if config.is_datatrove else ()), *config.columns)
    return Step(
        f"quality/filter-{config.name}",
        "corpus.quality.filters.stage:apply",
        version,
        OneFilter(filters={config.name: config}),
        needs=tuple(dict.fromkeys(columns)),
        filters=True,
        edits=config.is_datatrove,
        fault=fault,
    )


def apply(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """One filter over a partition; what it changed in texts that it keeps becomes edits under its name."""
    from corpus.quality.filters.datatrove_filter import DatatroveFilter
    from corpus.quality.filters.function import FunctionFilter
    from corpus.quality.filters.source import identity

    config: FilterConfig = task.step.config.only
    if not task.step.version.endswith(f", {identity(config)}"):
        raise CorpusError(f"{config}: its code has changed since the run began; run the same command again")
    found = DatatroveFilter(config) if config.is_datatrove else FunctionFilter(config)
    kept, ledger = out.table(pa.schema([("id", ID)])), out.table(LEDGER, "ledger")
    edits = out.table(EDITS, "edits") if task.step.edits else None
    for batch in task.view.batches(task.partition, list(task.step.needs), found.rows):
        failures, spans = found.judge(batch)
        ids = batch.column("id")
        verdict = judge(ids, failures)
        survivors = ids.filter(pa.array(verdict.keep))
        kept.write(pa.record_batch({"id": survivors}))
        ledger.write(verdict.ledger)
        if edits is not None and spans is not None:
            edits.write(spans.append_column("id", ids.take(spans.column("row").combine_chunks())))
        out.count(len(ids), len(survivors), verdict.dropped, verdict.failed)
        beat(len(ids))
