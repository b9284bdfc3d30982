"""`corpus why FOLDER ID_OR_URL`: one document's whole way."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from corpus.cli.app import app
from corpus.cli.console import warn
from corpus.cli.options import Folder, Json
from corpus.cli.sample import delivery, reason
from corpus.errors import CorpusError
from corpus.pii.kinds import RULE
from corpus.quality import names
from corpus.quality.names import PERPLEXITY, SCORE
from corpus.quality.rule import Rule
from corpus.recipe import Recipe
from corpus.report.export import jsonable
from corpus.report.history import History, StepHistory, histories
from corpus.report.lookup import find
from corpus.report.outputs import Outputs, lateness
from corpus.report.text import beginning, indented, line, plain

_EDITS, _CHARS = 10, 300
_MANY = ("signals", "code_signals")


@app.command("why")
def why_verb(
    folder: Folder,
    document: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID_OR_URL]",
            help="An id (or its first 8 digits or more), a URL or a locator; of a row FILE#ROW or its own id, too.",
        ),
    ] = None,
    token: Annotated[
        str | None, typer.Option(metavar="SHARD:POS", help="The document of a token, for example train-00000:12345.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every signal and edit, not only those that decided.")] = False,
    text: Annotated[bool, typer.Option("--text", help="The whole text, as extracted.")] = False,
    json: Json = False,
) -> None:
    """Tell a document's way: kept or dropped, and why.

    Personal data and keys are shown hidden (<EMAIL>), whatever the recipe does with them.
    """
    if (document is None) == (token is None):
        raise CorpusError("why: give either an id or URL, or --token SHARD:POS")
    outputs = Outputs.open(folder)
    place = _token(outputs, token) if token else None
    found = histories(outputs, find(outputs, place["id"] if place else document or ""))
    if json:
        print(jsonlib.dumps([_json(history, text) for history in found]))
        return
    if place:
        inside = f"token {place['position'] - place['first_token']:,} of the {place['tokens']:,}"
        print(f"{token} is {inside} of this document:\n")
    elif len(found) > 1:
        print(f"{len(found)} documents:\n")
    for number, history in enumerate(found):
        print("" if number == 0 else "\n", end="")
        for words in _lines(history, outputs.recipe, every, text):
            print(words)


def _token(outputs: Outputs, token: str) -> dict[str, Any]:
    from corpus.pack.where import where

    if not outputs.has("pack/shards") and (late := outputs.late()):
        warn(f"the shards are of an earlier run; {lateness(late)}")
    shard, _, position = token.rpartition(":")
    if not shard or not position.replace(",", "").isdecimal():
        raise CorpusError(f"--token {token}: write it as SHARD:POSITION, for example train-00000:12345")
    return where(outputs.root / "pack" / "shards", shard, int(position.replace(",", "")))


def _json(history: History, text: bool) -> dict[str, Any]:
    steps = [vars(step) | {"edits": [vars(edit) for edit in step.edits]} for step in history.steps]
    raw = vars(history) | {"verdict": history.verdict, "steps": steps}
    if not text:
        raw.pop("text")
    return jsonable(raw)


def _lines(history: History, recipe: Recipe, every: bool, text: bool) -> Iterator[str]:
    yield f"{history.id.hex()}: {line(history.verdict)}"
    for name, value in history.about.items():
        if value is not None and name != "bytes":
            yield f"  {name:<18} {line(str(value))}"
    yield f"  {'partition':<18} {history.partition}"
    if history.text is not None:
        yield f"  {'text':<18} {history.about['bytes']:,} bytes"
        if not text:
            yield indented(beginning(history.text, _CHARS))
    for step in history.steps:
        yield from _step(step, _rules(recipe, history), every)
    for duplicate in history.duplicates[: None if every else 5]:
        yield f"  {'kept instead of':<18} {duplicate['id']}  {line(duplicate['url'])}"
    if not every and len(history.duplicates) > 5:
        yield f"  {'':<18} and {len(history.duplicates) - 5} more (--all shows them)"
    for place in history.tokens:
        last = place["first_token"] + place["tokens"] - 1
        yield f"  {'tokens':<18} {place['shard']}: {place['first_token']:,} to {last:,} ({place['tokens']:,})"
    if text and history.text is not None:
        yield ""
        yield indented(history.text)


def _step(step: StepHistory, rules: Sequence[Rule], every: bool) -> Iterator[str]:
    words = [step.verdict] if step.verdict != "measured" else []
    signals: dict[str, Any] = {}
    for name, value in step.columns.items():
        if name in _MANY:
            signals |= value or {}
            words.append(
                f"{len(value)} signals" + ("" if every else " (--all shows them)") if value else "no source file"
            )
        elif name == "scores":
            words += [_signal(f"{SCORE}{one}", score, rules) for one, score in (value or {}).items()]
        elif name == PERPLEXITY.name:
            words.append(_signal(name, value, rules))
        else:
            words.append(f"{name} {_value(value)}")
    yield f"  {step.step:<18} {', '.join(words) or 'done'}"
    for row in step.failed:
        more = f" = {line(row['duplicate_url'])}" if row.get("duplicate_url") else ""
        yield f"  {'':<18} {reason(row)}{more}"
        if "duplicate_folder" in row:
            locator = row["duplicate_locator"]
            yield f"  {'':<18} {delivery(row)}" + (f", {line(locator)}" if locator else "")
    for name, value in signals.items() if every else ():
        yield f"  {'':<18} {_signal(name, value, rules)}"
    for edit in step.edits[: None if every else _EDITS]:
        after = f" by {_quoted(edit.after, 60)}" if edit.after else ""
        what = "replaced" if edit.after else "removed"
        before = "what is hidden" if edit.rule.startswith(RULE) else _quoted(edit.before, 80)
        yield f"  {'':<18} {edit.rule} {what} {edit.start:,}-{edit.end:,} {before}{after}"
    if not every and len(step.edits) > _EDITS:
        yield f"  {'':<18} and {len(step.edits) - _EDITS:,} more edits (--all shows them)"


def _quoted(text: str, chars: int) -> str:
    shown = plain(text)
    return repr(shown if len(shown) <= chars else shown[:chars] + "…")


def _rules(recipe: Recipe, history: History) -> list[Rule]:
    """The rules that judge this document: those of source files, or all others."""
    is_code = history.about.get("programming_language") is not None
    return [r for r in (recipe.quality.active_rules if recipe.quality else ()) if names.is_code(r.signal) == is_code]


def _signal(name: str, value: float | None, rules: Sequence[Rule]) -> str:
    """`words 41  (min_words >= 50)`"""
    judging = [f"{rule.name} {rule.op} {rule.threshold:g}" for rule in rules if rule.signal == name]
    return f"{name} {_value(value)}" + (f"  ({', '.join(judging)})" if judging else "")


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):  # `pii`: how many of each kind
        return ", ".join(f"{name} {count}" for name, count in value.items() if count) or "none"
    if isinstance(value, list):  # `languages`: the likeliest with their scores
        return "; ".join(" ".join(_value(part) for part in item.values()) for item in value) or "none"
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else line(str(value))
