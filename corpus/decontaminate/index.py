"""The benchmarks' n-grams as arrays on disk, made once and mapped by every worker.

An item's passages are its texts and, because the answer often stands right behind the question, each two of different
fields in a row. A passage of `ngram` words or more is looked for by its n-grams; a shorter one as a whole. A character
of a script without spaces is a word of its own and says half as much: passages in such scripts count double.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus.decontaminate.benchmarks import Item
from corpus.decontaminate.config import DecontaminateConfig
from corpus.decontaminate.labels import likeness
from corpus.errors import CorpusError
from corpus.kernels.contamination import Index, lookup, tokenise, window_hashes
from corpus.store import sha256_file

# Of more passages of a task than this an n-gram is a template's: it names no item where another one does.
OWNERS = 64
# With more fields and without an order given, only neighbours are put in a row.
_ANY_ORDER = 4
# Least words of a sentence, of what is half like one, and of other texts: see `likeness`.
_LEAST = ("min_words", "min_fragment_words", "min_choice_words")
_HEADER = 128  # bytes of a .npy file without an element


@dataclass(frozen=True)
class Benchmarks:
    """`grams` uint64[n], sorted, are all that is looked for; gram g belongs to the passages
    `owners[owner_starts[g]:owner_starts[g + 1]]` (int32, ascending, at most OWNERS of a task), passage p to item
    `items[p]`; the items of a task follow each other.

    `needed[p]`: of a passage that counts however often it occurs, how many grams name it; else 0. `sizes`, `anchors`,
    `length_starts`, `lengths`: see `corpus.kernels.contamination.Index`. `searched`: bool, for each item whether it has
    a passage that is looked for.
    """

    grams: np.ndarray
    sizes: np.ndarray
    anchor: np.ndarray
    anchors: np.ndarray
    length_starts: np.ndarray
    lengths: np.ndarray
    owner_starts: np.ndarray
    owners: np.ndarray
    items: np.ndarray
    needed: np.ndarray
    searched: np.ndarray

    @functools.cached_property
    def index(self) -> Index:
        """With the tables to look up in."""
        return Index(
            lookup(self.grams),
            self.sizes,
            int(self.anchor[0]),
            lookup(self.anchors),
            self.length_starts,
            self.lengths,
        )

    def save(self, folder: Path) -> None:
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name))


@functools.lru_cache(maxsize=1)  # the next task of this process wants the same
def _load(folder: Path, digests: tuple[tuple[str, str], ...]) -> Benchmarks:
    arrays = {}
    for name, sha in digests:
        path = folder / f"{name}.npy"
        if sha256_file(path) != sha:
            raise CorpusError(f"{path}: sha256 differs from the manifest; remove its folder and run again")
        # Nothing cannot be mapped.
        array = np.asarray(np.load(path, mmap_mode="r" if path.stat().st_size > _HEADER else None))
        array.flags.writeable = False
        arrays[name] = array
    return Benchmarks(**arrays)


def load(folder: Path, inputs: Mapping[str, str]) -> Benchmarks:
    """What `save` left in `folder`; `inputs` (path -> sha256) are the task's. Raises CorpusError for damaged files."""
    known = {Path(path).name: sha for path, sha in inputs.items()}
    return _load(folder, tuple((field.name, known[f"{field.name}.npy"]) for field in fields(Benchmarks)))


@dataclass
class _Passages:
    """Texts, and passages as pairs of them: `left`, `right` (-1: none), item, and what they are (`_LEAST`)."""

    texts: list[str]
    left: list[int]
    right: list[int]
    item: list[int]
    kind: list[int]

    def add(self, number: int, item: Item, ordered: bool) -> None:
        places: list[range] = []
        for texts, several in zip(item.fields, item.several, strict=True):
            places.append(range(len(self.texts), len(self.texts) + len(texts)))
            self.texts += texts
            for at, text in zip(places[-1], texts, strict=True):
                self._passage(at, -1, number, likeness(text, several))
        for a, b in _neighbours(len(places), ordered):
            for left in places[a]:
                for right in places[b]:
                    self._passage(left, right, number, 0)

    def _passage(self, left: int, right: int, item: int, kind: int) -> None:
        self.left.append(left)
        self.right.append(right)
        self.item.append(item)
        self.kind.append(kind)


def _neighbours(count: int, ordered: bool) -> Iterator[tuple[int, int]]:
    if ordered or count > _ANY_ORDER:
        yield from zip(range(count - 1), range(1, count), strict=True)
    else:
        yield from ((a, b) for a in range(count) for b in range(count) if a != b)


