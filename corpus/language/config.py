"""Configuration of language identification."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializationInfo, field_serializer, field_validator, model_validator

from corpus.config import Config
from corpus.language.codes import LID176, unknown

Code = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
LID176_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"


class _Model(Config):
    model_path: str | None = None
    """Another fastText classifier with labels `__label__CODE` (GlotLID, OpenLID, one's own); needs `model_sha256`."""
    model_sha256: Sha256 | None = None
    """sha256 of `model_path`. A cut model file loads and predicts nonsense, so none is loaded unchecked."""

    @field_validator("model_path")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        """A folder's recipe is read again from other working folders."""
        return None if path is None else str(Path.cwd() / Path(path).expanduser())

    @field_serializer("model_path")
    def _without_place(self, path: str | None, info: SerializationInfo) -> str | None:
        # Where a model lies decides no byte of the output; its digest does.
        return None if info.context else path

    @model_validator(mode="after")
    def _checked_model(self) -> Self:
        if (self.model_path is None) != (self.model_sha256 is None):
            raise ValueError("model_path and model_sha256 go together: run sha256sum on the model file")
        return self


class SecondConfig(_Model):
    """A second, independent model that labels every document too."""

    model: Literal["py3langid"] = "py3langid"
    """langid.py's naive Bayes over byte n-grams (Lui and Baldwin 2012), 97 languages; used where no path is given."""
    max_chars: Annotated[int, Field(ge=16)] = 1000
    """Only so many characters are looked at."""


class LanguageConfig(_Model):
    """Which model names the language, and which documents stay."""

    model: Literal["lid.176"] = "lid.176"
    """fastText's model of 176 languages (Joulin et al. 2016, arXiv:1612.03651), compressed, CC BY-SA 3.0."""
    keep: tuple[Code, ...] = ()
    """Languages that stay, as the model names them (`en`); none given: all. `und` is text without letters."""
    threshold: Share = 0.65
    """Least probability of the first language (0.65 is FineWeb's)."""
    thresholds: dict[Code, Share] = Field(default={})
    """Another threshold for single languages (`{de: 0.5}`); `corpus language evaluate` proposes them."""
    max_chars: Annotated[int, Field(ge=16)] = 2000
    """Only so many characters are looked at: all 7,713 documents of the default input keep their whole text's label."""
    script: Literal["count", "drop"] = "count"
    """What becomes of a document most of whose letters are in a script in which its language is not written."""
    second: SecondConfig | None = None
    """A second opinion: `{model: py3langid}`, or `{model_path: .., model_sha256: ..}`."""
    disagreement: Literal["count", "drop"] = "count"
    """What becomes of a document to which the second model gives another language."""
    source_files: Literal["leave", "judge"] = "leave"
    """Whether source files (rows with a `programming_language`) are judged by their natural language too."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code that the recipe names."""
        return (*self.keep, *self.thresholds)

    @field_validator("keep", "thresholds", mode="before")
    @classmethod
    def _norwegian(cls, value: Any) -> Any:
        """YAML 1.1 reads a bare `no` as false; `--set language.keep=en` is a list of one."""
        if isinstance(value, str):
            return [value]
        if isinstance(value, dict):
            return {"no" if code is False else code: share for code, share in value.items()}
        return ["no" if code is False else code for code in value] if isinstance(value, list) else value

    @model_validator(mode="after")
    def _known_codes(self) -> Self:
        """Those of another model are known when it is loaded."""
        if self.model_path is None and (fault := unknown(self.codes, LID176, "lid.176")):
            raise ValueError(fault)
        if self.disagreement == "drop" and self.second is None:
            raise ValueError(
                "disagreement: drop needs `second`, for example {model: py3langid}; "
                "without one, --set disagreement=count"
            )
        return self
