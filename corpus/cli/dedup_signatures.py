"""`corpus dedup signatures FOLDER --to FILE`: MinHash signatures for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.dedup import dedup_app
from corpus.cli.options import Folder
from corpus.errors import CorpusError

_STEP = "dedup/signatures"


@dedup_app.command("signatures")
def signatures_verb(
    folder: Folder,
    to: Annotated[Path, typer.Option(metavar="FILE", help="The Parquet file to write.")],
) -> None:
    """Write the signature of every document that dedup saw, as bytes of datasketch's LeanMinHash.

    Columns id, url and minhash, by id. The recipe must have `dedup.signature: datasketch`.
    """
    from corpus.dedup.exchange import write
    from corpus.report.outputs import Outputs

    outputs = Outputs.open(folder)
    config = outputs.recipe.dedup
    if config is None or not outputs.has(_STEP):
        raise CorpusError(f"{folder}: signatures are not up to date; `corpus dedup {folder}` makes them")
    print(f"{to}: {write(outputs.view(_STEP), config, to):,} signatures")
