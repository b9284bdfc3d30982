"""The part of a recipe that a training prints: what `corpus quality train` and `corpus quality perplexity` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FEWEST, FEW = 20, 100
"""Documents below which no bound is proposed, since one of them more or less moves a 5% quantile far; and below which
a bound is rough."""
_HOW = "# Merge into the recipe's `quality:` section; a second `quality:` or `bounds:` would be refused.\n"


def place(path: Path) -> str:
    """A file as a recipe names it: relative to the working folder where it lies below, else absolute."""
    whole, here = path.absolute(), Path.cwd()
    if ".." in whole.parts:
        whole = whole.resolve()
    if not whole.is_relative_to(here):
        return str(whole)
    relative = str(whole.relative_to(here))
    return str(whole) if relative.startswith("~") else relative


def snippet(model: Mapping[str, Any], signal: str, bound: Mapping[str, float] | None, why: str) -> str:
    """`model` (keys of `quality`) and a bound on `signal` as YAML; `why` tells where the bound is from, or why none."""
    text = _HOW + yaml.safe_dump({"quality": dict(model)}, sort_keys=False, allow_unicode=True, width=1 << 20)
    if bound is None:
        return f"{text}  # no bound on {signal} is proposed: {why}\n"
    shown = ", ".join(f"{key}: {value!r}" for key, value in bound.items())
    return f"{text}  bounds:\n    {signal}: {{{shown}}}  # {why}\n"
