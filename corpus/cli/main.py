"""The command line: a subcommand a stage, and verbs that look at what the stages left."""

from __future__ import annotations

import importlib
import os
import sys

from corpus.cli.app import VERBS, app
from corpus.errors import CorpusError

# A verb registers on import.
for _verb in VERBS:
    importlib.import_module(f"corpus.cli.{_verb}")


def main() -> None:
    """Entry point: errors that a user can act on come as one line each on stderr."""
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
