"""YAML to a frozen, typed recipe; every error at once, with file and line.

A stage's section may be a mapping, `true` or empty (its defaults), or `false` or absent (left out).
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from corpus.config import Config
from corpus.decontaminate.config import DecontaminateConfig
from corpus.dedup.config import DedupConfig
from corpus.errors import RecipeError
from corpus.extract.config import ExtractConfig
from corpus.fetch.config import FetchConfig
from corpus.language.config import LanguageConfig
from corpus.pack.config import PackConfig
from corpus.pii.config import PiiConfig
from corpus.planted.config import SelfcheckConfig
from corpus.quality.config import QualityConfig
from corpus.sources.config import SourceConfig
from corpus.tokenizer.config import TokenizerConfig
from corpus.training.config import TrainConfig

# What pydantic says of these names types of ours, which no user knows.
_FORMS = {
    **dict.fromkeys(("tuple_type", "list_type"), "write it as a list: [..]"),
    **dict.fromkeys(("model_type", "dict_type", "model_attributes_type"), "write it as a section: {key: value}"),
}
LIMIT = 1 << 20  # bytes of a recipe, and values that it may expand to
NAME = "recipe.yaml"  # the resolved recipe's name beside the outputs
SECTIONS = (
    "extract",
    "language",
    "quality",
    "pii",
    "dedup",
    "decontaminate",
    "tokenizer",
    "pack",
    "train",
    "selfcheck",
)


class Recipe(Config):
    """What to read, what to do with it, and where to put it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the shards."""
    output: Path | None = None
    """Folder of everything that the recipe writes; relative to the working folder."""
    fetch: FetchConfig | None = None
    """What `corpus fetch commoncrawl --recipe` downloads; `sources` names it. A run does not fetch."""
    sources: tuple[SourceConfig, ...]
    """What to read, each under a name of its own."""
    extract: ExtractConfig = ExtractConfig()
    language: LanguageConfig | None = None
    quality: QualityConfig | None = None
    pii: PiiConfig | None = None
    dedup: DedupConfig | None = None
    decontaminate: DecontaminateConfig | None = None
    tokenizer: TokenizerConfig | None = None
    pack: PackConfig | None = None
    train: TrainConfig | None = None
    selfcheck: SelfcheckConfig | None = None
    truth: Path | None = None
    """JSONL of planted pages and what should become of them: the run ends with a self-check against it."""

    @property
    def reads_code(self) -> bool:
        """Whether some documents may be source files (have a `programming_language`)."""
        return any(source.kind == "code" or "programming_language" in source.columns for source in self.sources)

    @model_validator(mode="after")
    def _held_out(self) -> Recipe:
        if self.train is not None and self.pack is not None and self.pack.validation_fraction == 0:
            raise ValueError("`train` measures on held-out documents: set pack.validation_fraction above 0")
        return self

    @field_validator("sources")
    @classmethod
    def _some_and_unique(cls, sources: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        if not sources:
            raise ValueError("is empty: name at least one source")
        names = [source.name for source in sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"two sources are called {', '.join(twice)}; ids hold the source's name, so give each its own"
            )
        return sources


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, or the resolved recipe of an output folder, with `--set key.path=value` overrides applied.

    Raises RecipeError with one line an error: `file:line: key: what is wrong`.
    """
    file = path / NAME if path.is_dir() else path
    try:
        if file.exists() and not file.is_file():
            raise RecipeError(f"{file}: is no regular file; give a recipe, or a folder that `corpus` wrote")
        if file.stat().st_size > LIMIT:
            raise RecipeError(f"{file}: is over {LIMIT:,} bytes, which no recipe is")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if path.is_dir():
            raise RecipeError(f"{path}: holds no {NAME}; give a recipe, or a folder that `corpus` wrote") from None
        raise RecipeError(f"{path}: no such recipe or folder; `ls pipelines/` shows recipes to begin with") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as a recipe ({error})") from error
    recipe = parse(text, str(file), overrides)
    return recipe.model_copy(update={"output": path}) if path.is_dir() else recipe