def build(
    benchmarks: Iterable[tuple[Iterable[Item], bool]],
    config: DecontaminateConfig,
    beat: Callable[[int], object] = lambda rows: None,
) -> tuple[Benchmarks, pa.Table]:
    """(what is looked for, a row an item: `task` int32, `item` string), of benchmarks as (items, whether their fields
    have an order). Takes about 14 times the benchmarks' bytes of memory while it works."""
    found = _Passages([], [], [], [], [])
    tasks, labels = list[int](), list[str]()
    for task, (items, ordered) in enumerate(benchmarks):
        for item in items:
            found.add(len(labels), item, ordered)
            tasks.append(task)
            labels.append(item.label)
            if len(labels) % 1024 == 0:
                beat(0)
    table = pa.table({"task": pa.array(tasks, pa.int32()), "item": pa.array(labels, pa.string())})
    return _build(found, table.column("task").to_numpy(), config), table


def _text_array(texts: list[str]) -> pa.Array:
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError:  # JSON can name half a character
        return pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.large_string())


def _build(found: _Passages, tasks: np.ndarray, config: DecontaminateConfig) -> Benchmarks:
    words, offsets, alone = tokenise(_text_array(found.texts))
    size = np.append(np.diff(offsets), 0)  # of text -1: none
    alone = np.append(alone, 0)
    left, right = np.array(found.left, np.int64), np.array(found.right, np.int64)
    item, kind = np.array(found.item, np.int32), np.array(found.kind, np.int8)
    found.texts, found.left, found.right, found.item, found.kind = [], [], [], [], []

    single = right < 0
    total = size[left] + size[right]
    unit = np.where(2 * (alone[left] + alone[right]) > total, 2, 1)
    least = np.array([getattr(config, name) for name in _LEAST])[kind] * unit
    window = config.ngram * unit
    whole = total < window
    # Of two texts in a row, only windows that reach into both; short ones only where neither is looked for alone.
    first = np.where(single | whole, 0, np.maximum(0, size[left] - window + 1))
    last = np.where(single, total - window, np.minimum(size[left] - 1, total - window))
    alive = np.zeros(len(size), bool)
    alive[left[single & (total >= np.minimum(least, window))]] = True
    counts = np.where(
        whole,
        (total >= least) & (single | ~(alive[left] | alive[right])) & (single | ((size[left] > 0) & (size[right] > 0))),
        np.maximum(0, last - first + 1),
    ).astype(np.int64)
    sizes = np.where(whole, total, window)

    short = whole & (counts > 0)
    anchor = int(total[short].min()) if short.any() else 0
    grams, begins = window_hashes(words, offsets, left, right, first, counts, sizes, anchor)
    passage = np.repeat(np.arange(len(left), dtype=np.int32), counts)
    is_short = short[passage]
    anchors, length_starts, lengths = _anchors(begins[is_short], sizes[passage[is_short]])
    del begins, is_short
    grams, owner_starts, owners = _owners(grams, passage, tasks[item])
    needed = np.bincount(owners, minlength=len(left)).astype(np.int32)
    told = ~whole | ((kind == 0) & (total >= config.min_choice_words * unit))
    needed[~(single & told)] = 0
    searched = np.zeros(len(tasks), bool)
    searched[item[counts > 0]] = True
    return Benchmarks(
        grams,
        np.unique(window[~whole & (counts > 0)]).astype(np.int64),
        np.array([anchor], np.int64),
        anchors,
        length_starts,
        lengths,
        owner_starts,
        owners,
        item,
        needed,
        searched,
    )


def _anchors(hashes: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct anchors, sorted, and the distinct lengths of the passages that begin with each."""
    order = np.lexsort((lengths, hashes))
    hashes, lengths = hashes[order], lengths[order].astype(np.int64)
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (lengths[1:] != lengths[:-1])
    anchors, starts = np.unique(hashes[new], return_index=True)
    return anchors, np.append(starts, new.sum()).astype(np.int64), lengths[new]


def _owners(grams: np.ndarray, passage: np.ndarray, tasks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct grams, sorted, and of each the first OWNERS passages of each task that have it; passage p is of task
    `tasks[p]`."""
    order = np.argsort(grams, kind="stable")
    grams, passage = grams[order], passage[order]
    del order
    new = np.ones(len(grams), bool)
    new[1:] = grams[1:] != grams[:-1]
    other = new.copy()
    other[1:] |= passage[1:] != passage[:-1]
    grams, passage, new = grams[other], passage[other], new[other]
    task = tasks[passage]
    of_task = new.copy()
    of_task[1:] |= task[1:] != task[:-1]
    del task
    first = np.flatnonzero(of_task)
    few = np.arange(len(grams)) - np.repeat(first, np.diff(np.append(first, len(grams)))) < OWNERS
    starts = np.flatnonzero(new)
    return grams[new], np.append(np.cumsum(few)[starts] - 1, few.sum()).astype(np.int64), passage[few]
