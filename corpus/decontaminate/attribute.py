"""Which items documents hold, by the n-grams that were found in them.

An n-gram that occurs in more than `max_count` documents is a common phrase and counts for nothing (GPT-3: Brown et al.
2020, appendix C), unless the document has all those of a long passage (`Benchmarks.needed`): then it holds the passage,
however often that was copied. An n-gram of several items of a task is put down to the one that the document has most
of. Tasks know nothing of each other: what several have counts for each, as if it was looked for alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.decontaminate.config import DecontaminateConfig
from corpus.decontaminate.index import OWNERS, Benchmarks
from corpus.documents import ID
from corpus.plan import Task
from corpus.store import Writer, read_table, table_name

# A run of words that a document shares with an item, one row each, in the order of documents, items and places.
FOUND = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        # In UTF-8 bytes of the text; the first word, and how many words that is, of all words of the document.
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("first", pa.int64(), nullable=False),
        pa.field("words", pa.int64(), nullable=False),
        pa.field("of", pa.int64(), nullable=False),
    ]
)
_ROWS = 1 << 15


@dataclass(frozen=True)
class Hits:
    """Rows of `matches` of whole documents: `ids` of the documents, `document` int64[m] which of them, and columns."""

    ids: pa.Array
    document: np.ndarray
    columns: dict[str, np.ndarray]


def hits(path: Path, beat: Callable[[int], object]) -> Iterator[Hits]:
    """The rows of a partition, document by document; a document is never cut."""
    pending: list[pa.RecordBatch] = []
    for batch in read_table(path, rows=_ROWS):
        beat(0)
        ids = batch.column("id")
        last = pc.index(pc.equal(ids, ids[-1]), True).as_py()
        if last or (pending and pending[-1].column("id")[-1] != ids[-1]):
            yield _hits(pa.Table.from_batches([*pending, batch.slice(0, last)]))
            pending = []
        pending.append(batch.slice(last))
    if pending:
        yield _hits(pa.Table.from_batches(pending))


def _hits(table: pa.Table) -> Hits:
    ids = table.column("id").combine_chunks()
    new = np.ones(len(ids), bool)
    new[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    columns = {name: table.column(name).to_numpy() for name in table.column_names if name != "id"}
    return Hits(ids.take(pa.array(np.flatnonzero(new))), np.cumsum(new) - 1, columns)


def attribute(task: Task, benchmarks: Benchmarks, out: Writer, beat: Callable[[int], None]) -> None:
    """FOUND of every partition from its `matches`, and the facts of each task:

    `items` in the benchmark, those `searched` for, those `found`, `documents` that hold any, `common` n-grams that were
    left out."""
    config = task.step.config
    paths = {name: task.folder("decontaminate/matches") / table_name(name) for name in task.partitions}
    common = common_grams((found for path in paths.values() for found in hits(path, beat)), benchmarks, config)
    table = next(read_table(task.folder("decontaminate/index") / "items.parquet", rows=1 << 31))
    tasks = table.column("task").to_numpy()
    names = pa.array([benchmark.name for benchmark in config.by_name], pa.string())
    seen, documents = np.zeros(len(tasks), bool), np.zeros(len(names), np.int64)
    for name, path in paths.items():
        side = out.table_at(table_name(name), FOUND)
        for found in hits(path, beat):
            held = runs(found, benchmarks, common, tasks)
            item = held["item"]
            of_task = tasks[item]
            columns = [
                found.ids.take(pa.array(held["document"])),
                names.take(pa.array(of_task)),
                table.column("item").take(pa.array(item)),
                *(pa.array(held[key]) for key in ("start", "end", "first", "words", "of")),
            ]
            side.write(pa.Table.from_arrays(columns, schema=FOUND))
            seen[item] = True
            touched = np.unique(np.stack([held["document"], of_task], axis=1), axis=0)
            documents += np.bincount(touched[:, 1], minlength=len(names))
    starts, ends = benchmarks.owner_starts[:-1][common], benchmarks.owner_starts[1:][common]
    gram = np.repeat(np.arange(len(starts)), ends - starts)
    of_task = tasks[benchmarks.items[benchmarks.owners[_ranges(starts, ends)]]]
    left_out = of_task[_new(gram, of_task)]
    out.facts["tasks"] = {
        name: {
            "items": int((tasks == k).sum()),
            "searched": int((benchmarks.searched & (tasks == k)).sum()),
            "found": int((seen & (tasks == k)).sum()),
            "documents": int(documents[k]),
            "common": int((left_out == k).sum()),
        }
        for k, name in enumerate(names.to_pylist())
    }


def common_grams(parts: Iterable[Hits], benchmarks: Benchmarks, config: DecontaminateConfig) -> np.ndarray:
    """bool[n]: which of the benchmarks' n-grams more than `max_count` documents have."""
    if config.max_count is None:
        return np.zeros(len(benchmarks.grams), bool)
    counts = np.zeros(len(benchmarks.grams), np.int64)
    for found in parts:
        pairs = np.unique(np.stack([found.document, found.columns["gram"]], axis=1), axis=0)
        np.add.at(counts, pairs[:, 1], 1)
    return counts > config.max_count


