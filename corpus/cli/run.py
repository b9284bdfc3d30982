"""`corpus run`: a whole recipe."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Hang, Json, Memory, Set, Target, Workers, run_watched
from corpus.recipe import SECTIONS, load
from corpus.run import Limits, output_of


@app.command("run")
def run_verb(
    target: Target,
    sets: Set = None,
    until: Annotated[str | None, typer.Option(help=f"Stop after this stage: {', '.join(SECTIONS)}.")] = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
    json: Json = False,
) -> None:
    """Run a recipe, or what is stale of it."""
    from corpus.cli.summary import finish
    from corpus.errors import RecipeError

    if until is not None and until not in SECTIONS:
        raise RecipeError(f"--until {until}: no such stage; there are {', '.join(SECTIONS)}")
    recipe = load(target, sets or ())
    summary = run_watched(recipe, until, Limits(workers, memory, hang))
    finish(recipe, output_of(recipe), summary, json)
