"""From a stage's decision to survivors, ledger rows and counts that reconcile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.documents import ID, LEDGER
from corpus.pii.hide import hide
from corpus.plan import Task
from corpus.store import Writer


@dataclass(frozen=True)
class Verdict:
    """`keep`: bool[n]; `ledger`: a LEDGER table; `dropped`: by first failed rule; `failed`: by every failed rule."""

    keep: np.ndarray
    ledger: pa.Table
    dropped: dict[str, int]
    failed: dict[str, int]


def judge(ids: pa.Array, failures: pa.Table, extra: dict[str, pa.Array] | None = None) -> Verdict:
    """Apply `failures` (row int64 ascending, rule string; optional value, threshold, detail) to `ids` (n rows).

    `extra` gives ledger columns (url, locator) of all n documents.
    """
    rows = failures.column("row").to_numpy()
    if len(rows) and (np.diff(rows) < 0).any():
        raise ValueError("failures must be in the order of the documents")
    keep = np.ones(len(ids), bool)
    keep[rows] = False
    first = np.flatnonzero(np.concatenate([[True], np.diff(rows) > 0])) if len(rows) else np.zeros(0, np.int64)
    taken = pa.array(rows)
    columns = []
    for schema_field in LEDGER:
        name = schema_field.name
        if name == "id":
            column = ids.take(taken)
        elif name in failures.column_names:
            # A detail may quote the document.
            given = hide(failures.select([name])) if name == "detail" else failures
            column = given.column(name).combine_chunks().cast(schema_field.type)
        elif extra and name in extra:
            column = extra[name].take(taken)
        else:
            column = pa.nulls(len(rows), schema_field.type)
        columns.append(column)
    rules = failures.column("rule").combine_chunks()
    return Verdict(
        keep, pa.Table.from_arrays(columns, schema=LEDGER), _counts(rules.take(pa.array(first))), _counts(rules)
    )


def _counts(rules: pa.Array) -> dict[str, int]:
    return {item["values"]: item["counts"] for item in pc.value_counts(rules).to_pylist()}


def filter_partition(
    task: Task, out: Writer, beat: Callable[[int], None], decide: Callable[[pa.RecordBatch], pa.Table]
) -> None:
    """A filtering step over stored columns: `decide` gives the failures of a batch of the step's `needs`."""
    kept, ledger = out.table(pa.schema([("id", ID)])), out.table(LEDGER, "ledger")
    for batch in task.view.batches(task.partition, list(task.step.needs)):
        ids = batch.column("id")
        verdict = judge(ids, decide(batch))
        survivors = ids.filter(pa.array(verdict.keep))
        kept.write(pa.record_batch({"id": survivors}))
        ledger.write(verdict.ledger)
        out.count(len(ids), len(survivors), verdict.dropped, verdict.failed)
        beat(len(ids))
