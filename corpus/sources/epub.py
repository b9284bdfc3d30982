"""EPUB books, 2 and 3: one book is one document, its chapters in the order of the spine.

Nothing is written to disk: chapters are read out of the archive one by one, within a bound, and names in the archive
are only looked up, never opened.
"""

from __future__ import annotations

import errno
import io
import posixpath
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

import pyarrow as pa
from lxml import etree

from corpus.errors import InputError
from corpus.sources.config import SourceConfig
from corpus.sources.inputs import InputFile
from corpus.sources.rows import Row, batches, valid
from corpus.sources.xhtml import XhtmlError, chapter_text, local_name, parse_xml

_MAX_READ = 4 << 20  # of the archive's directory, which is read at once
_STEP = 1 << 16
_MAX_FIELD = 10_000  # characters of a title, of all authors
_FIELDS = ("title", "creator", "language", "date", "identifier", "rights", "meta")
_CHAPTERS = ("application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/x-dtbook+xml")
# Their keys are in the book itself (EPUB 3.3, 4.4 and Adobe's older way).
_FONT_MANGLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?(?!\d)")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_URL = re.compile(r"https?://[^\s<>\"]+")


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The books as plain text; `url` is the book's identifier where that is a web address, else its relative path.

    Title, creators, language, date and rights (`license`) are the package's. A chapter that is missing or broken
    becomes a row of its own, `file#chapter`, beside the rest of its book. Problems: `unreadable`, `damaged`,
    `encrypted`, `too_large` (more than `max_record_mb` in all). Skipped: `not_linear`, `navigation`, `image`.
    """
    return batches(row for file in files for row in _rows(file, config.max_record_bytes, skipped))


class _RefusedError(Exception):
    """(problem, detail) of a book, or of a chapter."""

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(problem, detail)
        self.problem, self.detail = problem, valid(detail)[:300]


def _rows(file: InputFile, limit: int, skipped: Counter[str]) -> Iterator[Row]:
    row = Row(file.relative, url=file.relative)
    try:
        with _Archive(file.path) as stream, _opened(stream) as archive:
            yield from _book(row, _Entries(archive, limit), skipped)
    except _RefusedError as error:
        yield row._replace(problem=error.problem, detail=error.detail)
    except PermissionError as error:
        yield row._replace(problem="unreadable", detail=error.strerror)
    except OSError as error:
        if file.mtime_ns == -1:
            yield row._replace(problem="unreadable", detail=error.strerror)
            return
        raise InputError(f"{file.path}: cannot be read ({error.strerror}); mend it or leave it out") from error


def _opened(stream: _Archive) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except _DAMAGE as error:
        if stream.failed:  # for `zipfile` a disk that fails is no archive either
            raise stream.failed from error
        raise _RefusedError("damaged", str(error)) from error


class _Archive(io.FileIO):
    """A file of which no caller gets more than `_MAX_READ` at once: `zipfile` believes what the file says."""

    failed: OSError | None = None

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _MAX_READ:
            raise _RefusedError("too_large", f"a directory of more than {_MAX_READ} bytes")
        try:
            return super().read(_MAX_READ if size is None or size < 0 else size) or b""
        except OSError as error:
            self.failed = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return super().seek(offset, whence)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise zipfile.BadZipFile("an offset before the start of the file") from error
            self.failed = error
            raise


class _Entries:
    """The files of the archive; all that is read of them together is at most `limit` bytes."""

    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self._archive, self._limit, self._left = archive, limit, limit

    def __contains__(self, name: str) -> bool:
        return name in self._archive.NameToInfo

    def read(self, name: str) -> bytes:
        """Raises _RefusedError: `damaged`, `encrypted`, `too_large`."""
        info = self._archive.NameToInfo.get(name)
        if info is None:
            raise _RefusedError("damaged", f"{name} is missing")
        if info.flag_bits & 1:
            raise _RefusedError("encrypted", f"{name} has a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _RefusedError("damaged", f"{name}: compression method {info.compress_type}, which no EPUB has")
        parts = []
        try:
            with self._archive.open(info) as stream:
                while part := stream.read(_STEP):
                    parts.append(part)
                    self._left -= len(part)
                    if self._left < 0:
                        raise _RefusedError("too_large", f"more than {self._limit} bytes of chapters")
        except _DAMAGE as error:
            raise _RefusedError("damaged", f"{name}: {error}") from error
        return b"".join(parts)

    def xml(self, name: str) -> etree._Element:
        """Raises _RefusedError too."""
        try:
            return parse_xml(self.read(name))
        except XhtmlError as error:
            raise _RefusedError(error.problem, f"{name}: {error}") from error
        except etree.XMLSyntaxError as error:
            raise _RefusedError("damaged", f"{name}: {error.msg}") from error


def _book(row: Row, entries: _Entries, skipped: Counter[str]) -> Iterator[Row]:
    if "META-INF/encryption.xml" in entries:
        _require_open(entries.xml("META-INF/encryption.xml"))
    rootfile = entries.xml("META-INF/container.xml").find(".//{*}rootfile")
    path = rootfile.get("full-path", "") if rootfile is not None else ""
    package = entries.xml(path)
    row = _described(row, package)
    broken: list[Row] = []
    texts: list[str] = []
    for name in _spine(package, path, skipped):
        try:
            texts.append(chapter_text(entries.read(name)))
        except (_RefusedError, XhtmlError) as error:
            if isinstance(error, _RefusedError) and error.problem != "damaged":
                raise
            detail = error.detail if isinstance(error, _RefusedError) else f"{name}: {error}"
            broken.append(row._replace(locator=f"{row.locator}#{name}", problem=error.problem, detail=valid(detail)))
    text = "\n\n".join(text for text in texts if text)
    yield row._replace(content=valid(text).encode(), media_type="text/plain", charset="utf-8")
    yield from broken


def _require_open(encryption: etree._Element) -> None:
    for data in encryption.iterfind(".//{*}EncryptedData"):
        method = data.find("{*}EncryptionMethod")
        algorithm = method.get("Algorithm", "none") if method is not None else "none"
        if algorithm not in _FONT_MANGLING:
            raise _RefusedError("encrypted", f"algorithm {algorithm}")


def _described(row: Row, package: etree._Element) -> Row:
    """With what the package says of the book."""
    values: dict[str, list[tuple[etree._Element, str]]] = {}
    # OEB 1 has `dc-metadata` around them.
    for path in ("{*}metadata/*", "{*}metadata/{*}dc-metadata/*"):
        for element in package.iterfind(path):
            name = local_name(element.tag).lower() if isinstance(element.tag, str) else ""
            if name in _FIELDS and (text := _field(element)):
                values.setdefault(name, []).append((element, text))

    def first(name: str) -> str | None:
        return next((text for _, text in values.get(name, [])), None)

    # A date may say of which event it is (EPUB 2); that of a modification is not the book's.
    dates = sorted(values.get("date", []), key=lambda pair: "modif" in _own(pair[0], "event"))
    language = (first("language") or "").replace("_", "-")
    identifiers = [text for _, text in values.get("identifier", []) if _URL.fullmatch(text)]
    return row._replace(
        url=identifiers[0] if identifiers else row.url,
        title=first("title"),
        author=_authors(values)[:_MAX_FIELD] or None,
        date=next((found[0] for _, text in dates if (found := _DATE.match(text))), None),
        declared_language=language if _LANGUAGE.fullmatch(language) else None,
        license=(first("rights") or "")[:500] or None,
    )


def _field(element: etree._Element) -> str:
    """The text in it, of which so much is read as a field may have."""
    found = ""
    for part in element.itertext():
        found += part[: _MAX_FIELD - len(found)]
        if len(found) == _MAX_FIELD:
            break
    return " ".join(found.split())


def _own(element: etree._Element, name: str) -> str:
    """An attribute by its local name: EPUB 2 has `opf:role`, many books `role`."""
    return next((value for key, value in element.items() if local_name(key) == name), "")


def _authors(values: dict[str, list[tuple[etree._Element, str]]]) -> str:
    roles = {
        meta.get("refines", "").removeprefix("#"): text
        for meta, text in values.get("meta", [])
        if meta.get("property") == "role"
    }
    creators = [
        (text, _own(element, "role") or roles.get(element.get("id", ""), "aut"))
        for element, text in values.get("creator", [])
    ]
    authors = [text for text, role in creators if role == "aut"] or [text for text, _ in creators]
    return "; ".join(dict.fromkeys(authors))


class _Item(NamedTuple):
    href: str
    media_type: str
    properties: str


def _spine(package: etree._Element, path: str, skipped: Counter[str]) -> list[str]:
    """Names in the archive of the chapters, each once. Raises _RefusedError when there is no spine."""
    items = {
        item.get("id"): _Item(item.get("href", ""), item.get("media-type", ""), item.get("properties", ""))
        for item in package.iterfind("{*}manifest/{*}item")
    }
    contents = {
        _inside(path, reference.get("href", ""))
        for reference in package.iterfind("{*}guide/{*}reference")
        if reference.get("type") == "toc" and "#" not in reference.get("href", "")
    }
    names: dict[str, None] = {}
    references = package.findall("{*}spine/{*}itemref")
    if not references:
        raise _RefusedError("damaged", f"{path}: no spine")
    for reference in references:
        idref = reference.get("idref")
        item = items.get(idref, _Item(f"item {idref} of the spine", _CHAPTERS[0], ""))
        name = _inside(path, item.href)
        if reference.get("linear") == "no":
            skipped["not_linear"] += 1
        elif "nav" in item.properties.split() or name in contents:
            skipped["navigation"] += 1
        elif item.media_type not in _CHAPTERS:
            skipped["image" if item.media_type.startswith("image/") else "media_type"] += 1
        else:
            names[name] = None
    return list(names)


def _inside(path: str, href: str) -> str:
    """The name in the archive that `href` of the package at `path` means; one that leads out of it is in no archive."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(href.partition("#")[0])))
