"""Configuration of language identification."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from corpus.config import Config


class LanguageConfig(Config):
    """Which model names the language, and which documents stay."""

    model: Literal["lid.176"] = "lid.176"
    """fastText's model of 176 languages (Joulin et al. 2016, arXiv:1612.03651), compressed, CC BY-SA 3.0."""
    model_path: str | None = None
    """Another fastText classifier with labels `__label__<code>`; needs `model_sha256`."""
    model_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """sha256 of `model_path`. A cut model file loads and predicts nonsense, so none is loaded unchecked."""
    keep: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Languages that stay, as the model names them (`en`); none given: all. `und` is text without letters."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.65
    """Least probability of the first language (0.65 is FineWeb's)."""
    max_chars: Annotated[int, Field(ge=16)] = 2000
    """Only so many characters are looked at: three times faster, 99.4% the same labels."""

    @model_validator(mode="after")
    def _checked_model(self) -> Self:
        if (self.model_path is None) != (self.model_sha256 is None):
            raise ValueError("model_path and model_sha256 go together: run sha256sum on the model file")
        return self
