"""Configuration of a recipe's own filters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue, SerializationInfo, field_serializer, field_validator

from corpus.config import Config
from corpus.quality import names
from corpus.quality.rules import LINE_RULES, RULES

_WORD = r"[^\W\d]\w*"
_USE = re.compile(rf"{_WORD}(\.{_WORD})*:{_WORD}|{_WORD}(\.{_WORD})+")
# Of other stages; what a document failed is told by the rule's name alone.
_RULES_ELSEWHERE = (
    "empty",
    "exact_duplicate",
    "language",
    "language_score",
    "near_duplicate",
    "opt_out",
    "url_blocked",
)


def _rule_names() -> set[str]:
    measured = (*names.TEXT, *names.CODE, names.PERPLEXITY)
    bounds = (f"{side}_{signal.name}" for side in ("min", "max") for signal in measured)
    scores = (f"{side}_{names.SCORE}" for side in ("min", "max"))
    return {*_RULES_ELSEWHERE, *LINE_RULES, *(rule.name for rule in RULES), *bounds, *scores}


class FilterConfig(Config):
    """A filter from elsewhere: a function of one's own, or a filter of datatrove."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Names its step (`quality/filter-NAME`) and what it drops in the ledger (`NAME`, or `NAME_` and a reason)."""
    use: str
    """`package.module:function`, or a filter of datatrove by dotted name: `datatrove.pipeline.filters.URLFilter`."""
    columns: Annotated[tuple[str, ...], Field(min_length=1)] = ("text",)
    """The document columns that it is given; to a filter of datatrove, which always has `text`, as metadata."""
    options: dict[str, JsonValue] = Field(default={})
    """Its keyword arguments."""
    folder: Annotated[str, Field(validate_default=True)] = "."
    """Where its module lies when it is not an installed one; relative to the folder in which `corpus` is called."""

    @field_validator("name")
    @classmethod
    def _no_rule(cls, name: str) -> str:
        if found := sorted(rule for rule in _rule_names() if rule == name or rule.startswith(f"{name}_")):
            raise ValueError(f"is the name of a rule, or begins one ({found[0]}); choose another")
        if name.startswith((f"min_{names.SCORE}", f"max_{names.SCORE}")):
            raise ValueError("could be the name of a bound on a score; choose another")
        return name

    @field_validator("use")
    @classmethod
    def _dotted(cls, use: str) -> str:
        if not _USE.fullmatch(use):
            raise ValueError("write it as package.module:function, or as the dotted name of a filter of datatrove")
        if use.endswith(".LambdaFilter"):
            raise ValueError("LambdaFilter takes a function, which no recipe can hold; name yours as module:function")
        return use

    @field_validator("columns", mode="before")
    @classmethod
    def _one(cls, columns: object) -> object:
        return (columns,) if isinstance(columns, str) else columns

    @field_validator("columns")
    @classmethod
    def _once(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} is given twice")
        return columns

    @field_validator("options")
    @classmethod
    def _finite(cls, options: dict[str, JsonValue]) -> dict[str, JsonValue]:
        try:
            json.dumps(options, allow_nan=False)
        except ValueError:
            raise ValueError("holds a number that is not finite") from None
        return options

    @field_validator("folder")
    @classmethod
    def _absolute(cls, folder: str) -> str:
        """A folder's recipe is read again from other working folders."""
        return str(Path.cwd() / folder)

    @field_serializer("folder")
    def _place(self, folder: str, info: SerializationInfo) -> str | None:
        # Where the module lies decides no byte of the output; its digest is part of the step's version.
        return None if info.context else folder

    @property
    def is_datatrove(self) -> bool:
        return ":" not in self.use

    @property
    def module(self) -> str:
        return self.use.rpartition("." if self.is_datatrove else ":")[0]

    @property
    def attribute(self) -> str:
        return self.use.rpartition("." if self.is_datatrove else ":")[2]

    def __str__(self) -> str:
        return f"filter {self.name} ({self.use})"


class OneFilter(Config):
    """What the step of one filter is made from, so that a change is told as `quality.filters.NAME.options.min`."""

    filters: dict[str, FilterConfig]

    @property
    def only(self) -> FilterConfig:
        (config,) = self.filters.values()
        return config
