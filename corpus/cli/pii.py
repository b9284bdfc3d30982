"""`corpus pii FOLDER`."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder, Hang, Memory, StageSet, Workers, run_stage
from corpus.run import Limits


@app.command("pii")
def pii_verb(
    folder: Folder,
    default: Annotated[
        str | None, typer.Option(help="Policy of each kind that has none of its own: count, mask, drop or off.")
    ] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Find personal data and secrets; count or mask them, or drop their documents."""
    run_stage(folder, "pii", {"default": default}, sets, Limits(workers, memory, hang))
