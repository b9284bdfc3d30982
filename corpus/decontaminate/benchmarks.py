"""Benchmarks as files: which they are, their digests, and the items in them."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from corpus.errors import InputError
from corpus.plan import BENCHMARK
from corpus.store import sha256_once

_JSONL = (".jsonl", ".ndjson", ".json")
_TEXT = (".txt", ".md")
_COMPRESSED = (".gz", ".zst", ".bz2")
_SHOWN = 10


@dataclass(frozen=True)
class Item:
    """What must not be trained on. `fields`: its texts, field by field, in the order in which they are read; several
    texts of a field stand for each other (choices). `label` names it within its task."""

    label: str
    fields: tuple[tuple[str, ...], ...]
    several: tuple[bool, ...]
    """Of each field whether it is a list, or a paragraph of a text file."""


def files(benchmark: BenchmarkConfig) -> dict[str, Path]:
    """Name within the benchmark -> file, by name. Raises InputError when there is none."""
    where = f"benchmark {benchmark.name}: {benchmark.path}"
    path = benchmark.path
    if path.is_dir():
        found = {str(p.relative_to(path)): p for p in path.rglob("*") if p.is_file() and _kind(p)}
        if not found:
            raise InputError(f"{where}: holds no .jsonl or .txt file (.gz, .zst and .bz2 too); correct `path`")
    elif path.is_file():
        found = {path.name: path}
    else:
        matches = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207 -- `Path.glob` takes no absolute pattern
        matches = [match for match in matches if match.is_file()]
        if not matches:
            raise InputError(f"{where}: no such file, folder or glob; correct `path`")
        root = Path(*path.parts[: next(i for i, part in enumerate(path.parts) if glob.has_magic(part))])
        found = {str(match.relative_to(root)): match for match in matches}
    for file in found.values():
        if not _kind(file):
            raise InputError(f"{where}: {file.name} is neither JSONL nor text by its name; name it .jsonl or .txt")
    return dict(sorted(found.items()))


def digests(config: DecontaminateConfig) -> dict[str, str]:
    """`benchmark NAME/FILE` -> sha256. Raises InputError for files that are not there or cannot be read."""
    found = {}
    for benchmark in config.benchmarks:
        for name, path in files(benchmark).items():
            try:
                found[f"{BENCHMARK}{benchmark.name}/{name}"] = sha256_once(path)
            except OSError as error:
                raise InputError(
                    f"benchmark {benchmark.name}: {path}: cannot be read ({error.strerror}); mend it or leave it out"
                ) from error
    return found


def read(benchmark: BenchmarkConfig) -> Iterator[Item]:
    """The items, file by file, in order. Raises InputError with a line for each of the first faults."""
    of = files(benchmark)
    faults: list[str] = []
    count = 0
    for name, path in of.items():
        prefix = f"{name}:" if len(of) > 1 else ""
        lines = _lines(path)
        found = _records(lines, path, benchmark, faults) if _kind(path) == "jsonl" else _paragraphs(lines)
        for number, label, fields, several in found:
            count += 1
            yield Item(label or f"{prefix}{number}", fields, several)
    if faults:
        more = [f"and {len(faults) - _SHOWN:,} more lines"] if len(faults) > _SHOWN else []
        raise InputError("\n".join([*faults[:_SHOWN], *more]))
    if count == 0:
        raise InputError(f"benchmark {benchmark.name}: {benchmark.path}: holds no item; correct `path` or leave it out")


_Record = tuple[int, str | None, tuple[tuple[str, ...], ...], tuple[bool, ...]]


def _records(lines: Iterator[bytes], path: Path, benchmark: BenchmarkConfig, faults: list[str]) -> Iterator[_Record]:
    for number, data in enumerate(lines, 1):
        if not data.strip():
            continue
        try:
            value = json.loads(data)
            texts = _chosen(value, benchmark.fields) if benchmark.fields else _strings(value, "")
            label = None if benchmark.id is None else str(_at(value, benchmark.id))
        except KeyError as error:
            there = ", ".join(sorted(_strings(value, ""))) or "no text"
            faults.append(f"{path}:{number}: has no field {error.args[0]}; there is: {there[:200]}")
        except (ValueError, RecursionError) as error:
            faults.append(f"{path}:{number}: not a JSON object a line ({str(error)[:100]}); mend or remove it")
        else:
            fields = {name: found for name, found in texts.items() if found[0]}
            yield (
                number,
                label,
                tuple(tuple(found) for found, _ in fields.values()),
                tuple(several for _, several in fields.values()),
            )


def _paragraphs(lines: Iterator[bytes]) -> Iterator[_Record]:
    first, part = 0, list[bytes]()
    number = 0
    for number, data in enumerate(lines, 1):
        if data.strip():
            first = first if part else number
            part.append(data)
        elif part:
            yield _paragraph(first, part)
            part = []
    if part:
        yield _paragraph(first, part)


def _paragraph(number: int, lines: list[bytes]) -> _Record:
    texts = [line.decode("utf-8", "replace") for line in lines]
    return number, None, (("".join(texts), *(texts if len(texts) > 1 else ())),), (True,)


def _strings(value: Any, name: str) -> dict[str, tuple[list[str], bool]]:
    """Every string in a JSON value, by the path of keys that leads to it, and whether a list does."""
    found: dict[str, tuple[list[str], bool]] = {}
    stack: list[tuple[str, Any, bool]] = [(name, value, False)]
    while stack:
        at, part, several = stack.pop()
        if isinstance(part, str):
            texts, before = found.setdefault(at, ([], False))
            texts.append(part)
            found[at] = texts, before or several
        elif isinstance(part, dict):
            stack += [(f"{at}.{key}" if at else str(key), inner, several) for key, inner in reversed(part.items())]
        elif isinstance(part, list):
            stack += [(at, inner, True) for inner in reversed(part)]
    return found


def _chosen(value: Any, fields: tuple[str, ...]) -> dict[str, tuple[list[str], bool]]:
    """The strings (and numbers) at the fields asked for. Raises KeyError for one that is not there."""
    found: dict[str, tuple[list[str], bool]] = {}
    for name in fields:
        part = _at(value, name)
        if isinstance(part, int | float) and not isinstance(part, bool):
            part = str(part)
        texts = list(_strings(part, name).values())
        several = len(texts) != 1 or texts[0][1]
        found[name] = [text for strings, _ in texts for text in strings], several
    return found


def _at(value: Any, name: str) -> Any:
    """What lies at `choices.text`. Raises KeyError."""
    if isinstance(value, dict) and name in value:
        return value[name]
    head, _, rest = name.partition(".")
    if not rest or not isinstance(value, dict) or head not in value:
        raise KeyError(name)
    return _at(value[head], rest)


def _kind(path: Path) -> str | None:
    """jsonl or text, by the name."""
    suffix = path.with_suffix("").suffix if path.suffix in _COMPRESSED else path.suffix
    return "jsonl" if suffix in _JSONL else "text" if suffix in _TEXT else None


def _lines(path: Path) -> Iterator[bytes]:
    from corpus.sources.compressed import DAMAGE, open_stream

    try:
        with open_stream(str(path)) as stream:
            for number, line in enumerate(stream):
                yield line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
    except DAMAGE as error:
        raise InputError(f"{path}: its compressed data is damaged ({error}); mend it or leave it out") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); mend it or leave it out") from error
