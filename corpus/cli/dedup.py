"""`corpus dedup FOLDER`."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder, Hang, Memory, StageSet, Workers, run_stage
from corpus.run import Limits


@app.command("dedup")
def dedup_verb(
    folder: Folder,
    threshold: Annotated[float | None, typer.Option(help="Least Jaccard of near-duplicates.")] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Remove exact and near-duplicates."""
    run_stage(folder, "dedup", {"threshold": threshold}, sets, Limits(workers, memory, hang))
