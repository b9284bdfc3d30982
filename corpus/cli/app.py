"""The Typer application that every verb registers on."""

from __future__ import annotations

import typer

from corpus import __version__

app = typer.Typer(
    name="corpus",
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
