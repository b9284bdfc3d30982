"""The command line: a subcommand a stage, and verbs that look at what the stages left."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from corpus.cli.app import SUBCOMMANDS, VERBS, app
from corpus.errors import CorpusError, StoredError


class Interrupted(CorpusError):
    """SIGINT or SIGTERM: the engine ends its workers on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__("interrupted; what is committed stays, run the same command to go on")
        self.exit_code = 128 + number


def _interrupt(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not end the clean-up
    raise Interrupted(number)


def _on_interrupt(handler: Callable[[int, object], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _leave(number: int, frame: object) -> None:
    # Python ignores what is raised in some places of an import; and nothing has been begun.
    os.write(2, b"corpus: interrupted before anything was begun; run the same command again\n")
    os._exit(128 + number)


def main() -> None:
    """Entry point: errors that a user can act on come as one line each on stderr."""
    _on_interrupt(_leave)
    try:
        _load(sys.argv[1] if len(sys.argv) > 1 else "")
        _on_interrupt(_interrupt)
        app()
    except CorpusError as error:
        _tell(_meanwhile(error.path if isinstance(error, StoredError) else None) or error)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            _end_of_pipe()
        if busy := _meanwhile(error.filename if isinstance(error, FileNotFoundError) else None):
            _tell(busy)
        where = f"{error.filename}: " if error.filename else ""
        print(f"corpus: {where}{error.strerror or error}; mend it and run the same command again", file=sys.stderr)
        sys.exit(1)


def _load(verb: str) -> None:
    """Register the verb that is called, with its further commands; all of them where none is, for the help."""
    if verb not in VERBS:
        importlib.import_module("corpus.cli.verbs")
        return
    for name in (verb, *(name for name in SUBCOMMANDS if name.startswith(f"{verb}_"))):
        importlib.import_module(f"corpus.cli.{name}")


def _tell(error: CorpusError) -> NoReturn:
    for line in str(error).splitlines():
        print(f"corpus: {line}", file=sys.stderr)
    sys.exit(error.exit_code)


def _meanwhile(path: str | Path | None) -> CorpusError | None:
    """What to say of a file that a reader did not find as a manifest had told, when a run is replacing files there."""
    if path is None:
        return None
    from corpus.run import busy

    return busy(Path(path))


def _end_of_pipe() -> NoReturn:
    """The reader of our stdout went away (`corpus sample ... | head`); nothing is wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)