def runs(found: Hits, benchmarks: Benchmarks, common: np.ndarray, tasks: np.ndarray) -> dict[str, np.ndarray]:
    """Runs of words that documents share with items, in the order of documents, items and places; int64[m] each:
    `document`, `item`, `start` and `end` in bytes, `first` word, number of `words`, `of` all words of the document.

    `tasks[i]` is the number of the task of item i.
    """
    return _runs(found, *_items_of(found, benchmarks, common, tasks))


def _items_of(
    found: Hits, benchmarks: Benchmarks, common: np.ndarray, tasks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(int64[m], int64[m]): hits, and the items that they are put down to, of each task at most one."""
    grams = len(benchmarks.grams)
    pairs, back = np.unique(found.document * grams + found.columns["gram"], return_inverse=True)
    document, gram = np.divmod(pairs, grams)
    starts, ends = benchmarks.owner_starts[gram], benchmarks.owner_starts[gram + 1]
    pair = np.repeat(np.arange(len(pairs)), ends - starts)
    passage = benchmarks.owners[_ranges(starts, ends)]

    key = document[pair] * len(benchmarks.items) + passage
    _, inverse, size = np.unique(key, return_inverse=True, return_counts=True)
    whole = size[inverse] == benchmarks.needed[passage]
    stands = ~common[gram]
    stands[pair[whole]] = True

    alive = stands[pair]
    pair, item = pair[alive], benchmarks.items[passage[alive]].astype(np.int64)
    # Owners ascend, so those of a task follow each other.
    choice = np.cumsum(_new(pair, tasks[item])) - 1
    # What a template shares with dozens of items does not say which of them this is.
    template = (np.bincount(choice) == OWNERS)[choice]
    key = document[pair] * len(tasks) + item
    _, inverse = np.unique(key, return_inverse=True)
    size = np.bincount(inverse, np.where(template, 1e-9, 1.0))[inverse]
    order = np.lexsort((item, -size, choice))
    order = order[_new(choice[order])]
    pair, item, size, template = pair[order], item[order], size[order], template[order]

    # A template's n-gram goes to the item of its task that the document has most of.
    key = document[pair] * len(tasks) + tasks[item]
    order = np.lexsort((item, -size, key))
    _, inverse = np.unique(key, return_inverse=True)
    item = np.where(template, item[order][_new(key[order])][inverse], item)

    edges = np.searchsorted(pair, np.arange(len(pairs) + 1))
    starts, ends = edges[:-1][back], edges[1:][back]
    return np.repeat(np.arange(len(back)), ends - starts), item[_ranges(starts, ends)]


def _new(*keys: np.ndarray) -> np.ndarray:
    """bool[n]: where any of the keys differs from the one before it."""
    new = np.ones(len(keys[0]), bool)
    new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return new


def _ranges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The numbers of each range `starts[k]:ends[k]`, one range behind the other."""
    sizes = ends - starts
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(starts, sizes)


def _runs(found: Hits, kept: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
    """Hits `kept` of items in a document that overlap or follow each other, as one run."""
    order = np.lexsort((found.columns["first"][kept], item, found.document[kept]))
    kept, item = kept[order], item[order]
    document, first = found.document[kept], found.columns["first"][kept]
    last = first + found.columns["words"][kept]
    group = _new(document, item)
    # How far the words of the group reach so far: groups are put so far apart that none reaches into the next.
    offset = (np.cumsum(group) - 1) * (int(last.max(initial=0)) + 1)
    reach = np.maximum.accumulate(last + offset)
    new = group.copy()
    new[1:] |= (first + offset)[1:] > reach[:-1]
    begins = np.flatnonzero(new)
    ends = np.append(begins[1:], len(kept)) - 1
    end = np.maximum.reduceat(found.columns["end"][kept], begins) if len(begins) else np.zeros(0, np.int64)
    return {
        "document": document[begins],
        "item": item[begins],
        "start": found.columns["start"][kept][begins],
        "end": end,
        "first": first[begins],
        "words": (reach - offset)[ends] - first[begins] if len(begins) else np.zeros(0, np.int64),
        "of": found.columns["of"][kept][begins],
    }
