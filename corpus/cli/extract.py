"""`corpus extract IN OUT`: begin a folder with the documents of some files."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from corpus.cli.app import app
from corpus.cli.options import Hang, Memory, StageSet, Workers, run_until, stage_overrides
from corpus.errors import RecipeError
from corpus.recipe import NAME, dump, load, parse
from corpus.run import Limits

SUFFIXES = {
    ".warc": "warc", ".wet": "warc", ".html": "html", ".htm": "html", ".xhtml": "html", ".txt": "text",
    ".text": "text", ".md": "text", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet",
}  # fmt: skip


@app.command("extract")
def extract_verb(
    inputs: Annotated[list[str], typer.Argument(metavar="IN...", help="Files, folders or globs of one kind.")],
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")],
    kind: Annotated[str | None, typer.Option(help="warc, html, text, jsonl or parquet; else by file name.")] = None,
    name: Annotated[str, typer.Option(help="Name of the source; ids hold it.")] = "input",
    extractor: Annotated[str | None, typer.Option(help="resiliparse or trafilatura.")] = None,
    text_column: Annotated[str | None, typer.Option(help="Column with the text (jsonl, parquet); else `text`.")] = None,
    columns: Annotated[str | None, typer.Option(help="Further columns: url=link,date=when,title=head.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Let these replace the sources of OUT.")] = False,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Extract documents of some files into a new folder."""
    source: dict[str, Any] = {"name": name, "kind": kind or kind_of(inputs), "path": inputs}
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
        if not replace and before.sources != parse(dump(fresh), "command line").sources:
            raise RecipeError(f"{folder}: already holds other sources; choose another folder, or add --replace")
        raw = earlier | {"sources": raw["sources"]}
    recipe = parse(yaml.safe_dump(raw), "command line", overrides)
    run_until(recipe.model_copy(update={"output": folder}), "extract", Limits(workers, memory, hang))


def recipe_name(folder: Path) -> str:
    """The folder's name as a recipe's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.absolute().name).lstrip("._-") or "corpus"


def kind_of(paths: list[str]) -> str:
    """The one kind that the names of all files suggest. Raises RecipeError for none and for several."""
    found: dict[str, str] = {}
    for path in paths:
        places = [Path(place) for place in glob.glob(path)] if glob.has_magic(path) else [Path(path)]  # noqa: PTH207
        files = [file for at in places for file in (at.rglob("*") if at.is_dir() else [at])]
        for file in sorted(files):
            kind = next((SUFFIXES[s.lower()] for s in reversed(file.suffixes) if s.lower() in SUFFIXES), None)
            if kind:
                found.setdefault(kind, str(file))
    if not found:
        raise RecipeError(f"{paths[0]}: no name tells a kind of file; add --kind warc, html, text, jsonl or parquet")
    if len(found) > 1:
        each = ", ".join(f"{file} is {kind}" for kind, file in found.items())
        raise RecipeError(
            f"files of several kinds ({each}): say which with --kind, or write a recipe with a source each"
        )
    return next(iter(found))


def columns_of(given: str | None, text_column: str | None) -> dict[str, str]:
    """`url=link,date=when` as a mapping. Raises RecipeError."""
    columns = {"text": text_column} if text_column else {}
    for item in given.split(",") if given else ():
        ours, equals, theirs = item.partition("=")
        if not (ours and equals and theirs):
            raise RecipeError(f"--columns {given}: write it as ours=theirs, for example text=body,url=link")
        columns[ours.strip()] = theirs.strip()
    return columns
