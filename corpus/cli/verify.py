"""`corpus verify`: every digest."""

from __future__ import annotations

import contextlib
import json as jsonlib
from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Json, Target
from corpus.errors import CorpusError
from corpus.recipe import load
from corpus.run import lock, output_of
from corpus.status import abandoned, verify


@app.command("verify")
def verify_verb(
    target: Target,
    discard: Annotated[bool, typer.Option("--discard", help="Forget what is damaged; the next run redoes it.")] = False,
    json: Json = False,
) -> None:
    """Compare every committed file with its sha256.

    Names the folders of stages that the recipe has no longer, too; they are no fault.
    """
    from corpus.cli.console import warn

    recipe = load(target)
    with lock(output_of(recipe)) if discard else contextlib.nullcontext():
        checked, faults = verify(recipe, discard=discard)
    old = abandoned(recipe)
    if json:
        said = {"files": checked, "faults": faults, "abandoned": [str(path) for path in old]}
        print(jsonlib.dumps(said, ensure_ascii=False))
    elif not faults:
        print(f"{checked:,} files, every digest as committed")
    for path in old:
        warn(f"{path}: of a step that the recipe has no longer; remove it, or put the step back")
    if faults:
        way = (
            "what is damaged is forgotten: run again"
            if discard
            else f"`corpus verify {target} --discard`, then run again"
        )
        raise CorpusError("\n".join([*faults, f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'}; {way}"]))
