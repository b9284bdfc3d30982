"""Options that several verbs share, and the one way in which verbs load and run recipes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from corpus.errors import RecipeError
from corpus.recipe import NAME, Recipe, load, parse
from corpus.run import Limits, Summary, output_of, run

Target = Annotated[Path, typer.Argument(metavar="RECIPE_OR_FOLDER", help="A recipe, or a folder that a run wrote.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that `corpus extract` or `corpus run` wrote.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key, for example quality.min_words=80."),
]
StageSet = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set one key of this stage's section.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Workers = Annotated[int, typer.Option(min=0, help="Worker processes; 0 takes one a core.")]


def _megabytes(text: str | int) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]?i?B?)", str(text).strip(), re.IGNORECASE)
    if not found:
        raise typer.BadParameter(f"{text} is no size; give MB (4096), or a unit with it (512MB, 2GB)")
    number, unit = float(found[1]), found[2].upper()[:1]
    return round(number * {"": 1, "B": 1 / (1 << 20), "K": 1 / 1024, "M": 1, "G": 1024, "T": 1 << 20}[unit])


Memory = Annotated[
    int,
    typer.Option(
        "--memory",
        parser=_megabytes,
        metavar="SIZE",
        help="Resident memory a worker may take, in MB or with its unit (2GB); 0: no limit.",
    ),
]
Hang = Annotated[float, typer.Option("--hang", min=1, help="Seconds without progress after which a task hangs.")]


def run_watched(recipe: Recipe, until: str | None, limits: Limits) -> Summary:
    """Run with progress on stderr."""
    from corpus.cli.console import Watch

    watch = Watch(output_of(recipe))
    try:
        return run(recipe, until=until, limits=limits, observer=watch)
    finally:
        watch.close()


def run_until(recipe: Recipe, stage: str, limits: Limits) -> None:
    """Run up to a stage, with progress on stderr and the stage's account on stdout."""
    from corpus.cli.summary import finish_stage

    finish_stage(recipe, output_of(recipe), stage, run_watched(recipe, stage, limits))


def stage_overrides(section: str, sets: Sequence[str] | None) -> list[str]:
    """A stage verb's `--set` as a recipe's: `min_words=80` and `quality.min_words=80` both mean the latter."""
    for item in sets or ():
        if "=" not in item:
            raise RecipeError(f"--set {item}: write it as key=value, for example --set {item or 'key'}=5")
    return [item if item.startswith(f"{section}.") else f"{section}.{item}" for item in sets or ()]


def run_stage(folder: Path, section: str, given: Mapping[str, Any], sets: Sequence[str] | None, limits: Limits) -> None:
    """Add or change one stage's section in a folder's resolved recipe, and run up to that stage.

    What is not given keeps the value that the folder's recipe has, or else its default.
    """
    if not folder.exists():
        raise RecipeError(f"{folder}: no such folder; `corpus extract IN {folder}` begins one")
    base = load(folder)
    if not folder.is_dir():
        raise RecipeError(f"{folder}: a stage runs on a folder; `corpus run {folder}` runs a recipe")
    overrides = [
        f"{section}.{key}={yaml.safe_dump(value, default_flow_style=True).strip().removesuffix('...').strip()}"
        for key, value in given.items()
        if value is not None
    ]
    overrides += stage_overrides(section, sets)
    file = folder / NAME
    if getattr(base, section) is None and not overrides:
        overrides = [f"{section}=true"]
    recipe = parse(file.read_text(encoding="utf-8"), str(file), overrides)
    run_until(recipe.model_copy(update={"output": folder}), section, limits)
