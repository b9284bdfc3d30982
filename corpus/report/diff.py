"""Two output folders against each other: settings, counts, and which documents moved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import to_jsonable_python

from corpus.config import Config
from corpus.documents import ID
from corpus.errors import CorpusError
from corpus.plan import setting_changes
from corpus.quality.config import QualityConfig
from corpus.quality.rules import RULES
from corpus.recipe import Recipe, sections
from corpus.report import tables
from corpus.report.fates import ABSENT, KEPT, Fates, Names, count, fates
from corpus.report.lookup import fetch, scan
from corpus.report.outputs import Outputs
from corpus.tokenizer.sample import keyed_hash

PART = 2_000_000  # documents that are compared at a time: 300 bytes each, both sides together


@dataclass(frozen=True)
class Example:
    """A document: its first failed rule's value and threshold on each side, None where there is none."""

    id: bytes
    name: str
    before: dict[str, float | None]
    after: dict[str, float | None]


@dataclass
class Move:
    """Documents whose fate was `before` (step, rule) and is `after`; "kept" and "absent" are fates without a rule.

    `bytes` are those of the text as extracted, 0 where extraction gave none.
    """

    before: tuple[str, str]
    after: tuple[str, str]
    documents: int = 0
    bytes: int = 0
    examples: list[Example] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """`lost`, `gained`, `only_a`, `only_b`, or `reason` where both sides drop it."""
        if "absent" in (self.before[0], self.after[0]):
            return "only_a" if self.after[0] == "absent" else "only_b"
        return {self.before[0]: "lost", self.after[0]: "gained"}.get("kept", "reason")


@dataclass(frozen=True)
class Difference:
    """`moves` begin with what was lost, then gained, then the rest, the most documents first; `stayed` have the same
    fate on both sides, `texts` of those that both keep have another text, for which `examples` stand. Those
    `implied` of the settings only follow from others: thresholds that other quality presets bring."""

    settings: tuple[str, ...]
    implied: tuple[str, ...]
    counts: tuple[dict[str, Any], ...]
    moves: tuple[Move, ...]
    kept: int
    stayed: int
    texts: int
    edited: int
    examples: tuple[Example, ...]

    @property
    def same(self) -> bool:
        """Whether every document has the same fate and text."""
        return not self.moves and not self.texts

    def to_json(self) -> dict[str, Any]:
        moves = [{"kind": m.kind, **vars(m), "examples": [vars(e) for e in m.examples]} for m in self.moves]
        return {**vars(self), "same": self.same, "moves": moves, "examples": [vars(e) for e in self.examples]}


_ORDER = ("lost", "gained", "only_a", "only_b", "reason")


