"""`corpus pii FOLDER`."""

from __future__ import annotations

from pathlib import Path
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
    _show(folder)


def _show(folder: Path) -> None:
    """What was found, a row a kind."""
    from corpus.cli.console import number, show, table
    from corpus.report import results
    from corpus.report.outputs import Outputs

    rows = [row for row in results.pii(Outputs.open(folder)) if row.hits]
    if not rows:
        print("nothing was found of the kinds that were looked for")
        return
    made = table("kind", "policy", "documents", "hits", "masked", "dropped")
    made.columns[1].justify = "left"
    for row in rows:
        made.add_row(row.kind, row.policy, *(number(n) for n in (row.documents, row.hits, row.masked, row.dropped)))
    show(made)
