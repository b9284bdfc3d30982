"""A repository as its files, one after the other, and what it says of itself: a checkout or an archive."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from corpus.sources.code.archive import ArchiveDamagedError, Member, MemberDamagedError, members
from corpus.sources.code.attributes import NAME as ATTRIBUTES
from corpus.sources.code.attributes import Attributes
from corpus.sources.code.licenses import Licenses, is_license_file
from corpus.sources.code.package_metadata import METADATA
from corpus.sources.html import load
from corpus.sources.inputs import InputFile
from corpus.sources.repositories import ARCHIVES
from corpus.sources.rows import Row

_NOTE_BYTES = 256 << 10
_FILES = ("file", "encrypted")


@dataclass(frozen=True)
class Entry:
    """A file: where it lies, its size in bytes, and how its content is read.

    `name` is its path with the repository's folder before it, `path` without.
    """

    name: str
    path: str
    locator: str
    size: int
    read: Callable[[int], bytes | Row]
    """The content of a file of at most so many bytes, or the row of what is wrong with it."""

    def row(self, problem: str | None = None, detail: str | None = None) -> Row:
        """The file's row, without content."""
        return Row(self.locator, url=self.path, problem=problem, detail=detail)


class Repository(ABC):
    """What a repository says of itself, known before its first file is read, and its files."""

    def __init__(self, locator: str) -> None:
        self.locator = locator
        """Of the repository itself, for what is wrong with it as a whole."""
        self.licenses = Licenses()
        self.attributes = Attributes()

    @abstractmethod
    def entries(self, skipped: Counter[str]) -> Iterator[Entry | Row]:
        """The files in a fixed order, and rows for what cannot be one; raises ArchiveDamagedError."""

    def _note(self, entry: Entry) -> None:
        """Takes what the file says of the repository, if it is one that does."""
        base = entry.name.rpartition("/")[2]
        is_license = is_license_file(base)
        if entry.size > _NOTE_BYTES or not (is_license or base in METADATA or base == ATTRIBUTES):
            return
        content = entry.read(_NOTE_BYTES)
        if isinstance(content, Row):
            return
        if is_license:
            self.licenses.add_text(entry.name, content)
        elif base in METADATA:
            self.licenses.add_metadata(entry.name, content)
        else:
            self.attributes.add(entry.name, content)


def open_repository(files: tuple[InputFile, ...]) -> Repository:
    """The repository of a piece of kind `code`; reads what it says of itself."""
    if len(files) == 1 and files[0].relative.lower().endswith(ARCHIVES):
        return _Archive(files[0])
    return _Checkout(files)


class _Checkout(Repository):
    def __init__(self, files: tuple[InputFile, ...]) -> None:
        super().__init__(files[0].relative.partition("/")[0])
        self._files = files
        for file in files:
            self._note(_of_checkout(file))

    def entries(self, skipped: Counter[str]) -> Iterator[Entry | Row]:
        return map(_of_checkout, self._files)


def _of_checkout(file: InputFile) -> Entry:
    path = file.relative.partition("/")[2] or file.relative

    def read(limit: int) -> bytes | Row:
        content, problem, detail = load(file, limit)
        return entry.row(problem, detail) if content is None else content

    entry = Entry(file.relative, path, file.relative, file.size, read)
    return entry


class _Archive(Repository):
    def __init__(self, file: InputFile) -> None:
        super().__init__(file.relative)
        self._file = file
        # Of several members of one name the last counts, as it does when they are unpacked.
        self._last: dict[str, int] = {}
        self._top = ""
        # The second pass comes to the same damage, and reports it.
        with contextlib.suppress(ArchiveDamagedError):
            for number, member in enumerate(self._members()):
                if member.kind in _FILES:
                    self._last[member.name] = number
                    self._note(self._entry(member))
        tops = {name.partition("/")[0] if "/" in name else "" for name in self._last}
        if len(tops) == 1 and (top := tops.pop()):
            self._top = f"{top}/"

    def entries(self, skipped: Counter[str]) -> Iterator[Entry | Row]:
        number = -1
        for number, member in enumerate(self._members()):
            entry = self._entry(member)
            if member.kind not in _FILES:
                skipped[member.kind] += 1
            elif self._last[member.name] != number:
                skipped["replaced"] += 1
            elif member.kind != "file":
                yield entry.row(member.kind, member.detail)
            elif ".." in member.name.split("/"):
                yield entry.row("unsafe_path", "leads out of the archive")
            else:
                yield entry
        if number < 0:
            skipped["empty_file"] += 1

    def _members(self) -> Iterator[Member]:
        if self._file.size:
            for member in members(self._file.path, self._file.size):
                yield member._replace(name=_clean(member.name))

    def _entry(self, member: Member) -> Entry:
        def read(limit: int) -> bytes | Row:
            try:
                content = member.load(limit + 1)
            except MemberDamagedError as error:
                return entry.row("damaged", str(error))
            return content if len(content) <= limit else entry.row("too_large", f"more than {limit} bytes")

        path = member.name.removeprefix(self._top)
        entry = Entry(member.name, path, f"{self._file.relative}#{member.name}", member.size, read)
        return entry


def _clean(name: str) -> str:
    """A member's name as a path below the archive, absolute ones too; written as `InputFile.relative` is."""
    parts = [part for part in name.replace("\\", "\\\\").split("/") if part not in ("", ".")]
    return "/".join(parts).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
