"""Wikipedia dumps, as any MediaWiki exports them (`pages-articles*.xml`), plain or compressed: one article a document.

The XML is read as a stream of bounded tokens, so memory does not grow with the dump; in a multistream file the streams
follow one another. A document type declaration, and so every entity that a file could define, is refused.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, cast
from urllib.parse import quote
from xml.parsers import expat

import pyarrow as pa

from corpus.errors import InputError
from corpus.sources.compressed import DAMAGE, open_stream
from corpus.sources.config import SourceConfig, WikipediaOptions
from corpus.sources.inputs import InputFile
from corpus.sources.rows import Row, batches
from corpus.sources.wikitext import WikitextError, to_text

_STEP = 1 << 16
_MAX_TOKEN = 1 << 20  # a comment or a tag; text comes in pieces
_MAX_FIELD = 4096  # what is not text: a title has at most 255 bytes
_MAX_DEPTH = 16  # an export has 6
_FILE, _CATEGORY = "6", "14"
_BASE = re.compile(r"https?://[^\s/]+/(?:\S*[/=])?(?=[^/=]*\Z)")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_SITE, _PAGE, _REVISION = (("mediawiki", *rest) for rest in (("siteinfo",), ("page",), ("page", "revision")))
_WANTED = {
    (*_SITE, "base"),
    (*_SITE, "namespaces", "namespace"),
    *((*_PAGE, name) for name in ("title", "ns", "id")),
    *((*_REVISION, name) for name in ("timestamp", "model", "text")),
}


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The articles of each file as plain text; the locator is `file#page`, 1-based, with `:id` of the page behind it.

    `date` is that of the revision (the last one, where a page has several), `declared_language` the dump's `xml:lang`.
    Problems: `limit` (markup, see `corpus.sources.wikitext`), `too_large`, and one `damaged` for the rest of a file
    that is cut, corrupt or no export. Skipped: `namespace`, `redirect`, `model` (pages that are not wikitext),
    `empty_file`. Raises InputError when a file cannot be read.
    """
    return batches(row for file in files for row in _rows(file, config, skipped))


class _Page(NamedTuple):
    number: int
    fields: dict[str, str]
    redirect: bool
    too_large: bool


class _DumpError(Exception):
    """Well-formed or not, this is no export that can be read on."""


