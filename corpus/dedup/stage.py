"""Stage `dedup`: `signatures` a partition, `clusters` over all of them, `decision` keeps one document a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from corpus.documents import ID, LEDGER
from corpus.plan import Step, Task
from corpus.recipe import Recipe
from corpus.store import Writer, read_table

# The keys that decide keys and signatures, and those that the clusters have nothing to do with.
SIGNED_BY = ("url", "exact", "minhash", "ngram", "normalise", "permutations", "signature", "seed")
PASSAGES = ("lines", "paragraphs", "sentences", "substrings")


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.dedup
    if config is None:
        return []
    return [
        Step(
            "dedup/signatures",
            "corpus.dedup.stage:signatures",
            "2",
            config,
            fields=SIGNED_BY,
            needs=("id", "text"),
            adds=("text_bytes", "exact_key", "signature"),
        ),
        Step(
            "dedup/clusters",
            "corpus.dedup.stage:clusters",
            "2",
            config,
            fields=tuple(name for name in type(config).model_fields if name not in (*SIGNED_BY, *PASSAGES)),
            needs=("id", "text_bytes", "exact_key", "signature", "text"),
            scope="corpus",
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
    ]


def signatures(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Length in bytes, key of the normalised text and MinHash signature (little-endian uint32) of every document."""
    from corpus.dedup.exact import exact_keys
    from corpus.kernels.arrow import string_buffers
    from corpus.kernels.minhash import signatures as minhash

    config = task.step.config
    count = config.permutations
    wide = pa.binary(4 * count) if config.minhash else pa.null()
    narrow = pa.binary(16) if config.exact else pa.null()
    schema = pa.schema([("id", ID), ("text_bytes", pa.int64()), ("exact_key", narrow), ("signature", wide)])
    table = out.table(schema)
    for batch in task.view.batches(task.partition, ["id", "text"]):
        text, rows = batch.column("text"), len(batch)
        sizes = np.diff(string_buffers(text)[1])
        keys = exact_keys(text) if config.exact else pa.nulls(rows)
        signed: pa.Array = pa.nulls(rows)
        if config.minhash:
            values = minhash(text, count, config.ngram, config.seed).astype("<u4")
            signed = pa.FixedSizeBinaryArray.from_buffers(wide, rows, [None, pa.py_buffer(values)])
        columns = [batch.column("id"), pa.array(sizes), keys, signed]
        table.write(pa.RecordBatch.from_arrays(columns, schema=schema))
        out.count(rows, rows)
        beat(rows)


def clusters(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Who duplicates whom, over all partitions; one file a partition, in its order."""
    from corpus.dedup.clusters import CLUSTERS
    from corpus.dedup.deduplicate import deduplicate

    config = task.step.config
    columns = ["id", "text_bytes", "exact_key", "signature"]
    parts: list[pa.Table] = []
    counts: list[int] = []
    for partition in task.partitions:
        batches = list(task.view.batches(partition, columns))
        counts.append(sum(len(batch) for batch in batches))
        parts += [pa.Table.from_batches([batch]) for batch in batches]
    if not parts:
        for partition in task.partitions:
            out.table_at(f"{partition}.parquet", CLUSTERS)
        return
    table = pa.concat_tables(parts).combine_chunks()
    signed = None
    if config.minhash:
        buffer = table.column("signature").combine_chunks()
        flat = np.frombuffer(buffer.buffers()[1], "<u4").reshape(-1, config.permutations)
        signed = flat[buffer.offset : buffer.offset + len(buffer)]
    found = deduplicate(
        table.column("id").combine_chunks(),
        table.column("text_bytes").to_numpy(),
        table.column("exact_key").combine_chunks() if config.exact else None,
        signed,
        _Shingler(task, counts, beat),
        config,
    )
    start = 0
    for partition, count in zip(task.partitions, counts, strict=True):
        out.table_at(f"{partition}.parquet", CLUSTERS).write(found.slice(start, count))
        start += count
    out.count(table.num_rows, table.num_rows)


class _Shingler:
    """Shingles of the rows asked for, read from the text of the partitions that hold them."""

    def __init__(self, task: Task, counts: list[int], beat: Callable[[int], None]) -> None:
        self.task, self.beat = task, beat
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def __call__(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from corpus.kernels.shingles import shingles

        hashes, lengths = [np.zeros(0, np.uint64)], [np.zeros(1, np.int64)]
        for texts in self._texts(rows):
            values, offsets = shingles(texts, self.task.step.config.ngram)
            hashes.append(values)
            lengths.append(np.diff(offsets))
        return np.concatenate(hashes), np.cumsum(np.concatenate(lengths))

    def _texts(self, rows: np.ndarray) -> Iterator[pa.Array]:
        """Texts of `rows` (ascending, distinct), in batches."""
        for number, partition in enumerate(self.task.partitions):
            first, last = np.searchsorted(rows, self.starts[number : number + 2])
            if first == last:
                continue
            wanted = rows[first:last] - self.starts[number]
            seen = 0
            for batch in self.task.view.batches(partition, ["text"]):
                here = wanted[(wanted >= seen) & (wanted < seen + len(batch))] - seen
                seen += len(batch)
                self.beat(0)
                if len(here):
                    yield batch.column("text").take(pa.array(here))


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
