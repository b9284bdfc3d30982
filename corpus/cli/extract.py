"""`corpus extract IN OUT`: begin a folder with the documents of some files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
import yaml

from corpus.cli.app import app
from corpus.cli.options import Hang, Memory, StageSet, Workers, run_until, stage_overrides
from corpus.errors import RecipeError
from corpus.recipe import NAME, dump, load, parse
from corpus.run import Limits
from corpus.sources.config import Kind, is_remote
from corpus.sources.pieces import kind_by_name
from corpus.sources.remote import shown
from corpus.store import StepFolder

KINDS = ", ".join(get_args(Kind))
# Named alone they are what they are; in a folder of other files they are often settings, lists and feeds beside them.
_COMMON = (".xml", ".json")


@app.command("extract")
def extract_verb(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN...", help="Files, folders, globs or URLs of one kind; a dataset's name.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    kind: Annotated[str | None, typer.Option(help=f"{KINDS}; else by file name.")] = None,
    name: Annotated[str, typer.Option(help="Name of the source; ids hold it.")] = "input",
    extractor: Annotated[str | None, typer.Option(help="cascade, resiliparse or trafilatura.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text (of tables); else `text`.")] = None,
    columns: Annotated[str | None, typer.Option(help="Further columns: url=link,date=when,title=head.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Let these replace the sources of OUT.")] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Let URLs lead to hosts that are not public.")
    ] = False,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Extract documents of some files into a new folder."""
    if kind is None:
        kind = kind_of(inputs)
        if kind in ("text", "html") and (hint := checkout_hint(inputs)):
            from corpus.cli.console import warn

            warn(f"its {kind} files are read: {hint}")
    source: dict[str, Any] = {"name": name, "kind": kind, "path": inputs}
    if allow_private:
        source["allow_private"] = True
    if mapping := columns_of(columns, text_column):
        source["columns"] = mapping
    raw: dict[str, Any] = {"name": recipe_name(folder), "sources": [source]}
    overrides = stage_overrides("extract", sets)
    if extractor:
        overrides.append(f"extract.extractor={extractor}")
    if (folder / NAME).is_file():
        before = load(folder)
        earlier = yaml.safe_load((folder / NAME).read_text(encoding="utf-8"))
        fresh = parse(yaml.safe_dump(raw), "command line", overrides)
        # The folder's recipe has absolute paths; so has a dumped one.
        committed = bool(StepFolder(folder / "extract").entries())
        if committed and not replace and before.sources != parse(dump(fresh), "command line").sources:
            raise RecipeError(f"{folder}: already holds other sources; choose another folder, or add --replace")
        raw = earlier | {"sources": raw["sources"]}
    recipe = parse(yaml.safe_dump(raw), "command line", overrides)
    run_until(recipe.model_copy(update={"output": folder}), "extract", Limits(workers, memory, hang))


def recipe_name(folder: Path) -> str:
    """The folder's name as a recipe's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.absolute().name).lstrip("._-") or "corpus"


def kind_of(paths: list[str]) -> str:
    """The one kind that the names of all files suggest. Raises RecipeError for none and for several.

    A repository and a dataset are told by no name.
    """
    found: dict[str, str] = {}
    for path in paths:
        places = [Path(place) for place in glob.glob(path)] if glob.has_magic(path) else [Path(path)]  # noqa: PTH207
        files = [path] if is_remote(path) else [str(file) for at in places for file in _below(at)]
        for file in sorted(files):
            kind = "jsonl" if file.lower().endswith(".json") else kind_by_name(shown(file))
            if kind and kind != "code":
                found.setdefault(kind, file)
    if not found:
        if all(Path(path).is_dir() and not any(at.is_file() for at in Path(path).rglob("*")) for path in paths):
            raise RecipeError(f"{paths[0]}: holds no file; correct the path, or fill the folder first")
        raise RecipeError(f"{paths[0]}: no name tells a kind of file; add --kind, one of {KINDS}")
    if len(found) > 1:
        each = ", ".join(f"{file} is {kind}" for kind, file in found.items())
        hint = f" ({checkout})" if (checkout := checkout_hint(paths)) else ""
        raise RecipeError(
            f"files of several kinds ({each}): say which with --kind{hint}, or write a recipe with a source each"
        )
    return next(iter(found))


def checkout_hint(paths: list[str]) -> str:
    """A word on the first path that is a git checkout; empty where none is."""
    found = next((path for path in paths if os.path.lexists(Path(path) / ".git")), None)
    return f"{found} is a git checkout, `--kind code` reads its source files" if found else ""


def _below(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
    else:
        yield from (file for file in place.rglob("*") if not file.name.lower().endswith(_COMMON))


def columns_of(given: str | None, text_column: str | None) -> dict[str, str]:
    """`url=link,date=when` as a mapping. Raises RecipeError."""
    columns = {"text": text_column} if text_column else {}
    for item in given.split(",") if given else ():
        ours, equals, theirs = item.partition("=")
        if not (ours and equals and theirs):
            raise RecipeError(f"--columns {given}: write it as ours=theirs, for example text=body,url=link")
        columns[ours.strip()] = theirs.strip()
    return columns
