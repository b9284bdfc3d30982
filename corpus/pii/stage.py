"""Stage `pii`: `spans` finds personal data and secrets, `decision` masks them or drops their documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from corpus.documents import EDITS, ID
from corpus.ledger import judge
from corpus.plan import Step, Task
from corpus.store import Writer, table_name

if TYPE_CHECKING:
    from corpus.recipe import Recipe

SPANS = "pii/spans"
DECISION = "pii/decision"
# Beside the counts: where the values are, never what they are.
SIDE = "spans"
_SIDE_SCHEMA = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
    ]
)


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.pii
    if config is None:
        return []
    from corpus.pii.kinds import KINDS

    return [
        Step(
            SPANS,
            "corpus.pii.stage:spans",
            "1",
            config,
            fields=("allow",),
            needs=("id", "text"),
            adds=("pii",),
        ),
        Step(
            DECISION,
            "corpus.pii.stage:decision",
            "1",
            config,
            fields=("default", "placeholder", "placeholders", *KINDS),
            needs=("id",),
            filters=True,
            edits=bool(config.kinds("mask")),
            uses=(SPANS,),
        ),
    ]


def spans(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Where in each text something was found, and how many of each kind."""
    from corpus.pii.detect import COUNTS, counts, detect

    schema = pa.schema([("id", ID), ("pii", COUNTS)])
    table, side = out.table(schema), out.table(_SIDE_SCHEMA, SIDE)
    for batch in task.view.batches(task.partition, ["id", "text"]):
        ids = batch.column("id")
        found = detect(batch.column("text"), task.step.config.allow)
        side.write(found.append_column("id", ids.take(found.column("row").combine_chunks())))
        table.write(pa.RecordBatch.from_arrays([ids, counts(found, len(batch))], schema=schema))
        out.count(len(batch), len(batch))
        beat(len(batch))


def decision(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """The policy of each kind over the stored spans: edits of what stays, a ledger row a kind for what is dropped."""
    from corpus.dataset import Cursor
    from corpus.documents import LEDGER
    from corpus.pii.decide import Tally, failures, masks

    config = task.step.config
    kept, ledger = out.table(pa.schema([("id", ID)])), out.table(LEDGER, "ledger")
    edits = out.table(EDITS, "edits") if task.step.edits else None
    side = Cursor(task.folder(SPANS) / table_name(task.partition, SIDE), ["start", "end", "kind"])
    tally = Tally()
    for batch in task.view.batches(task.partition, ["id"]):
        ids = batch.column("id")
        rows, found = side.match(ids)
        verdict = judge(ids, failures(rows, found, config))
        survivors = ids.filter(pa.array(verdict.keep))
        kept.write(pa.record_batch({"id": survivors}))
        ledger.write(verdict.ledger)
        if found is not None:
            tally.add(rows, found, verdict.keep, config)
            if edits is not None:
                edits.write(masks(rows, found, verdict.keep, config))
        out.count(len(ids), len(survivors), verdict.dropped, verdict.failed)
        beat(len(ids))
    side.finish()
    out.facts["pii"] = tally.facts()
