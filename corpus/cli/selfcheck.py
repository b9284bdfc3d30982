"""`corpus selfcheck FOLDER`: what the recipe's stages find of what was planted in a copy."""

from __future__ import annotations

import json as jsonlib
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder, Json, Set
from corpus.errors import CorpusError, RecipeError


@app.command("selfcheck")
def selfcheck_verb(
    folder: Folder,
    documents: Annotated[int | None, typer.Option(min=1, help="Documents of the corpus that are copied.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed, other documents and plants.")] = None,
    sets: Set = None,
    json: Json = False,
) -> None:
    """Plant duplicates, benchmark items and personal data into a copy, and see what is found.

    The folder itself is only read. With --set, what other settings would find.
    """
    from corpus.cli.console import err, warn
    from corpus.cli.planted import show_planted
    from corpus.planted import check
    from corpus.planted.stage import step
    from corpus.recipe import load
    from corpus.report.outputs import Outputs, lateness
    from corpus.scratch import scratch

    given = {"documents": documents, "seed": seed}
    overrides = [] if load(folder).selfcheck else ["selfcheck=true"]
    overrides += [f"selfcheck.{key}={value}" for key, value in given.items() if value is not None]
    recipe = load(folder, [*overrides, *(sets or ())])
    if recipe.output is None or recipe.selfcheck is None:
        raise CorpusError(f"{folder}: names no `output` folder, or leaves `selfcheck` out; give the folder of a run")
    outputs = Outputs.of(recipe, recipe.output.absolute())
    steps = step(recipe, recipe.selfcheck)
    if not steps:
        raise CorpusError(f"{folder}: its recipe has none of {', '.join(check.TESTED)}, so there is nothing to check")
    if steps[0].fault is not None:
        raise RecipeError(steps[0].fault)
    before = {stage: state for stage, state in outputs.late(only_changes=True).items() if stage not in check.TESTED}
    if before:
        warn(f"the copy is of documents that later steps may drop ({lateness(before)})")
    err.print(f"selfcheck: up to {recipe.selfcheck.documents:,} documents of {os.path.relpath(outputs.root)}")
    # It holds text as it was before `pii`: what a killed process left of it goes with the next check.
    with scratch(Path(tempfile.gettempdir()), "corpus-selfcheck") as place:
        found = check.check(outputs.view(), outputs.partitions, steps[0].config, place, lambda rows: None)
    if json:
        print(jsonlib.dumps(found.to_json()))
    else:
        show_planted(found)
