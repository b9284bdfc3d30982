"""`corpus tokenizer train FOLDER`."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.app import app
from corpus.cli.options import Folder, Hang, Memory, StageSet, Workers, run_stage
from corpus.run import Limits

tokenizer_app = typer.Typer(help="Train a tokenizer.", no_args_is_help=True)
app.add_typer(tokenizer_app, name="tokenizer")


@tokenizer_app.callback()
def _group() -> None: ...


@tokenizer_app.command("train")
def train_verb(
    folder: Folder,
    vocab_size: Annotated[int | None, typer.Option(help="Number of token ids.")] = None,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Train a BPE tokenizer on the documents that are alive, and write its card."""
    run_stage(folder, "tokenizer", {"vocab_size": vocab_size}, sets, Limits(workers, memory, hang))
