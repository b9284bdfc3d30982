"""JSON lines, plain or compressed: one line is one document.

A line that is not a JSON object becomes a `bad_json` row, one without a string in the text column a `no_text` row;
neither stops the file. Where a compressed file breaks, one `damaged` row stands for its rest; where the file is one
JSON array over many lines, one `bad_json` row for all of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Iterator
from itertools import islice
from typing import IO, Any

import pyarrow as pa

from corpus.errors import InputError
from corpus.sources.columns import METADATA
from corpus.sources.compressed import DAMAGE, open_stream
from corpus.sources.config import SourceConfig
from corpus.sources.pieces import InputFile
from corpus.sources.rows import Row, batches, valid

# A value takes up to 170 bytes.
_MAX_VALUES = 2 << 20


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The lines of each file; the locator is `file#line`, 1-based (`file#line:id` where `id` is mapped).

    A mapped name is a key or else the way to one inside: `article.body`. A number is kept as it is written.
    Problems: `bad_json`, `no_text`, `too_large`, `damaged`. Skipped: `blank_line`, `empty_file`.
    """
    return batches(row for file in files for row in _rows(file, config, skipped))


def _rows(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[Row]:
    rows = _all_rows(file, config, skipped)
    begin = list(islice(rows, 2))
    if len(begin) == 2 and _opens_array(begin[0]) and begin[1].problem == "bad_json":
        rows.close()
        begin = [begin[0]._replace(detail=f"one JSON array over many lines; {_HINT}")]
    yield from begin
    yield from rows


def _all_rows(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Generator[Row, None, None]:
    limit = config.max_record_bytes
    number = 0
    try:
        with open_stream(file.path) as stream:
            for number, line in _lines(stream, limit):
                locator = f"{file.relative}#{number}"
                if line is None:
                    yield Row(locator, problem="too_large", detail=f"more than {limit} bytes")
                elif not line.strip():
                    skipped["blank_line"] += 1
                else:
                    yield _row(locator, line, config)
    except DAMAGE as error:
        yield Row(f"{file.relative}#{number + 1}", problem="damaged", detail=f"compressed data: {error}")
        return
    except OSError as error:
        raise InputError(
            f"source {config.name}: {file.path}: cannot be read ({error.strerror or error}); restore the file"
        ) from error
    if not number:
        skipped["empty_file"] += 1


def _lines(stream: IO[bytes], limit: int) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, line), None for a line of more than `limit` bytes; without a byte order mark."""
    number = 0
    while line := stream.readline(limit + 1):
        number += 1
        if len(line) > limit and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(1 << 20)
            yield number, None
        else:
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _row(locator: str, line: bytes, config: SourceConfig) -> Row:
    # Each value but the first stands behind one of these.
    if sum(line.count(mark) for mark in (b",", b"[", b"{")) > _MAX_VALUES:
        return Row(locator, problem="too_large", detail=f"more than {_MAX_VALUES} commas and brackets")
    try:
        record = _JSON.decode(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        what = _OPENS_ARRAY if line.lstrip().startswith(b"[") else ""
        return Row(locator, problem="bad_json", detail=what + valid(str(error))[:200])
    if isinstance(record, list) and record and isinstance(record[0], dict):
        return Row(locator, problem="bad_json", detail=f"one JSON array on one line; {_HINT}")
    if not isinstance(record, dict):
        return Row(locator, problem="bad_json", detail=f"{_name(record)}, not an object")
    values = {ours: _look_up(record, theirs) for ours, theirs in config.columns.items()}
    text, key = values["text"], _string(values.get("id"))
    if key is not None:
        locator = f"{locator}:{key}"
    metadata: dict[str, Any] = {name: _string(values[name]) for name in METADATA if name in values}
    if type(text) is not str:
        what = "is missing" if text is _MISSING else f"is {_name(text)}, not a string"
        return Row(locator, problem="no_text", detail=valid(f"`{config.columns['text']}` {what}"), **metadata)
    return Row(locator, content=_encode(text), media_type="text/plain", charset="utf-8", **metadata)


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return valid(text).encode()


_MISSING = object()
_HINT = "`jq -c '.[]'` makes it JSON lines"
_OPENS_ARRAY = "an array without its end: "


def _opens_array(row: Row) -> bool:
    return row.problem == "bad_json" and (row.detail or "").startswith(_OPENS_ARRAY)


class _Number(str):
    """A number with a point or an exponent, as it is written: 3.10 is not 3.1 where it is somebody's id."""


_JSON = json.JSONDecoder(parse_float=_Number)


def _look_up(record: dict[str, Any], name: str) -> Any:
    """The value under `name`, or else what lies inside: `article.body`."""
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _name(value: object) -> str:
    """What JSON calls it."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _string(value: object) -> str | None:
    if isinstance(value, str):
        return valid(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
