"""Members of an archive, one after the other, never written to disk: tar (plain, gzip, bzip2, xz, zstd) and zip.

What is read is bounded: extended tar headers to 1 MB, the whole to 256 MB or 200 times the archive's size, whichever
is more. A cut or corrupt tar gives what came before; in a zip each member stands alone.
"""

from __future__ import annotations

import errno
import functools
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tarfile import HeaderError, TarFile
from typing import IO, Any, NamedTuple, Self

from corpus.errors import InputError
from corpus.sources.compressed import DAMAGE, open_stream

_RATIO, _FLOOR = 200, 256 << 20
_HEADERS = 1 << 20
_STEP = 1 << 16
# What the libraries raise for bytes that are no archive; ValueError, for one, for names and numbers that do not decode.
_BAD = (
    *DAMAGE, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile,
    struct.error, ValueError, OverflowError, NotImplementedError, RecursionError,
)  # fmt: skip


# Not in its documentation, but in its code since Python 3.1.
_END, _NOTHING = tarfile.EOFHeaderError, tarfile.EmptyHeaderError  # type: ignore[attr-defined]


class ArchiveDamagedError(Exception):
    """The archive cannot be read on from here."""


class Member(NamedTuple):
    """A regular file of an archive, or (`kind` other than `file`) what stands in its place.

    `kind`: `file`; `link` and `special` (devices, pipes, sparse files), which have no content of their own; and the
    problems `encrypted` and `damaged`. `load(n)` gives the first `n` bytes, before the next member is asked for.
    """

    name: str
    kind: str
    size: int = 0
    load: Callable[[int], bytes] = lambda size: b""
    detail: str | None = None


