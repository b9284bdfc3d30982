"""`corpus dedup FOLDER`, and what is done beside a folder."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.group import STAGE, StageGroup
from corpus.cli.options import Folder, Hang, Memory, StageSet, Workers, run_stage
from corpus.run import Limits

dedup_app = typer.Typer(
    cls=StageGroup,
    subcommand_metavar="FOLDER | COMMAND [ARGS]...",
    help="Remove exact and near-duplicates; print what bands find; write signatures for other tools.\n\n"
    "`corpus dedup FOLDER` is `corpus dedup run FOLDER`: its options are there.",
    no_args_is_help=True,
)
app.add_typer(dedup_app, name="dedup")


@dedup_app.command(STAGE)
def dedup_verb(
    folder: Folder,
    threshold: Annotated[float | None, typer.Option(help="Least Jaccard of near-duplicates.")] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(metavar="EARLIER", help="Output folder of an earlier delivery: what it has goes here."),
    ] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Remove exact and near-duplicates."""
    run_stage(
        folder,
        "dedup",
        {"threshold": threshold, "against": against or None},
        sets,
        Limits(workers, memory, hang),
    )
