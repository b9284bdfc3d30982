"""Zstd files as frames (RFC 8878), each inflated alone, with the dictionary that the file may bring.

`.warc.zst` has one frame a record and may begin with a skippable frame 0x184D2A5D that holds the dictionary of all
frames, itself compressed or not (IIPC, "WARC compression with Zstandard" 1.0). Files of one frame are read, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

import zstandard

from corpus.sources.framing import Framing, Gap, Member

MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_DICTIONARY = b"\x5d\x2a\x4d\x18"
# What `zstd` itself accepts without being asked to take more.
MAX_WINDOW = 128 << 20
MAX_DICTIONARY = 16 << 20
_MAX_BLOCK = 128 << 10
_READ = 32 << 10


class ZstdFrame(Member):
    """One frame, inflated block by block: a block gives 128 KB at most."""

    framing: ZstdFile

    def _restart(self, offset: int) -> None:
        self._begin = self._position = offset
        self._given = 0
        self._ready = memoryview(b"")
        self._inflater = self.framing.decompressor.decompressobj()
        self._inside = self._last = False
        self._input, self._input_at = b"", 0

    def read(self, size: int) -> bytes:
        while not self._ready and self.end is None and self.error is None:
            try:
                self._ready = memoryview(self._inflater.decompress(self._piece()))
            except _Broken as error:
                self.error = str(error)
            except zstandard.ZstdError as error:
                self.error = f"zstd: {error}"
            else:
                if self._last:
                    self.end = self._position
        data, self._ready = bytes(self._ready[:size]), self._ready[size:]
        self._given += len(data)
        return data

    def _piece(self) -> bytes:
        """The frame's header, or its next block, with the checksum behind the last one. Raises _Broken."""
        if not self._inside:
            length, window, self.checked = _header(self._bytes(18))
            if window > MAX_WINDOW:
                self.problem = "too_large"
                raise _Broken(f"a zstd frame that needs a window of {window} bytes")
            self._inside = True
            size = length
        else:
            size = 3
            if self._position + size <= self.framing.size:
                self._last, size = _block(self._bytes(size))
                size += 4 if self._last and self.checked else 0
        data = self._bytes(size)
        if len(data) < size:
            self.cut, self._last = True, False
            raise _Broken("the file ends inside a zstd frame")
        self._position += size
        return data

    def _bytes(self, size: int) -> bytes:
        """Up to `size` bytes from where the reader is."""
        at = self._position - self._input_at
        if at + size > len(self._input):
            self._input, self._input_at, at = self.framing.pread(max(size, _READ), self._position), self._position, 0
        return self._input[at : at + size]

    def mark(self) -> Callable[[], None]:
        """What, when called, brings the reader back to where it is now, by inflating the frame once more."""
        offset, begin, given = self.offset, self._begin, self._given

        def back() -> None:
            self.__dict__.update(self.framing.member(begin).__dict__ | {"offset": offset})
            while self._given < given and self.read(min(_MAX_BLOCK, given - self._given)):
                pass

        return back

    def _behind(self) -> int:
        """The lengths of its blocks tell where the frame ends, whatever the blocks hold; if a frame begins there."""
        framing, position = self.framing, self.offset
        try:
            length, _, checked = _header(framing.pread(18, position))
            position, last = position + length, False
            while not last:
                last, size = _block(framing.pread(3, position))
                position += size
            position += 4 if checked else 0
        except _Broken:
            return super()._behind()
        return position if position == framing.size or framing.at_member(position) else super()._behind()


class ZstdFile(Framing):
    """A file of zstd frames, skippable ones among them."""

    name, magic = "zstd", MAGIC

    @cached_property
    def decompressor(self) -> zstandard.ZstdDecompressor:
        try:
            data = self._dictionary()
            known = zstandard.ZstdCompressionDict(data) if data else None
            return zstandard.ZstdDecompressor(dict_data=known, max_window_size=MAX_WINDOW)
        except zstandard.ZstdError:
            # Every frame that needs it will say so.
            return zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)

    def _dictionary(self) -> bytes:
        """The dictionary of a file that begins with one; empty without one, or with one that is cut or too large."""
        if self.pread(4, 0) != _DICTIONARY:
            return b""
        data = self.pread(min(int.from_bytes(self.pread(4, 4), "little"), MAX_DICTIONARY), 8)
        if not data.startswith(MAGIC):
            return data
        inflater, parts, size = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj(), [], 0
        for at in range(0, len(data), 512):
            parts.append(inflater.decompress(data[at : at + 512]))
            size += len(parts[-1])
            if inflater.eof or size > MAX_DICTIONARY:
                break
        return b"".join(parts) if inflater.eof and size <= MAX_DICTIONARY else b""

    def starts_file(self) -> bool:
        return self.at_member(0) or _SKIPPABLE.match(self.pread(4, 0)) is not None

    def member(self, offset: int) -> ZstdFrame:
        return ZstdFrame(self, offset)

    def first_bytes(self, offset: int) -> bytes:
        return self.member(offset).read(8192)

    def _gap(self, offset: int) -> Gap:
        head = self.pread(8, offset)
        if _SKIPPABLE.match(head) and len(head) == 8:
            stop = offset + 8 + int.from_bytes(head[4:], "little")
            if stop == self.size or _SKIPPABLE.match(self.pread(4, stop)) or self.at_member(stop):
                kind = "dictionary" if head.startswith(_DICTIONARY) and offset == 0 else "skippable_frame"
                return Gap(offset, stop, kind)
        return super()._gap(offset)


class _Broken(Exception):
    """Why a frame cannot be read on."""


def _header(data: bytes) -> tuple[int, int, bool]:
    """(length of a frame's header, its window in bytes, whether it ends in a checksum) of its first 18 bytes."""
    if len(data) < 6 or not data.startswith(MAGIC):
        raise _Broken("no zstd frame")
    descriptor = data[4]
    single, checked = bool(descriptor & 0x20), bool(descriptor & 0x04)
    at = 5 if single else 6
    content_at = at + (0, 1, 2, 4)[descriptor & 3]
    content_size = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    if single:
        window = int.from_bytes(data[content_at : content_at + content_size], "little")
    else:
        base = 1 << (10 + (data[5] >> 3))
        window = base + (base >> 3) * (data[5] & 7)
    return content_at + content_size, window, checked


def _block(data: bytes) -> tuple[bool, int]:
    """(whether it is the last block, its size with its header) of a block's first 3 bytes. Raises _Broken."""
    bits = int.from_bytes(data, "little")
    last, kind, size = bool(bits & 1), bits >> 1 & 3, bits >> 3
    if len(data) < 3 or kind == 3 or size > _MAX_BLOCK:
        raise _Broken("zstd: a block that cannot be")
    return last, 3 + (1 if kind == 1 else size)
