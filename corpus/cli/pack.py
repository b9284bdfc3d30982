"""`corpus pack FOLDER`."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder, Hang, Memory, StageSet, Workers, run_stage
from corpus.run import Limits


@app.command("pack")
def pack_verb(
    folder: Folder,
    seed: Annotated[int | None, typer.Option(help="Seed of the shuffle.")] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Encode the documents and pack token shards."""
    run_stage(folder, "pack", {"seed": seed}, sets, Limits(workers, memory, hang))
