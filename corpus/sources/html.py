"""HTML files: one file is one document, its `url` is its relative path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from corpus.errors import InputError
from corpus.sources.config import SourceConfig
from corpus.sources.pieces import InputFile
from corpus.sources.rows import Row, batches


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The bytes of each file; the charset is left to extraction. Problems: `unreadable`, `too_large`."""
    return batches(_row(file, config.max_record_bytes) for file in files)


def _row(file: InputFile, limit: int) -> Row:
    content, problem, detail = load(file, limit)
    return Row(
        file.relative, url=file.relative, content=content, media_type="text/html", problem=problem, detail=detail
    )


def load(file: InputFile, limit: int) -> tuple[bytes | None, str | None, str | None]:
    """(content, problem, detail) of a file of at most `limit` bytes.

    `unreadable` is a link that leads nowhere or a file that may not be opened. Anything else (a failing disk, too many
    open files) may pass, and must not be committed as what the file holds: InputError.
    """
    try:
        with Path(file.path).open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        if file.mtime_ns != -1 and not isinstance(error, PermissionError):
            raise InputError(f"{file.path}: cannot be read ({error.strerror}); mend it or leave it out") from error
        return None, "unreadable", error.strerror
    if len(content) > limit:
        return None, "too_large", f"more than {limit} bytes"
    return content, None, None
