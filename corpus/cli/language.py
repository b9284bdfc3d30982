"""`corpus language FOLDER`."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder, Hang, Memory, StageSet, Workers, run_stage
from corpus.run import Limits


@app.command("language")
def language_verb(
    folder: Folder,
    keep: Annotated[
        str | None, typer.Option(help="Languages to keep, for example en,fr; all when never given.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Least score of the label.")] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Label languages and keep those asked for."""
    given = {"keep": keep.split(",") if keep else None, "threshold": threshold}
    run_stage(folder, "language", given, sets, Limits(workers, memory, hang))
