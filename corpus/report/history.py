"""One document's whole way through the steps of a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from corpus.dedup import earlier
from corpus.dedup.earlier import CLUSTERS
from corpus.documents import DOCUMENT
from corpus.errors import CorpusError
from corpus.pii.hide import hidden, hidden_parts
from corpus.plan import Step
from corpus.report.lookup import ROWS, Found, bare_texts, edits, fetch, named, spliced, urls
from corpus.report.outputs import BASE, Outputs, changes, lateness
from corpus.store import read_table

# Columns that say nothing to a person.
_WORKING = ("signature", "exact_key")
_ABOUT = [name for name in DOCUMENT.names if name not in ("id", "text", "content_sha")]


@dataclass(frozen=True)
class Edit:
    """A span of the text, `start` to `end` in UTF-8 bytes, that a rule replaced: `before` by `after`. Personal data
    in `before` is hidden."""

    start: int
    end: int
    before: str
    after: str
    rule: str


@dataclass(frozen=True)
class StepHistory:
    """What a step did with the document.

    `verdict`: "kept" or "dropped" by a step that decides, "measured" by one that adds columns or edits, "not run
    yet" or "out of date" where it says nothing of the document as it is. `failed` has a row for every rule: rule,
    value, threshold, detail, and, of a duplicate, `duplicate_of`, `duplicate_url` and, when that is of an earlier
    delivery, `duplicate_folder` and `duplicate_locator` (None where they cannot be found any more).
    """

    step: str
    verdict: str
    columns: dict[str, Any] = field(default_factory=dict)
    failed: tuple[dict[str, Any], ...] = ()
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class History:
    """`about` holds the columns of the base table (of what extraction dropped: url and locator); `tokens` says in
    which shard the document lies, from which token on, and how many they are; `duplicates` are documents that were
    dropped for this one."""

    id: bytes
    partition: str
    about: dict[str, Any]
    steps: tuple[StepHistory, ...]
    text: str | None
    tokens: tuple[dict[str, Any], ...] = ()
    duplicates: tuple[dict[str, Any], ...] = ()

    @property
    def verdict(self) -> str:
        """`kept`, or `dropped by quality/decision: min_words`."""
        for step in self.steps:
            if step.verdict == "dropped":
                return f"dropped by {step.step}: {', '.join(row['rule'] for row in step.failed)}"
        behind = {step.step: step.verdict for step in self.steps if step.verdict in ("not run yet", "out of date")}
        return f"kept so far; {lateness(behind)}" if behind else "kept"


def histories(outputs: Outputs, found: Sequence[Found]) -> list[History]:
    """The way of each document of `find`, in its order."""
    made: dict[bytes, History] = {}
    for partition in dict.fromkeys(item.partition for item in found):
        for history in _partition(outputs, partition, [item for item in found if item.partition == partition]):
            made[history.id] = history
    return [made[item.id] for item in found]


def _partition(outputs: Outputs, partition: str, found: list[Found]) -> list[History]:
    alive = {item.id for item in found if item.extracted}
    lost = _ledger(outputs, BASE, partition, {item.id for item in found} - alive)
    rows = fetch(outputs.table(BASE, partition), alive, _ABOUT).to_pylist()
    about: dict[bytes, dict[str, Any]] = {row.pop("id"): row for row in rows}
    text: dict[bytes, str] = dict(bare_texts(outputs.view(BASE), partition, alive))
    begin = {id_: hidden(words) for id_, words in text.items()}
    ways: dict[bytes, list[StepHistory]] = {id_: [StepHistory(BASE, "kept")] for id_ in alive}
    for id_, failed in lost.items():
        about[id_] = {"url": failed[0]["url"], "locator": failed[0]["locator"]}
        ways[id_] = [StepHistory(BASE, "dropped", failed=tuple(_short(row) for row in failed))]
    late = outputs.late()
    for step in outputs.steps[1:]:
        if not changes(step):
            continue
        if step not in outputs.done:
            for id_ in alive:
                ways[id_].append(StepHistory(step.name, late[step.stage]))
            continue
        for id_, history in _step(outputs, step, partition, alive, text).items():
            ways[id_].append(history)
            if history.verdict == "dropped":
                alive.discard(id_)
    tokens, duplicates = _tokens(outputs, alive), _duplicates(outputs, alive)
    return [
        History(id_, partition, about[id_], tuple(way), begin.get(id_), tokens.get(id_, ()), duplicates.get(id_, ()))
        for id_, way in ways.items()
    ]


def _step(
    outputs: Outputs, step: Step, partition: str, alive: set[bytes], text: dict[bytes, str]
) -> dict[bytes, StepHistory]:
    names = [name for name in step.adds if name not in _WORKING]
    rows = {row.pop("id"): row for row in fetch(outputs.table(step.name, partition), alive, names).to_pylist()}
    spans = edits(outputs.table(step.name, partition, "edits"), alive) if step.edits else {}
    failed = _ledger(outputs, step.name, partition, alive - rows.keys()) if step.filters else {}
    _name_duplicates(outputs, partition, failed)
    found = {}
    for id_ in sorted(alive):
        done = tuple(_edits(text[id_], spans.get(id_, [])))
        text[id_] = spliced(text[id_], spans.get(id_, []))
        verdict = (
            "dropped" if id_ in failed else "not run yet" if id_ not in rows else "kept" if step.filters else "measured"
        )
        reasons = tuple(_short(row) for row in failed.get(id_, ()))
        found[id_] = StepHistory(step.name, verdict, rows.get(id_, {}), reasons, done)
    return found


def _edits(text: str, spans: list[dict[str, Any]]) -> Iterator[Edit]:
    befores = hidden_parts(text, [(span["start"], span["end"]) for span in spans])
    for span, before in zip(spans, befores, strict=True):
        yield Edit(span["start"], span["end"], before, span["replacement"], span["rule"])


def _ledger(outputs: Outputs, step: str, partition: str, ids: set[bytes]) -> dict[bytes, list[dict[str, Any]]]:
    names = ["rule", "value", "threshold", "detail", "url", "locator"]
    found: dict[bytes, list[dict[str, Any]]] = {}
    if ids:
        for row in fetch(outputs.table(step, partition, "ledger"), ids, names).to_pylist():
            found.setdefault(row.pop("id"), []).append(row)
    return found


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("url", "locator")}


def _name_duplicates(outputs: Outputs, partition: str, failed: dict[bytes, list[dict[str, Any]]]) -> None:
    """Add to each row of a duplicate what it duplicates."""
    of = {id_: [row for row in rows if row["rule"].endswith("_duplicate")] for id_, rows in failed.items()}
    of = {id_: rows for id_, rows in of.items() if rows and rows[0]["detail"]}
    before = deliveries(outputs, partition, of)
    own = [id_ for id_ in of if id_ not in before]
    names = urls(outputs, [bytes.fromhex(row["detail"]) for id_ in own for row in of[id_]])
    for id_, rows in of.items():
        for row in rows:
            row["duplicate_of"], row["duplicate_url"] = row["detail"], names.get(bytes.fromhex(row["detail"]))
            if id_ in before:
                folder = before[id_]
                url, locator = named(folder, bytes.fromhex(row["detail"])) if folder else (None, None)
                row |= {"duplicate_folder": folder and str(folder), "duplicate_url": url, "duplicate_locator": locator}


def deliveries(outputs: Outputs, partition: str, ids: Collection[bytes]) -> dict[bytes, Path | None]:
    """Of the documents that duplicate one of an earlier delivery: its folder, or None where it is gone."""
    if not ids or not (outputs.recipe.dedup and outputs.recipe.dedup.against):
        return {}
    rows = fetch(outputs.table(CLUSTERS, partition), ids, ["duplicate_in"]).to_pylist()
    try:
        folders: list[Path] = earlier.places(outputs.recipe, outputs.root)
    except CorpusError:
        folders = []
    return {
        row["id"]: folders[row["duplicate_in"]] if row["duplicate_in"] < len(folders) else None
        for row in rows
        if row["duplicate_in"] is not None
    }


def _tokens(outputs: Outputs, alive: set[bytes]) -> dict[bytes, tuple[dict[str, Any], ...]]:
    found: dict[bytes, tuple[dict[str, Any], ...]] = {}
    if alive and outputs.has("pack/shards"):
        for path in sorted((outputs.root / "pack" / "shards").glob("*.docs.parquet")):
            for row in fetch(path, alive, ["first_token", "tokens"]).to_pylist():
                id_ = row.pop("id")
                shard = path.name.removesuffix(".docs.parquet")
                found[id_] = (*found.get(id_, ()), {"shard": shard, **row})
    return found


def _duplicates(outputs: Outputs, alive: set[bytes]) -> dict[bytes, tuple[dict[str, Any], ...]]:
    found: dict[bytes, list[bytes]] = {}
    if not alive or not outputs.has(CLUSTERS):
        return {}
    against = ["cluster_in"] if outputs.recipe.dedup and outputs.recipe.dedup.against else []
    for partition in outputs.partitions:
        path = outputs.table(CLUSTERS, partition)
        for batch in read_table(path, ["id", "cluster", "rule", *against], ROWS):
            gone = batch.filter(pc.is_valid(batch.column("rule")))
            for name in against:
                # Of the others an earlier delivery has the document that stays; ids are unique in a delivery only.
                gone = gone.filter(pc.is_null(gone.column(name)))
            for row in gone.select(["id", "cluster"]).to_pylist():
                if row["cluster"] in alive:
                    found.setdefault(row["cluster"], []).append(row["id"])
    names = urls(outputs, [id_ for ids in found.values() for id_ in ids])
    return {cluster: tuple({"id": id_.hex(), "url": names.get(id_)} for id_ in ids) for cluster, ids in found.items()}
