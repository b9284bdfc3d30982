"""Stage `dedup`: `signatures` a partition, `clusters` over all of them, `decision` keeps one document a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from corpus.ahead import ahead
from corpus.dedup import criteria
from corpus.dedup.passages import stage as passages
from corpus.documents import ID, LEDGER
from corpus.plan import Step, Task
from corpus.store import GROUP_ROWS, Writer, read_table

if TYPE_CHECKING:
    from corpus.recipe import Recipe

# The keys that decide keys and signatures, and those that the clusters have nothing to do with.
SIGNED_BY = ("url", "exact", "minhash", "ngram", "normalise", "permutations", "signature", "seed")
PASSAGES = ("lines", "paragraphs", "sentences", "substrings")
_SIGNED = 4 << 20
"""Bytes of signatures that are made at once."""


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.dedup
    if config is None:
        return []
    return [
        Step(
            "dedup/signatures",
            "corpus.dedup.stage:signatures",
            "3",
            config,
            fields=SIGNED_BY,
            needs=("id", "text", *(["url"] if config.url else [])),
            adds=("text_bytes", "url_key", "exact_key", "signature"),
        ),
        Step(
            "dedup/clusters",
            "corpus.dedup.stage:clusters",
            "4",
            config,
            fields=tuple(name for name in type(config).model_fields if name not in (*SIGNED_BY, *PASSAGES)),
            needs=("id", "text_bytes", "url_key", "exact_key", "signature", "text", *criteria.columns(config.keep)),
            scope="corpus",
            earlier=config.against,
            fault=_lacking(recipe),
        ),
        Step(
            "dedup/decision",
            "corpus.dedup.stage:decision",
            "1",
            config,
            fields=(),
            needs=("id",),
            adds=("cluster", "cluster_size"),
            filters=True,
            uses=("dedup/clusters",),
        ),
        *passages.steps(config, recipe.reads_code),
    ]


def _lacking(recipe: Recipe) -> str | None:
    """A classifier whose score `dedup.keep` looks at and that the recipe does not have."""
    assert recipe.dedup is not None
    there = [classifier.name for classifier in recipe.quality.classifiers] if recipe.quality else []
    for name in criteria.scores(recipe.dedup.keep):
        if name not in there:
            has = f"it has {', '.join(there)}" if there else "it has none"
            return f"dedup.keep: score_{name} needs a classifier {name} in quality.classifiers of the recipe; {has}"
    return None


def signatures(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Length in bytes, keys of URL and normalised text, and MinHash signature (little-endian uint32) of every document;
    columns of nulls for what the recipe does not ask for."""
    from corpus.dedup.deduplicate import sign
    from corpus.dedup.exact import exact_keys
    from corpus.dedup.room import check
    from corpus.dedup.urls import url_keys
    from corpus.kernels.arrow import string_buffers

    config = task.step.config
    check(task.step.name, task.memory_mb, config.permutations if config.minhash else 0)
    wide = pa.binary(4 * config.permutations) if config.minhash else pa.null()
    address, narrow = (pa.binary(16) if asked else pa.null() for asked in (config.url, config.exact))
    keys = [("url_key", address), ("exact_key", narrow), ("signature", wide)]
    schema = pa.schema([("id", ID), ("text_bytes", pa.int64()), *keys])
    table = out.table(schema)
    # Signatures of so many documents at a time; long ones are larger than texts.
    most = max(_SIGNED // (4 * config.permutations), 1)

    def keyed() -> Iterator[tuple[pa.RecordBatch, list[pa.Array]]]:
        for whole in task.view.batches(task.partition, list(task.step.needs)):
            for first in range(0, len(whole), most):
                batch = whole.slice(first, most)
                located = url_keys(batch.column("url")) if config.url else pa.nulls(len(batch))
                normal = exact_keys(batch.column("text")) if config.exact else pa.nulls(len(batch))
                yield batch, [located, normal]

    # Who reads makes the keys, too: with the writing, signatures take about as long as both.
    for batch, found in ahead(keyed()):
        text, rows = batch.column("text"), len(batch)
        sizes = np.diff(string_buffers(text)[1])
        signed: pa.Array = pa.nulls(rows)
        if config.minhash:
            values = sign(text, config).astype("<u4", copy=False)
            signed = pa.FixedSizeBinaryArray.from_buffers(wide, rows, [None, pa.py_buffer(values)])
        columns = [batch.column("id"), pa.array(sizes), *found, signed]
        table.write(pa.RecordBatch.from_arrays(columns, schema=schema))
        out.count(rows, rows)
        beat(rows)


def clusters(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Who duplicates whom, over all partitions; one file a partition, in its order."""
    from corpus.dedup.clusters import CLUSTERS
    from corpus.dedup.deduplicate import deduplicate
    from corpus.dedup.population import Population
    from corpus.dedup.room import Budget, check

    values = task.step.config.permutations if task.step.config.minhash else 0
    check(task.step.name, task.memory_mb, values)
    population = Population.of(task, beat)
    budget = Budget.of(task.memory_mb, values)
    documents = population.documents(budget.documents)
    room = budget.room(out.directory, int(population.starts[-1]))
    found = deduplicate(documents, population, task.step.config, room, beat)
    before = elsewhere = 0
    for part, start, stop in zip(population.parts, population.starts, population.starts[1:], strict=False):
        if part.delivery is not None:
            before = int(stop)
            continue
        table = out.table_at(f"{part.partition}.parquet", CLUSTERS)
        for first in range(start, stop, GROUP_ROWS):
            rows = found.table(first, min(first + GROUP_ROWS, stop))
            table.write(rows)
            elsewhere += len(rows) - rows.column("cluster_in").null_count
            beat(0)
    count = int(population.starts[-1]) - before
    out.count(count, count)
    if task.earlier:
        # How many went because of what earlier deliveries have.
        out.facts["against"] = elsewhere


def decision(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Keep each cluster's representative; the ledger names, for the others, what they duplicate."""
    from corpus.dedup.clusters import ledger

    kept = out.table(pa.schema([("id", ID), ("cluster", ID), ("cluster_size", pa.int64())]))
    gone = out.table(LEDGER, "ledger")
    for batch in read_table(task.folder("dedup/clusters") / f"{task.partition}.parquet"):
        table = pa.Table.from_batches([batch])
        survivors = table.filter(table.column("rule").is_null())
        kept.write(survivors.select(["id", "cluster", "cluster_size"]))
        rows = ledger(table)
        gone.write(rows)
        dropped = {item["values"]: item["counts"] for item in rows.column("rule").value_counts().to_pylist()}
        out.count(len(batch), len(survivors), dropped)
        beat(len(batch))
