"""From the paths of a source to pieces: the units of work, fixed by the files alone.

A piece of kind `code` is one repository: the files of a checkout, whose `relative` is `REPO/path/in/repo` (REPO is
one component), or one archive under its own relative path. See `corpus.sources.inputs.Piece`.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import corpus.sources.hub as hub
import corpus.sources.remote as remote
from corpus.errors import InputError
from corpus.sources.config import Kind, SourceConfig, is_remote
from corpus.sources.inputs import Found, InputFile, Piece
from corpus.sources.repositories import ARCHIVES, checkout, repositories

__all__ = ["GROUPED", "SUFFIXES", "InputFile", "Piece", "discover", "kind_by_name", "require_unchanged"]

SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "warc": tuple(f".{kind}{packed}" for kind in ("warc", "wet", "arc") for packed in ("", ".gz", ".zst")),
    "html": (".html", ".htm", ".xhtml"),
    "text": (".txt", ".md", ".text"),
    "jsonl": tuple(f".{kind}{packed}" for kind in ("jsonl", "ndjson") for packed in ("", ".gz", ".zst", ".bz2")),
    "parquet": (".parquet",),
    "epub": (".epub",),
    "pdf": (".pdf",),
    "code": ARCHIVES,
    "wikipedia": (".xml.bz2", ".xml"),
    "csv": tuple(f".{kind}{packed}" for kind in ("csv", "tsv") for packed in ("", ".gz", ".zst", ".bz2")),
    "arrow": (".arrow", ".arrows", ".feather", ".ipc"),
    "dataset": (),
}
GROUPED: tuple[Kind, ...] = ("html", "text", "epub", "pdf")
GROUP_FILES, GROUP_BYTES = 1000, 64 << 20
_CUT = 512
# `pages-articles1.xml-p1p41242.bz2`: a part of a Wikipedia dump.
_DUMP_PART = re.compile(r"(?<=\.xml)-p\d+p\d+(?=\.)")


def discover(source: SourceConfig) -> list[Piece]:
    """The pieces of a source, in the order of their relative paths.

    What a piece is, by kind: `Piece`. Files of the grouped kinds come up to 1,000 or 64 MB together. Group
    boundaries are content-defined (a hash of the path), so a file that is added moves only the boundaries near it.
    Raises InputError when a path does not exist, cannot be read or holds nothing of the source's kind, when two files
    would have one relative path, and for a language (`code.languages`) that Linguist does not know.
    """
    if source.code and source.code.languages:
        from corpus.sources.code.languages import require_known

        require_known(source.code.languages, f"source {source.name}")
    found = {item.path: item for pattern in source.paths for item in _expand(pattern, source)}
    top = os.path.commonpath([item.root for item in found.values()])
    files = sorted((_input_file(item, top) for item in found.values()), key=lambda file: (file.relative, file.path))
    for one, other in pairwise(files):
        _refuse_twins(source, one.relative, one.path, other.relative, other.path)
    if source.kind == "code":
        return _repositories(source, files, found)
    groups = _group(files) if source.kind in GROUPED else [(file,) for file in files]
    return [Piece(source.name, source.kind, _name(source, [f.relative for f in group]), group) for group in groups]


def _repositories(source: SourceConfig, files: list[InputFile], found: dict[str, Found]) -> list[Piece]:
    """A piece for each repository; its name stays when files come and go, since it is the same repository."""
    units: dict[tuple[str, str], list[InputFile]] = {}
    for file in files:
        repository = found[file.path].repository
        unit = file.relative.split("/")[0] if repository else file.relative
        units.setdefault((unit, repository or file.path), []).append(file)
    ordered = sorted(units)
    for one, other in pairwise(ordered):
        _refuse_twins(source, *one, *other)
    return [Piece(source.name, source.kind, _name(source, [unit[0]]), tuple(units[unit])) for unit in ordered]


def _refuse_twins(source: SourceConfig, relative: str, path: str, other_relative: str, other_path: str) -> None:
    if relative == other_relative:
        raise InputError(
            f"source {source.name}: {remote.shown(path)} and {remote.shown(other_path)} would both be called "
            f"{relative} in ids; give each a source of its own"
        )


def kind_by_name(name: str) -> Kind | None:
    """The kind that a file's name tells, the longest suffix first; None where it tells none."""
    fitting = [(len(suffix), kind) for kind, suffixes in SUFFIXES.items() for suffix in suffixes if _fits(name, suffix)]
    return max(fitting)[1] if fitting else None


