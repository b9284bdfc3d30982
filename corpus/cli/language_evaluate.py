"""`corpus language evaluate LABELLED`."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from corpus.cli.language import language_app
from corpus.cli.options import Json, StageSet, stage_overrides
from corpus.errors import InputError
from corpus.language.config import LanguageConfig

if TYPE_CHECKING:
    from corpus.language.evaluate import Evaluation, LanguageFigures
    from corpus.language.sample import Sample

_CONFUSIONS = 15
_BARE = "name: sample\nsources: [{name: sample, kind: text, path: '.'}]\nlanguage: {}\n"


@language_app.command("evaluate")
def evaluate_verb(
    sample: Annotated[
        Path,
        typer.Argument(
            metavar="LABELLED",
            help="Rows of a language code, a tab, a text; .csv and .jsonl are known by their suffix.",
        ),
    ],
    language_column: Annotated[
        str | None,
        typer.Option(help="Column of the codes: a number from 1, or a name.", show_default="1; in .jsonl language"),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(help="Column of the texts: a number from 1, or a name.", show_default="2; in .jsonl text"),
    ] = None,
    header: Annotated[
        bool, typer.Option("--header", help="The first line holds names (so it does if any is given).")
    ] = False,
    precision: Annotated[
        float, typer.Option(min=0.01, max=0.999, help="Least precision that a calibrated threshold must show.")
    ] = 0.9,
    recipe: Annotated[Path | None, typer.Option(help="Recipe or folder whose `language` section is tried.")] = None,
    sets: StageSet = None,
    json: Json = False,
) -> None:
    """Measure the language model on your own labelled sample, and calibrate a threshold a language on it."""
    from corpus.cli.console import warn
    from corpus.language.sample import Sample

    config = _config(recipe, sets)
    rows = Sample(sample, language_column, text_column, header, config.max_chars)
    found = _evaluate(rows, config, precision, sample)
    if json:
        print(jsonlib.dumps(found.to_json() | {"bad_rows": dict(sorted(rows.bad.items()))}))
    else:
        _show(found)
    if rows.bad:
        warn(f"{sample}: {rows.bad.total():,} rows not used: {rows.faults()}")


def _config(recipe: Path | None, sets: list[str] | None) -> LanguageConfig:
    from corpus.recipe import load, parse

    overrides = stage_overrides("language", sets)
    read = parse(_BARE, "defaults", overrides) if recipe is None else load(recipe, overrides)
    return read.language or LanguageConfig()


def _evaluate(rows: Sample, config: LanguageConfig, precision: float, path: Path) -> Evaluation:
    import pyarrow as pa

    from corpus.language.evaluate import evaluate
    from corpus.language.identify import Identifier
    from corpus.language.model import locate

    identifier = Identifier(locate(config), max_chars=config.max_chars)
    true: list[str] = []
    labels: list[str] = []
    scores: list[float] = []
    for codes, texts in rows.batches():
        found = identifier.identify(pa.array(texts, pa.large_string()))
        true += codes
        labels += found.field("language").to_pylist()
        scores += found.field("language_score").to_pylist()
    if not true:
        raise InputError(f"{path}: no row can be used ({rows.faults() or 'it is empty'}); {rows.way_out()}")
    return evaluate(true, labels, scores, identifier.labels, precision)


def _show(found: Evaluation) -> None:
    from corpus.cli.console import show, table

    print(f"{found.rows:,} rows, {len(found.languages):,} languages")
    print(f"accuracy {found.accuracy:.3f}, macro accuracy {found.macro_accuracy:.3f}", end="")
    unknown = [row.language for row in found.languages if row.label is None]
    if unknown and found.known_macro_accuracy is not None:
        print(f"; {found.known_macro_accuracy:.3f} over the languages that the model knows (not {', '.join(unknown)})")
    else:
        print()
    print()
    made = table(*_HEADS)
    for row in found.languages:
        made.add_row(*(escape(cell) for cell in _cells(row)))
    show(made)
    if small := [row for row in found.languages if row.small]:
        print(f"\n* {len(small):,} languages have fewer than 100 rows: their figures are rough, see the intervals")
    if found_as := found.found_as():
        print("\nMost often labelled as another language (to keep the one, keep both):")
        for true, label, count in found_as:
            print(f"  {true} is found as {label} (rows: {count:,})")
    if found.confusions:
        print("\nCommonest confusions:")
        made = table("true", "found", "rows")
        for true, label, count in found.confusions[:_CONFUSIONS]:
            made.add_row(escape(true), escape(label), f"{count:,}")
        show(made)
    _show_thresholds(found)


_HEADS = (
    "language",
    "label",
    "rows",
    "recall",
    "95% interval",
    "precision",
    "threshold",
    "its precision",
    "its recall",
)


def _cells(row: LanguageFigures) -> list[str]:
    at = row.threshold
    return [
        row.language,
        row.label or "none",
        f"{row.rows:,}{'*' if row.small else ' '}",
        f"{row.recall:.3f}",
        f"{row.recall_low:.3f} to {row.recall_high:.3f}",
        "" if row.precision is None else f"{row.precision:.3f}",
        f"{at.value:.3f}" if at else "",
        f"{at.precision:.3f} (>= {at.precision_low:.3f})" if at else "",
        f"{at.recall:.3f}" if at else "",
    ]


def _show_thresholds(found: Evaluation) -> None:
    thresholds = found.thresholds()
    print(
        f"\nThreshold: the lowest score from which on precision is at least {found.target:g} at the lower end of its "
        "95% interval, in a sample\nmixed as this one is. Languages without one gave too few rows, or are never that "
        "precise; the general threshold holds for them."
    )
    if thresholds:
        print("\nlanguage:\n  thresholds:")
        for label, value in sorted(thresholds.items()):
            print(f"    {jsonlib.dumps(label) if label in _YAML_WORDS else label}: {value:g}")


_YAML_WORDS = ("no", "on", "off", "yes", "y", "n")  # YAML 1.1 reads them as booleans
