"""`corpus decontaminate FOLDER`."""

from __future__ import annotations

import contextlib
import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder, Hang, Json, Memory, StageSet, Workers, run_stage
from corpus.errors import RecipeError
from corpus.run import Limits


@app.command("decontaminate")
def decontaminate_verb(
    folder: Folder,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="A task and its items: JSONL or text; file, folder or glob."),
    ] = None,
    ngram: Annotated[int | None, typer.Option(help="Words in a row that give an item away.")] = None,
    action: Annotated[str | None, typer.Option(help="What becomes of a document: remove, mask or flag.")] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
    json: Json = False,
) -> None:
    """Find items of benchmarks; remove their documents, mask or flag them."""
    given: dict[str, Any] = {"benchmarks": [_benchmark(text) for text in benchmark or ()] or None}
    given |= {"ngram": ngram, "action": action}
    with contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext():
        run_stage(folder, "decontaminate", given, sets, Limits(workers, memory, hang))
    _show(folder, json)


def _show(folder: Path, json: bool) -> None:
    """What was found, a row a task."""
    from corpus.cli.stats import show_tasks
    from corpus.report import results
    from corpus.report.outputs import Outputs

    rows = [vars(row) for row in results.decontamination(Outputs.open(folder))]
    if json:
        print(jsonlib.dumps(rows))
    else:
        show_tasks(rows)


def _benchmark(text: str) -> dict[str, str]:
    name, _, path = text.partition("=")
    if not name or not path:
        raise RecipeError(f"--benchmark {text}: write it as NAME=PATH, for example arc=benchmarks/arc.jsonl")
    return {"name": name, "path": path}
