"""The steps that cut out repeated passages: for each kind, `KIND-counts` over the corpus, then `KIND` a partition.

Whole paragraphs go before lines, lines before sentences, these before runs of words: a cut inside a passage makes
another passage of it, which no longer equals its copies; a whole one taken out leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dedup.config import DedupConfig
from corpus.dedup.passages.config import RULES, Units
from corpus.documents import EDITS, ID, LEDGER
from corpus.ledger import judge
from corpus.plan import Step, Task
from corpus.store import GROUP_ROWS, Table, Writer, read_table, table_name

# These count documents, the others occurrences.
_ACROSS = ("paragraphs", "lines")
_UNITS = ("min_words", "length", "words")
_CODE = "programming_language"
# About how many bytes of text there are for each passage.
_EXPECTED_BYTES = {"paragraphs": 128, "lines": 32, "sentences": 64, "substrings": 5}
_COUNTS = pa.schema(
    [
        # Number of the passage among those of its partition, in the order of its documents.
        pa.field("passage", pa.int64(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        # Whether it stays when one stays.
        pa.field("first", pa.bool_(), nullable=False),
    ]
)
_FAILURES = pa.schema(
    [("row", pa.int64()), ("rule", pa.string()), ("value", pa.float64()), ("threshold", pa.float64())]
)


def steps(config: DedupConfig, reads_code: bool) -> list[Step]:
    """Two steps for each kind that `config` has. Source files are left alone: their lines are no prose."""
    made = []
    columns = ("id", "text", *([_CODE] if reads_code else []))
    for kind in RULES:
        settings = getattr(config, kind)
        if settings is None:
            continue
        units = {name: getattr(settings, name) for name in _UNITS if hasattr(settings, name)}
        made += [
            Step(
                f"dedup/{kind}-counts",
                "corpus.dedup.passages.stage:counts",
                "1",
                Units.model_validate({kind: units}),
                fields=(kind,),
                needs=(*columns, "bytes"),
                scope="corpus",
            ),
            Step(
                f"dedup/{kind}",
                "corpus.dedup.passages.stage:decision",
                "1",
                config,
                fields=(kind,),
                needs=columns,
                filters=True,
                edits=True,
                uses=(f"dedup/{kind}-counts",),
            ),
        ]
    return made


def counts(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Which passages of each partition are repeated in the corpus; one file a partition, in its order."""
    from corpus.dedup.passages.count import Repeats
    from corpus.dedup.passages.find import find

    kind = task.step.name.removeprefix("dedup/").removesuffix("-counts")
    settings = getattr(task.step.config, kind)
    size = 0
    for partition in task.partitions:
        for batch in task.view.batches(partition, ["bytes"]):
            size += pc.sum(batch.column("bytes")).as_py()
    beat(0)
    expected = size // _EXPECTED_BYTES[kind]
    with Repeats(out.directory, expected, budget(task.memory_mb), kind in _ACROSS) as repeats:
        starts = [0]
        for partition in task.partitions:
            for batch, prose in _batches(task, partition):
                ids, texts = (prose.column(name) for name in ("id", "text"))
                found = find(texts, kind, settings)
                repeats.add(found.hashes, _owners(ids)[found.rows])
                out.count(len(batch), len(batch))
                beat(len(batch))
            starts.append(repeats.total)
        _write(out, task.partitions, starts, repeats.places(beat))


def _write(out: Writer, partitions: Sequence[str], starts: list[int], found: Iterator[tuple[np.ndarray, ...]]) -> None:
    """A file a partition, one open at a time; passages `starts[k]` to `starts[k + 1]` are those of partition k."""
    rest: list[pa.Table] = []  # of the partition at hand, less than a row group
    number = 0
    for places, *columns in found:
        at = 0
        while at < len(places):
            end = int(np.searchsorted(places, starts[number + 1]))
            values = [column[at:end] for column in (places - starts[number], *columns)]
            rest.append(pa.table(values, schema=_COUNTS))
            at = end
            table = out.table_at(table_name(partitions[number]), _COUNTS)
            rest = _groups(rest, table, last=at < len(places))
            if at < len(places):
                table.close()
                number += 1
    for partition in partitions[number:]:
        table = out.table_at(table_name(partition), _COUNTS)
        rest = _groups(rest, table, last=True)
        table.close()


def _groups(parts: list[pa.Table], table: Table, last: bool) -> list[pa.Table]:
    """Write `parts` in row groups of one size, however they come, which depends on the memory; returns the rest."""
    rows = pa.concat_tables([_COUNTS.empty_table(), *parts])
    end = len(rows) if last else len(rows) // GROUP_ROWS * GROUP_ROWS
    for first in range(0, end, GROUP_ROWS):
        table.write(rows.slice(first, GROUP_ROWS).combine_chunks())
    return [rows.slice(end)]


