"""Records of a crawl file cut out of a stream of bytes, which may lie, be damaged, or end early.

Nothing that is cut passes as whole: a record counts only when its length leads to the next record's header or to the
end of a stream whose checksum fits. Where it does not, the search goes on for the next header, and the record counts
only when something else proves that it is whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from corpus.sources import http_body
from corpus.sources.framing import Member, PlainFile
from corpus.sources.headers import digest_fits, first_of_each, header_fields

MAX_HEADER = 64 << 10
# A page with a lying length is looked for up to here.
_MAX_MENDED = 16 << 20
_MAX_LIES = 4
# Large enough that most pages come in one piece.
_STEP = 512 << 10
_NEWLINES = b"\r\n"
_TAILS = (b"\r\n\r\n", b"\n\n", b"\r\n", b"\n", b"")


@dataclass(slots=True)
class Record:
    """A record: its position in the stream, its ordinal there, its headers (names in lower case) and its block.

    Its bytes go up to `end`, newlines behind it included. `mended`: its length lied, something else proves it whole.
    """

    position: int
    index: int
    headers: dict[str, str]
    block: bytes = b""
    problem: str | None = None
    detail: str | None = None
    end: int = 0
    mended: bool = False

    def fail(self, problem: str, detail: str) -> None:
        """Mark it; a record with a problem has no block."""
        self.problem, self.detail, self.block = problem, detail, b""

    def take(self, block: bytes) -> None:
        """Its block, whatever its length says."""
        self.problem, self.detail, self.block, self.mended = None, None, block, True


class Grammar(Protocol):
    """What tells records apart: the format's header, and how to know one."""

    overlap: int
    """The longest beginning that `next` looks at."""
    tail: bytes
    """What ends a record."""

    def next(self, data: bytearray, start: int = 0) -> int | None:
        """Where a header begins, at `start` or behind, wherever it stands."""

    def begins(self, data: bytes) -> bool:
        """Whether a record begins with `data`."""

    def follows(self, data: bytes, newlines: bool) -> bool:
        """Whether `data`, up to 4,096 bytes, may be a header, cut or damaged; `newlines`: it stands behind some."""

    def header(self, window: Window) -> tuple[dict[str, str], int] | None:
        """(headers in WARC's names, their length in bytes) of the record that the window begins with."""


class Window:
    """The part of a stream that is held: `data` begins at `position`."""

    def __init__(self, stream: Member, grammar: Grammar) -> None:
        self.stream = stream
        self.grammar = grammar
        self.data = bytearray()
        self.position = 0
        # The stream ends there or before, once that was seen: a length that leads beyond is known to lie.
        self.end: int | None = None
        self.lies = 0

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
        """`fill`, going on into the next member where a record does."""
        while not self.fill(size):
            if not self.join():
                return False
        return True

    def join(self) -> bool:
        """Whether the stream goes on in the next member."""
        joined = self.stream.join()
        if joined:
            self.end = None
        return joined

    def drop(self, size: int) -> None:
        del self.data[:size]
        self.position += size

    def drop_newlines(self) -> bool:
        """Whether anything is behind them."""
        while self.fill(1):
            if self.data[0] not in _NEWLINES:
                return True
            self.drop(len(self.data) - len(self.data.lstrip(_NEWLINES)))
        return False

    def find_next(self, limit: int) -> int | None:
        """How many bytes lie before the next header, or the end; None when they are more than `limit`. Drops none."""
        start = 0
        while True:
            found = self.grammar.next(self.data, start)
            if found is not None:
                return found
            start = max(0, len(self.data) - self.grammar.overlap)
            if not self.fill(len(self.data) + 1):
                return len(self.data)
            if len(self.data) > limit:
                return None

    def to_next(self) -> None:
        """Drop up to the next record's header."""
        while (found := self.grammar.next(self.data)) is None:
            self.drop(max(0, len(self.data) - self.grammar.overlap))
            if not self.fill(len(self.data) + 1):
                self.drop(len(self.data))
                return
        self.drop(found)

    def skip(self, size: int) -> bool:
        """Drop `size` bytes without holding them; False when the stream ends before."""
        end = self.position + size
        if self.end is not None and end > self.end:
            return False
        if isinstance(self.stream, PlainFile) and size > len(self.data):
            self.stream.seek(end - 1)
            self.data.clear()
            self.position = end - 1
            size = 1
        while size > len(self.data):
            size -= len(self.data)
            self.drop(len(self.data))
            if not self.fill(1):
                return False
        self.drop(size)
        return True

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
        self.fill(offset + 64 + 4096)
        newlines = self.data[offset : offset + 64]
        at = offset + len(newlines) - len(newlines.lstrip(_NEWLINES))
        following = bytes(self.data[at : at + 4096])
        return not following or self.grammar.follows(following, at > offset)


def records(stream: Member, limit: int, grammar: Grammar) -> Iterator[Record]:
    """The records of a member; `limit` bounds a record's block, in bytes.

    They follow each other without a gap, from the stream's first byte to its last. Problems: `damaged`, `too_large`.
    """
    window = Window(stream, grammar)
    index = 0
    sound: bool | None = None
    more = window.drop_newlines()
    while more:
        record = _next(window, limit, index)
        more = window.drop_newlines()
        record.end = window.position
        if more:
            if sound is None:
                sound = not stream.compressed or stream.sound()
            if not sound and not record.problem and not _digest_fits(record, record.block):
                record.fail("damaged", "in a damaged member, and no block digest proves it")
        elif stream.error and record.problem != "too_large":
            record.fail(stream.problem, stream.error)
        if not stream.checked and not record.problem and _digest_fits(record, record.block) is False:
            record.fail("damaged", "the block digest differs")
        yield record
        index += 1
    if not index and stream.error:
        yield Record(0, 0, {}, problem=stream.problem, detail=stream.error)


