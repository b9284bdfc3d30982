"""WARC records (ISO 28500) cut out of a stream of bytes, which may lie, be damaged, or end early.

Nothing that is cut passes as whole: a record counts only when its Content-Length leads to the next record's header
or to the end of a stream whose checksum fits. Where it does not, the search goes on for the next header.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from corpus.sources.members import GzipMember, PlainFile

MAX_HEADER = 64 << 10
_STEP = 64 << 10
_NEXT = re.compile(rb"\n\r?\n(?=WARC/\d\.\d\r?\n)")
_BLANK = re.compile(rb"\r?\n\r?\n")
_NEWLINES = b"\r\n"


@dataclass(slots=True)
class Record:
    """A record: its position in the stream, its ordinal there, its headers (names in lower case) and its block."""

    position: int
    index: int
    headers: dict[str, str]
    block: bytes = b""
    problem: str | None = None
    detail: str | None = None

    def fail(self, problem: str, detail: str) -> None:
        """Mark it; a record with a problem has no block."""
        self.problem, self.detail, self.block = problem, detail, b""


class Window:
    """The part of a stream that is held: `data` begins at `position`."""

    def __init__(self, stream: GzipMember | PlainFile) -> None:
        self.stream = stream
        self.data = bytearray()
        self.position = 0
        # The stream ends there or before, once that was seen: a length that leads beyond is known to lie.
        self.end: int | None = None

    def fill(self, size: int) -> bool:
        """Whether `size` bytes are held now; False at the end of the stream."""
        while len(self.data) < size:
            more = self.stream.read(max(_STEP, size - len(self.data)))
            if not more:
                self.end = self.position + len(self.data)
                return False
            self.data += more
        return True

    def need(self, size: int) -> bool:
        """`fill`, going on into the next gzip member where a record does."""
        while not self.fill(size):
            if not self.join():
                return False
        return True

    def join(self) -> bool:
        """Whether the stream goes on in the next gzip member."""
        joined = self.stream.join()
        if joined:
            self.end = None
        return joined

    def drop(self, size: int) -> None:
        del self.data[:size]
        self.position += size

    def drop_newlines(self) -> None:
        while self.fill(1) and self.data[0] in _NEWLINES:
            self.drop(len(self.data) - len(self.data.lstrip(_NEWLINES)))

    def to_next(self) -> int:
        """Drop up to the next record's header; the number of bytes dropped."""
        begin = self.position
        while True:
            found = _NEXT.search(self.data)
            if found:
                self.drop(found.end())
                return self.position - begin
            self.drop(max(0, len(self.data) - 32))
            if not self.fill(len(self.data) + 1):
                self.drop(len(self.data))
                return self.position - begin

    def skip(self, size: int) -> bool:
        """Drop `size` bytes without holding them; False when the stream ends before."""
        end = self.position + size
        if self.end is not None and end > self.end:
            return False
        if isinstance(self.stream, PlainFile) and size > len(self.data):
            self.seek(end - 1)
            size = 1
        while size > len(self.data):
            size -= len(self.data)
            self.drop(len(self.data))
            if not self.fill(1):
                return False
        self.drop(size)
        return True

    def seek(self, position: int) -> None:
        """Plain files only."""
        assert isinstance(self.stream, PlainFile)
        self.stream.seek(position)
        self.data.clear()
        self.position = position

    def mark(self) -> Callable[[], None]:
        """What, when called, brings the window back to where it is now."""
        rewind, data, position = self.stream.mark(), bytes(self.data), self.position

        def back() -> None:
            rewind()
            self.data[:] = data
            self.position = position

        return back

    def at_boundary(self, offset: int) -> bool:
        """Whether a record ends at `data[offset]`: newlines, then a header or the end of the stream."""
        at = offset
        while self.fill(at + 1) and self.data[at] in _NEWLINES and at - offset < 64:
            at += 1
        if not self.fill(at + 1):
            return True
        self.fill(at + 4096)
        following = bytes(self.data[at : at + 4096])
        # The second test knows a header whose first line is damaged, so that its neighbour is not lost with it.
        return b"WARC/".startswith(following[:5]) or (
            at > offset and b"\nWARC-" in _BLANK.split(following, maxsplit=1)[0]
        )


