"""`corpus check`: prove a recipe before anything is read."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path

from corpus.cli.app import app
from corpus.cli.options import Json, Set, Target
from corpus.errors import BusyError, CorpusError, RecipeError
from corpus.flow import Flow
from corpus.recipe import Recipe, load, place
from corpus.run import find, output_of


@app.command("check")
def check_verb(target: Target, sets: Set = None, json: Json = False) -> None:
    """Prove a recipe before anything is read."""
    recipe = load(target, sets or ())
    try:
        flow = Flow.of(recipe, output_of(recipe))
        flow.prove(flow.steps)
        pieces = find(recipe)
    except BusyError:
        raise
    except CorpusError as error:
        raise _all(target, recipe, sets or (), error) from error
    files = [file for piece in pieces for file in piece.files]
    size = sum(file.size for file in files)
    steps = [step.name for step in flow.steps]
    if json:
        print(
            jsonlib.dumps(
                {"recipe": recipe.name, "partitions": len(pieces), "files": len(files), "bytes": size, "steps": steps}
            )
        )
        return
    print(f"{recipe.name}: {len(files):,} files ({size:,} bytes) in {len(pieces):,} partitions")
    print(f"steps: {', '.join(steps)}")


def _all(target: Path, recipe: Recipe, sets: Sequence[str], first: CorpusError) -> CorpusError:
    """The first error and all others, a line each, with its place in the recipe."""
    from corpus.proof import faults

    told = faults(recipe) or [((), first)]
    lines = [f"{place(target, keys, sets)}: {line}" for keys, error in told for line in str(error).splitlines()]
    kind = RecipeError if any(isinstance(error, RecipeError) for _, error in told) else CorpusError
    return kind("\n".join(lines))
