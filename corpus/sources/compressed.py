"""Compressed files as streams: gzip, zstd and bzip2, known by their first bytes, never by their names.

What is decompressed comes in small steps, so that a reader that stops early has held little, whatever a file claims.
"""

from __future__ import annotations

import bz2
import io
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

import zstandard


class DamagedError(Exception):
    """Compressed data that is corrupt, where the library itself would raise a plain OSError or nothing."""


DAMAGE = (EOFError, zlib.error, zstandard.ZstdError, DamagedError)
"""What a stream raises for compressed data that is cut or corrupt. Catch it before OSError: that is the disk."""

_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # RFC 8878: a frame, or one to skip (pzstd)
_BZ2 = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90|\Z)")  # a stream with a block, or an empty one
_STEP = 1 << 20


def open_stream(path: str) -> IO[bytes]:
    """The file's content, decompressed; gzip members, zstd frames and bzip2 streams one after the other.

    Raises OSError when it cannot be opened. Reading raises one of `DAMAGE` where compressed data is cut or corrupt,
    behind all that is whole before it, and OSError when the disk fails. zstd frames may use a window of 128 MB.
    """
    with Path(path).open("rb") as stream:
        begin = stream.read(10)
    if begin.startswith(b"\x1f\x8b"):
        return io.BufferedReader(_Reader(path, _Gzip), _STEP)
    if _ZSTD.match(begin):
        return io.BufferedReader(_Reader(path, _Zstd), _STEP)
    if _BZ2.match(begin):
        return io.BufferedReader(_Reader(path, _Bz2), _STEP)
    return Path(path).open("rb")


class _Part(Protocol):
    """Decompressor of one member, frame or stream."""

    step: int
    """Bytes of input that are given at once."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes) -> bytes: ...


class _Gzip:
    step = 1 << 16

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._member.unconsumed_tail

    def decompress(self, data: bytes) -> bytes:
        return self._member.decompress(self._member.unconsumed_tail + data, _STEP)


class _Zstd:
    # One block of 128 KB can come from 4 bytes: small steps bound what one step can give.
    step = 512
    needs_input = True

    def __init__(self) -> None:
        # The window is what a frame may make us hold: 128 MB is what `zstd` itself accepts.
        self._frame = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        self.decompress = self._frame.decompress

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data


class _Bz2:
    step = 1 << 16

    def __init__(self) -> None:
        self._stream = bz2.BZ2Decompressor()

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    @property
    def needs_input(self) -> bool:
        return self._stream.needs_input

    def decompress(self, data: bytes) -> bytes:
        try:
            return self._stream.decompress(data, _STEP)
        except OSError as error:
            raise DamagedError(f"{error} in a bzip2 stream") from error


class _Reader(io.RawIOBase):
    """Members, frames or streams one after the other; raises EOFError when the file ends inside one.

    `bz2.open` would take a stream whose first bytes are corrupt, and all behind it, for padding; `gzip.open` would
    keep up to a buffer of what came before the damage.
    """

    def __init__(self, path: str, part: Callable[[], _Part]) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115 - closed by close()
        self._new = part
        self._part: _Part = part()
        self._ready, self._rest, self._inside = memoryview(b""), b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if self._part.eof:
                self._rest = self._part.unused_data
                self._part = self._new()
            step = b""
            if self._part.needs_input:
                step = self._rest or self._file.read(self._part.step)
                if not step:
                    if self._inside:
                        raise EOFError("the file ends inside a compressed stream")
                    return 0
                self._rest = b""
                if not self._inside:
                    step = step.lstrip(b"\0")  # padding, as on tapes
                    if not step:
                        continue
            self._ready = memoryview(self._part.decompress(step))
            self._inside = not self._part.eof
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