def parse(text: str, name: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in `text`; `name` stands before the line number in errors. Raises RecipeError."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _weigh(node, {})
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise RecipeError(f"{where}: not YAML: {getattr(error, 'problem', None) or _one_line(error)}") from error
    except RecursionError as error:
        raise RecipeError(f"{name}: is nested too deeply for a recipe") from error
    except (ValueError, KeyError, OverflowError) as error:
        raise RecipeError(f"{name}: holds a value that cannot be read: {_one_line(error)}") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"{name}: a recipe is a mapping with at least `name` and `sources`")
    faults = [f"{name}:{line}: {key}: given twice" for key, line in _duplicates(node)]
    given: dict[tuple[str, ...], str] = {}
    tried = copy.deepcopy(raw)
    for override in overrides:
        keys = tuple(override.partition("=")[0].strip().split("."))
        try:
            _assign(tried, keys, *_value(override))
            given[keys] = override
        except (ValueError, yaml.YAMLError) as error:
            why = getattr(error, "problem", None) or _one_line(error)  # YAML's whole message would quote the value
            faults.append(f"--set {_override(override)}: {why}")
    halves = list(_halves(_changed(raw, given)))
    for at in halves:
        causes = [override for keys, override in given.items() if at[: len(keys)] == keys]
        where = ", ".join(f"--set {_override(cause)}" for cause in causes) or f"{name}:{_line(node, at)}"
        key = ".".join(at).encode("utf-8", "backslashreplace").decode()
        faults.append(f"{where}: {key}: holds half a character (U+D800 to U+DFFF), which no file can; write it whole")
    if halves:
        raise RecipeError("\n".join(faults))
    try:
        recipe = Recipe.model_validate(_changed(raw, given))
    except ValidationError as error:
        told = error.errors()
        for item, causes in zip(told, _causes(raw, given, told), strict=True):
            keys = tuple(str(part) for part in item["loc"])
            where = ", ".join(f"--set {_override(cause)}" for cause in causes) or f"{name}:{_line(node, keys)}"
            faults.append(f"{where}: {_message(item, keys)}")
    if faults:
        raise RecipeError("\n".join(faults))
    return recipe


def place(path: Path, keys: Sequence[str], overrides: Sequence[str] = ()) -> str:
    """Where a recipe that `load` has read says what `keys` lead to: the override that gave it, or `file:line`."""
    for override in reversed(overrides):
        at = override.partition("=")[0].strip().split(".")
        if list(keys[: len(at)]) == at:
            return f"--set {_override(override)}"
    file = path / NAME if path.is_dir() else path
    node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    return f"{file}:{_line(node, tuple(keys))}" if keys else str(file)


def _halves(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where strings lie that hold surrogates, and so cannot be written."""
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            yield keys
    elif isinstance(value, dict):
        for key, part in value.items():
            inner = (*keys, str(key))
            yield from dict.fromkeys([*_halves(str(key), inner), *_halves(part, inner)])
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _halves(part, (*keys, str(number)))


def _value(override: str) -> tuple[Any, bool]:
    """(the value of KEY=VALUE, whether there is an equals sign). Raises yaml.YAMLError and ValueError."""
    _, equals, value = override.partition("=")
    return yaml.safe_load(value) if value else None, bool(equals)


def _changed(raw: dict[str, Any], given: Mapping[tuple[str, ...], str]) -> dict[str, Any]:
    """A copy of a recipe's values with the overrides in place and every section a mapping, or None."""
    raw = copy.deepcopy(raw)
    if any(keys[:2] == ("quality", "presets") for keys in given) and isinstance(raw.get("quality"), dict):
        with contextlib.suppress(ValidationError):  # whose faults are told when the whole is validated
            raw["quality"] = QualityConfig.unresolved(raw["quality"])
    for keys, override in given.items():
        with contextlib.suppress(ValueError):  # of one that needs another, which is left out
            _assign(raw, keys, *_value(override))
    for section in SECTIONS:
        if section in raw and (raw[section] is None or raw[section] is True):
            raw[section] = {}
        elif raw.get(section) is False:
            raw[section] = {} if section == "extract" else None
    return raw


def dump(recipe: Recipe) -> str:
    """The resolved recipe as YAML: every default written out, local source paths absolute, `output` left out."""
    raw = json.loads(recipe.model_dump_json(exclude={"output"}))
    for source, config in zip(raw["sources"], recipe.sources, strict=True):
        absolute = list(config.absolute_paths)
        source["path"] = absolute if len(absolute) > 1 else absolute[0]
    if raw["fetch"]:
        raw["fetch"]["to"] = str(Path.cwd() / raw["fetch"]["to"])
    if raw["truth"]:
        raw["truth"] = str(Path.cwd() / raw["truth"])
    raw = {key: value for key, value in raw.items() if value is not None}
    header = "# The recipe as it ran, with every default. `corpus run` takes this folder or this file.\n"
    return header + yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)


def _assign(raw: dict[str, Any], keys: tuple[str, ...], value: Any, has_value: bool) -> None:
    if not has_value or not all(keys):
        raise ValueError("write it as section.key=value, for example quality.min_words=80")
    at: Any = raw
    for key in keys[:-1]:
        if isinstance(at, list):
            if not key.isdigit() or int(key) >= len(at):
                raise ValueError(f"{key} is not a position in a list of {len(at)}")
            at = at[int(key)]
        elif isinstance(at, dict):
            if not isinstance(at.get(key), dict | list):
                at[key] = {}
            at = at[key]
        else:
            raise ValueError(f"{key} is a key of what is no section")
    if isinstance(at, list):
        if not keys[-1].isdigit() or int(keys[-1]) >= len(at):
            raise ValueError(f"{keys[-1]} is not a position in a list of {len(at)}")
        at[int(keys[-1])] = value
    elif isinstance(at, dict):
        at[keys[-1]] = value
    else:
        raise ValueError(f"{keys[-1]} is a key of what is no section")


