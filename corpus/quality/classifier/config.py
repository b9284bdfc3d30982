"""Configuration of quality classifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SerializationInfo, field_serializer, field_validator, model_validator

from corpus.config import Config

POSITIVE, NEGATIVE = "__label__hq", "__label__lq"
NAME = r"^[a-z][a-z0-9_]*$"


class Preparation(Config):
    """What becomes of a text before the model sees it; the same in training and in prediction."""

    max_chars: Annotated[int, Field(ge=16)] = 20_000
    """Only so many characters are looked at."""
    lower: bool = False
    """Lower case first; as the model was trained. DCLM's and FineWeb's recipes leave the case as it is."""


class ClassifierConfig(Preparation):
    """A fastText model that scores every document."""

    name: Annotated[str, Field(pattern=NAME)]
    """The signal is `score_NAME`."""
    model_path: str
    """A fastText classifier (`.bin` or `.ftz`)."""
    model_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """sha256 of `model_path`. A cut model file loads and predicts nonsense, so none is loaded unchecked."""
    label: Annotated[str, Field(min_length=1)] = POSITIVE
    """The score is this label's probability; DCLM's model has `__label__hq` too."""
    labels: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = None
    """For ordinal labels, the value of each: the score is the expected one, the labels' probabilities its weights."""

    @field_validator("model_path")
    @classmethod
    def _absolute(cls, path: str) -> str:
        """A folder's recipe is read again from other working folders."""
        return str(Path.cwd() / Path(path).expanduser())

    @field_serializer("model_path")
    def _place(self, path: str, info: SerializationInfo) -> str | None:
        # Where a model lies decides no byte of the output; its digest does.
        return None if info.context else path

    @model_validator(mode="after")
    def _some_labels(self) -> Self:
        if self.labels is not None and len(self.labels) < 2:
            raise ValueError("labels: give the value of every label, two at least; for one probability use `label`")
        return self
