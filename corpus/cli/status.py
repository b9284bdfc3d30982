"""`corpus status`: what a run would do, and why."""

from __future__ import annotations

import dataclasses
import json as jsonlib

from rich.markup import escape

from corpus.cli.app import app
from corpus.cli.options import Json, Set, Target
from corpus.recipe import load
from corpus.status import status


@app.command("status")
def status_verb(target: Target, sets: Set = None, json: Json = False) -> None:
    """Show what would run again, and why."""
    from corpus.cli import console

    found = status(load(target, sets or ()))
    if json:
        print(jsonlib.dumps([dataclasses.asdict(item) for item in found], ensure_ascii=False))
        return
    made = console.table("step", "state", "tasks")
    made.columns[1].justify = "left"
    made.add_column("why")
    for item in found:
        tasks = f"{item.stale} of {item.tasks}" if item.stale else str(item.tasks)
        more = f" (+{len(item.reasons) - 4} more)" if len(item.reasons) > 4 else ""
        made.add_row(item.step, item.state, tasks, escape("; ".join(item.reasons[:4])) + more)
    console.show(made)
