"""Every verb, registered: what `corpus --help` lists. One that is called is loaded alone (`corpus.cli.main`)."""

from __future__ import annotations

import importlib

from corpus.cli.app import SUBCOMMANDS, VERBS, app

__all__ = ["app"]

# A verb registers on import.
for _verb in (*VERBS, *SUBCOMMANDS):
    importlib.import_module(f"corpus.cli.{_verb}")