def diff(before: Outputs, after: Outputs, until: str | None = None, examples: int = 2) -> Difference:
    """What changed from one folder to another, up to stage `until` (None: as far as each of them is done).

    Memory is bounded: of over `PART` documents, the ids are compared in several rounds. Raises CorpusError when one
    lacks the stage or has not run it.
    """
    for side in (before, after):
        if until is not None and not side.has(side.last_of(until) or ""):
            raise CorpusError(f"{side.root}: {until} was not run yet or is out of date; run it first")
    names, moves, seen = Names(), dict[tuple[int, int], Move](), _Seen(examples)
    totals = dict.fromkeys(("kept", "stayed", "texts", "edited"), 0)
    parts = -(-max(count(before), count(after), 1) // PART)
    for part in range(parts):
        one, two = (fates(side, names, until, part, parts) for side in (before, after))
        _compare(one, two, names, moves, seen, totals)
    _place(before, after, seen, moves, names)
    ranked = sorted(moves.values(), key=lambda m: (_ORDER.index(m.kind), -m.documents, m.before, m.after))
    differing = tuple(settings(before, after))
    return Difference(
        differing,
        tuple(_implied(before.recipe.quality, after.recipe.quality, differing)),
        tuple(_counts(before, after, until)),
        tuple(ranked),
        **totals,
        examples=tuple(seen.made.get(_TEXT, [])),
    )


def settings(before: Outputs, after: Outputs) -> Iterator[str]:
    """`quality.min_words 50 -> 80`, one line a difference of the recipes, then of the code that made the outputs.

    A section of one recipe alone is one line: `dedup only in A: {"threshold": 0.7}`, with what is not its default.
    """
    raw = _raw(before.recipe), _raw(after.recipe)
    alone = list(_alone(*raw, ()))
    yield from sorted([*alone, *(line.removeprefix(".") for line in setting_changes("", *raw))])
    versions = [_versions(side) for side in (before, after)]
    for step, old in versions[0].items():
        if (new := versions[1].get(step, old)) != old:
            yield f"code of {step} {old} -> {new}"


def _alone(old: dict[str, Any], new: dict[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    """Take the sections that one side alone has (with more than one value) out of both, a line each."""
    for key in old.keys() | new.keys():
        one, two, way = old.get(key), new.get(key), (*keys, key)
        if isinstance(one, dict) and isinstance(two, dict):
            yield from _alone(one, two, way)
        elif {type(one), type(two)} == {dict, type(None)}:
            here = one or two or {}
            if len(list(setting_changes("", here, {}))) > 1:
                old.pop(key, None), new.pop(key, None)
                own = _own(way, here)
                rest = json.dumps(own, ensure_ascii=False) if own else "as it is by default"
                yield f"{'.'.join(way)} only in {'A' if one else 'B'}: {rest}"


def _own(keys: tuple[str, ...], values: dict[str, Any]) -> dict[str, Any]:
    """What a section sets apart from its defaults, and from its presets."""
    model: type[Config] = Recipe
    for key in keys:
        if key in model.model_fields:
            model = next(sections(model.model_fields[key].annotation), model)
    if model is QualityConfig:
        return QualityConfig.unresolved(values)
    defaults = {
        key: to_jsonable_python(field.get_default(call_default_factory=True))
        for key, field in model.model_fields.items()
        if not field.is_required()
    }
    return {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}


def _implied(before: QualityConfig | None, after: QualityConfig | None, lines: Sequence[str]) -> Iterator[str]:
    """The lines on thresholds that no recipe sets apart from its presets, where these differ."""
    sides = [side for side in (before, after) if side is not None]
    own = {name for side in sides for name in QualityConfig.unresolved(side.model_dump())}
    follow = {f"quality.{rule.name}" for rule in RULES if rule.name not in own}
    yield from (line for line in lines if line.partition(" ")[0] in follow)


def _versions(outputs: Outputs) -> dict[str, str]:
    return {
        step.name: ", ".join(sorted({entry.version for entry in outputs.entries[step.name].values()}))
        for step in outputs.done
    }


def _raw(recipe: Recipe) -> dict[str, Any]:
    """As JSON without where it lies; lists of named things as mappings, so that one of them can differ alone."""

    def named(value: Any) -> Any:
        if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
            value = {item["name"]: {k: v for k, v in item.items() if k != "name"} for item in value}
        return {key: named(item) for key, item in value.items()} if isinstance(value, dict) else value

    return named(json.loads(recipe.model_dump_json(exclude={"output"})))


def _counts(before: Outputs, after: Outputs, until: str | None) -> Iterator[dict[str, Any]]:
    """Documents that each stage let through, then those that each rule dropped first and failed at all."""
    steps = [tables.step_tables(side) for side in (before, after)]
    out = [{row.stage: row.rows_out for row in tables.funnel(side)} for side in (before, after)]
    drops = [{(row.stage, row.rule): (row.dropped, row.failed) for row in tables.drops(side)} for side in steps]
    for stage in dict.fromkeys([*out[0], *out[1]]):
        yield {"stage": stage, "rule": None, "kept": [side.get(stage) for side in out]}
        for where, rule in dict.fromkeys([*drops[0], *drops[1]]):
            if where == stage:
                found = [side.get((stage, rule), (0, 0)) for side in drops]
                yield {
                    "stage": stage,
                    "rule": rule,
                    "dropped": [dropped for dropped, _ in found],
                    "failed": [failed for _, failed in found],
                }
        if stage == until:
            return


_TEXT = (-1, -1)  # the examples of changed texts
Group = tuple[int, int]


class _Seen:
    """For each group the documents with the least hashes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.picks: dict[Group, list[tuple[int, bytes]]] = {}
        self.made: dict[Group, list[Example]] = {}

    def add(self, group: Group, ids: pa.Array) -> None:
        if self.limit and len(ids):
            hashes = keyed_hash(ids, "diff")
            least = np.argsort(hashes, kind="stable")[: self.limit]
            found = [(int(hashes[k]), ids[int(k)].as_py()) for k in least]
            self.picks[group] = sorted([*self.picks.get(group, []), *found])[: self.limit]


def _compare(
    one: Fates, two: Fates, names: Names, moves: dict[Group, Move], seen: _Seen, totals: dict[str, int]
) -> None:
    """Add what moved between two parts with the same ids, or without a partner."""
    there = pc.index_in(two.ids, value_set=one.ids)
    second = np.flatnonzero(there.is_valid().to_numpy(zero_copy_only=False))
    first = there.drop_null().to_numpy()
    alone_a, alone_b = np.ones(len(one.ids), bool), np.ones(len(two.ids), bool)
    alone_a[first], alone_b[second] = False, False
    only_a, only_b = np.flatnonzero(alone_a), np.flatnonzero(alone_b)
    old = np.concatenate([one.fate[first], one.fate[only_a], np.full(len(only_b), ABSENT)])
    new = np.concatenate([two.fate[second], np.full(len(only_a), ABSENT), two.fate[only_b]])
    size = np.concatenate([np.maximum(one.size[first], two.size[second]), one.size[only_a], two.size[only_b]])
    taken = ((one.ids, first), (one.ids, only_a), (two.ids, only_b))
    ids = pa.concat_arrays([some.take(pa.array(rows)) for some, rows in taken])
    moved = np.flatnonzero(old != new)
    pair = old[moved].astype(np.int64) << 32 | new[moved]
    for key in np.unique(pair).tolist():
        rows = moved[pair == key]
        group = (key >> 32, key & 0xFFFFFFFF)
        move = moves.setdefault(group, Move(names.known[group[0]], names.known[group[1]]))
        move.documents += len(rows)
        move.bytes += int(size[rows].sum())
        seen.add(group, ids.take(pa.array(rows)))
    kept = (one.fate[first] == KEPT) & (two.fate[second] == KEPT)
    other = one.text[first] != two.text[second]
    edited = ~other & (one.edits[first] != two.edits[second])
    totals["kept"] += int(kept.sum())
    totals["stayed"] += len(old) - len(moved)
    totals["texts"] += int((kept & (other | edited)).sum())
    totals["edited"] += int((kept & edited).sum())
    seen.add(_TEXT, ids.take(pa.array(np.flatnonzero(kept & (other | edited)))))


def _place(before: Outputs, after: Outputs, seen: _Seen, moves: dict[Group, Move], names: Names) -> None:
    """Turn what was seen into examples with names, values and thresholds."""
    wanted = {id_ for picks in seen.picks.values() for _, id_ in picks}
    where = [_where(side, wanted) for side in (before, after)]
    for group, picks in seen.picks.items():
        fate = [names.known[code] if code >= 0 else names.known[KEPT] for code in group]
        judged = [_judged(s, w, f, picks) for s, w, f in zip((before, after), where, fate, strict=True)]
        seen.made[group] = [
            Example(id_, (where[0].get(id_) or where[1][id_])[1], *(one.get(id_, {}) for one in judged))
            for _, id_ in picks
        ]
        if group in moves:
            moves[group].examples = seen.made[group]


def _where(outputs: Outputs, ids: set[bytes]) -> dict[bytes, tuple[str, str]]:
    """id -> (partition, URL or else locator)"""
    if not ids:
        return {}
    wanted = pa.array(sorted(ids), ID)
    found: dict[bytes, tuple[str, str]] = {}
    for partition, _, batch in scan(outputs):
        rows = batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
        named = pc.coalesce(rows.column("url"), rows.column("locator")).to_pylist()
        found |= {id_: (partition, name) for id_, name in zip(rows.column("id").to_pylist(), named, strict=True)}
    return found


def _judged(
    outputs: Outputs, where: dict[bytes, tuple[str, str]], fate: tuple[str, str], picks: Sequence[tuple[int, bytes]]
) -> dict[bytes, dict[str, float | None]]:
    """id -> value and threshold of the rule that dropped it"""
    step, rule = fate
    found: dict[bytes, dict[str, float | None]] = {}
    ids = {id_ for _, id_ in picks if id_ in where} if rule else set()
    for partition in sorted({where[id_][0] for id_ in ids}):
        mine = {id_ for id_ in ids if where[id_][0] == partition}
        for row in fetch(outputs.table(step, partition, "ledger"), mine, ["rule", "value", "threshold"]).to_pylist():
            if row["rule"] == rule:
                found[row["id"]] = {"value": row["value"], "threshold": row["threshold"]}
    return found
