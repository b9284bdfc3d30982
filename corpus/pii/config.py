"""Configuration of the search for personal data and secrets."""

from __future__ import annotations

from corpus.config import Config


class PiiConfig(Config):
    """What becomes of personal data and secrets, by kind."""