def _weigh(node: yaml.Node | None, known: dict[int, int]) -> int:
    """How many values a node expands to. Raises ValueError past LIMIT (a few aliases can mean billions)."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("an alias inside what it stands for")
        return known[id(node)]
    known[id(node)] = 0
    parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    total = 1 + sum(_weigh(part, known) for part in parts)
    if total > LIMIT:
        raise ValueError(f"aliases that expand to over {LIMIT:,} values")
    known[id(node)] = total
    return total


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _may_be_secret(text: str) -> bool:
    """Whether a value may be, or hold, a URL with a password or a signed query."""
    return "@" in text or ("://" in text and ("?" in text or "#" in text))


def _override(text: str) -> str:
    return f"{text.partition('=')[0]}=..." if _may_be_secret(text) else text


def _small(value: Any) -> bool:
    """Short enough to be shown in a message."""
    if isinstance(value, list):
        return len(value) <= 8 and all(isinstance(part, str | int | float | bool) for part in value)
    return isinstance(value, str | int | float | bool)


def _duplicates(node: yaml.Node | None, prefix: str = "") -> list[tuple[str, int]]:
    found = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            if name in seen:
                found.append((name, key.start_mark.line + 1))
            seen.add(name)
            found += _duplicates(value, f"{name}.")
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            found += _duplicates(item, prefix)
    return found


def _line(node: yaml.Node | None, keys: tuple[str, ...]) -> int:
    """Line (from 1) of the deepest node on the way to `keys` that the file has."""
    line = 1
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            match = next(((k, v) for k, v in node.value if k.value == key), None)
            if match is None:
                break
            line, node = match[0].start_mark.line + 1, match[1]
        elif isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
            node = node.value[int(key)]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _causes(raw: dict[str, Any], given: Mapping[tuple[str, ...], str], told: Sequence[Any]) -> list[list[str]]:
    """The overrides that made each error: without one of them it is not there, nor is another in its place.

    An error at the overridden key itself, or in it, may have another in its place: the file's own value is wrong too.
    """
    errors = set(map(_identity, told))
    found: list[list[str]] = [[] for _ in told]
    for at, override in given.items():
        without: set[Any] = set()
        try:
            Recipe.model_validate(_changed(raw, {keys: text for keys, text in given.items() if keys != at}))
        except ValidationError as error:
            without = set(map(_identity, error.errors()))
        for item, causes in zip(told, found, strict=True):
            here = at == tuple(map(str, item["loc"]))[: len(at)]
            if _identity(item) not in without and (here or without <= errors):
                causes.append(override)
    return found


def _identity(item: Any) -> tuple[Any, ...]:
    """What tells an error from others; of a whole section, which changes with each of its keys, not what was given."""
    given = item.get("input")
    return (item["loc"], item["type"], item["msg"], repr(given) if _small(given) else None)


def _message(item: Any, keys: tuple[str, ...]) -> str:
    path = ".".join(keys)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(keys[-1], _known(keys[:-1]), n=1, cutoff=0.6)
        return f"{path}: unknown key" + (
            f"; did you mean {near[0]}?" if near else f"; known: {', '.join(_known(keys[:-1]))}"
        )
    if item["type"] == "missing":
        return f"{path}: is required"
    message = _FORMS.get(item["type"]) or re.sub(r"^Value error, ", "", item["msg"])
    given = item.get("input")
    shown = json.dumps(given, ensure_ascii=False, default=str) if _small(given) else ""
    where = f"{path}: " if path else ""
    return f"{where}{message}" + (f" (got {shown})" if 0 < len(shown) <= 80 and not _may_be_secret(shown) else "")


def sections(annotation: Any) -> Iterator[type[Config]]:
    """The configurations inside a type: of an optional section, of a list or a mapping of them."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from sections(part)


def _known(keys: tuple[str, ...]) -> list[str]:
    """The keys that the section at `keys` takes."""
    model: Any = Recipe
    for key in keys:
        if key.isdigit() or key not in model.model_fields:  # a position, or a name that the recipe gives
            continue
        found = list(sections(model.model_fields[key].annotation))
        if not found:
            return []
        model = found[0]
    return sorted(model.known_keys() if hasattr(model, "known_keys") else model.model_fields)
