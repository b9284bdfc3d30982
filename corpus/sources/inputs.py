"""What a piece of work is made of: its files, by path, size and identity."""

from __future__ import annotations

from dataclasses import dataclass

from corpus.sources.config import Kind


@dataclass(frozen=True)
class InputFile:
    """One file: where it is, its path below the root of the source (`/` separated), its size and time.

    In `relative` backslashes are doubled and a byte that is not UTF-8 is `\\xNN`: two names never give one. `size` is
    in bytes; `mtime_ns` is -1 where the file cannot be looked at (a link that leads nowhere).

    `identity` is empty for a local file, which counts by its content. Of what lies elsewhere it is what tells one
    version from the next (an ETag, a commit); `path` is then a URL, or a shard of a dataset (`corpus.sources.hub`).
    """

    path: str
    relative: str
    size: int
    mtime_ns: int
    identity: str = ""


@dataclass(frozen=True)
class Piece:
    """A unit of work: its outputs depend on its files and the configuration, on nothing else.

    WARC, JSONL, CSV, Parquet, Arrow and Wikipedia files are a piece each, and so is a shard of a dataset; HTML, text,
    EPUB and PDF files are grouped.

    A piece of kind `code` is one repository. Of a checkout it holds every regular file below it, sorted by `relative`,
    hidden files too, but not `.git`, no hidden folder and no link; `relative` is `REPO/path/in/repo`, where REPO is
    always one component (`owner--name` where the repository lies in a sub-folder of the source). Of an archive it
    holds one file, the archive, under its own relative path (`sub/NAME-1.0.tar.gz`).
    """

    source: str
    kind: Kind
    name: str
    files: tuple[InputFile, ...]


@dataclass(frozen=True)
class Found:
    """A file that a path leads to, before it is known what its relative path is relative to.

    `place` and `root` are absolute slash paths; a URL's place is `/s3:/bucket/key`. Relative paths begin at the
    common folder of all roots. `repository` is the place of the checkout that the file belongs to.
    """

    root: str
    place: str
    path: str
    size: int
    mtime_ns: int
    identity: str = ""
    repository: str = ""
