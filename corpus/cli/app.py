"""The Typer application that every verb registers on."""

from __future__ import annotations

from typing import Any

import typer
import typer.core

from corpus import __version__

# In the order in which `corpus --help` lists them. A new verb is a file in this folder and a word here.
VERBS = (
    *("run", "check", "status", "verify", "keys"),
    *("fetch", "extract", "language", "quality", "pii", "dedup", "decontaminate", "tokenizer", "pack", "train"),
    *("stats", "selfcheck", "sweep", "diff", "sample", "why", "report", "generate", "export"),
)
# Files with further commands of a verb: `quality_train` holds `corpus quality train`.
SUBCOMMANDS: tuple[str, ...] = (
    *("language_evaluate", "quality_train", "quality_perplexity"),
    *("dedup_signatures", "dedup_curve"),
)


class _InOrder(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return [verb for verb in VERBS if verb in self.commands]


app = typer.Typer(
    name="corpus",
    cls=_InOrder,
    help="From raw crawl to token shards and a trained model, with a verdict for every document.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"corpus {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None: ...
