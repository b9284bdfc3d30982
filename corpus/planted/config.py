"""Configuration of the self-check on planted documents."""

from __future__ import annotations

from pydantic import Field, field_validator

from corpus.config import Config
from corpus.decontaminate.config import DecontaminateConfig
from corpus.dedup.config import DedupConfig
from corpus.pii.config import PiiConfig


class SelfcheckConfig(Config):
    """How many documents with a known fate are planted into a copy of some of the corpus."""

    seed: int = Field(1, ge=0)
    """Seed of all that is drawn."""
    documents: int = Field(2000, ge=1)
    """Documents of the corpus that are copied; in at most half of them something is planted."""
    levels: tuple[float, ...] | None = None
    """Similarities of the planted near duplicates, above and below `dedup.threshold`. Null: four above it, three
    below (at .8: .95, .9, .85, .82, .75, .6, .4)."""
    pairs: int = Field(50, ge=0)
    """Pairs planted at each level, and exact copies."""
    items: int = Field(50, ge=0)
    """Benchmark items planted as they are, and as many changed."""
    personal: int = Field(20, ge=0)
    """Values planted of each kind of personal data and secrets that the recipe looks for."""

    @field_validator("levels")
    @classmethod
    def _inside(cls, levels: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if levels == ():
            raise ValueError("is empty; null takes the usual ones, and with pairs=0 no duplicate is planted")
        if levels is not None and not all(0 < level < 1 for level in levels):
            raise ValueError("are similarities between 0 and 1; copies at 1 are planted anyway")
        return levels


class PlantedConfig(Config):
    """What the check's figures hang on: its own settings and those of the stages that it tests.

    `versions`: version of each of their steps, by name.
    """

    selfcheck: SelfcheckConfig
    pii: PiiConfig | None
    dedup: DedupConfig | None
    decontaminate: DecontaminateConfig | None
    versions: dict[str, str]
