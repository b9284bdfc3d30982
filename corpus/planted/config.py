"""Configuration of the self-check on planted documents."""

from __future__ import annotations

from pydantic import Field

from corpus.config import Config


class SelfcheckConfig(Config):
    """How many documents with a known fate are planted into a copy of some of the corpus."""

    seed: int = Field(1, ge=0)
    """Seed of all that is drawn."""
    documents: int = Field(2000, ge=1)
    """Documents of the corpus among which they are planted."""
