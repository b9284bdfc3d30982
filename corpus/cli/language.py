"""`corpus language FOLDER`, and what is done beside a folder."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.group import STAGE, StageGroup
from corpus.cli.options import Folder, Hang, Memory, StageSet, Workers, run_stage
from corpus.errors import InputError
from corpus.run import Limits

language_app = typer.Typer(
    cls=StageGroup,
    subcommand_metavar="FOLDER | COMMAND [ARGS]...",
    help="Label languages and keep those asked for; measure the labels on your own sample.\n\n"
    "`corpus language FOLDER` is `corpus language run FOLDER`: its options are there.",
    no_args_is_help=True,
)
app.add_typer(language_app, name="language")


@language_app.command(STAGE)
def language_verb(
    folder: Folder,
    keep: Annotated[
        str | None, typer.Option(help="Languages to keep, for example en,fr; `all` takes the list away again.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Least score of the label.")] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Label languages and keep those asked for."""
    given = {"keep": None if keep is None else _codes(keep), "threshold": threshold}
    run_stage(folder, "language", given, sets, Limits(workers, memory, hang))


def _codes(keep: str) -> list[str]:
    if keep.strip() == "all":
        return []
    codes = [code.strip() for code in keep.split(",")]
    if "" in codes:
        raise InputError("--keep: a code is empty; give codes as en,fr, or `all` for every language")
    return codes