def _rows(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[Row]:
    dump = _Dump(config.max_record_bytes)
    options = config.wikipedia or WikipediaOptions()
    try:
        with open_stream(file.path) as stream:
            # `read` would lose what is whole before the damage.
            while data := cast(io.BufferedReader, stream).read1(_STEP):
                broken = dump.feed(data)
                for page in dump.take():
                    if row := _row(file, page, dump, config.max_record_bytes, options, skipped):
                        yield row
                if broken:
                    raise broken
        dump.close()
    except (*DAMAGE, expat.ExpatError, _DumpError) as error:
        what = "" if isinstance(error, expat.ExpatError | _DumpError) else "compressed data: "
        yield Row(f"{file.relative}#{dump.number + 1}", problem="damaged", detail=f"{what}{error}")
    except OSError as error:
        raise InputError(
            f"source {config.name}: {file.path}: cannot be read ({error.strerror or error}); restore the file"
        ) from error
    else:
        if dump.empty:
            skipped["empty_file"] += 1


def _row(
    file: InputFile, page: _Page, dump: _Dump, limit: int, options: WikipediaOptions, skipped: Counter[str]
) -> Row | None:
    fields = page.fields
    namespace, identity = fields.get("ns", "0").strip(), fields.get("id", "").strip()
    if not namespace.lstrip("-").isdecimal() or int(namespace[:9]) not in options.namespaces:
        skipped["namespace"] += 1
        return None
    if page.redirect:
        skipped["redirect"] += 1
        return None
    if fields.get("model", "wikitext").strip() != "wikitext":
        skipped["model"] += 1
        return None
    title = fields.get("title", "").strip()
    row = Row(
        f"{file.relative}#{page.number}" + (f":{identity}" if identity.isdecimal() else ""),
        url=dump.address(title),
        date=fields.get("timestamp", "").strip() or None,
        title=title or None,
        declared_language=dump.language,
        license=options.license,
    )
    if page.too_large:
        return row._replace(problem="too_large", detail=f"more than {limit} bytes")
    try:
        text = to_text(fields.get("text", ""), dump.hidden)
    except WikitextError as error:
        return row._replace(problem="limit", detail=str(error))
    return row._replace(content=text.encode(), media_type="text/plain", charset="utf-8")


class _Dump:
    """What has been read of an export: the site's settings, and the pages that are whole."""

    def __init__(self, limit: int) -> None:
        self._pages: list[_Page] = []
        self.number = 0
        self.empty = True
        self.language: str | None = None
        self.hidden = {"file", "image", "category"}
        self._limit, self._size, self._fed = limit, 0, 0
        self._base: str | None = None
        self._path: tuple[str, ...] = ()
        self._text: list[str] | None = None
        self._namespace = ""
        self._fields: dict[str, str] = {}
        self._redirect = self._too_large = False
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.buffer_size = _STEP
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, data: bytes) -> expat.ExpatError | _DumpError | None:
        """What is wrong with the export from here on, if anything is; `take` gives what was whole before."""
        self.empty = False
        self._fed += len(data)
        try:
            self._parser.Parse(data, False)
        except (expat.ExpatError, _DumpError) as error:
            return error
        if self._fed - max(0, self._parser.CurrentByteIndex) > _MAX_TOKEN:
            return _DumpError(f"a tag or a comment of more than {_MAX_TOKEN} bytes")
        return None

    def take(self) -> list[_Page]:
        """The pages that ended since the last call."""
        pages, self._pages = self._pages, []
        return pages

    def close(self) -> None:
        """Raises ExpatError when the export is not at its end."""
        if not self.empty:
            self._parser.Parse(b"", True)

    def address(self, title: str) -> str | None:
        """The article's, beside the main page of the site; MediaWiki's `wfUrlencode`."""
        if self._base is None or not title:
            return None
        return self._base + quote(title.replace(" ", "_"), safe=";@$!*(),/~:")

    def _doctype(self, *_: object) -> None:
        raise _DumpError("a document type declaration, which no export has")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path = path = (*self._path, name)
        if len(path) > _MAX_DEPTH:
            raise _DumpError(f"elements nested deeper than {_MAX_DEPTH}")
        if len(path) == 1:
            if name != "mediawiki":
                raise _DumpError(f"no MediaWiki export: its root is <{name[:40]}>")
            language = attributes.get("xml:lang", "")
            self.language = language if _LANGUAGE.fullmatch(language) else None
        elif path == _PAGE:
            self._fields, self._redirect, self._too_large = {}, False, False
        elif path == (*_PAGE, "redirect"):
            self._redirect = True
        elif path in _WANTED:
            self._text, self._size = [], 0
            self._namespace = attributes.get("key", "")

    def _characters(self, data: str) -> None:
        if self._text is not None:
            self._size += len(data) if data.isascii() else len(data.encode())
            if self._size <= (self._limit if self._path[-1] == "text" else _MAX_FIELD):
                self._text.append(data)
            elif self._path[-1] == "text":
                self._text, self._too_large = [], True
            else:
                raise _DumpError(f"a <{self._path[-1]}> of more than {_MAX_FIELD} bytes")

    def _end(self, name: str) -> None:
        path, self._path = self._path, self._path[:-1]
        if self._text is not None:
            text, self._text = "".join(self._text), None
            if path == (*_SITE, "base"):
                base = _BASE.match(text.strip())
                self._base = base[0] if base else None
            elif path[1] == "siteinfo":
                if self._namespace in (_FILE, _CATEGORY):
                    self.hidden.add(text.strip().lower())
            else:
                self._fields[name] = text
        elif path == _PAGE:
            self.number += 1
            self._pages.append(_Page(self.number, self._fields, self._redirect, self._too_large))
