"""A stage's verb that has further commands below it: `corpus quality FOLDER`, `corpus quality train`."""

from __future__ import annotations

from typing import Any

import typer.core

STAGE = "run"


class StageGroup(typer.core.TyperGroup):
    """Takes the command `run` where the first argument names none: `quality FOLDER` is `quality run FOLDER`.

    A folder called like a command is given as `./train`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [STAGE, *args]
        return super().parse_args(ctx, args)
