"""`corpus fetch`: input for a corpus, from the package index or from Common Crawl."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError

from corpus.cli.app import app
from corpus.cli.options import Json
from corpus.errors import RecipeError
from corpus.fetch.config import FetchConfig
from corpus.recipe import load

fetch_app = typer.Typer(help="Fetch input: a small pinned one, or a part of Common Crawl.", no_args_is_help=True)
app.add_typer(fetch_app, name="fetch")


@fetch_app.callback()
def _group() -> None: ...


@fetch_app.command("quickstart")
def quickstart_verb(
    to: Annotated[Path, typer.Option("--to", help="Folder to write.")] = Path("data/input"),
    seed: Annotated[int, typer.Option(help="Seed of the planted pages.")] = 20,
    json: Json = False,
) -> None:
    """Real pages and Wikipedia intros as WARC files, with planted duplicates whose truth is known."""
    from corpus.fetch.quickstart import build

    facts = build(to, seed)
    print(jsonlib.dumps(facts) if json else f"{to}: {facts['pages']:,} pages in {len(facts['files'])} files")


@fetch_app.command("commoncrawl")
def commoncrawl_verb(
    crawl: Annotated[str | None, typer.Option(help="Name of the crawl, for example CC-MAIN-2024-33.")] = None,
    files: Annotated[int | None, typer.Option(help="Fetch so many whole files.")] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="Fetch records: domain=example.org, host=..., url=example.org/path/*."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder to write.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Take what is not given here from the `fetch` section of a recipe.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="With --files: warc (the default) or wet (plain text).")] = None,
    first: Annotated[int | None, typer.Option(help="With --files: position of the first file, from 0.")] = None,
    sample: Annotated[int | None, typer.Option(metavar="SEED", help="With --files: a sample of all files.")] = None,
    limit: Annotated[int | None, typer.Option(help="With --match: at most so many records.")] = None,
    status: Annotated[list[int] | None, typer.Option(help="With --match: HTTP status of records; else 200.")] = None,
    mime: Annotated[list[str] | None, typer.Option(help="With --match: media type of records; else HTML.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Where the crawl's paths begin: a mirror.")] = None,
    allow_private: Annotated[
        bool | None, typer.Option("--allow-private", help="Let it be a host that is not public.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Downloads side by side; be kind to the server.")] = 4,
    json: Json = False,
) -> None:
    """Whole files of a crawl, or the records of some pages; interrupted, the same command goes on."""
    from corpus.cli.transfer import Bar
    from corpus.fetch.commoncrawl import fetch

    given: dict[str, Any] = {
        "crawl": crawl, "to": str(to) if to else None, "files": files, "kind": kind, "first": first, "sample": sample,
        "match": match or None, "limit": limit, "status": status or None, "mime": mime or None,
        "base_url": base_url, "allow_private": allow_private,
    }  # fmt: skip
    config = _config({key: value for key, value in given.items() if value is not None}, recipe)
    with Bar() as bar:
        facts = fetch(config, workers=workers, observer=bar)
    for record in facts["missing"][:5]:
        bar.warn(f"{record['url']}: left out: {record['why']}")
    if json:
        print(jsonlib.dumps(facts))
        return
    left_out = f", {len(facts['missing']):,} records could not be had" if facts["missing"] else ""
    count = len(facts["files"])
    print(f"{config.to}: {count:,} files, {facts['bytes']:,} bytes, {facts['fetched']:,} of them fetched now{left_out}")


def _config(given: dict[str, Any], recipe: Path | None) -> FetchConfig:
    """What was given, over the recipe's section. Raises RecipeError."""
    if recipe is not None:
        overrides = [f"fetch.{key}={yaml.safe_dump(value, default_flow_style=True)}" for key, value in given.items()]
        found = load(recipe, [override.strip().removesuffix("...").strip() for override in overrides]).fetch
        if found is None:
            raise RecipeError(f"{recipe}: has no `fetch` section; `corpus keys fetch` shows its keys")
        return found
    try:
        return FetchConfig.model_validate(given)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            option = "".join(f"--{str(part).replace('_', '-')}: " for part in item["loc"][:1])
            lines.append(option + item["msg"].removeprefix("Value error, "))
        raise RecipeError("\n".join(lines)) from error
