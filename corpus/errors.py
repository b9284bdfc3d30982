"""The errors that a user can act on. Anything else that reaches the command line is a bug."""

from __future__ import annotations

from pathlib import Path


class CorpusError(Exception):
    """What failed, why, and the way out, in one line.

    The command line prints it as ``corpus: <message>`` on stderr and exits with `exit_code`; the engines do not
    try a task again that raised it, because the same input gives the same error.
    """

    exit_code = 1

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), self.args)


class InputError(CorpusError):
    """An input that cannot be read at all: a missing file, an unreadable Parquet file."""


class StoredError(InputError):
    """A committed file at `path` that is missing, damaged, or of another state of its folder than what was read before.

    While a run replaces files that is to be expected: the command line then says so (`corpus.cli.main`).
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (*self.args, self.path))


class RecipeError(CorpusError):
    """A recipe with errors; the message holds one line an error."""

    exit_code = 2


class BusyError(CorpusError):
    """Another driver holds the lock of the output folder (exit status 75: EX_TEMPFAIL, try again later)."""

    exit_code = 75


class TaskError(CorpusError):
    """Tasks that failed on every try."""
