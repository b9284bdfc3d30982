"""Configuration of the removal of repeated passages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from corpus.config import Config

Keep = Literal["one", "none"]
MOST = 1_000_000_000
# The kinds in the order in which they are cut, with the rule of their edits and drops.
RULES = {
    "paragraphs": "repeated_paragraph",
    "lines": "repeated_line",
    "sentences": "repeated_sentences",
    "substrings": "repeated_substring",
}


class _Kind(Config):
    keep: Keep = "one"
    """`one`: the first occurrence in the document with the smallest id stays; `none`: all go."""
    min_left: int = Field(1, ge=1, le=MOST)
    """Drop documents that were cut and have fewer words left."""


class PassagesConfig(_Kind):
    """Which repeated paragraphs are cut out of the texts."""

    min_count: int = Field(2, ge=2, le=MOST)
    """Documents in which it must occur (CCNet: 2)."""
    min_words: int = Field(10, ge=1, le=MOST)
    """What has fewer words is left alone: headings, captions, dates (10 is what FineWeb tried for lines)."""


class LinesConfig(PassagesConfig):
    """Which repeated lines are cut out of the texts."""

    min_count: int = Field(7, ge=2, le=MOST)
    """Documents in which it must occur (Llama 3, arXiv:2407.21783, 3.1.1: more than 6)."""
    min_words: int = Field(1, ge=1, le=MOST)
    """What has fewer words is left alone."""


class SentencesConfig(_Kind):
    """Which repeated runs of sentences are cut out of the texts (C4, arXiv:1910.10683, 2.2)."""

    length: int = Field(3, ge=1, le=1000)
    """Every run of so many sentences that occurs twice, and longer ones with it (C4: 3)."""
    min_words: int = Field(1, ge=1, le=MOST)
    """Runs with fewer words are left alone."""


class SubstringsConfig(_Kind):
    """Which repeated runs of words are cut out of the texts (Lee et al. 2022, arXiv:2107.06499)."""

    words: int = Field(50, ge=5, le=100_000)
    """Every run of so many words that occurs twice, and longer ones with it."""


class Units(Config):
    """What of each kind's settings decides which passages there are: the key of the steps that count."""

    paragraphs: dict[str, int] = Field(default_factory=dict)
    lines: dict[str, int] = Field(default_factory=dict)
    sentences: dict[str, int] = Field(default_factory=dict)
    substrings: dict[str, int] = Field(default_factory=dict)
