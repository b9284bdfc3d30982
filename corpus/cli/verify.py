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
from corpus.status import verify


@app.command("verify")
def verify_verb(
    target: Target,
    discard: Annotated[bool, typer.Option("--discard", help="Forget what is damaged; the next run redoes it.")] = False,
    json: Json = False,
) -> None:
    """Compare every committed file with its sha256."""
    recipe = load(target)
    with lock(output_of(recipe)) if discard else contextlib.nullcontext():
        checked, faults = verify(recipe, discard=discard)
    if json:
        print(jsonlib.dumps({"files": checked, "faults": faults}, ensure_ascii=False))
    elif not faults:
        print(f"{checked:,} files, every digest as committed")
    if faults:
        way = (
            "what is damaged is forgotten: run again"
            if discard
            else f"`corpus verify {target} --discard`, then run again"
        )
        raise CorpusError("\n".join([*faults, f"{len(faults)} faults; {way}"]))
