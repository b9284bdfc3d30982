"""Stage `pii`: personal data and secrets."""

from __future__ import annotations

from corpus.plan import Step
from corpus.recipe import Recipe


def steps(recipe: Recipe) -> list[Step]:
    return []
