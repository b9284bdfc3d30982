"""What became of every document of a folder, as arrays: 16-byte ids and small numbers, no object a document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.documents import ID
from corpus.errors import CorpusError
from corpus.plan import Step
from corpus.report.lookup import ROWS
from corpus.report.outputs import BASE, Outputs
from corpus.store import read_table
from corpus.tokenizer.sample import id_words, keyed_hash

KEPT, ABSENT = 0, 1


@dataclass
class Names:
    """Fates as numbers: 0 is kept, 1 is not in the input, any other a (step, rule) that dropped the document."""

    known: list[tuple[str, str]] = field(default_factory=lambda: [("kept", ""), ("absent", "")])

    def codes(self, step: str, rules: pa.Array) -> np.ndarray:
        """int32[n]: the fates of documents that `step` dropped for `rules` (strings)."""
        encoded = rules.dictionary_encode()
        numbers = [self._number((step, rule)) for rule in encoded.dictionary.to_pylist()]
        return np.array([*numbers, 0], np.int32)[encoded.indices.to_numpy()]

    def _number(self, fate: tuple[str, str]) -> int:
        if fate not in self.known:
            self.known.append(fate)
        return self.known.index(fate)


@dataclass(frozen=True)
class Fates:
    """Of n documents: `ids`, `fate` int32[n] by its first failed rule, `size` int64[n] bytes of text as extracted
    (0 where there is none), `text` uint64[n] and `edits` uint64[n] digests of text and of what was edited in it."""

    ids: pa.Array
    fate: np.ndarray
    size: np.ndarray
    text: np.ndarray
    edits: np.ndarray


def count(outputs: Outputs) -> int:
    """How many documents were ever read."""
    return sum(entry.rows_in for entry in outputs.entries[BASE].values())


def fates(outputs: Outputs, names: Names, until: str | None, part: int = 0, parts: int = 1) -> Fates:
    """The fates after the last step of stage `until` (None: after all that are done).

    Of `parts` equal parts of all documents, by their ids, only one.
    """
    found = [_partition(outputs, names, partition, until, part, parts) for partition in outputs.partitions]
    return Fates(
        pa.concat_arrays([pa.array([], ID), *(one.ids for one in found)]),
        np.concatenate([np.zeros(0, np.int32), *(one.fate for one in found)]),
        *(
            np.concatenate([np.zeros(0, kind), *(getattr(one, name) for one in found)])
            for name, kind in (("size", np.int64), ("text", np.uint64), ("edits", np.uint64))
        ),
    )


def _partition(outputs: Outputs, names: Names, partition: str, until: str | None, part: int, parts: int) -> Fates:
    def read(step: str, kind: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in read_table(outputs.table(step, partition, kind), ["id", *columns], ROWS):
            if parts > 1:
                batch = batch.filter(pa.array(id_words(_ids(batch))[:, 0] % np.uint64(parts) == part))
            yield batch

    base, lost = list(read(BASE, "", ["bytes", "content_sha"])), list(_firsts(read(BASE, "ledger", ["rule"])))
    rows = pa.concat_arrays([pa.array([], ID), *map(_ids, base)])
    gone = [names.codes(BASE, batch.column("rule")) for batch in lost]
    fate, edits = np.zeros(len(rows), np.int32), np.zeros(len(rows), np.uint64)
    for step in _steps(outputs, until):
        if step.filters:
            for batch in _firsts(read(step.name, "ledger", ["rule"])):
                fate[_places(batch, rows, step.name)] = names.codes(step.name, batch.column("rule"))
        if step.edits:
            for batch in read(step.name, "edits", ["start", "end", "replacement"]):
                np.add.at(edits, _places(batch, rows, step.name), _digests(batch, step.name))
    none = np.zeros(sum(map(len, gone)), np.uint64)
    return Fates(
        pa.concat_arrays([rows, *map(_ids, lost)]),
        np.concatenate([fate, *gone]),
        np.concatenate([*(batch.column("bytes").to_numpy() for batch in base), none.astype(np.int64)]),
        np.concatenate([*(_words(batch.column("content_sha"), 4)[:, 0] for batch in base), none]),
        np.concatenate([edits, none]),
    )


def _steps(outputs: Outputs, until: str | None) -> Iterator[Step]:
    """The steps of documents that are done, in order, up to the last one of stage `until`."""
    last = outputs.last_of(until)
    for step in outputs.done[1:]:
        if step.scope == "partition":
            yield step
        if step.name == last:
            return


def _firsts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of a ledger only the first row of each document."""
    last = np.zeros((0, 2), np.uint64)
    for batch in filter(len, batches):
        words = np.concatenate([last, id_words(_ids(batch))])
        new = np.concatenate([[True], (words[1:] != words[:-1]).any(axis=1)])[len(last) :]
        last = words[-1:]
        yield batch.filter(pa.array(new))


def _places(batch: pa.RecordBatch, rows: pa.Array, step: str) -> np.ndarray:
    found = pc.index_in(_ids(batch), value_set=rows)
    if found.null_count:
        raise CorpusError(f"{step}: holds ids that the base table lacks; remove its folder and run again")
    return found.to_numpy()


def _digests(batch: pa.RecordBatch, step: str) -> np.ndarray:
    """uint64[n]: a hash of each edit."""
    replaced = batch.column("replacement").dictionary_encode()
    hashes = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in replaced.dictionary.to_pylist()]
    inside = np.frombuffer(b"".join(hashes), "<u8")[replaced.indices.to_numpy()]
    words = np.stack([batch.column("start").to_numpy().view(np.uint64), inside], axis=1)
    words[:, 1] += batch.column("end").to_numpy().view(np.uint64)
    return keyed_hash(pa.Array.from_buffers(ID, len(words), [None, pa.py_buffer(words)]), step)


def _words(column: pa.Array, width: int) -> np.ndarray:
    """uint64[n, width]: a column of fixed bytes as little-endian words."""
    return np.frombuffer(column.buffers()[1], "<u8", width * len(column), 8 * width * column.offset).reshape(-1, width)


def _ids(batch: pa.RecordBatch) -> pa.Array:
    return batch.column("id").cast(ID)
