"""Configuration of the removal of repeated passages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from corpus.config import Config

Keep = Literal["one", "none"]


class PassagesConfig(Config):
    """Which repeated lines, paragraphs or runs of sentences are cut out of the texts."""

    min_count: int = Field(2, ge=2)
    """Documents in which it must occur."""
    min_words: int = Field(1, ge=1)
    """What has fewer words is left alone."""
    keep: Keep = "one"
    """`one`: the first occurrence in the document with the smallest id stays; `none`: all go."""


class SentencesConfig(PassagesConfig):
    """Which repeated runs of sentences are cut out of the texts."""

    length: int = Field(3, ge=1)
    """Sentences in a run (C4: 3)."""


class SubstringsConfig(Config):
    """Which repeated runs of words are cut out of the texts (Lee et al. 2022, arXiv:2107.06499)."""

    words: int = Field(50, ge=5)
    """Every run of so many words that occurs twice, and longer ones with it."""
    keep: Keep = "one"
    """`one`: the first occurrence in the document with the smallest id stays; `none`: all go."""
