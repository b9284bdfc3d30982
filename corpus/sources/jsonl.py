"""JSON lines, plain, gzip or zstd: one line is one document.

A line that is not a JSON object becomes a `bad_json` row, one without a string in the text column a `no_text` row;
neither stops the file. Where a compressed file breaks, one `damaged` row stands for its rest.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import zstandard

from corpus.errors import InputError
from corpus.sources.config import SourceConfig
from corpus.sources.pieces import InputFile
from corpus.sources.rows import Row, batches, valid


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The lines of each file; the locator is `file#line`, 1-based (`file#line:id` where `id` is mapped).

    Problems: `bad_json`, `no_text`, `too_large`, `damaged`. Skipped: `blank_line`, `empty_file`.
    """
    return batches(row for file in files for row in _rows(file, config, skipped))


def _open(path: str) -> IO[bytes]:
    with Path(path).open("rb") as stream:
        magic = stream.read(4)
    if magic.startswith(b"\x1f\x8b"):
        return io.BufferedReader(gzip.open(path), 1 << 20)
    if magic == zstandard.FRAME_HEADER:
        return io.BufferedReader(_ZstdReader(path), 1 << 20)
    return Path(path).open("rb")


class _ZstdReader(io.RawIOBase):
    """Frames one after the other; raises EOFError, as gzip does, when the file ends inside one."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115 - closed by close()
        # The window is what a frame may make us hold: 128 MB is what `zstd` itself accepts.
        self._zstd = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._frame = self._zstd.decompressobj()
        self._ready, self._rest, self._inside = memoryview(b""), b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame = self._zstd.decompressobj()
            # One block of 128 KB can come from 4 bytes: small steps bound what one step can give.
            step = self._rest or self._file.read(512)
            if not step:
                if self._inside:
                    raise EOFError("the file ends inside a zstd frame")
                return 0
            self._rest = b""
            self._ready = memoryview(self._frame.decompress(step))
            self._inside = not self._frame.eof
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _rows(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[Row]:
    limit = config.max_record_bytes
    number = 0
    try:
        with _open(file.path) as stream:
            while line := stream.readline(limit + 1):
                number += 1
                locator = f"{file.relative}#{number}"
                if len(line) > limit and not line.endswith(b"\n"):
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(1 << 20)
                    yield Row(locator, problem="too_large", detail=f"more than {limit} bytes")
                elif not line.strip():
                    skipped["blank_line"] += 1
                else:
                    yield _row(locator, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, config)
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        yield Row(f"{file.relative}#{number + 1}", problem="damaged", detail=f"compressed data: {error}")
        return
    except OSError as error:
        raise InputError(
            f"source {config.name}: {file.path}: cannot be read ({error.strerror or error}); restore the file"
        ) from error
    if not number:
        skipped["empty_file"] += 1


def _row(locator: str, line: bytes, config: SourceConfig) -> Row:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(locator, problem="bad_json", detail=valid(str(error))[:200])
    if not isinstance(record, dict):
        return Row(locator, problem="bad_json", detail=f"{_name(record)}, not an object")
    found: dict[str, str | None] = {ours: _string(record.get(theirs)) for ours, theirs in config.columns.items()}
    if found.get("id") is not None:
        locator = f"{locator}:{found['id']}"
    get = found.get
    base = Row(locator, get("url"), get("date"), get("title"), get("author"), get("declared_language"))
    column = config.columns["text"]
    text = record.get(column)
    if not isinstance(text, str):
        what = f"is {_name(text)}, not a string" if column in record else "is missing"
        return base._replace(problem="no_text", detail=valid(f"`{column}` {what}"))
    return base._replace(content=valid(text).encode(), media_type="text/plain", charset="utf-8")


def _name(value: object) -> str:
    """What JSON calls it."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _string(value: object) -> str | None:
    if isinstance(value, str):
        return valid(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
