"""Gzip files as members (RFC 1952), each inflated alone and its CRC checked."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable

from corpus.sources.framing import SCAN, Framing, Member

MAGIC = b"\x1f\x8b\x08"
_READ = 32 << 10
_STEP = 4096


class GzipMember(Member):
    """One member, inflated piecewise."""

    def _restart(self, offset: int) -> None:
        self._begin = self._position = offset
        self._input = b""
        self._given = 0
        self._inflater = zlib.decompressobj(wbits=31)

    def read(self, size: int) -> bytes:
        while self.end is None and self.error is None:
            if not self._input:
                self._input = self.framing.pread(_READ, self._position)
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
        inflater, data, position = zlib.decompressobj(wbits=31), b"", self._begin
        while len(data) < min(size, 64 << 10):
            try:
                data += inflater.decompress(self.framing.pread(32, position), size - len(data))
            except zlib.error:
                break
            position += 32
        return data

    def mark(self) -> Callable[[], None]:
        """What, when called, brings the reader back to where it is now; it holds zlib's state, some 40 KB."""
        twin = copy.copy(self)
        twin._inflater = self._inflater.copy()
        return lambda: self.__dict__.update(twin.__dict__)

    def _behind(self) -> int:
        """What a damaged member holds may be members too (a stored `.warc.gz`), which are none of this file.

        Where only the checksum differs, the end is known. Where zlib went astray behind a member that it read as
        content, the length that ends each member (ISIZE) tells where this one does, if its record says its length.
        """
        reached, message = self._error_at()
        first = self.framing.resync(self.offset + 1)
        if first >= reached:
            return first
        end = reached + 4 if "data check" in message else reached
        if " check" in message and self._ends(first, end):
            return end
        return self._end_by_length(first) or first

    def _error_at(self) -> tuple[int, str]:
        """(offset behind the byte at which zlib finds the error, its message)."""
        inflater, position = zlib.decompressobj(wbits=31), self._begin
        while data := self.framing.pread(_STEP, position):
            before = inflater.copy()
            try:
                inflater.decompress(data)
            except zlib.error as error:
                for count in range(1, len(data)):
                    try:
                        before.decompress(data[count - 1 : count])
                    except zlib.error:
                        return position + count, str(error)
                return position + len(data), str(error)
            position += len(data)
        return position, ""

    def _end_by_length(self, first: int) -> int | None:
        """Where the member ends by what its record declares."""
        if self.declared is None:
            return None
        framing = self.framing
        wanted = (self.declared % (1 << 32)).to_bytes(4, "little")
        # Deflate stores what it cannot shrink, for 5 bytes a block of at least 16 KB.
        last = min(framing.size, self.offset + self.declared + self.declared // 3000 + 1024)
        for at in range(first, last, SCAN):
            chunk = framing.pread(min(SCAN, last - at) + len(wanted) + len(MAGIC), at)
            found = chunk.find(wanted)
            while found >= 0:
                end = at + found + len(wanted)
                if self._ends(first, end):
                    return end
                found = chunk.find(wanted, found + 1)
        return None

    def _ends(self, first: int, end: int) -> bool:
        """Whether the member may end there: another may begin there, and no sound one from `first` on ends there."""
        framing, start = self.framing, first
        if end != framing.size and not framing.at_member(end):
            return False
        while start < end:
            member = framing.member(start)
            while member.read(SCAN):
                pass
            start = framing.resync(start + 1) if member.end is None else member.end
            if start == end and member.end is not None:
                return False
        return True


class Gzip(Framing):
    """A file of gzip members."""

    name, magic = "gzip", MAGIC

    def member(self, offset: int) -> GzipMember:
        return GzipMember(self, offset)

    def first_bytes(self, offset: int) -> bytes:
        try:
            return zlib.decompressobj(wbits=31).decompress(self.pread(_STEP, offset), 8192)
        except zlib.error:
            return b""
