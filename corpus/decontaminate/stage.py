"""Stage `decontaminate`: `index` of the benchmarks, `matches` a partition, `items` over all of them, `decision`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from corpus.decontaminate.config import RULE, DecontaminateConfig
from corpus.documents import EDITS, ID, LEDGER
from corpus.errors import InputError
from corpus.ledger import judge
from corpus.plan import Step, Task
from corpus.store import Writer, table_name

if TYPE_CHECKING:
    from corpus.recipe import Recipe

INDEX = "decontaminate/index"
MATCHES = "decontaminate/matches"
ITEMS = "decontaminate/items"
DECISION = "decontaminate/decision"
INDEXED_BY = ("benchmarks", "ngram", "min_words", "min_fragment_words", "min_choice_words")
# One row for each place where a document has an n-gram of a benchmark: `corpus.kernels.contamination.find`.
_MATCHES = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in ("gram", "first", "words", "start", "end", "of")),
    ]
)


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.decontaminate
    if config is None:
        return []
    from corpus.decontaminate.benchmarks import digests, within

    files: dict[str, str] = {}
    fault = None
    try:
        for benchmark in config.benchmarks:
            if recipe.output is not None and within(benchmark, recipe.output):
                raise InputError(
                    f"benchmark {benchmark.name}: {benchmark.path}: lies in the output folder, whose files the run "
                    "writes itself; move it out of there, or correct `path`"
                )
        files = digests(config)
    except InputError as error:
        # What was made before can still be looked at.
        fault = str(error)
    kept = config.in_use & {"mask", "flag"}
    return [
        Step(
            INDEX,
            "corpus.decontaminate.stage:index",
            "3",
            config,
            fields=INDEXED_BY,
            scope="corpus",
            inputs=tuple(files.items()),
            fault=fault,
            proof="corpus.decontaminate.stage:prove",
        ),
        Step(
            MATCHES,
            "corpus.decontaminate.stage:matches",
            "1",
            config,
            fields=(),
            needs=("id", "text"),
            uses=(INDEX,),
        ),
        Step(
            ITEMS,
            "corpus.decontaminate.stage:items",
            "2",
            config,
            fields=("max_count",),
            scope="corpus",
            uses=(INDEX, MATCHES),
        ),
        Step(
            DECISION,
            "corpus.decontaminate.stage:decision",
            "1",
            config,
            fields=("action", "actions", "placeholder"),
            needs=("id",),
            adds=("contamination",) if kept else (),
            filters=True,
            edits="mask" in kept,
            uses=(ITEMS,),
        ),
    ]


def prove(config: DecontaminateConfig) -> None:
    """Read all benchmarks. Raises InputError for what is wrong with them."""
    from corpus.decontaminate.benchmarks import read

    for benchmark in config.benchmarks:
        for _ in read(benchmark):
            pass


def index(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """The n-grams of all benchmarks, and their items."""
    from corpus.decontaminate.benchmarks import digests, read
    from corpus.decontaminate.index import build
    from corpus.errors import CorpusError

    config = task.step.config
    if digests(config) != dict(task.step.inputs):
        raise CorpusError("the benchmarks changed while they were in use; run again")
    found, items = build(((read(benchmark), bool(benchmark.fields)) for benchmark in config.by_name), config, beat)
    found.save(out.directory)
    out.table_at("items.parquet", items.schema).write(items)
    searched = {}
    for number, benchmark in enumerate(config.by_name):
        mine = found.searched[items.column("task").to_numpy() == number]
        searched[benchmark.name] = {"items": len(mine), "searched": int(mine.sum())}
        if not mine.any():
            raise InputError(
                f"benchmark {benchmark.name}: none of its {len(mine):,} items is long enough to be looked for; "
                f"correct its `fields`, lower decontaminate.min_words ({config.min_words}), or leave it out"
            )
    out.facts["tasks"] = searched


def matches(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Where the texts of a partition have n-grams of benchmarks."""
    from corpus.decontaminate.index import load
    from corpus.kernels.contamination import find

    sought = load(task.folder(INDEX), task.inputs).index
    table = out.table(_MATCHES)
    for batch in task.view.batches(task.partition, ["id", "text"]):
        found = find(batch.column("text"), sought)
        ids = batch.column("id").take(pa.array(found.pop("row")))
        table.write(pa.RecordBatch.from_arrays([ids, *map(pa.array, found.values())], schema=_MATCHES))
        out.count(len(batch), len(batch))
        beat(len(batch))


def items(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Which items the documents hold, without what is common; one file a partition, in its order."""
    from corpus.decontaminate.attribute import attribute
    from corpus.decontaminate.index import load

    attribute(task, load(task.folder(INDEX), task.inputs), out, beat)


def decision(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """What becomes of each document that holds items; the ledger names them."""
    from corpus.dataset import Cursor
    from corpus.decontaminate.attribute import FOUND
    from corpus.decontaminate.decide import CONTAMINATION, decide, failures

    config = task.step.config
    adds = [("contamination", CONTAMINATION)] if task.step.adds else []
    kept, ledger = out.table(pa.schema([("id", ID), *adds])), out.table(LEDGER, "ledger")
    edits = out.table(EDITS, "edits") if task.step.edits else None
    side = Cursor(task.folder(ITEMS) / table_name(task.partition), FOUND.names[1:])
    for batch in task.view.batches(task.partition, ["id"]):
        ids = batch.column("id")
        fates = decide(*side.match(ids), config)
        verdict = judge(ids, failures(fates))
        survivors = pa.array(verdict.keep)
        columns = [ids.filter(survivors)]
        if adds:
            flags = [fates[row].flags if row in fates else [] for row in range(len(ids)) if verdict.keep[row]]
            columns.append(pa.array(flags, CONTAMINATION))
        kept.write(pa.RecordBatch.from_arrays(columns, schema=kept.schema))
        ledger.write(verdict.ledger)
        if edits is not None:
            edits.write(
                pa.Table.from_pylist(
                    [
                        {"id": ids[row].as_py(), "start": start, "end": end}
                        | {"replacement": config.placeholder, "rule": RULE}
                        for row, fate in fates.items()
                        if verdict.keep[row]
                        for start, end in fate.masks
                    ],
                    schema=EDITS,
                )
            )
        out.count(len(ids), len(columns[0]), verdict.dropped, verdict.failed)
        beat(len(ids))
    side.finish()
