"""Random documents, the same ones for the same seed: those with the smallest hash of (seed, id)."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.decontaminate.config import RULE as CONTAMINATED
from corpus.errors import CorpusError
from corpus.pii.hide import hidden, hidden_parts
from corpus.report.history import deliveries
from corpus.report.lookup import ROWS, bare_texts, fetch
from corpus.report.outputs import BASE, Outputs
from corpus.report.rule_names import rule_names
from corpus.report.text import marked
from corpus.store import read_table
from corpus.tokenizer.sample import keyed_hash

_FAILED = ("rule", "value", "threshold", "detail", "duplicate_folder")
_AROUND = 160  # characters on each side of an item


@dataclass(frozen=True)
class Sample:
    """A document, kept (`step` None) or dropped by `step` for `failed` rules: rule, value, threshold, detail, and of a
    duplicate of an earlier delivery's document `duplicate_folder`, None where that cannot be found any more.

    `text` is None for what `extract` dropped: there is none. `around`: the first item of a benchmark that was found in
    it, with the words around it.
    """

    id: bytes
    source: str | None
    url: str | None
    locator: str
    title: str | None
    step: str | None
    failed: tuple[dict[str, Any], ...]
    text: str | None
    around: str | None = None


@dataclass(frozen=True, order=True)
class _Pick:
    hash: int
    id: bytes
    partition: str
    step: str


def kept(outputs: Outputs, count: int, seed: int = 1, stage: str | None = None) -> list[Sample]:
    """`count` of the documents alive after a stage (None: after all that are done). Raises CorpusError for a stage
    that is not up to date."""
    if stage is not None:
        outputs.require(stage)
    view = outputs.view(outputs.last_of(stage))

    def picks() -> Iterator[_Pick]:
        for partition in view.partitions():
            for batch in view.batches(partition, ["id"], ROWS):
                yield from _smallest(batch.column("id"), count, seed, partition, "")

    found = _first(picks(), count)
    return [_sample(outputs, pick, bare_texts(view, pick.partition, [pick.id]).get(pick.id)) for pick in found]


def dropped(
    outputs: Outputs, count: int, seed: int = 1, stage: str | None = None, rule: str | None = None
) -> list[Sample]:
    """`count` of the documents that a stage (None: any) dropped because they failed `rule` (None: any).

    Empty for a rule that nothing failed. Raises CorpusError for a name that no rule has, and for a stage that is not up
    to date.
    """
    if stage is not None:
        outputs.require(stage)
    known = rules(outputs, stage)
    if rule is not None and rule not in known:
        if rule in rule_names(outputs.recipe):
            return []
        raise CorpusError(_unknown(outputs, rule, stage, known))

    def picks() -> Iterator[_Pick]:
        for step, partition, path in outputs.ledgers(stage):
            for batch in read_table(path, ["id", "rule"], ROWS):
                ids = batch.column("id")
                if rule is not None:
                    ids = ids.filter(pc.equal(batch.column("rule"), rule))
                yield from _smallest(ids, count, seed, partition, step.name)

    found = []
    for pick in _first(picks(), count):
        text = None
        if pick.step != BASE:
            text = bare_texts(outputs.view(pick.step, inclusive=False), pick.partition, [pick.id]).get(pick.id)
        found.append(_sample(outputs, pick, text))
    return found


def rules(outputs: Outputs, stage: str | None = None) -> dict[str, int]:
    """rule -> documents that failed it, over the steps of a stage (None: of all)."""
    found: dict[str, int] = {}
    for step in outputs.done:
        if stage in (None, step.stage):
            for entry in outputs.entries[step.name].values():
                for rule, number in entry.failed.items():
                    found[rule] = found.get(rule, 0) + number
    return dict(sorted(found.items()))


def _unknown(outputs: Outputs, rule: str, stage: str | None, known: dict[str, int]) -> str:
    where = f" in stage {stage}" if stage else ""
    near = [*difflib.get_close_matches(rule, known, 1), *difflib.get_close_matches(rule, rule_names(outputs.recipe), 1)]
    if near:
        return f"{rule}: no rule is called so; did you mean {near[0]}?"
    if not known:
        return f"{rule}: no rule is called so, and nothing was dropped{where}"
    return f"{rule}: no rule is called so; documents failed {', '.join(known)}"


def _smallest(ids: pa.Array, count: int, seed: int, partition: str, step: str) -> Iterator[_Pick]:
    hashes = keyed_hash(ids, f"sample {seed}")
    # A document has as many rows as it failed rules: one of them is enough.
    for value in np.unique(hashes)[:count]:
        row = int(np.flatnonzero(hashes == value)[0])
        yield _Pick(int(value), ids[row].as_py(), partition, step)


def _first(picks: Iterator[_Pick], count: int) -> list[_Pick]:
    found: dict[bytes, _Pick] = {}
    for pick in picks:
        found.setdefault(pick.id, pick)
        if len(found) > 64 * count:
            found = {item.id: item for item in heapq.nsmallest(count, found.values())}
    return heapq.nsmallest(count, found.values())


def _around(text: str, failed: list[dict[str, Any]]) -> str | None:
    """The place of the first item that a ledger names; `text` with nothing hidden."""
    from corpus.decontaminate.decide import place

    named = (place(row["detail"]) for row in failed if row["rule"] == CONTAMINATED)
    found = next((span for span in named if span is not None), None)
    if found is None:
        return None
    data, (start, end) = text.encode(), found
    first = start - len(data[:start].decode()[-_AROUND:].encode())
    last = end + len(data[end:].decode()[:_AROUND].encode())
    before, item, after = hidden_parts(text, [(first, start), (start, end), (end, last)])
    return marked("…" * (first > 0) + before, item, after + "…" * (last < len(data)))


def _sample(outputs: Outputs, pick: _Pick, text: str | None) -> Sample:
    failed: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    if pick.step:
        path = outputs.table(pick.step, pick.partition, "ledger")
        names = ["rule", "value", "threshold", "detail", "url", "locator"]
        failed = fetch(path, [pick.id], names).to_pylist()
        about = dict(failed[0])
        if any(row["rule"].endswith("_duplicate") for row in failed):
            for folder in deliveries(outputs, pick.partition, [pick.id]).values():
                failed = [row | {"duplicate_folder": folder and str(folder)} for row in failed]
    if pick.step != BASE:
        base = outputs.table(BASE, pick.partition)
        (about,) = fetch(base, [pick.id], ["source", "url", "locator", "title"]).to_pylist()
    return Sample(
        pick.id,
        about.get("source"),
        about["url"],
        about["locator"],
        about.get("title"),
        pick.step or None,
        tuple({name: row[name] for name in _FAILED if name in row} for row in failed),
        None if text is None else hidden(text),
        None if text is None else _around(text, failed),
    )