def members(path: str, size: int) -> Iterator[Member]:
    """The members of the archive at `path`, of `size` bytes, in its order; folders are left out.

    Names are as stored, decoded as UTF-8 (surrogates for other bytes) or, in a zip that does not say so, as CP437.
    Raises ArchiveDamagedError at the first byte that cannot be read, and InputError when the disk fails.
    """
    budget = _Budget(max(_FLOOR, size * _RATIO))
    try:
        with Path(path).open("rb") as stream:
            magic = stream.read(6)
        yield from _zip(path, budget) if magic.startswith(b"PK") else _tar(path, magic, budget)
    except _BAD as error:
        raise ArchiveDamagedError(str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno in (None, errno.EINVAL):
            raise ArchiveDamagedError(str(error)) from error
        raise InputError(f"{path}: cannot be read ({error.strerror}); mend it or leave it out") from error


class _Budget:
    """Bytes that may still come out of an archive."""

    def __init__(self, size: int) -> None:
        self.size = self.left = size

    def take(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left < 0:
            raise ArchiveDamagedError(f"decompresses to more than {self.size} bytes")
        return data


class _Stream(io.RawIOBase):
    """A tar as bytes; while `headers` is set, a header is being read, which must be small."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream, self._budget = stream, budget
        self.headers: int | None = None

    def read(self, size: int = -1) -> bytes:
        data = self._budget.take(self._stream.read(size))
        if self.headers is not None:
            self.headers -= len(data)
            if self.headers < 0:
                raise ArchiveDamagedError(f"a header of more than {_HEADERS} bytes")
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Header(tarfile.TarInfo):
    """Says what `tarfile` takes for the end of the archive: a header that is corrupt, or none at all."""

    @classmethod
    def fromtarfile(cls, tarfile: TarFile) -> Self:
        stream: _Stream = tarfile.fileobj.fileobj  # type: ignore[attr-defined]
        outer = stream.headers is None
        if outer:
            stream.headers = _HEADERS
        try:
            return super().fromtarfile(tarfile)
        except _END:
            raise
        except _NOTHING as error:
            raise ArchiveDamagedError("the archive ends without its end mark") from error
        except HeaderError as error:
            raise ArchiveDamagedError(f"{error} in a tar header") from error
        finally:
            if outer:
                stream.headers = None


def _tar(path: str, magic: bytes, budget: _Budget) -> Iterator[Member]:
    source = io.BufferedReader(_Xz(path), _STEP) if magic == b"\xfd7zXZ\0" else open_stream(path)
    with _Stream(source, budget) as stream:
        tar: Any = TarFile.open(fileobj=stream, mode="r|", tarinfo=_Header, encoding="utf-8", errors="surrogateescape")
        while info := tar.next():
            # tarfile keeps every header for random access, which a stream does not have.
            tar.members.clear()
            if info.isreg() and not info.issparse():
                yield Member(info.name, "file", info.size, functools.partial(_tar_content, tar, info))
            elif not info.isdir():
                yield Member(info.name, "link" if info.issym() or info.islnk() else "special")
        # Where one block of zeros stands in place of a header, tarfile ends in peace.
        while data := tar.fileobj.read(_STEP):
            if data.strip(b"\0"):
                raise ArchiveDamagedError("data behind the end mark")


def _tar_content(tar: TarFile, info: tarfile.TarInfo, size: int) -> bytes:
    content = tar.extractfile(info)
    assert content is not None
    try:
        return content.read(size)
    except _BAD as error:
        raise ArchiveDamagedError(f"{error} in {info.name}") from error


def _zip(path: str, budget: _Budget) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        for info in entries:
            kind = stat.S_IFMT(info.external_attr >> 16)
            is_folder = info.filename.endswith("/")
            if is_folder and not info.file_size:
                continue
            if is_folder or kind not in (0, stat.S_IFREG):
                yield Member(info.filename, "link" if kind == stat.S_IFLNK else "special")
            elif info.flag_bits & 1:
                yield Member(info.filename, "encrypted", detail="the archive's entry is encrypted")
            else:
                load = functools.partial(_zip_content, archive, info, budget)
                yield Member(info.filename, "file", info.file_size, load)
    # zipfile goes by the directory's length alone.
    if (stated := _entries_stated(path)) not in (None, len(entries) & 0xFFFF):
        raise ArchiveDamagedError(f"the directory has {len(entries)} entries, the archive {stated}")


def _entries_stated(path: str) -> int | None:
    """The number of entries, modulo 65,536, in a zip's last record; None in a zip64 (APPNOTE 4.3.16)."""
    with Path(path).open("rb") as stream:
        stream.seek(max(0, stream.seek(0, io.SEEK_END) - 22 - 0xFFFF))
        tail = stream.read()
    stated = int.from_bytes(tail[at + 10 : at + 12], "little") if (at := tail.rfind(b"PK\x05\x06")) >= 0 else 0xFFFF
    return None if stated == 0xFFFF else stated


def _zip_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget, size: int) -> bytes:
    try:
        with archive.open(info) as stream:
            return budget.take(stream.read(size))
    except _BAD as error:
        raise MemberDamagedError(str(error) or type(error).__name__) from error
    except OSError as error:
        # bz2's own, and what an offset before the file's first byte comes to.
        if error.errno in (None, errno.EINVAL):
            raise MemberDamagedError(str(error)) from error
        raise


class MemberDamagedError(Exception):
    """This member cannot be read; the next ones can."""


class _Xz(io.RawIOBase):
    """An xz file, stream after stream; raises EOFError when it ends inside one. A stream may hold 128 MB."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115 - closed by close()
        self._xz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=128 << 20)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._xz.eof:
                # Padding between streams is zeros (the .xz file format, 2.2).
                self._rest = self._xz.unused_data.lstrip(b"\0") or self._file.read(_STEP).lstrip(b"\0")
                if not self._rest:
                    return 0
                self._xz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=128 << 20)
            step = b""
            if self._xz.needs_input:
                step, self._rest = self._rest or self._file.read(_STEP), b""
                if not step:
                    raise EOFError("the file ends inside an xz stream")
            if data := self._xz.decompress(step, len(buffer)):
                buffer[: len(data)] = data
                return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
