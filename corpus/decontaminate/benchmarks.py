"""Benchmarks as files: which they are, their digests, and the items in them."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from corpus.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from corpus.decontaminate.labels import bare, likeness
from corpus.errors import InputError
from corpus.plan import BENCHMARK
from corpus.store import sha256_once

_JSONL = (".jsonl", ".ndjson", ".json")
_TEXT = (".txt", ".md")
_COMPRESSED = (".gz", ".zst", ".bz2")
_SHOWN = 10
_ITEM = 64 << 20  # bytes of a line, or of a paragraph
_GROWN, _UNASKED = 100, 64 << 20  # times its size that a compressed file may grow to, and bytes that any may


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
        found = {str(p.relative_to(path)): p for p in path.rglob("*") if p.is_file() and kind(p)}
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
        if not kind(file):
            raise InputError(f"{where}: {file.name} is neither JSONL nor text by its name; name it .jsonl or .txt")
    return dict(sorted(found.items()))


def within(benchmark: BenchmarkConfig, folder: Path) -> bool:
    """Whether a benchmark, or one of its files, lies in a folder. Raises InputError when there is none."""
    inside = folder.resolve()
    return any(path.resolve().is_relative_to(inside) for path in (benchmark.path, *files(benchmark).values()))


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
    """The items, file by file, in order, without the labels that the texts of a field share. Raises InputError with a
    line for each field that is missing, and for each of the first other faults."""
    of = files(benchmark)
    faults: list[str] = []
    lacking: dict[str, tuple[str, int]] = {}
    records: list[tuple[str, _Fields]] = []
    for name, path in of.items():
        prefix = f"{name}:" if len(of) > 1 else ""
        of_file = lines(path)
        jsonl = kind(path) == "jsonl"
        found = _records(of_file, path, benchmark, faults, lacking) if jsonl else _paragraphs(of_file)
        records += ((label or f"{prefix}{number}", fields) for number, label, fields in found)
    faults[:0] = (f"{told} ({more + 1:,} lines in all)" if more else told for told, more in lacking.values())
    if faults:
        more = [f"and {len(faults) - _SHOWN:,} more lines"] if len(faults) > _SHOWN else []
        raise InputError("\n".join([*faults[:_SHOWN], *more]))
    if not records:
        raise InputError(f"benchmark {benchmark.name}: {benchmark.path}: holds no item; correct `path` or leave it out")
    _strip_labels([fields for _, fields in records])
    for label, fields in records:
        texts, several = zip(*fields.values(), strict=True) if fields else ((), ())
        yield Item(label, tuple(map(tuple, texts)), several)


_Fields = dict[str, tuple[list[str], bool]]
_Record = tuple[int, str | None, _Fields]
_PARAGRAPH = ""  # the name of a field without one


def _strip_labels(items: list[_Fields]) -> None:
    """Without its label, what does not end like a sentence is too short to tell: it counts as one of several."""
    columns: dict[str, list[_Fields]] = {}
    for fields in items:
        for name in fields:
            columns.setdefault(name, []).append(fields)
    columns.pop(_PARAGRAPH, None)
    for name, having in columns.items():
        stripped = iter(bare([text for fields in having for text in fields[name][0]]))
        for fields in having:
            texts, several = fields[name]
            found = list(islice(stripped, len(texts)))
            fields[name] = found, several or (found != texts and any(likeness(text, False) for text in found))


def _records(
    lines: Iterator[bytes],
    path: Path,
    benchmark: BenchmarkConfig,
    faults: list[str],
    lacking: dict[str, tuple[str, int]],
) -> Iterator[_Record]:
    for number, data in enumerate(lines, 1):
        if not data.strip():
            continue
        try:
            value = json.loads(data)
            texts = _chosen(value, benchmark.fields) if benchmark.fields else _strings(value, "")
            label = None if benchmark.id is None else str(_at(value, benchmark.id))
        except KeyError as error:
            there = ", ".join(sorted(_strings(value, ""))) or "no text"
            for name in error.args:
                told, more = lacking.get(name, (f"{path}:{number}: has no field {name}; there is: {there[:200]}", -1))
                lacking[name] = told, more + 1
        except (ValueError, RecursionError) as error:
            faults.append(f"{path}:{number}: not a JSON object a line ({str(error)[:100]}); mend or remove it")
        else:
            yield number, label, {name: found for name, found in texts.items() if found[0]}


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
    return number, None, {_PARAGRAPH: (["".join(texts), *(texts if len(texts) > 1 else ())], True)}


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
    """The strings (and numbers) at the fields asked for. Raises KeyError with all that are not there."""
    found: dict[str, tuple[list[str], bool]] = {}
    missing = []
    for name in fields:
        try:
            part = _at(value, name)
        except KeyError:
            missing.append(name)
            continue
        if isinstance(part, int | float) and not isinstance(part, bool):
            part = str(part)
        texts = list(_strings(part, name).values())
        several = len(texts) != 1 or texts[0][1]
        found[name] = [text for strings, _ in texts for text in strings], several
    if missing:
        raise KeyError(*missing)
    return found


def _at(value: Any, name: str, whole: str = "") -> Any:
    """What lies at `choices.text`. Raises KeyError with the whole name."""
    if isinstance(value, dict) and name in value:
        return value[name]
    head, _, rest = name.partition(".")
    if not rest or not isinstance(value, dict) or head not in value:
        raise KeyError(whole or name)
    return _at(value[head], rest, whole or name)


def kind(path: Path) -> str | None:
    """jsonl or text, by the name."""
    name = Path(path.name.lower())
    suffix = name.with_suffix("").suffix if name.suffix in _COMPRESSED else name.suffix
    return "jsonl" if suffix in _JSONL else "text" if suffix in _TEXT else None


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, plain or compressed, without a byte order mark. Raises InputError where it cannot be read,
    for a line or paragraph of over 64 MB, and for compressed data that grow a hundredfold to over 64 MB."""
    from corpus.sources.compressed import DAMAGE, open_stream

    read = item = 0
    records = kind(path) == "jsonl"
    try:
        most = max(_UNASKED, _GROWN * path.stat().st_size)
        with open_stream(str(path)) as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_ITEM + 1), b""), 1):
                read += len(line)
                item = len(line) if records or line.isspace() else item + len(line)
                if item > _ITEM:
                    what = "line" if records else "paragraph"
                    raise InputError(f"{path}:{number}: a {what} is an item, and over {_ITEM >> 20} MB is none; cut it")
                if read > most:
                    raise InputError(
                        f"{path}: holds over {_GROWN} times what it takes compressed, as no benchmark does; "
                        "decompress it if it is one"
                    )
                yield line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    except DAMAGE as error:
        raise InputError(f"{path}: its compressed data is damaged ({error}); mend it or leave it out") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); mend it or leave it out") from error
