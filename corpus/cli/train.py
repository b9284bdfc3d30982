"""`corpus train FOLDER`."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder, StageSet, run_stage
from corpus.run import Limits


@app.command("train")
def train_verb(
    folder: Folder,
    budget: Annotated[str | None, typer.Option(help="Wall time to size model and steps for: 90s, 3m, 2h.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps, instead of what the budget gives.")] = None,
    sets: StageSet = None,
) -> None:
    """Train a model on the shards."""
    # Steps given by hand leave nothing for a budget to decide.
    given = [*(sets or ()), *(["budget=null"] if steps and not budget else [])]
    run_stage(folder, "train", {"budget": budget, "steps": steps}, given, Limits())
