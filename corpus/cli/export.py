"""`corpus export FOLDER OUT`: a plain table for others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder
from corpus.errors import CorpusError
from corpus.report.outputs import Outputs


@app.command("export")
def export_verb(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    form: Annotated[str | None, typer.Option("--format", help="parquet or jsonl; else by the name of OUT.")] = None,
    stage: Annotated[
        str | None, typer.Option(help="Documents as they stand after this stage; else at the end.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="These columns alone, in this order: id,text,url.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
) -> None:
    """Write the surviving documents into one file.

    With all their columns, or those that are named; edits applied; none while a stage is out of date.
    """
    from corpus.cli.console import warn
    from corpus.report.export import export, unmasked

    chosen = form or out.suffix.removeprefix(".")
    if chosen not in ("parquet", "jsonl"):
        raise CorpusError(f"export: the format of {out.name} is not known; add --format parquet or --format jsonl")
    named = [name.strip() for name in columns.split(",") if name.strip()] if columns is not None else []
    if columns is not None and not named:
        raise CorpusError("--columns: names none; give some with commas between them, for example id,text,url")
    outputs = Outputs.open(folder)
    rows = export(outputs, out, "parquet" if chosen == "parquet" else "jsonl", stage=stage, columns=named, force=force)
    if unmasked(outputs, stage):
        warn(f"{out}: personal data are not masked yet after stage {stage}; stage pii comes later")
    print(f"{out}: {rows:,} documents")
