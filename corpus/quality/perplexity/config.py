"""Configuration of perplexity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SerializationInfo, field_serializer, field_validator, model_validator

from corpus.config import Config

_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class PerplexityConfig(Config):
    """Which n-gram model a document's words are measured under, and how the text becomes words.

    A model that `corpus quality perplexity` trained knows how it reads text; the last three keys are for others.
    """

    model_path: Annotated[str, Field(min_length=1)]
    """A model of `corpus quality perplexity`, an ARPA file (`.arpa`, `.arpa.gz`) or a KenLM binary (`.bin`)."""
    model_sha256: _Sha256
    """sha256 of `model_path`; `sha256sum` prints it. No model is loaded unchecked."""
    tokenizer_path: Annotated[str, Field(min_length=1)] | None = None
    """The sentencepiece model whose pieces are the model's tokens; none: words."""
    tokenizer_sha256: _Sha256 | None = None
    """sha256 of `tokenizer_path`."""
    normalise: Literal["ccnet", "none"] | None = None
    """`ccnet`: lower case, no accents, digits as 0, ASCII punctuation; `none`. null: the model's, else `ccnet`."""
    unit: Literal["words", "spaces"] | None = None
    """`words`: words and marks apart; `spaces`: what stands between white space. null: the model's, else `words`."""
    sentence: Literal["line", "document"] | None = None
    """What stands between <s> and </s>: each line, or the document. null: the model's, else `line`."""

    @field_validator("model_path", "tokenizer_path")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        """A folder's recipe is read again from other working folders."""
        return None if path is None else str(Path.cwd() / Path(path).expanduser())

    @field_serializer("model_path", "tokenizer_path")
    def _kind(self, path: str | None, info: SerializationInfo) -> str | None:
        # Where a file lies decides no byte of the output; its digest and its suffix (how it is read) do.
        return Path(path).suffix if path and info.context else path

    @model_validator(mode="after")
    def _checked_tokenizer(self) -> Self:
        if (self.tokenizer_path is None) != (self.tokenizer_sha256 is None):
            raise ValueError("tokenizer_path and tokenizer_sha256 go together: run sha256sum on the model file")
        if self.tokenizer_path and self.unit:
            raise ValueError("unit is for models of words; tokenizer_path gives pieces")
        return self
