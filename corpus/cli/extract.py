"""`corpus extract IN OUT`: begin a folder with the documents of some files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from corpus.cli.app import app
from corpus.cli.options import Hang, Memory, StageSet, Workers, run_until
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
    text_column: Annotated[str | None, typer.Option(help="Column with the text, for jsonl and parquet.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Let these be the sources of OUT, instead of those that it has.")] = False,
    sets: StageSet = None,
    workers: Workers = 0,
    memory: Memory = 4096,
    hang: Hang = 600,
) -> None:
    """Extract documents from WARC, HTML, text, JSONL or Parquet into a new folder."""
    source: dict[str, Any] = {"name": name, "kind": kind or kind_of(inputs[0]), "path": inputs}
    if text_column:
        source["columns"] = {"text": text_column}
    raw: dict[str, Any] = {"name": folder.name or "corpus", "sources": [source]}
    overrides = [f"extract.{item}" for item in sets or ()]
    if extractor:
        overrides.append(f"extract.extractor={extractor}")
    if (folder / NAME).is_file():
        earlier = yaml.safe_load((folder / NAME).read_text(encoding="utf-8"))
        fresh = parse(yaml.safe_dump(raw), "command line", overrides)
        # The folder's recipe has absolute paths; so has a dumped one.
        if not replace and load(folder).sources != parse(dump(fresh), "command line").sources:
            raise RecipeError(f"{folder}: already holds other sources; choose another folder, or add --replace")
        raw = earlier | {"sources": raw["sources"]}
    recipe = parse(yaml.safe_dump(raw), "command line", overrides)
    run_until(recipe.model_copy(update={"output": folder}), "extract", Limits(workers, memory, hang))


def kind_of(path: str) -> str:
    """The kind that a file name, or the first known file of a folder, suggests. Raises RecipeError."""
    at = Path(path)
    names = sorted(item.name for item in at.rglob("*")) if at.is_dir() else [at.name]
    for file in names:
        for suffix in reversed(Path(file.lower()).suffixes):
            if suffix in SUFFIXES:
                return SUFFIXES[suffix]
    raise RecipeError(f"{path}: its kind cannot be told from its name; add --kind warc, html, text, jsonl or parquet")
