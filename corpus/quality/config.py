"""Configuration of the quality stage: presets, and every rule's threshold as a flat key."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, create_model, model_validator

from corpus.config import Config
from corpus.quality import names
from corpus.quality.classifier.config import ClassifierConfig
from corpus.quality.filters.config import FilterConfig
from corpus.quality.perplexity.config import PerplexityConfig
from corpus.quality.rule import Rule
from corpus.quality.rules import LINE_PRESETS, PRESETS, RULES, SETS


class Bound(Config):
    """What a signal must lie between."""

    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """A document with less is dropped."""
    max: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """A document with more is dropped."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give `min`, `max` or both; null in the place of both removes the bound")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}, so that no document would be kept")
        return self


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number, or null to switch the rule off")
    return value


def _known(names: tuple[str, ...], allowed: Collection[str]) -> tuple[str, ...]:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{name!r} is none of {', '.join(allowed)}")
    return names


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _without_nulls(value: Any) -> Any:
    return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


def _bound_rules(signal: str, bound: Bound) -> list[Rule]:
    found = []
    if bound.min is not None:
        found.append(Rule(f"min_{signal}", signal, ">=", bound.min, "recipe"))
    if bound.max is not None:
        found.append(Rule(f"max_{signal}", signal, "<=", bound.max, "recipe"))
    return found


_BY_NAME = {rule.name: rule for rule in RULES}


class _Choice(Config):
    presets: Annotated[
        tuple[str, ...],
        BeforeValidator(_one_or_many),
        AfterValidator(lambda names: _known(names, PRESETS)),
    ] = ("gopher", "fineweb", "code")
    """Rule sets to start from: gopher (both of its parts), gopher_quality, gopher_repetition, c4, fineweb, refinedweb
    (Gopher's and its own), code (which judges source files alone), code_comments, none."""
    line_rules: Annotated[
        tuple[str, ...],
        BeforeValidator(_one_or_many),
        AfterValidator(lambda names: _known(names, LINE_PRESETS)),
    ] = ()
    """Rules that edit the text, line by line, before it is measured: `c4`, `refinedweb`, or single ones (`c4_policy`).
    No preset implies them."""
    bounds: Annotated[dict[str, Bound], BeforeValidator(_without_nulls)] = Field(default={})
    """Rules on any other signal: `{perplexity: {max: 800}, score_edu: {min: 0.4}}`; see docs/quality.md."""
    perplexity: PerplexityConfig | None = None
    """The n-gram model that measures signal `perplexity`."""
    classifiers: tuple[ClassifierConfig, ...] = ()
    """fastText models, each of which measures a signal `score_NAME`."""
    filters: tuple[FilterConfig, ...] = ()
    """Filters of one's own, and datatrove's, in this order, after the rules."""

    @model_validator(mode="after")
    def _bounds_of_what_is_measured(self) -> Self:
        scores = [f"{names.SCORE}{classifier.name}" for classifier in self.classifiers]
        for signal, bound in self.bounds.items():
            try:
                column = names.column(signal)[0]
            except ValueError as error:
                raise ValueError(f"bounds.{signal}: {error}") from None
            if column == "scores" and signal not in scores:
                raise ValueError(f"bounds.{signal}: no classifier is called {signal.removeprefix(names.SCORE)}")
            if column == names.PERPLEXITY.name and self.perplexity is None:
                raise ValueError("bounds.perplexity: nothing measures it; add `perplexity` with a model")
            for rule in _bound_rules(signal, bound):
                if rule.name in _BY_NAME:
                    raise ValueError(f"bounds.{signal}: there is a key for it, quality.{rule.name}")
        for what in ("classifiers", "filters"):
            given = [item.name for item in getattr(self, what)]
            if twice := sorted({name for name in given if given.count(name) > 1}):
                raise ValueError(f"{what}: two are called {', '.join(twice)}; give each its own name")
        return self


_Threshold = Annotated[Annotated[float, Field(allow_inf_nan=False)] | None, BeforeValidator(_number)]
_fields: dict[str, Any] = {
    rule.name: (
        _Threshold,
        Field(None, description=f"Keep documents with {rule.signal} {rule.op} this ({rule.source}: {rule.threshold})."),
    )
    for rule in RULES
}
_Thresholds: Any = create_model("_Thresholds", __base__=_Choice, __module__=__name__, **_fields)


class QualityConfig(_Thresholds):
    """Which rules drop a document, and at which thresholds.

    A rule's key overrides its threshold, switches the rule on where no preset does, or off with `null`. Validation
    resolves every key, so that a dumped configuration shows the thresholds that hold and reads back equal.
    """

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        presets = _one_or_many(data.get("presets", cls.model_fields["presets"].default))
        if not isinstance(presets, list | tuple):
            return data
        active = {name for preset in presets if isinstance(preset, str) for name in PRESETS.get(preset, ())}
        defaults = {rule.name: rule.threshold for name in active for rule in SETS[name]}
        return defaults | data

    @model_validator(mode="after")
    def _some_can_pass(self) -> Self:
        least: dict[str, Rule] = {}
        for rule in sorted(self.active_rules, key=lambda rule: rule.threshold):
            if rule.op == ">=":
                least[rule.signal] = rule  # the highest of several
        for rule in self.active_rules:
            other = least.get(rule.signal)
            if rule.op == "<=" and other and other.threshold > rule.threshold:
                raise ValueError(
                    f"{other.name}: {rule.signal} >= {other.threshold:g} and {rule.name}: {rule.signal} <= "
                    f"{rule.threshold:g} would together keep no document; lower the one, raise the other, or switch "
                    "one off with null"
                )
        return self

    @classmethod
    def unresolved(cls, data: dict[str, Any]) -> dict[str, Any]:
        """A resolved section without the thresholds that its presets alone explain, so that presets can change."""
        resolved = cls.model_validate({"presets": data.get("presets", cls.model_fields["presets"].default)})
        return {
            key: value for key, value in data.items() if key == "presets" or value != getattr(resolved, key, object)
        }

    @property
    def active_rules(self) -> tuple[Rule, ...]:
        """The rules that are on, with this configuration's thresholds.

        In the order of `corpus.quality.rules.RULES`; after them the bounds, by name of their signals.
        """
        thresholds = ((rule, getattr(self, rule.name)) for rule in RULES)
        own = [rule for signal, bound in sorted(self.bounds.items()) for rule in _bound_rules(signal, bound)]
        return (*(replace(rule, threshold=value) for rule, value in thresholds if value is not None), *own)
