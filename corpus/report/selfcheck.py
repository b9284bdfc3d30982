"""Planted pages against what became of them: does the run do what it is known that it should?

The truth file has a JSON object a line: `url`, `kind`, `expected` ({"stage"} or {"stage", "rule"}; stage "kept": no
stage drops it), and for duplicates `partner_url` and the `jaccard` index of the two texts.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus.decontaminate.benchmarks import files
from corpus.decontaminate.config import RULE as CONTAMINATED
from corpus.decontaminate.stage import DECISION as DECONTAMINATED
from corpus.documents import ID
from corpus.errors import InputError
from corpus.intervals import share_interval
from corpus.pii.kinds import RULE
from corpus.pii.stage import DECISION
from corpus.report.lookup import ROWS, bare_texts, scan
from corpus.report.outputs import BASE, Outputs
from corpus.store import read_table, sha256_once

_PAIRS = ("exact_duplicate", "near_duplicate", "similar")
_ORDER = ("kept", *_PAIRS)
# Kind -> what is planted in its pages, and by which stage and rule they go.
_PLANTED = {"email": ("address", "pii", f"{RULE}email"), "benchmark": ("item", "decontaminate", CONTAMINATED)}
_BENCHMARK = "benchmark.jsonl"  # beside the truth
PAYLOAD = "payload_duplicate"
"""Rule of `extract`: the same bytes as an earlier response of the same file."""


@dataclass(frozen=True)
class KindResult:
    """One kind of planted page.

    `judged` = `right` + misses; `apart` are pairs of which a page was dropped before dedup; `unasked` pages expect a
    stage that this recipe leaves out or sets otherwise, or that is not up to date. `low` and `high`: Wilson's 95%
    interval (Wilson 1927) of right / judged.
    """

    kind: str
    planted: int
    judged: int
    right: int
    apart: int
    unasked: int

    @property
    def share(self) -> float | None:
        return self.right / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float]:
        return share_interval(self.right, self.judged)


@dataclass(frozen=True)
class Miss:
    """A planted page that ended elsewhere."""

    kind: str
    url: str
    expected: str
    found: str


@dataclass(frozen=True)
class SelfCheck:
    """`kinds` in a fixed order; `duplicates` sums the planted pairs that dedup should find; `misses` by kind; `late`
    has the stages that are not up to date (`Outputs.late`), of which nothing was asked."""

    kinds: tuple[KindResult, ...]
    duplicates: KindResult
    misses: tuple[Miss, ...]
    late: dict[str, str] = field(default_factory=dict)

    @property
    def unasked(self) -> int:
        return sum(kind.unasked for kind in self.kinds)

    @property
    def right(self) -> int:
        return sum(kind.right for kind in self.kinds)

    @property
    def judged(self) -> int:
        return sum(kind.judged for kind in self.kinds)

    def to_json(self, misses: int = 50) -> dict[str, Any]:
        """JSON, with the first `misses` misses."""
        return {
            "judged": self.judged,
            "right": self.right,
            "duplicates": _json(self.duplicates),
            "kinds": [_json(kind) for kind in self.kinds],
            "misses": [vars(miss) for miss in self.misses[:misses]],
            "late": self.late,
        }


def _json(kind: KindResult) -> dict[str, Any]:
    low, high = kind.interval
    share = None if kind.share is None else round(kind.share, 4)
    return {**vars(kind), "share": share, "low": round(low, 4), "high": round(high, 4)}


@dataclass
class _Fate:
    """Where a page ended: dropped by `stage` for `rules`, or alive (None); its cluster of duplicates.

    `payload`: partition and locator of the first page with the same bytes, itself or what a `payload_duplicate` names.
    """

    id: bytes
    payload: tuple[str, str]
    stage: str | None = None
    rules: tuple[str, ...] = ()
    cluster: bytes | None = None
    exposed: str | None = None
    """What was planted and still stands in the text that is kept: `address` or `item`."""

    def __str__(self) -> str:
        kept = f"kept, with the planted {self.exposed} in its text" if self.exposed else "kept"
        return f"dropped by {self.stage}: {', '.join(self.rules)}" if self.stage else kept


def check(outputs: Outputs, truth: Path) -> SelfCheck:
    """Judge every planted page of `truth`. Raises InputError when it cannot be read."""
    rows = read_truth(truth)
    fates = _fates(outputs, {url for row in rows for url in (row["url"], row.get("partner_url")) if url})
    judge = _Judge(outputs, fates, truth)
    _expose(outputs, [row for row in rows if judge.policy(row) != "count"], fates)
    kinds: dict[str, list[int]] = {}
    found = [0, 0, 0, 0, 0]  # planted, judged, right, apart, unasked of the pairs that are duplicates
    misses = []
    for row in rows:
        verdict = judge.verdict(row)
        count = kinds.setdefault(row["kind"], [0, 0, 0, 0, 0])
        for tally in (count, found) if judge.is_duplicate(row) else (count,):
            tally[0] += 1
            tally[1] += verdict in ("right", "wrong")
            tally[2] += verdict == "right"
            tally[3] += verdict == "apart"
            tally[4] += verdict == "unasked"
        if verdict == "wrong":
            misses.append(Miss(row["kind"], row["url"], judge.expectation(row), judge.ending(row)))
    order = sorted(kinds, key=lambda kind: (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), kind))
    misses.sort(key=lambda miss: (order.index(miss.kind), miss.url))
    return SelfCheck(
        tuple(KindResult(kind, *kinds[kind]) for kind in order),
        KindResult("duplicate pairs", *found),
        tuple(misses),
        judge.late,
    )


def read_truth(path: Path) -> list[dict[str, Any]]:
    """The rows of a truth file. Raises InputError naming file and line."""
    rows = []
    try:
        with path.open(encoding="utf-8") as stream:
            for number, text in enumerate(stream, 1):
                try:
                    row = json.loads(text)
                    if not (isinstance(row["url"], str) and isinstance(row["kind"], str) and row["expected"]["stage"]):
                        raise ValueError("url, kind or expected.stage is empty")
                except (ValueError, KeyError, TypeError) as error:
                    raise InputError(f"{path}:{number}: not a line of truth ({error!r}); mend or remove it") from error
                rows.append(row)
    except OSError as error:
        raise InputError(f"{path}: truth cannot be read ({error.strerror}); mend `truth` or leave it out") from error
    return rows


class _Judge:
    def __init__(self, outputs: Outputs, fates: dict[str, _Fate], truth: Path) -> None:
        self.recipe, self.fates = outputs.recipe, fates
        pii = outputs.recipe.pii
        emails = pii.policy("email") if pii is not None and outputs.has(DECISION) else "off"
        self._policies = {
            "email": emails if emails in ("mask", "drop") else "count",
            "benchmark": _of_benchmark(outputs, truth.with_name(_BENCHMARK)),
        }
        self.late = outputs.late(only_changes=True)
        self.ran = {step.stage for step in outputs.done if step.filters or step.name == BASE} - self.late.keys()

    def is_duplicate(self, row: dict[str, Any]) -> bool:
        """Whether dedup, as the recipe sets it, should find this pair."""
        if row["kind"] not in _PAIRS:
            return False
        dedup = self.recipe.dedup
        return dedup is None or row["jaccard"] == 1.0 or row["jaccard"] >= dedup.threshold

    def policy(self, row: dict[str, Any]) -> str:
        """What becomes of what was planted in a page: "count" (nothing), "mask", or "drop" the page."""
        return self._policies.get(row["kind"], "count")

    def verdict(self, row: dict[str, Any]) -> str:
        """ "right", "wrong", "apart" or "unasked"."""
        fate = self.fates.get(row["url"])
        if not self._asked(row):
            return "unasked"
        if fate is None:
            return "wrong"
        if row["kind"] in _PAIRS:
            return self._pair(row, fate)
        if (policy := self.policy(row)) != "count":
            _, stage, rule = _PLANTED[row["kind"]]
            gone = fate.stage == stage and rule in fate.rules
            return "right" if (gone if policy == "drop" else fate.stage is None and not fate.exposed) else "wrong"
        stage, rule = row["expected"]["stage"], row["expected"].get("rule")
        good = fate.stage is None if stage == "kept" else fate.stage == stage and rule in (None, *fate.rules)
        return "right" if good else "wrong"

    def _asked(self, row: dict[str, Any]) -> bool:
        stage = "dedup" if row["kind"] in _PAIRS else row["expected"]["stage"]
        if stage == "kept":
            # What comes may still drop it.
            return not self.late
        if stage not in self.ran:
            return False
        language, quality, dedup = self.recipe.language, self.recipe.quality, self.recipe.dedup
        if stage == "language" and language is not None:
            return bool(language.keep) and row.get("language") not in language.keep
        if stage == "quality" and quality is not None:
            return bool(quality.active_rules)
        if stage == "dedup" and dedup is not None:
            return dedup.minhash or (dedup.exact and row["jaccard"] == 1.0)
        return True

    def _pair(self, row: dict[str, Any], fate: _Fate) -> str:
        partner = self.fates.get(row["partner_url"])
        if partner is None:
            return "wrong"
        if any(PAYLOAD in page.rules for page in (fate, partner)):
            # Pages of the same bytes are equal; what was taken for that and is not, is lost.
            return "right" if fate.payload == partner.payload and row["jaccard"] == 1.0 else "wrong"
        if any(page.stage not in (None, "dedup") for page in (fate, partner)):
            return "apart"
        together = fate.cluster is not None and fate.cluster == partner.cluster
        removed = "dedup" in (fate.stage, partner.stage)
        found = together or (removed and self.is_duplicate(row))
        return "right" if found == self.is_duplicate(row) else "wrong"

    def expectation(self, row: dict[str, Any]) -> str:
        if row["kind"] in _PAIRS:
            what = "found as a duplicate of" if self.is_duplicate(row) else "not taken for a duplicate of"
            return f"{what} {row['partner_url']} (Jaccard {row['jaccard']:.3f})"
        if (policy := self.policy(row)) != "count":
            what, stage, rule = _PLANTED[row["kind"]]
            return f"dropped by {stage}: {rule}" if policy == "drop" else f"kept, with the planted {what} masked"
        stage, rule = row["expected"]["stage"], row["expected"].get("rule")
        return "kept" if stage == "kept" else f"dropped by {stage}" + (f": {rule}" if rule else "")

    def ending(self, row: dict[str, Any]) -> str:
        fate = self.fates.get(row["url"])
        if fate is None or (row["kind"] in _PAIRS and row["partner_url"] not in self.fates):
            return "not in the input" if fate is None else "partner not in the input"
        return str(fate)


def _of_benchmark(outputs: Outputs, items: Path) -> str:
    """The policy of the benchmark `items` that pages were planted from: "count" where the recipe looks for others."""
    config = outputs.recipe.decontaminate
    if config is None or not outputs.has(DECONTAMINATED) or not items.is_file():
        return "count"
    actions = {"remove": "drop", "mask": "mask", "flag": "count"}
    for benchmark in config.benchmarks:
        with contextlib.suppress(InputError):
            if sha256_once(items) in map(sha256_once, files(benchmark).values()):
                return actions[config.action_of(benchmark.name)]
    return "count"


def _expose(outputs: Outputs, rows: Iterable[dict[str, Any]], fates: dict[str, _Fate]) -> None:
    """Note of what was planted in each page whether the text that is kept still has it."""
    planted = {fates[row["url"]].id: row for row in rows if row["url"] in fates}
    if not planted:
        return
    alive = {fate.id: fate for fate in fates.values() if fate.id in planted and fate.stage is None}
    for partition in dict.fromkeys(fate.payload[0] for fate in alive.values()):
        mine = [id_ for id_, fate in alive.items() if fate.payload[0] == partition]
        for id_, text in bare_texts(outputs.view(), partition, mine).items():
            if planted[id_]["planted"] in text:
                alive[id_].exposed = _PLANTED[planted[id_]["kind"]][0]


def _fates(outputs: Outputs, urls: Iterable[str]) -> dict[str, _Fate]:
    """url -> where its page ended; URLs that no document has are left out."""
    wanted = pa.array(sorted(urls), pa.string())
    fates: dict[str, _Fate] = {}
    for partition, _, batch in scan(outputs):
        rows = batch.filter(pc.is_in(batch.column("url"), value_set=wanted))
        columns = (rows.column(name).to_pylist() for name in ("id", "url", "locator"))
        for id_, url, locator in zip(*columns, strict=True):
            fates[url] = _Fate(id_, (partition, locator))
    by_id = {fate.id: fate for fate in fates.values()}
    ids = pa.array(sorted(by_id), ID)
    for step, partition, path in outputs.ledgers():
        for batch in read_table(path, ["id", "rule", "detail"], ROWS):
            for row in batch.filter(pc.is_in(batch.column("id"), value_set=ids)).to_pylist():
                fate = by_id[row["id"]]
                fate.stage, fate.rules = step.stage, (*fate.rules, row["rule"])
                if row["rule"] == PAYLOAD:
                    fate.payload = partition, row["detail"]
    if outputs.has("dedup/clusters"):
        for partition in outputs.partitions:
            for batch in read_table(outputs.table("dedup/clusters", partition), ["id", "cluster"], ROWS):
                for row in batch.filter(pc.is_in(batch.column("id"), value_set=ids)).to_pylist():
                    by_id[row["id"]].cluster = row["cluster"]
    return fates
