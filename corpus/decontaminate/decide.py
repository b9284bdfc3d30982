"""What becomes of documents that hold items of benchmarks; no text is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.decontaminate.config import RULE, DecontaminateConfig

CONTAMINATION = pa.list_(
    pa.struct([("task", pa.string()), ("item", pa.string()), ("start", pa.int64()), ("end", pa.int64())])
)
NAMED = 10  # items of a document that the ledger names
_PLACE = re.compile(r", bytes (\d+) to (\d+)$")
_FAILURES = pa.schema([("row", pa.int64()), ("rule", pa.string()), ("value", pa.float64()), ("detail", pa.string())])


@dataclass
class Fate:
    """`reasons`: (words, detail) of the items for which the document goes; `masks` and `flags` if it stays."""

    reasons: list[tuple[int, str]] = field(default_factory=list)
    masks: list[tuple[int, int]] = field(default_factory=list)
    flags: list[dict[str, Any]] = field(default_factory=list)


def decide(rows: np.ndarray, found: pa.Table | None, config: DecontaminateConfig) -> dict[int, Fate]:
    """Row -> what becomes of the document; `found` has FOUND of the documents `rows` (ascending), or is None.

    A document of which masking would leave no word goes.
    """
    fates: dict[int, Fate] = {}
    runs = zip(rows.tolist(), found.to_pylist() if found is not None else [], strict=True)
    for row, of_row in groupby(runs, key=lambda run: run[0]):
        items = [list(group) for _, group in groupby((run for _, run in of_row), key=lambda r: (r["task"], r["item"]))]
        fate, masked = fates.setdefault(row, Fate()), []
        for spans in items:
            task, item, start, end = (spans[0][name] for name in ("task", "item", "start", "end"))
            action = config.action_of(task)
            if action == "remove":
                fate.reasons.append(_reason(spans))
            else:
                fate.flags.append({"task": task, "item": item, "start": start, "end": end})
            if action == "mask":
                masked.append(spans)
        words = _merged((r["first"], r["first"] + r["words"]) for spans in masked for r in spans)
        if words == [(0, items[0][0]["of"])]:
            fate.reasons += [_reason(spans) for spans in masked]
        fate.masks = _merged((r["start"], r["end"]) for spans in masked for r in spans)
    return fates


def _reason(spans: list[dict[str, Any]]) -> tuple[int, str]:
    first = spans[0]
    detail = f"{first['task']} item {first['item']}, bytes {first['start']} to {first['end']}"
    return sum(run["words"] for run in spans), detail


def place(detail: str) -> tuple[int, int] | None:
    """Start and end of the item that a ledger row names; None of one that only counts."""
    found = _PLACE.search(detail)
    return (int(found[1]), int(found[2])) if found else None


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans, sorted, those that touch as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def failures(fates: dict[int, Fate]) -> pa.Table:
    """A row (`row`, `rule`, `value`, `detail`) for each of the first NAMED items of a document that goes, and one for
    the rest of them; the value is how many words of the document are the item's."""
    found = []
    for row, fate in sorted(fates.items()):
        named = fate.reasons[:NAMED]
        found += [(row, RULE, float(words), detail) for words, detail in named]
        if more := fate.reasons[NAMED:]:
            found.append((row, RULE, float(sum(words for words, _ in more)), f"and {len(more):,} more items"))
    columns = zip(*found, strict=True) if found else ([], [], [], [])
    return pa.table([pa.array(list(column), f.type) for column, f in zip(columns, _FAILURES, strict=True)], _FAILURES)
