"""`corpus quality FOLDER`, and what is done beside a folder."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.group import STAGE, StageGroup
from corpus.cli.options import Folder, Hang, Memory, StageSet, Workers, run_stage
from corpus.run import Limits

quality_app = typer.Typer(
    cls=StageGroup,
    subcommand_metavar="FOLDER | COMMAND [ARGS]...",
    help="Measure quality signals and apply rules to them; train classifiers and n-gram models.\n\n"
    "`corpus quality FOLDER` is `corpus quality run FOLDER`: its options are there.",
    no_args_is_help=True,
)
app.add_typer(quality_app, name="quality")


@quality_app.command(STAGE)
def quality_verb(
    folder: Folder,
    presets: Annotated[str | None, typer.Option(help="Rule sets, for example gopher,c4,fineweb.")] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Measure quality signals and apply rules to them."""
    given = {"presets": presets.split(",") if presets else None}
    run_stage(folder, "quality", given, sets, Limits(workers, memory, hang))
