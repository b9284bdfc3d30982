"""Configuration of perplexity."""

from __future__ import annotations

from corpus.config import Config


class PerplexityConfig(Config):
    """Which n-gram model a document's words are measured under."""
