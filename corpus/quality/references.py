"""Files of texts to train a model on: what `corpus quality train` and `corpus quality perplexity` read alike."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from corpus.errors import InputError
from corpus.sources import SourceConfig, discover
from corpus.sources.config import Kind, is_remote
from corpus.sources.pieces import kind_by_name

KINDS: dict[Kind, str] = {"jsonl": ".jsonl", "parquet": ".parquet", "csv": ".csv", "arrow": ".arrow", "text": ".txt"}
"""The kinds of files, and how a user calls each."""


def sources(path: str, columns: Mapping[str, str], kinds: Sequence[Kind] = tuple(KINDS)) -> list[SourceConfig]:
    """A source for each kind of file that a path leads to: a file, a folder (searched recursively) or a glob.

    `columns` map as a source's do; plain text has none. Raises InputError where there is nothing of these kinds.
    """
    place = os.path.expanduser(path)  # noqa: PTH111 - a URL is no path
    matches = [place]
    if not is_remote(path) and not os.path.lexists(place):
        matches = sorted(glob.glob(place, recursive=True)) if glob.has_magic(place) else []  # noqa: PTH207
    if not matches:
        raise InputError(f"{path}: no such file or folder; correct the path")
    found = []
    for kind in kinds:
        fitting = tuple(match for match in matches if _holds(match, kind))
        if fitting:
            found.append(_source(fitting, kind, columns))
    if not found:
        raise InputError(
            f"{path}: holds no texts that can be read as they are; give {', '.join(KINDS[kind] for kind in kinds)}, "
            "or a folder that `corpus extract` wrote"
        )
    return found


def by_line(texts: pa.Array) -> pa.Array:
    """Each line (large_string) that holds more than white space, for texts that are lists of texts."""
    lines = pc.utf8_rtrim(pc.split_pattern(texts, "\n").flatten(), "\r")
    return lines.filter(pc.not_equal(pc.utf8_trim_whitespace(lines), ""))


def _source(paths: tuple[str, ...], kind: Kind, columns: Mapping[str, str]) -> SourceConfig:
    given = {"name": "examples", "kind": kind, "path": paths}
    try:
        return SourceConfig.model_validate(given if kind == "text" else {**given, "columns": dict(columns)})
    except ValidationError as error:
        raise InputError(f"{paths[0]}: {error.errors()[0]['msg']}") from error


def _holds(match: str, kind: Kind) -> bool:
    if not Path(match).is_dir():
        return kind_by_name(match) == kind
    try:
        discover(_source((match,), kind, {"text": "text"}))
    except InputError as error:
        if "no file of kind" in str(error):
            return False
        raise
    return True
