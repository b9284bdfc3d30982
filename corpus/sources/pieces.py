"""From the paths of a source to pieces: the units of work, fixed by the files alone."""

from __future__ import annotations

import glob
import os
import re
import stat
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from corpus.errors import InputError
from corpus.sources.config import Kind, SourceConfig

SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "warc": (".warc", ".warc.gz", ".wet", ".wet.gz"),
    "html": (".html", ".htm", ".xhtml"),
    "text": (".txt", ".md", ".text"),
    "jsonl": (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson"),
    "parquet": (".parquet",),
}
GROUPED = ("html", "text")
GROUP_FILES, GROUP_BYTES = 1000, 64 << 20
_CUT = 512


@dataclass(frozen=True)
class InputFile:
    """One file: where it is, its path below the root of the source (`/` separated), its size and time.

    In `relative` backslashes are doubled and a byte that is not UTF-8 is `\\xNN`: two names never give one. `size` is
    in bytes; `mtime_ns` is -1 where the file cannot be looked at (a link that leads nowhere).
    """

    path: str
    relative: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Piece:
    """A unit of work: its outputs depend on its files and the configuration, on nothing else."""

    source: str
    kind: Kind
    name: str
    files: tuple[InputFile, ...]


def discover(source: SourceConfig) -> list[Piece]:
    """The pieces of a source, in the order of their relative paths.

    A WARC, JSONL or Parquet file is a piece; HTML and text files are grouped, up to 1,000 files or 64 MB. Group
    boundaries are content-defined (a hash of the path), so a file that is added moves only the boundaries near it.
    Raises InputError when a path does not exist or holds no file of the source's kind.
    """
    found = [(root, path) for pattern in source.paths for root, path in _expand(pattern, source)]
    top = os.path.commonpath([root for root, _ in found])
    by_path = {path: _input_file(path, top) for _, path in found}
    files = sorted(by_path.values(), key=lambda file: (file.relative, file.path))
    groups = _group(files) if source.kind in GROUPED else [(file,) for file in files]
    return [Piece(source.name, source.kind, _name(source, group), group) for group in groups]


def _expand(pattern: str, source: SourceConfig) -> list[tuple[str, str]]:
    """[(root, absolute path of a file)] of one path; the root is what relative paths are relative to."""
    where = f"source {source.name}: {pattern}"
    path = os.path.abspath(os.path.expanduser(pattern))  # noqa: PTH100, PTH111 - must not resolve links
    suffixes = SUFFIXES[source.kind]
    if os.path.lexists(path):
        root, matches = (path if Path(path).is_dir() else str(Path(path).parent)), [path]
    elif glob.has_magic(path):
        fixed = re.split(r"[*?\[]", path, maxsplit=1)[0]
        root, matches = fixed.rpartition("/")[0] or "/", sorted(glob.glob(path, recursive=True))  # noqa: PTH207
    else:
        raise InputError(f"{where}: no such file or folder; correct `path` or create it")
    files = [
        (root, file)
        for match in matches
        for file in (_walk(match, suffixes, where) if Path(match).is_dir() else _plain(match, where))
    ]
    if not files:
        raise InputError(
            f"{where}: no file of kind {source.kind} there ({', '.join(suffixes)}); correct `path` or `kind`"
        )
    return files


def _plain(path: str, where: str) -> list[str]:
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise InputError(f"{where}: not a regular file or folder; correct `path`")
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror}); correct `path` or its permissions") from error
    return [path]


def _walk(folder: str, suffixes: tuple[str, ...], where: str) -> list[str]:
    """Files below a folder; links to folders are followed, each real folder is entered once; no hidden files."""

    def stop(error: OSError) -> None:
        raise InputError(f"{where}: folder {error.filename} cannot be read ({error.strerror}); allow it") from error

    seen: set[tuple[int, int]] = set()
    files = []
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=stop):
        info = Path(parent).stat()
        if (info.st_dev, info.st_ino) in seen:
            folders.clear()
            continue
        seen.add((info.st_dev, info.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(parent, name)  # noqa: PTH118
            if name.lower().endswith(suffixes) and not name.startswith(".") and _is_file(path):
                files.append(path)
    return files


def _is_file(path: str) -> bool:
    """False for devices, sockets and pipes; a broken link stays, so that reading it reports it."""
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return True


def _input_file(path: str, top: str) -> InputFile:
    name = os.path.relpath(path, top).replace("\\", "\\\\")
    relative = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return InputFile(path, relative, *_size_and_time(path))


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return 0, -1
    return status.st_size, status.st_mtime_ns


def require_unchanged(piece: Piece) -> None:
    """Raise InputError when a file of the piece is no longer what `discover` found."""
    for file in piece.files:
        if _size_and_time(file.path) != (file.size, file.mtime_ns):
            raise InputError(f"{file.path}: changed while the run was going; run again")


def _group(files: list[InputFile]) -> list[tuple[InputFile, ...]]:
    groups: list[tuple[InputFile, ...]] = []
    group: list[InputFile] = []
    size = 0
    for file in files:
        cut = int.from_bytes(blake2b(file.relative.encode(), digest_size=2).digest()) % _CUT == 0
        if group and (cut or len(group) == GROUP_FILES or size + file.size > GROUP_BYTES):
            groups.append(tuple(group))
            group, size = [], 0
        group.append(file)
        size += file.size
    return [*groups, tuple(group)]


def _name(source: SourceConfig, files: tuple[InputFile, ...]) -> str:
    digest = blake2b("\0".join([source.name, *(file.relative for file in files)]).encode(), digest_size=5)
    stem = Path(files[0].relative).name.split(".")[0]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', stem)[:80] or 'piece'}-{digest.hexdigest()}"
