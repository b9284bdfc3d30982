"""How a file is cut into members, each inflated alone: damage in one does not reach the next.

A member is what stands alone in a compressed file: a gzip member, a zstd frame. WARC and ARC writers give each record
one of its own (ISO 28500 annex D; IIPC's "WARC compression with Zstandard"; the Internet Archive's ARC format).
Readers that inflate the file as one stream lose everything behind the first flipped bit.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

SCAN = 1 << 20


class Member(ABC):
    """Bytes that hold records: a gzip member, a zstd frame, or all of an uncompressed file.

    `end` is the offset behind it once it was read whole, `error` says why it could not be (as ledger rule `problem`),
    and `cut` that the file ends inside it. `checked`: a checksum of it proves the records inside. `declared`: how many
    bytes it should hold by the header of its record.
    """

    compressed = True
    checked = True
    problem = "damaged"

    def __init__(self, framing: Framing, offset: int) -> None:
        self.framing = framing
        self.offset = offset
        self.end: int | None = None
        self.error: str | None = None
        self.cut = False
        self.declared: int | None = None
        self._stop: int | None = None
        self._restart(offset)

    @abstractmethod
    def _restart(self, offset: int) -> None:
        """Read on from the beginning of the member at `offset`."""

    @abstractmethod
    def read(self, size: int) -> bytes:
        """Up to `size` more bytes; empty at the end of the member and at the first error."""

    @abstractmethod
    def mark(self) -> Callable[[], None]:
        """What, when called, brings the reader back to where it is now."""

    def join(self) -> bool:
        """Go on into the next member when that begins no record: some writers let a record run over members."""
        if self.end is None or not self.framing.at_member(self.end):
            return False
        first = self.framing.first_bytes(self.end)
        if not first or self.framing.begins(first):
            return False
        self._restart(self.end)
        self.end = None
        return True

    def sound(self) -> bool:
        """Whether nothing is wrong with what is there: reads it whole, keeps nothing. A cut end alone is sound."""
        twin = self.framing.member(self.offset)
        while twin.read(SCAN):
            pass
        return twin.error is None or twin.cut

    def stop(self) -> int:
        """Offset of what lies behind the member, damaged or not; reads what is left of it."""
        if self._stop is None:
            while self.end is None and self.read(SCAN):
                pass
            self._stop = self._behind() if self.end is None else self.end
        return self._stop

    def _behind(self) -> int:
        """`stop` of a damaged member."""
        return self.framing.resync(self.offset + 1)


class Gap:
    """Bytes that hold no records, from `offset` to `stop`; `kind` says why (`padding`), None that they are damage."""

    def __init__(self, offset: int, stop: int, kind: str | None = None) -> None:
        self.offset, self.stop, self.kind = offset, stop, kind


class Framing(ABC):
    """A file of `size` bytes as members; `begins` knows a record by its first bytes."""

    name: str
    magic: bytes

    def __init__(self, descriptor: int, size: int, begins: Callable[[bytes], bool]) -> None:
        self.descriptor, self.size, self.begins = descriptor, size, begins

    @abstractmethod
    def member(self, offset: int) -> Member:
        """The member that begins there."""

    @abstractmethod
    def first_bytes(self, offset: int) -> bytes:
        """Up to 8 KB inside the member there; empty when there is none or it is damaged."""

    def members(self) -> Iterator[Member | Gap]:
        """Each member and each gap, in order and without overlap: together they are the file.

        The caller reads a member before it takes the next. Behind damage, the search goes on for the next member
        whose content begins a record.
        """
        offset = 0
        while offset < self.size:
            if self.at_member(offset):
                member = self.member(offset)
                yield member
                offset = member.stop()
            else:
                gap = self._gap(offset)
                yield gap
                offset = gap.stop

    def _gap(self, offset: int) -> Gap:
        stop = self.resync(offset)
        return Gap(offset, stop, "padding" if self._zeros(offset, stop) else None)

    def starts_file(self) -> bool:
        """Whether the file begins as such files do."""
        return self.at_member(0)

    def at_member(self, offset: int) -> bool:
        """Whether a member begins there, or seems to."""
        return self.pread(len(self.magic), offset) == self.magic

    def resync(self, start: int) -> int:
        """Offset of the next member from `start` on whose content begins a record, or the file's size."""
        while start < self.size:
            chunk = self.pread(SCAN, start)
            found = chunk.find(self.magic)
            while found >= 0:
                if self.begins(self.first_bytes(start + found)):
                    return start + found
                found = chunk.find(self.magic, found + 1)
            if len(chunk) < len(self.magic):
                break
            start += len(chunk) - len(self.magic) + 1
        return self.size

    def pread(self, size: int, offset: int) -> bytes:
        return os.pread(self.descriptor, size, offset)

    def _zeros(self, start: int, stop: int) -> bool:
        return all(not self.pread(min(SCAN, stop - at), at).strip(b"\0") for at in range(start, stop, SCAN))


class PlainFile(Member):
    """An uncompressed file, read like one long member."""

    compressed = False
    checked = False
    _position = 0

    def _restart(self, offset: int) -> None:
        self._position = offset

    def read(self, size: int) -> bytes:
        data = self.framing.pread(size, self._position)
        self._position += len(data)
        return data

    def seek(self, position: int) -> None:
        """The next read begins there."""
        self._position = position

    def mark(self) -> Callable[[], None]:
        position = self._position
        return lambda: self.seek(position)

    def join(self) -> bool:
        """A plain file has no next member."""
        return False

    def stop(self) -> int:
        return self.framing.size


class Plain(Framing):
    """A file that is not compressed: one member."""

    name, magic = "plain", b""

    def member(self, offset: int) -> PlainFile:
        return PlainFile(self, offset)

    def first_bytes(self, offset: int) -> bytes:
        return self.pread(8192, offset)