def records(stream: GzipMember | PlainFile, limit: int) -> Iterator[Record]:
    """The records of a gzip member or of an uncompressed file; `limit` bounds a record's block, in bytes.

    Problems: `damaged`, `too_large`.
    """
    window = Window(stream)
    index = 0
    sound: bool | None = None
    window.drop_newlines()
    while window.fill(1):
        record = _next(window, limit, index)
        window.drop_newlines()
        if window.fill(1):
            if sound is None:
                sound = isinstance(stream, PlainFile) or stream.sound()
            if not sound and not record.problem and not digest_fits(record):
                record.fail("damaged", "in a damaged gzip member, and no block digest proves it")
        elif stream.error and record.problem != "too_large":
            record.fail("damaged", stream.error)
        if isinstance(stream, PlainFile) and not record.problem and digest_fits(record) is False:
            record.fail("damaged", "the block digest differs")
        yield record
        index += 1
    if not index and stream.error:
        yield Record(0, 0, {}, problem="damaged", detail=stream.error)


def _next(window: Window, limit: int, index: int) -> Record:
    record = Record(window.position, index, {})
    blank = _header_end(window)
    if blank is None:
        record.fail("damaged", f"{window.to_next()} bytes that are no WARC record")
        return record
    record.headers = parse_headers(bytes(window.data[: blank.start()]))
    declared = record.headers.get("content-length", "")
    window.drop(blank.end() - (0 if declared.isdecimal() else len(blank.group())))
    if not declared.isdecimal() or len(declared) > 18:
        record.fail("damaged", f"Content-Length {declared[:40]!r} is no number")
        window.to_next()
        return record
    length = int(declared)
    if length > limit:
        record.fail("too_large", f"{length} bytes")
        back = window.mark()
        if not (window.skip(length) and window.at_boundary(0)):
            record.fail("damaged", f"Content-Length {length} does not lead to the end of the record")
            back()
            window.to_next()
    elif window.need(length) and window.at_boundary(length):
        record.block = bytes(memoryview(window.data)[:length])
        window.drop(length)
    else:
        record.fail("damaged", f"Content-Length {length} does not lead to the end of the record")
        window.to_next()
    return record


def _header_end(window: Window) -> re.Match[bytes] | None:
    """The blank line below a header that begins here, if there is one within 64 KB."""
    size = 2048
    while window.need(5) and window.data.startswith(b"WARC/"):
        whole = window.fill(size)
        blank = _BLANK.search(window.data, 0, MAX_HEADER)
        if blank or len(window.data) >= MAX_HEADER:
            return blank
        if not whole and not window.join():
            return None
        size *= 2
    return None


def parse_headers(lines: bytes) -> dict[str, str]:
    """Header fields below the first line, names in lower case; the first of equal names wins, folded lines join."""
    headers: dict[str, str] = {}
    name = ""
    for line in lines.split(b"\n")[1:]:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = line.decode("latin-1")
        if text[:1] in (" ", "\t") and name:
            headers[name] = f"{headers[name]} {text.strip()}"
            continue
        key, colon, value = text.partition(":")
        if colon:
            name = key.strip().lower()
            headers.setdefault(name, value.strip())
    return headers


def digest_fits(record: Record) -> bool | None:
    """Whether `WARC-Block-Digest` (base32 or hex) is the block's; None without one that can be computed."""
    algorithm, _, text = record.headers.get("warc-block-digest", "").partition(":")
    try:
        digest = hashlib.new(algorithm.lower().replace("-", ""), record.block, usedforsecurity=False).digest()
        if len(text) == 2 * len(digest):
            return bytes.fromhex(text) == digest
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8)) == digest
    except (ValueError, TypeError):
        return None
