"""The command line: a subcommand a stage, and verbs that look at what the stages left."""

from __future__ import annotations

import os
import sys

import typer

from corpus import __version__
from corpus.errors import CorpusError

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


def main() -> None:
    """Entry point: errors that a user can act on come as one line each on stderr."""
    import corpus.cli.verbs  # noqa: F401  (registers every verb on `app`)

    try:
        app()
    except CorpusError as error:
        for line in str(error).splitlines():
            print(f"corpus: {line}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("corpus: interrupted; what is committed stays, run the same command to go on", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our stdout went away (`corpus sample ... | head`); nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
