"""What the words after `corpus sweep FOLDER` mean: signals, rules, presets, and thresholds to try."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import replace

from corpus.errors import CorpusError
from corpus.quality import names
from corpus.quality.rule import Rule
from corpus.quality.rules import PRESETS, RULES, SETS
from corpus.report.sweep import LANGUAGE_SCORE, Population, column

_PUBLISHED = {rule.name: rule for rule in RULES}


def understand(population: Population, words: Sequence[str]) -> tuple[list[str], list[Rule] | None]:
    """(signals, rules to weigh as one set or None) of words: SIGNAL, PRESET, RULE, RULE=THRESHOLD or RULE=null.

    A preset has its published thresholds, a rule the recipe's where that has it. Thresholds alone change the recipe's
    own set, which no words at all mean. Raises CorpusError for an unknown word.
    """
    own = {rule.name: rule for rule in population.rules}
    signals: list[str] = []
    found: dict[str, Rule] = {}
    changes: dict[str, str] = {}
    named = False
    for word in words:
        name, is_change, value = word.partition("=")
        if not name:
            raise CorpusError(f"sweep: {word!r} names no rule; write RULE=THRESHOLD, for example min_words=80")
        if is_change:
            changes[name] = value
        elif name in PRESETS:
            named = True
            found |= {rule.name: rule for part in PRESETS[name] for rule in SETS[part]}
        elif rule := own.get(name) or _PUBLISHED.get(name):
            named = True
            found[name] = rule
        elif _is_signal(name, population):
            signals.append(name)
        else:
            raise CorpusError(_unknown(name, population))
    if not named and (changes or not words):
        found = dict(own)
    for name, value in changes.items():
        if value == "null":
            found.pop(name, None)
        else:
            found[name] = _changed(name, value, found.get(name) or own.get(name) or _PUBLISHED.get(name), population)
    for name in (word.partition("=")[0] for word in words):
        if name in found and not population.measured(found[name].signal):
            raise CorpusError(population.lack(column(found[name].signal)))
    if not words and not found:
        raise CorpusError(f"{population.outputs.root}: its recipe has no quality rule; name some: {', '.join(PRESETS)}")
    if not (named or changes or not words):
        return signals, None
    order = {name: index for index, name in enumerate((*_PUBLISHED, *own))}
    return signals, sorted(found.values(), key=lambda rule: order.get(rule.name, len(order)))


def _is_signal(name: str, population: Population) -> bool:
    if name == LANGUAGE_SCORE or name.startswith(names.SCORE):
        return name == LANGUAGE_SCORE or name in _scores(population)
    try:
        names.column(name)
    except ValueError:
        return False
    return True


def _scores(population: Population) -> list[str]:
    quality = population.outputs.recipe.quality
    return [f"{names.SCORE}{classifier.name}" for classifier in quality.classifiers] if quality else []


def _changed(name: str, value: str, rule: Rule | None, population: Population) -> Rule:
    try:
        threshold = float(value)
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        raise CorpusError(f"{name}={value}: a threshold is a number, or null to leave the rule out")
    if rule is not None:
        return replace(rule, threshold=threshold)
    side, _, signal = name.partition("_")
    if side not in ("min", "max") or signal == LANGUAGE_SCORE or not _is_signal(signal, population):
        raise CorpusError(_unknown(name, population))
    return Rule(name, signal, ">=" if side == "min" else "<=", threshold, "given")


def _unknown(name: str, population: Population) -> str:
    signals = [signal.name for signal in (*names.TEXT, *names.CODE, names.PERPLEXITY)]
    own = [rule.name for rule in population.rules]
    known = [*PRESETS, *own, *_PUBLISHED, *signals, *_scores(population), LANGUAGE_SCORE]
    found = difflib.get_close_matches(name, known, n=1)
    more = f"did you mean {found[0]}?" if found else "docs/quality.md lists them"
    return f"{name}: no signal, rule or preset is called so; {more}"
