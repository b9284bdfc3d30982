"""Configuration of the report; made from the rest of the recipe, never written by hand."""

from __future__ import annotations

from typing import Any

from corpus.config import Config


class ReportConfig(Config):
    """What the page shows that no file of an earlier step holds."""

    title: str
    """Name of the recipe."""
    recipe: dict[str, Any]
    """The recipe as it ran, of its paths only the last part."""
    truth_sha256: str | None = None
    """Digest of the truth file of the self-check."""
