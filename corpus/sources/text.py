"""Plain text files: one file is one document.

UTF-8, with or without a byte order mark; UTF-16 with one. Bytes that are not valid UTF-8 are decoded with the charset
that uchardet finds (`resiliparse.parse.encoding.detect_encoding`), which is then noted in `charset`.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from corpus.sources.config import SourceConfig
from corpus.sources.html import load
from corpus.sources.pieces import InputFile
from corpus.sources.rows import Row, batches, valid


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The text of each file as UTF-8. Problems: `unreadable`, `too_large`."""
    return batches(_row(file, config.max_record_bytes) for file in files)


def _row(file: InputFile, limit: int) -> Row:
    content, problem, detail = load(file, limit)
    charset = None
    if content is not None:
        content, charset = to_utf8(content)
    return Row(
        file.relative,
        url=file.relative,
        content=content,
        media_type="text/plain",
        charset=charset,
        problem=problem,
        detail=detail,
    )


def to_utf8(content: bytes) -> tuple[bytes, str]:
    """(UTF-8 without a byte order mark, the charset that it came in)."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return valid(content.decode("utf-16", "replace")).encode(), "utf-16"
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        content.decode()
        return content, "utf-8"
    except UnicodeDecodeError:
        from resiliparse.parse.encoding import detect_encoding

        charset = detect_encoding(content) or "utf-8"
        return valid(content.decode(charset, "replace")).encode(), charset