def _next(window: Window, limit: int, index: int) -> Record:
    record = Record(window.position, index, {})
    header = window.grammar.header(window)
    if header is None:
        # What begins here is none, though it may begin like one.
        window.drop(1)
        window.to_next()
        record.fail("damaged", "no record")
        return record
    record.headers, size = header
    declared = record.headers.get("content-length", "")
    if not declared.isdecimal() or len(declared) > 18:
        record.fail("damaged", f"Content-Length {declared[:40]!r} is no number")
        window.drop(size)
        _mend(window, limit, record, None)
        return record
    window.drop(size)
    length = int(declared)
    if not index:
        window.stream.declared = record.position + size + length + len(window.grammar.tail)
    if length > limit:
        record.fail("too_large", f"{length} bytes")
        if _leads_on(window, length):
            return record
    elif window.need(length) and window.at_boundary(length):
        record.block = bytes(memoryview(window.data)[:length])
        window.drop(length)
        return record
    record.fail("damaged", f"Content-Length {length} does not lead to the end of the record")
    _mend(window, limit, record, length)
    return record


def _leads_on(window: Window, length: int) -> bool:
    """Whether a length beyond the limit leads to a record's end; the window stands there, else where it was."""
    # Each try costs `length` bytes: who lies often is believed no more.
    if window.lies >= _MAX_LIES:
        return False
    back = window.mark()
    if window.skip(length) and window.at_boundary(0):
        return True
    back()
    window.lies += 1
    return False


def _mend(window: Window, limit: int, record: Record, length: int | None) -> None:
    """Drop what belongs to a record whose length lies, `length` or None; keep it where something proves it whole."""
    tail, held = window.grammar.tail, window.data
    if length is not None and held[length : length + len(tail)] == tail:
        # The length may be right, and what follows be no record.
        block = bytes(memoryview(held)[:length])
        if _proved(record, block, True):
            window.drop(length)
            record.take(block)
            return
    size = window.find_next(min(limit, _MAX_MENDED))
    if size is None:
        window.to_next()
        return
    found = bytes(memoryview(held)[:size])
    window.drop(size)
    more = window.fill(1)
    sound = window.stream.checked and not window.stream.error
    for end in _TAILS:
        if not found.endswith(end):
            continue
        block = found.removesuffix(end)
        # Nothing is missing where a checksum fits, or where there is more than the length says.
        longer = length is None or length < len(block)
        closed = end == tail and (sound or longer) and (len(tail) > 1 or sound or more)
        alone = closed and sound and longer and len(tail) > 1 and not record.index and not more
        if _proved(record, block, closed, alone):
            record.take(block)
            return


def _proved(record: Record, block: bytes, closed: bool, alone: bool = False) -> bool:
    """Whether a digest proves that the block is whole, else HTTP, else that it is all there is (`alone`), or that it
    ends as pages do where a record may end (`closed`)."""
    fits = _digest_fits(record, block)
    if fits is None:
        fits = http_body.ends_where_it_says(block)
    if fits is None:
        fits = alone or (closed and block[-32:].rstrip()[-7:].lower() == b"</html>")
    return fits


def _digest_fits(record: Record, block: bytes) -> bool | None:
    """Whether `WARC-Block-Digest` is the block's; None without one that can be computed."""
    return digest_fits(record.headers.get("warc-block-digest", ""), block)


class WarcGrammar:
    """ISO 28500: a version line, fields, a blank line, the block, two newlines."""

    overlap = 32
    tail = b"\r\n\r\n"
    _begin = re.compile(rb"WARC/\d\.\d\r?\n")
    # Where a record is cut, the next header stands behind anything.
    _next = re.compile(rb"WARC/\d\.\d\r?\n(?i:warc|content)-")
    _blank = re.compile(rb"\r?\n\r?\n")

    def next(self, data: bytearray, start: int = 0) -> int | None:
        found = self._next.search(data, start)
        return found.start() if found else None

    def begins(self, data: bytes) -> bool:
        return self._begin.match(data) is not None

    def follows(self, data: bytes, newlines: bool) -> bool:
        # The second test knows a header whose first line is damaged, so that its neighbour is not lost with it.
        return b"WARC/".startswith(data[:5]) or (newlines and b"\nWARC-" in self._blank.split(data, maxsplit=1)[0])

    def header(self, window: Window) -> tuple[dict[str, str], int] | None:
        """The header that begins here, if it ends within 64 KB."""
        while window.need(5) and window.data.startswith(b"WARC/"):
            blank = self._blank.search(window.data, 0, MAX_HEADER)
            if blank:
                return first_of_each(header_fields(bytes(memoryview(window.data)[: blank.start()]))), blank.end()
            held = len(window.data)
            if held >= MAX_HEADER:
                return None
            window.fill(held + 2048)
            if len(window.data) == held and not window.join():
                return None
        return None
