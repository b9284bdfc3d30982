"""Configuration of a recipe's own filters."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from corpus.config import Config


class FilterConfig(Config):
    """A filter from elsewhere: a function of one's own, or a filter of datatrove."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Names its step (`quality/filter-NAME`)."""