def budget(memory_mb: int) -> int:
    """Bytes for counting in a worker that may hold `memory_mb` (0: no limit) with all that is loaded."""
    return max(32, (memory_mb - 512) // 2) << 20 if memory_mb else 1 << 30


def decision(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Cut repeated passages out, as edits; drop what is cut and left with too little."""
    from corpus.dedup.passages.find import count_words, cut, find
    from corpus.kernels.edits import apply_edits

    kind = task.step.name.removeprefix("dedup/")
    rule, settings = RULES[kind], getattr(task.step.config, kind)
    kept, ledger, edits = out.table(pa.schema([("id", ID)])), out.table(LEDGER, "ledger"), out.table(EDITS, "edits")
    marks = _Marks(task, f"dedup/{kind}-counts", getattr(settings, "min_count", 1), settings.keep == "none")
    facts = dict.fromkeys(("documents", "spans", "bytes"), 0)
    for batch, prose in _batches(task, task.partition):
        ids, texts = (prose.column(name) for name in ("id", "text"))
        found = find(texts, kind, settings.model_dump())
        spans = cut(texts, found, marks.next(len(found)))
        changed = spans.column("row").unique()
        left = count_words(apply_edits(texts, spans).take(changed))
        few = left < settings.min_left
        drop = changed.filter(pa.array(few))
        rows = pc.index_in(ids.take(drop), value_set=batch.column("id")).cast(pa.int64())
        values = pa.array(left[few], pa.float64())
        names, thresholds = pa.repeat(rule, len(rows)), pa.repeat(float(settings.min_left), len(rows))
        failures = pa.table([rows, names, values, thresholds], schema=_FAILURES)
        verdict = judge(batch.column("id"), failures)
        survivors = batch.column("id").filter(pa.array(verdict.keep))
        kept.write(pa.record_batch({"id": survivors}))
        ledger.write(verdict.ledger)
        spans = spans.filter(pc.invert(pc.is_in(spans.column("row"), value_set=drop)))
        edits.write(_edits(spans, ids, rule))
        facts["documents"] += len(changed) - len(drop)
        facts["spans"] += len(spans)
        facts["bytes"] += pc.sum(pc.subtract(spans.column("end"), spans.column("start"))).as_py() or 0
        out.count(len(batch), len(survivors), verdict.dropped, verdict.failed)
        beat(len(batch))
    out.facts["passages"] = {rule: facts}


def _edits(spans: pa.Table, ids: pa.Array, rule: str) -> pa.Table:
    columns = [ids.take(spans.column("row").combine_chunks()), *spans.select(["start", "end", "replacement"]).columns]
    return pa.table([*columns, pa.repeat(rule, len(spans))], schema=EDITS)


def _batches(task: Task, partition: str) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """(documents, those of them that are no source files), in parts of bounded size."""
    from corpus.dedup.passages.find import sliced

    columns = [name for name in task.step.needs if name != "bytes"]
    for whole in task.view.batches(partition, columns):
        for batch in sliced(whole):
            yield batch, batch.filter(pc.is_null(batch.column(_CODE))) if _CODE in columns else batch


def _owners(ids: pa.Array) -> np.ndarray:
    """uint64[n]: the first 8 bytes of each id, of which the smallest owns what one document keeps."""
    words = np.frombuffer(ids.buffers()[1], ">u8").reshape(-1, 2)
    return words[ids.offset : ids.offset + len(ids), 0].astype(np.uint64)


class _Marks:
    """Which passages of a partition are to go, read along with its documents."""

    def __init__(self, task: Task, step: str, min_count: int, all_go: bool) -> None:
        self._batches = read_table(task.folder(step) / table_name(task.partition), rows=1 << 16)
        self._min_count, self._all = min_count, all_go
        self._passages, self._at = np.zeros(0, np.int64), 0

    def next(self, count: int) -> np.ndarray:
        """bool[count]: of the next passages."""
        end = self._at + count
        while not len(self._passages) or self._passages[-1] < end:
            batch = next(self._batches, None)
            if batch is None:
                break
            go = pc.greater_equal(batch.column("documents"), self._min_count)
            if not self._all:
                go = pc.and_not(go, batch.column("first"))
            more = batch.column("passage").filter(go).to_numpy()
            self._passages = np.concatenate([self._passages, more])
        here = np.searchsorted(self._passages, end)
        chosen = np.zeros(count, bool)
        chosen[self._passages[:here] - self._at] = True
        self._passages, self._at = self._passages[here:], end
        return chosen
