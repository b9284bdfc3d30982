"""Configuration of quality classifiers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from corpus.config import Config


class ClassifierConfig(Config):
    """A fastText model that scores every document."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """The signal is `score_NAME`."""
