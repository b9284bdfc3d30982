"""Plain text files: one file is one document.

UTF-8, with or without a byte order mark; UTF-16 and UTF-32 with one. Bytes that are not valid UTF-8 are decoded with
the charset that uchardet finds (`resiliparse.parse.encoding.detect_encoding`), which is then noted in `charset`.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from corpus.sources.charset import MARKS
from corpus.sources.config import SourceConfig
from corpus.sources.html import load
from corpus.sources.pieces import InputFile
from corpus.sources.rows import Row, batches, valid

_WIDE = tuple(mark for mark, name in MARKS if name != "utf-8-sig")
_HEAD = 8000
# Without those that texts have: backspace (of overstrikes), tab, line ends, form feed, DOS's end of file, escapes.
_CONTROLS = bytes(byte for byte in (*range(32), 127) if byte not in b"\b\t\n\v\f\r\x1a\x1b")


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The text of each file as UTF-8. Problems: `unreadable`, `too_large`, `binary`."""
    return batches(_row(file, config.max_record_bytes) for file in files)


def _row(file: InputFile, limit: int) -> Row:
    content, problem, detail = load(file, limit)
    charset = None
    if content is not None and (detail := _binary(content)):
        content, problem = None, "binary"
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


def _binary(content: bytes) -> str | None:
    """Why it is no text in any charset; None where it may be one.

    A NUL in the first 8,000 bytes, as git has it, or more than one byte in twenty a control character: in random bytes
    one in ten is, in texts of the old charsets that put letters there (VISCII, TCVN) only rare capitals are.
    """
    if content.startswith(_WIDE):
        return None
    if b"\0" in content[:_HEAD]:
        return "a NUL byte"
    controls = len(content) - len(content.translate(None, _CONTROLS))
    return f"{controls} of {len(content)} bytes are control characters" if 20 * controls > len(content) else None


def to_utf8(content: bytes) -> tuple[bytes, str]:
    """(UTF-8 without a byte order mark, the charset that it came in)."""
    if content.startswith(_WIDE):
        name = next(name for mark, name in MARKS if content.startswith(mark))
        return valid(content.decode(name, "replace")).encode(), name
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        content.decode()
        return content, "utf-8"
    except UnicodeDecodeError:
        from resiliparse.parse.encoding import detect_encoding

        charset = detect_encoding(content) or "utf-8"
        return valid(content.decode(charset, "replace")).encode(), charset
