from __future__ import annotations

from pydantic import Field

from corpus.config import Config


class PackConfig(Config):
    """How documents become token shards."""

    shard_tokens: int = Field(100_000_000, ge=1, le=2_000_000_000)
    """A shard closes after the document that brings it to this many tokens."""
    validation_fraction: float = Field(0.01, ge=0.0, lt=1.0)
    """Share of the documents held out for validation, chosen by a hash of their id: the same ones whatever
    the seed, and a document keeps its side when the corpus grows. 0 makes no validation split."""
    seed: int = Field(1, ge=0)
    """Of the global shuffle."""
