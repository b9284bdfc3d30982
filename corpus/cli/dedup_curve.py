"""`corpus dedup curve`: what bands and rows find."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from corpus.cli.dedup import dedup_app
from corpus.cli.options import Json
from corpus.dedup.config import DedupConfig
from corpus.errors import CorpusError


@dedup_app.command("curve")
def curve_verb(
    target: Annotated[
        Path | None, typer.Argument(metavar="[RECIPE_OR_FOLDER]", help="Begin with its settings; else the defaults.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Similarity from which on pairs should be found.")] = None,
    recall: Annotated[float | None, typer.Option(help="Least probability that a pair at the threshold is.")] = None,
    precision: Annotated[float | None, typer.Option(help="Least precision of the bands alone.")] = None,
    permutations: Annotated[int | None, typer.Option(help="MinHash values in a signature.")] = None,
    bands: Annotated[int | None, typer.Option(help="Bands; with --rows, instead of choosing them.")] = None,
    rows: Annotated[int | None, typer.Option(help="MinHash values in a band.")] = None,
    verify: Annotated[
        bool | None, typer.Option("--verify/--no-verify", help="Whether candidates are compared exactly.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the bands and rows for a threshold, their S-curve, and what others would find."""
    from corpus.dedup.curve import figures
    from corpus.recipe import load

    base: dict[str, Any] = {}
    if target is not None:
        section = load(target).dedup
        base = section.model_dump(exclude={"against"}) if section else {}
    given = {"threshold": threshold, "recall": recall, "precision": precision, "permutations": permutations}
    given |= {"bands": bands, "rows": rows, "verify": verify}
    asked: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if asked.keys() & {"threshold", "recall", "precision", "permutations"} and not asked.keys() & {"bands", "rows"}:
        asked |= {"bands": None, "rows": None}
    try:
        config = DedupConfig.model_validate(base | asked)
    except ValidationError as error:
        raise CorpusError("\n".join(f"dedup curve: {_what(item)}" for item in error.errors())) from error
    found = figures(config)
    if json:
        print(jsonlib.dumps(found))
    else:
        _show(found)


def _what(item: Any) -> str:
    where = f"--{item['loc'][-1]} {item['input']}: " if item["loc"] else ""
    return where + item["msg"].removeprefix("Value error, ").replace("set permutations=", "give --permutations ")


def _show(found: dict[str, Any]) -> None:
    from corpus.cli import console
    from corpus.dedup.curve import headline, share

    print(f"{headline(found)}\n")
    curve = console.table("J", "compared", title="Pairs compared")
    for point in found["curve"]:
        curve.add_row(f"{point['jaccard']:.4g}", share(found, point["probability"]))
    console.show(curve)
    print()
    heads = ("bands", "rows", "recall", "false candidates", *(() if found["verify"] else ("precision",)))
    others = console.table(*heads, title=f"Within {found['permutations']:,} permutations")
    others.columns[0].justify = "right"
    for row in found["alternatives"]:
        cells = [str(row["bands"]), str(row["rows"]), share(found, row["recall"]), f"{row['false_candidates']:.4f}"]
        others.add_row(*cells, *(() if found["verify"] else (f"{row['precision']:.3f}",)))
    console.show(others)
