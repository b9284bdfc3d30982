"""`corpus diff A B`: what changed between two output folders."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from corpus.cli.app import app
from corpus.cli.options import Json
from corpus.report.diff import Difference, Example, Move, diff
from corpus.report.export import jsonable
from corpus.report.outputs import Outputs
from corpus.report.text import line, size

_KINDS = {
    "lost": "kept in A, dropped in B",
    "gained": "dropped in A, kept in B",
    "only_a": "only in the input of A",
    "only_b": "only in the input of B",
    "reason": "dropped in both, by another rule",
}


@app.command("diff")
def diff_verb(
    before: Annotated[Path, typer.Argument(metavar="A", help="A folder that a run wrote.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another, of the same or other input.")],
    until: Annotated[str | None, typer.Option(metavar="STAGE", help="Compare what this stage left.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show so many groups of documents.")] = 20,
    examples: Annotated[int, typer.Option(min=0, help="Show so many documents of each group.")] = 2,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 when a document moved or changed.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare two folders: settings, counts, and which documents moved.

    Exit status 0, whatever it finds; with --exit-code 1 when a document is kept in one folder alone, dropped by
    another rule, in the input of one alone, or kept with another text.
    """
    sides = [Outputs.open(folder) for folder in (before, after)]
    found = diff(sides[0], sides[1], until, examples)
    done = [[step.name for step in side.done] for side in sides]
    if json:
        print(jsonlib.dumps(jsonable({"a": str(before), "b": str(after), "done": done, **found.to_json()})))
    else:
        _show(found, limit)
        if until is None and done[0] != done[1]:
            _unequal(sides)
    if exit_code and not found.same:
        raise typer.Exit(1)


def _unequal(sides: list[Outputs]) -> None:
    for name, side in zip("AB", sides, strict=True):
        behind = [step.name for step in side.steps if step not in side.done]
        more = f"; not run yet or out of date: {', '.join(behind)}" if behind else ""
        print(f"{name} is done up to {side.done[-1].name}{more}")
    print("--until STAGE compares what a stage left on both sides")


def _show(found: Difference, limit: int) -> None:
    print("Settings" if found.settings else "no setting differs")
    for words in found.settings:
        if words not in found.implied:
            print(f"  {line(words)}")
    if found.implied:
        print(f"  and {len(found.implied)} thresholds that follow from the presets (--json shows them)")
    print()
    _show_counts(found)
    for kind, words in _KINDS.items():
        moves = [move for move in found.moves if move.kind == kind]
        if moves:
            print(f"{sum(move.documents for move in moves):,} {words}, {size(sum(move.bytes for move in moves))}")
    for move in found.moves[:limit]:
        print()
        _show_move(move)
    if len(found.moves) > limit:
        print(f"\nand {len(found.moves) - limit} more groups (--limit shows more, --json all)")
    if found.moves:
        print()
    print(f"{found.kept:,} kept in both, {found.stayed:,} with the same verdict")
    if found.texts:
        alone = f", {found.edited:,} of them by edits alone (passages cut or masked; what was extracted is the same)"
        print(f"{found.texts:,} kept in both have another text{alone if found.edited else ''}:")
        for example in found.examples:
            print(f"  {example.id.hex()}  {line(example.name)}")
    if found.same:
        print("no document moved or changed")


def _show_counts(found: Difference) -> None:
    from corpus.cli import console

    made = console.table("stage", title="Counts that differ")
    made.add_column("rule", justify="left")
    for head in ("A", "B", "change"):
        made.add_column(head, justify="right")
    for row in found.counts:
        old, new = row["kept"] if row["rule"] is None else row["dropped"]
        if old != new:
            what = row["rule"] or "kept"
            made.add_row(
                *map(escape, (row["stage"], what, console.number(old), console.number(new), _change(old, new)))
            )
    if made.row_count:
        console.show(made)
        print()


def _change(old: int | None, new: int | None) -> str:
    return "" if old is None or new is None else f"{new - old:+,}"


def _show_move(move: Move) -> None:
    print(f"{_fate(move.before)} -> {_fate(move.after)}: {move.documents:,}, {size(move.bytes)}")
    for example in move.examples:
        print(f"  {example.id.hex()}  {line(example.name)}{_values(example)}")


def _fate(fate: tuple[str, str]) -> str:
    step, rule = fate
    return {"absent": "not in the input"}.get(step, step) if not rule else f"{step} {line(rule)}"


def _values(example: Example) -> str:
    found = [_judged(side) for side in (example.before, example.after) if side]
    return f"  ({'; '.join(filter(None, found))})" if any(found) else ""


def _judged(side: dict[str, Any]) -> str:
    if side["value"] is None:
        return ""
    against = f", threshold {side['threshold']:.4g}" if side["threshold"] is not None else ""
    return f"{side['value']:.4g}{against}"
