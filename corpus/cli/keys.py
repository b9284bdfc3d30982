"""`corpus keys`: every key of a recipe."""

from __future__ import annotations

import ast
import difflib
import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from corpus.cli.app import app
from corpus.config import Config
from corpus.errors import RecipeError
from corpus.recipe import SECTIONS, Recipe, sections


@app.command("keys")
def keys_verb(
    section: Annotated[
        str | None, typer.Argument(help="One section (sources, quality, quality.filters) or key (dedup.threshold).")
    ] = None,
) -> None:
    """List every key of a recipe, its default and meaning."""
    known: dict[str, type[Config]] = {"": Recipe, **models()}
    within, _, key = (section or "").rpartition(".")
    if section is not None and section not in known:
        if within not in known or key not in known[within].model_fields:
            raise RecipeError(_unknown(section, known))
        typer.echo("\n".join(lines(within, known[within], key)))
        return
    for name, model in known.items():
        if section is None or name == section or name.startswith(f"{section}."):
            typer.echo("\n".join(lines(name, model)))


def _unknown(given: str, known: Mapping[str, type[Config]]) -> str:
    """What to say of a name that is neither section nor key: the same key of other sections, or what is alike."""
    keys = [f"{name}.{key}".removeprefix(".") for name, model in known.items() for key in model.model_fields]
    near = [key for key in keys if key.rpartition(".")[2] == given] or difflib.get_close_matches(given, keys, n=1)
    there = ", ".join(name for name in known if name)
    return f"{given}: no such section or key; " + (
        f"did you mean {' or '.join(near)}?" if near else f"sections: {there}"
    )


def models() -> dict[str, type[Config]]:
    """The sections of a recipe and their models, in the order of the flow, each with those inside it."""
    found: dict[str, type[Config]] = {}
    for name in ("fetch", "sources", *SECTIONS):
        (model,) = sections(Recipe.model_fields[name].annotation)
        found[name] = model
        for key, field in model.model_fields.items():
            found |= {f"{name}.{key}": inner for inner in sections(field.annotation)}
    return found


def lines(name: str, model: type[Config], only: str | None = None) -> Iterator[str]:
    """Markdown: a heading, what the section is, a row a key (or the row of `only` one)."""
    yield f"## {name or 'top level'}\n\n{_text(model.__doc__)}\n\n| key | default | meaning |\n|---|---|---|"
    known = meanings(model)
    for key, field in model.model_fields.items():
        if (name or key not in SECTIONS) and only in (None, key):
            default = "required" if field.is_required() else f"`{_value(field.get_default(call_default_factory=True))}`"
            yield f"| `{key}` | {default} | {_text(known[key])} |"
    yield ""


def meanings(model: type[Config]) -> dict[str, str]:
    """The docstring under each of a model's fields. Pydantic can find them, too, but does so whenever the class is
    made: a third of the time in which a recipe's models are loaded, in every process."""
    found = {key: field.description or "" for key, field in model.model_fields.items()}
    for kind in reversed([kind for kind in model.__mro__ if issubclass(kind, Config)]):
        try:
            source = inspect.getsource(kind)
        except OSError:
            continue  # made by `create_model`, which is given descriptions
        body = ast.parse(source).body[0]
        assert isinstance(body, ast.ClassDef)
        for line, after in itertools.pairwise(body.body):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(after, ast.Expr):
                found[line.target.id] = ast.literal_eval(after.value)
    return found


def _text(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
