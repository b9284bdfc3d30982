"""`corpus verify`: every digest."""

from __future__ import annotations

import json as jsonlib

from corpus.cli.app import app
from corpus.cli.options import Json, Target
from corpus.errors import CorpusError
from corpus.recipe import load
from corpus.status import verify


@app.command("verify")
def verify_verb(target: Target, json: Json = False) -> None:
    """Read every committed file again and compare its sha256 with the manifest. Exit status 1 on a fault."""
    checked, faults = verify(load(target))
    if json:
        print(jsonlib.dumps({"files": checked, "faults": faults}, ensure_ascii=False))
    elif not faults:
        print(f"{checked:,} files, every digest as committed")
    if faults:
        raise CorpusError("\n".join(faults))
