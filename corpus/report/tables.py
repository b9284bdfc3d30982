"""Figures of every step, from the manifests alone, and whether they reconcile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from corpus.plan import Step
from corpus.report.outputs import Outputs
from corpus.store import Entry

# Stages and steps that take no documents in, so they have no account.
UNCOUNTED = ("decontaminate/index", "decontaminate/items", "train", "selfcheck", "report")
MEND = "`corpus run` brings it up to date"


@dataclass(frozen=True)
class StepTable:
    """Sums over a step's partitions.

    `dropped` counts a document once, under the first rule that it failed, `failed` under each; `bytes` are those on
    disk; `facts` are the stage's own, numbers added up over partitions.
    """

    step: str
    stage: str
    partitions: int
    rows_in: int
    rows_out: int
    dropped: dict[str, int]
    failed: dict[str, int]
    bytes: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class StageRow:
    """A row of the funnel. `share` is what stayed of what came in, None where nothing came in."""

    stage: str
    rows_in: int
    rows_out: int
    dropped: int
    share: float | None


@dataclass(frozen=True)
class DropRow:
    """`dropped`: documents whose first failed rule this is; `failed`: all that fail it; `share`: dropped of input."""

    stage: str
    rule: str
    dropped: int
    failed: int
    share: float


def step_tables(outputs: Outputs) -> list[StepTable]:
    """A row a step that is done: one that is out of date, be it in one partition, has no figures."""
    return [_sum(step, list(outputs.entries[step.name].values())) for step in outputs.done]


def _sum(step: Step, entries: list[Entry]) -> StepTable:
    dropped: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    facts: dict[str, Any] = {}
    for entry in entries:
        dropped.update(entry.dropped)
        failed.update(entry.failed)
        facts = _add(facts, entry.facts)
    return StepTable(
        step.name,
        step.stage,
        len(entries),
        sum(entry.rows_in for entry in entries),
        sum(entry.rows_out for entry in entries),
        dict(sorted(dropped.items())),
        dict(sorted(failed.items())),
        sum(file.bytes for entry in entries for file in entry.files),
        facts,
    )


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, dict) and isinstance(right, dict):
        return {
            key: _add(left[key], right[key]) if key in left and key in right else left.get(key, right.get(key))
            for key in dict.fromkeys([*left, *right])
        }
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right))
    return left + right if numbers or (isinstance(left, list) and isinstance(right, list)) else left


def funnel(outputs: Outputs) -> list[StageRow]:
    """A row a stage that is done: in is that of its first step, out that of its last."""
    stages: dict[str, list[StepTable]] = {}
    late = outputs.late()
    for table in step_tables(outputs):
        if not {table.stage, table.step} & {*UNCOUNTED, *late}:
            stages.setdefault(table.stage, []).append(table)
    rows = []
    for stage, steps in stages.items():
        before, after = steps[0].rows_in, steps[-1].rows_out
        rows.append(StageRow(stage, before, after, before - after, after / before if before else None))
    return rows


def drops(tables: Iterable[StepTable]) -> list[DropRow]:
    """Every rule that dropped or failed a document, by stage, the commonest first."""
    found = []
    for table in tables:
        rows = [
            DropRow(
                table.stage,
                rule,
                table.dropped.get(rule, 0),
                table.failed.get(rule, 0),
                table.dropped.get(rule, 0) / table.rows_in if table.rows_in else 0.0,
            )
            for rule in table.failed.keys() | table.dropped.keys()
        ]
        found += sorted(rows, key=lambda row: (-row.dropped, -row.failed, row.rule))
    return found


def reconcile(outputs: Outputs) -> list[str]:
    """One line a fault: `in = out + dropped by rule` in each step, ledgers that hold what the account says, and what
    one step gives being what the next one takes. Steps that are not wholly done, or out of date, have no account."""
    faults: list[str] = []
    alive = {name: entry.rows_in for name, entry in outputs.entries["extract"].items()}
    for step in outputs.done:
        entries = outputs.entries[step.name]
        if step.stage in UNCOUNTED or step.name in UNCOUNTED:
            continue
        faults += [fault for entry in entries.values() for fault in _own_faults(step, entry)]
        if step.scope == "corpus":
            taken = sum(entry.rows_in for entry in entries.values())
            if taken != sum(alive.values()):
                faults.append(f"{step.name}: took {taken:,} documents, {sum(alive.values()):,} were there; {MEND}")
            continue
        for name in sorted(entries.keys() - alive.keys()):
            faults.append(f"{step.name}: partition {name} is no longer part of the input; {MEND}")
        for name in sorted(alive.keys() & entries.keys()):
            if entries[name].rows_in != alive[name]:
                faults.append(
                    f"{step.name}: partition {name} took {entries[name].rows_in:,} documents, "
                    f"{alive[name]:,} were there; {MEND}"
                )
        alive = {name: entry.rows_out for name, entry in entries.items()}
    return faults


def _own_faults(step: Step, entry: Entry) -> list[str]:
    where = step.name if entry.partition == "all" else f"{step.name}: partition {entry.partition}"
    faults = []
    gone = sum(entry.dropped.values())
    if entry.rows_in != entry.rows_out + gone:
        faults.append(f"{where}: {entry.rows_in:,} in, {entry.rows_out:,} out, {gone:,} dropped do not add up")
    if gone and not (step.filters or step.stage == "extract"):
        faults.append(f"{where}: dropped {gone:,} documents, which is not its task")
    for file in entry.files:
        failed = sum(entry.failed.values())
        if file.path.startswith("_ledger/") and file.rows is not None and file.rows != failed:
            faults.append(f"{where}: the ledger holds {file.rows:,} rows, the account says {failed:,}")
    return faults
