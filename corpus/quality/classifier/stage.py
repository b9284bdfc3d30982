"""The steps of `quality.classifier`."""

from __future__ import annotations

from corpus.plan import Step
from corpus.quality.config import QualityConfig


def steps(config: QualityConfig) -> list[Step]:
    return []
