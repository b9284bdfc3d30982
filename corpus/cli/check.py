"""`corpus check`: prove a recipe before anything is read."""

from __future__ import annotations

import json as jsonlib

from corpus.cli.app import app
from corpus.cli.options import Json, Set, Target
from corpus.flow import Flow
from corpus.recipe import load
from corpus.run import find, output_of


@app.command("check")
def check_verb(target: Target, sets: Set = None, json: Json = False) -> None:
    """Prove a recipe before anything is read."""
    recipe = load(target, sets or ())
    flow = Flow.of(recipe, output_of(recipe))
    flow.prove(flow.steps)
    pieces = find(recipe)
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
