"""Gzip members, each inflated alone: damage in one does not reach the next.

A gzip file is a row of members (RFC 1952), and WARC writers give each record a member of its own (ISO 28500, annex
D). Readers that inflate the file as one stream lose everything behind the first flipped bit.
"""

from __future__ import annotations

import copy
import os
import re
import zlib
from collections.abc import Callable, Iterator

MAGIC = b"\x1f\x8b\x08"
_RECORD = re.compile(rb"WARC/\d\.\d\r?\n")
_READ = 32 << 10
_SCAN = 1 << 20


class GzipMember:
    """The member that begins at `offset`, inflated piecewise; its CRC is verified at its end.

    `end` is the offset behind the member once it was read whole, `error` says why it could not be, and `cut` that
    the file ends inside it.
    """

    def __init__(self, descriptor: int, offset: int) -> None:
        self.offset = offset
        self.end: int | None = None
        self.error: str | None = None
        self.cut = False
        self._descriptor = descriptor
        self._position = offset
        self._input = b""
        self._given = 0
        self._inflater = zlib.decompressobj(wbits=31)

    def read(self, size: int) -> bytes:
        """Up to `size` more bytes; empty at the end of the member and at the first error."""
        while self.end is None and self.error is None:
            if not self._input:
                self._input = os.pread(self._descriptor, _READ, self._position)
                self._position += len(self._input)
                if not self._input:
                    self.cut, self.error = True, "the file ends inside a gzip member"
                    break
            try:
                data = self._inflater.decompress(self._input, size)
            except zlib.error as error:
                self.error = str(error)
                return b"" if self._given else self._salvage(size)
            self._input = self._inflater.unconsumed_tail
            if self._inflater.eof:
                self.end = self._position - len(self._inflater.unused_data)
            self._given += len(data)
            if data:
                return data
        return b""

    def _salvage(self, size: int) -> bytes:
        """What inflates before the error, in small steps: zlib gives nothing of the step that fails.

        It is never content, but it holds the header, so that the record can be named.
        """
        inflater, data, position = zlib.decompressobj(wbits=31), b"", self.offset
        while len(data) < min(size, 64 << 10):
            try:
                data += inflater.decompress(os.pread(self._descriptor, 32, position), size - len(data))
            except zlib.error:
                break
            position += 32
        return data

    def join(self) -> bool:
        """Go on into the next member when that begins no record: some writers let a record run over members."""
        if self.end is None or os.pread(self._descriptor, 3, self.end) != MAGIC:
            return False
        first = _first_bytes(self._descriptor, self.end)
        if not first or _RECORD.match(first):
            return False
        self._position, self._input, self.end = self.end, b"", None
        self._inflater = zlib.decompressobj(wbits=31)
        return True

    def mark(self) -> Callable[[], None]:
        """What, when called, brings the reader back to where it is now; it holds zlib's state, some 40 KB."""
        twin = copy.copy(self)
        twin._inflater = self._inflater.copy()
        return lambda: self.__dict__.update(twin.__dict__)

    def sound(self) -> bool:
        """Whether nothing is wrong with what is there: reads it whole, keeps nothing. A cut end alone is sound."""
        twin = GzipMember(self._descriptor, self.offset)
        while twin.read(_SCAN):
            pass
        return twin.error is None or twin.cut


class PlainFile:
    """An uncompressed file, read like one long member."""

    def __init__(self, descriptor: int) -> None:
        self.error: str | None = None
        self.cut = False
        self._descriptor = descriptor
        self._position = 0

    def read(self, size: int) -> bytes:
        """Up to `size` more bytes; empty at the end."""
        data = os.pread(self._descriptor, size, self._position)
        self._position += len(data)
        return data

    def seek(self, position: int) -> None:
        """The next read begins there."""
        self._position = position

    def mark(self) -> Callable[[], None]:
        """What, when called, brings the reader back to where it is now."""
        position = self._position
        return lambda: self.seek(position)

    def join(self) -> bool:
        """A plain file has no next member."""
        return False


class Gap:
    """Bytes between members that are no member; `zeros` when they are padding."""

    def __init__(self, offset: int, size: int, zeros: bool) -> None:
        self.offset, self.size, self.zeros = offset, size, zeros


def members(descriptor: int, size: int) -> Iterator[GzipMember | Gap]:
    """Each member of a file of `size` bytes, and the gaps. The caller reads a member before it takes the next.

    Behind a member that is damaged, the search goes on from its second byte for the next member whose content
    begins with `WARC/`.
    """
    offset = 0
    while offset < size:
        if os.pread(descriptor, 3, offset) == MAGIC:
            member = GzipMember(descriptor, offset)
            yield member
            while member.read(_SCAN):
                pass
            offset = resync(descriptor, offset + 1, size) if member.end is None else member.end
        else:
            after = resync(descriptor, offset, size)
            yield Gap(offset, after - offset, _zeros(descriptor, offset, after))
            offset = after


def resync(descriptor: int, start: int, size: int) -> int:
    """Offset of the next gzip member from `start` on whose content begins with `WARC/`, or `size`."""
    while start < size:
        chunk = os.pread(descriptor, _SCAN, start)
        found = chunk.find(MAGIC)
        while found >= 0:
            if _RECORD.match(_first_bytes(descriptor, start + found)):
                return start + found
            found = chunk.find(MAGIC, found + 1)
        if len(chunk) < len(MAGIC):
            break
        start += len(chunk) - len(MAGIC) + 1
    return size


def _first_bytes(descriptor: int, offset: int) -> bytes:
    """The first bytes inside the member there; empty when there is none or it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(os.pread(descriptor, 4096, offset), 16)
    except zlib.error:
        return b""


def _zeros(descriptor: int, start: int, end: int) -> bool:
    return all(not os.pread(descriptor, min(_SCAN, end - at), at).strip(b"\0") for at in range(start, end, _SCAN))
