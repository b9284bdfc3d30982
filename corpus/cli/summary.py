"""What `corpus run` says at its end."""

from __future__ import annotations

import json as jsonlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.recipe import Recipe
from corpus.run import Summary

if TYPE_CHECKING:
    from corpus.report.outputs import Outputs
    from corpus.report.results import Training
    from corpus.report.selfcheck import SelfCheck
    from corpus.report.tables import StageRow

_MISSES = 5


def finish(recipe: Recipe, root: Path, summary: Summary, as_json: bool) -> None:
    """Print funnel, self-check, the model's figures and where everything lies; a line when nothing was to be done."""
    from corpus.report.outputs import Outputs

    places = _places(Outputs.of(recipe, root), summary)
    if summary.done:
        _account(recipe, root, summary, as_json, places)
    elif as_json:
        print(jsonlib.dumps({"recipe": recipe.name, "done": {}, "kept": summary.kept, "outputs": places}))
    else:
        where = places.get("report", places["folder"])
        print(f"{recipe.name}: nothing to do, {sum(summary.kept.values()):,} tasks are up to date; {where}")


def finish_stage(recipe: Recipe, root: Path, stage: str, summary: Summary) -> None:
    """What a stage's own verb prints on stdout: its account by rule."""
    from corpus.report import results, tables
    from corpus.report.outputs import Outputs

    if not summary.done:
        print(f"nothing to do: {sum(summary.kept.values()):,} tasks are up to date")
    outputs = Outputs.of(recipe, root)
    if stage == "train" and (training := results.training(outputs)) is not None:
        _training(training)
        print(f"\nmodel      {_places(outputs, summary)['model']}")
        return
    of_stage = [table for table in tables.step_tables(outputs) if table.step.partition("/")[0] == stage]
    _funnel([row for row in tables.funnel(outputs) if row.stage == stage])
    dropped = [(rule, count) for table in of_stage for rule, count in table.dropped.items()]
    for rule, count in sorted(dropped, key=lambda item: (-item[1], item[0])):
        print(f"  {rule:<30} {count:>11,}")
    for row in results.passages(outputs) if stage == "dedup" else ():
        print(f"  {row.rule:<30} {row.spans:>11,} cut from {row.documents:,} documents, {row.bytes:,} bytes")
    for table in of_stage:
        if "against" in table.facts:
            print(f"because an earlier delivery has them: {table.facts['against']:,}")
    if late := [name for name, state in outputs.late().items() if state == "out of date"]:
        print(f"out of date: {', '.join(late)}; `corpus run {os.path.relpath(root)}` brings all up to date")


def _account(recipe: Recipe, root: Path, summary: Summary, as_json: bool, places: dict[str, str]) -> None:
    # Only a run that did something pays for these.
    from corpus.cli.console import warn
    from corpus.cli.planted import planted_lines
    from corpus.planted.result import STEP, Planted
    from corpus.report import results, tables
    from corpus.report.outputs import Outputs
    from corpus.report.selfcheck import check

    outputs = Outputs.of(recipe, root)
    rows, late = tables.funnel(outputs), outputs.late()
    faults = tables.reconcile(outputs)
    training = results.training(outputs)
    truth = recipe.truth
    self_check = None
    if truth is not None and not truth.is_file():
        warn(f"{truth}: the truth file is not there, so nothing was checked against it")
    elif truth is not None:
        self_check = check(outputs, truth)
    planted = Planted.read(root) if outputs.has(STEP) else None
    for fault in faults:
        warn(fault)
    if as_json:
        found = {
            "recipe": recipe.name,
            "done": summary.done,
            "kept": summary.kept,
            "seconds": {step: round(seconds, 2) for step, seconds in summary.seconds.items()},
            "compiling": round(summary.compiling, 2),
            "funnel": [vars(row) for row in rows],
            "late": late,
            "faults": faults,
            "training": training.figures() if training else None,
            "self_check": self_check.to_json() if self_check else None,
            "planted": planted.to_json() if planted else None,
            "outputs": places,
        }
        print(jsonlib.dumps(found))
        return
    _funnel(rows)
    for stage, state in late.items():
        print(f"{stage:<10} {state:>11}")
    if self_check is not None:
        _self_check(self_check)
    if planted is not None:
        print("\n" + "\n".join(planted_lines(planted)))
    if training is not None:
        _training(training)
    print()
    for name, place in places.items():
        print(f"{name:<10} {place}")


def _funnel(rows: list[StageRow]) -> None:
    width = max([10, *(len(row.stage) for row in rows)])
    for row in rows:
        gone = f", {row.dropped:,} dropped" if row.dropped else ""
        print(f"{row.stage:<{width}} {row.rows_in:>11,} -> {row.rows_out:>11,}{gone}")


def _self_check(found: SelfCheck) -> None:
    from corpus.report.outputs import lateness
    from corpus.report.text import line

    print(f"\nself-check: {found.right:,} of {found.judged:,} planted cases ended as expected")
    if found.late:
        print(f"  {found.unasked:,} more were not judged, for want of stages ({lateness(found.late)})")
    pairs = found.duplicates
    if pairs.judged:
        low, high = pairs.interval
        apart = f"; {pairs.apart:,} more pairs lost a page before dedup" if pairs.apart else ""
        print(
            f"  recall of planted duplicates: {pairs.right / pairs.judged:.3f} ({pairs.right:,} of "
            f"{pairs.judged:,} pairs, 95% interval {low:.3f} to {high:.3f}{apart})"
        )
    for miss in found.misses[:_MISSES]:
        print(f"  {line(miss.kind)}: {line(miss.url)}: {line(miss.found)}, expected {line(miss.expected)}")
    if len(found.misses) > _MISSES:
        print(f"  and {len(found.misses) - _MISSES:,} more; the report lists them")


def _training(found: Training) -> None:
    from corpus.report.text import plain

    print(
        f"\nheld-out loss {found.held_out_loss:.3f} nats a token (unigram entropy {found.unigram_entropy:.3f}), "
        f"{found.bits_per_byte:.3f} bits a byte (unigrams {found.unigram_bits_per_byte:.3f})"
    )
    if found.sample:
        print("the model writes:")
        for words in plain(found.sample).splitlines():
            print(f"  {words}")


def _places(outputs: Outputs, summary: Summary) -> dict[str, str]:
    """What lies where, relative to the working folder; what an earlier run left and this one made out of date, not."""
    root = outputs.root
    found = {"folder": root}
    done = {*summary.done, *summary.kept, *(step.name for step in outputs.done)}
    for name, step, place in (
        ("report", "report", "report/index.html"),
        ("tokenizer", "tokenizer", "tokenizer/tokenizer.model"),
        ("shards", "pack/shards", "pack/shards/shards.json"),
        ("model", "train", "train/model.pt"),
    ):
        if step in done and (root / place).is_file():
            found[name] = root / place
    return {name: os.path.relpath(path) for name, path in found.items()}