def require_unchanged(piece: Piece, config: SourceConfig) -> None:
    """Raise InputError when a file of the piece is no longer what `discover` found."""
    for file in piece.files:
        if not file.identity:
            same = _size_and_time(file.path) == (file.size, file.mtime_ns)
        elif is_remote(file.path):
            same = remote.identity(file.path, config) == file.identity
        else:
            same = hub.is_unchanged(file.path, file.identity, config)
        if not same:
            raise InputError(f"{remote.shown(file.path)}: changed while the run was going; run again")


def _expand(pattern: str, source: SourceConfig) -> list[Found]:
    """The files that one path leads to."""
    where = f"source {source.name}: {remote.shown(pattern)}"
    if is_remote(pattern):
        if source.kind == "dataset":
            raise InputError(f"{where}: datasets are read from a local folder or the hub; copy it, or read its files")
        return remote.expand(pattern, source, lambda name: _fits(name, SUFFIXES[source.kind]), where)
    path = os.path.abspath(os.path.expanduser(pattern))  # noqa: PTH100, PTH111 - must not resolve links
    if source.kind == "dataset" and not hub.is_saved(path):
        return hub.shards(pattern, source, where)
    if os.path.lexists(path):
        root, matches = (path if Path(path).is_dir() else str(Path(path).parent)), [path]
    elif glob.has_magic(path):
        fixed = re.split(r"[*?\[]", path, maxsplit=1)[0]
        root, matches = fixed.rpartition("/")[0] or "/", sorted(glob.glob(path, recursive=True))  # noqa: PTH207
    else:
        raise InputError(f"{where}: no such file or folder; correct `path` or create it")
    if source.kind == "code":
        found = _code(root, matches, path in matches, where)
    elif source.kind == "dataset":
        found = [_found(str(Path(path).parent), file) for file in hub.saved_files(path, source, where)]
    else:
        suffixes = SUFFIXES[source.kind]
        found = [
            _found(root, file)
            for match in matches
            for file in (_walk(match, suffixes, where) if Path(match).is_dir() else _plain(match, where))
        ]
    if not found:
        raise InputError(
            f"{where}: no file of kind {source.kind} there ({', '.join(SUFFIXES[source.kind])}); "
            "correct `path` or `kind`"
        )
    return found


def _code(root: str, matches: list[str], named: bool, where: str) -> list[Found]:
    found = []
    for match in matches:
        units = [match]
        if Path(match).is_dir():
            inside, units = repositories(match, where)
            root = inside if named else root
        for unit in units:
            if Path(unit).is_dir():
                found += [_found(root, file, unit) for file in checkout(unit, where)]
            elif named or _fits(unit, ARCHIVES):
                found += [_found(root, file) for file in _plain(unit, where)]
    return found


def _found(root: str, path: str, repository: str = "") -> Found:
    return Found(root, path, path, *_size_and_time(path), repository=repository)


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
            if _fits(name, suffixes) and not name.startswith(".") and _is_file(path):
                files.append(path)
    return files


def _fits(name: str, suffixes: str | tuple[str, ...]) -> bool:
    return _DUMP_PART.sub("", name.lower()).endswith(suffixes)


def _is_file(path: str) -> bool:
    """False for devices, sockets and pipes; a broken link stays, so that reading it reports it."""
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return True


def _input_file(item: Found, top: str) -> InputFile:
    name = os.path.relpath(item.place, top)
    if item.repository:
        repository = os.path.relpath(item.repository, top)
        name = f"{repository.replace('/', '--')}/{os.path.relpath(item.place, item.repository)}"
    relative = name.replace("\\", "\\\\").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return InputFile(item.path, relative, item.size, item.mtime_ns, item.identity)


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        status = Path(path).stat()
    except OSError:
        return 0, -1
    return status.st_size, status.st_mtime_ns


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


def _name(source: SourceConfig, names: list[str]) -> str:
    digest = blake2b("\0".join([source.name, *names]).encode(), digest_size=5)
    stem = Path(names[0]).name.split(".")[0]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', stem)[:80] or 'piece'}-{digest.hexdigest()}"
