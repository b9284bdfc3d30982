"""Chapters of books to text: all of it, in order. No boilerplate is looked for, since a book has none.

Paragraphs and headings stand between blank lines, list items begin with `- ` or their number, the cells of a row are
separated by tabs. What is no text of the book is left out: navigation, page numbers of the print, pronunciation above
characters (`rt`), images, scripts.
"""

from __future__ import annotations

import codecs
import html
import re

import numpy as np
from lxml import etree

from corpus.sources.text import to_utf8

_LEFT_OUT = frozenset(
    "script style head title nav template svg audio video object iframe canvas noscript rt rp rtc map".split()
)
_PARAGRAPH = frozenset(
    """p h1 h2 h3 h4 h5 h6 blockquote ul ol dl table pre section article aside header footer main figure figcaption
    address hr body details""".split()
)
_LINE = frozenset("div li dt dd tr caption center br summary form fieldset legend option".split())
_SPACE = re.compile("[ \t\n\r\f]+")
_SPACE_RUN = re.compile(" {2,}")
_AROUND_TAB = re.compile(" ?\t ?")
_TYPE = "{http://www.idpf.org/2007/ops}type"
_MOST = 250
# A node takes about 130 bytes, and 4 microseconds.
_MAX_NODES = 1_000_000
# Encodings that iconv knows in which `<` has more than one form.
_ESCAPED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*.(?i:[\w-]*utf-?7|java|c99)")
_ENTITIES = {"resolve_entities": False, "no_network": True, "huge_tree": False}
_NODES = {"remove_comments": True, "remove_pis": True}


class XhtmlError(Exception):
    """A chapter that cannot be read whole; the message says why."""

    problem = "damaged"


class TooManyNodesError(XhtmlError):
    """More elements, attributes and entities than a book has."""

    problem = "too_large"


def parse_xml(content: bytes) -> etree._Element:
    """The root element. Entities are not expanded, nothing is fetched.

    Raises etree.XMLSyntaxError, TooManyNodesError for more than 1,000,000 of `<`, `=` and `&` together, and XhtmlError.
    """
    if sum(content.count(mark) for mark in (b"<", b"=", b"&")) > _MAX_NODES:
        raise TooManyNodesError(f"more than {_MAX_NODES} elements, attributes and entities")
    if _ESCAPED.match(content.removeprefix(codecs.BOM_UTF8)):
        raise XhtmlError("an encoding that no book may have")
    return etree.fromstring(content, etree.XMLParser(load_dtd=False, **_ENTITIES, **_NODES))


def chapter_text(content: bytes) -> str:
    """The text of an XHTML document, or of HTML where it is not well-formed. Raises XhtmlError."""
    try:
        root = parse_xml(content)
    except etree.XMLSyntaxError:
        root = _parse_html(content)
    text = _Text()
    text.element(next((element for element in root.iter(etree.Element) if _name(element) == "body"), root))
    text.end_line()
    return "".join(text.parts)


def _parse_html(content: bytes) -> etree._Element:
    """libxml2's HTML parser takes time that grows with the square of a tag's attributes and of the depth."""
    from corpus.extract.scan import ATTRIBUTES, DEPTH, scan

    content = to_utf8(content)[0]
    if b"\0" in content or b"<!ENTITY" in content:
        raise XhtmlError("not well-formed, and no HTML")
    found = scan(np.frombuffer(content, np.uint8), np.array([0, len(content)], np.int64))[0]
    for column, what in ((ATTRIBUTES, "attributes of one tag"), (DEPTH, "nested elements")):
        if found[column] > _MOST:
            raise XhtmlError(f"not well-formed, and more than {_MOST} {what}")
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, **_NODES)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise XhtmlError(f"neither XML nor HTML: {error}") from error
    if root is None:
        raise XhtmlError("neither XML nor HTML: no element")
    # libxml2 leaves out what is past a limit of its own (10 MB of text in one piece, depth 256), and goes on.
    for entry in parser.error_log:
        if entry.level == etree.ErrorLevels.FATAL:
            raise XhtmlError(f"text would be lost: {entry.message}")
    return root


def local_name(name: str) -> str:
    """Of an element or attribute, without its namespace. (`etree.QName` refuses names that the HTML parser takes.)"""
    return name.rpartition("}")[2]


def _name(element: etree._Element) -> str:
    return local_name(element.tag).lower()


class _Text:
    """What has been written, and the line that is being written."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._line: list[str] = []
        self._apart = False
        self._mark = ""
        self._lists: list[int | None] = []

    def element(self, element: etree._Element) -> None:
        """Write an element and all that is in it; libxml2 nests no deeper than 256."""
        name = _name(element)
        kind = element.get(_TYPE, "").split()
        if name in _LEFT_OUT or "pagebreak" in kind or element.get("role") == "doc-pagebreak":
            return
        if name == "math":
            self._line.append(_formula(element))
            return
        block = name in _PARAGRAPH or name in _LINE
        if block:
            self.end_line(apart=name in _PARAGRAPH and not self._lists)
        if name == "pre":
            self._verbatim("".join(element.itertext()))
            return
        self._open(name)
        self._children(element)
        if name in ("td", "th"):
            self._line.append("\t")
        if name in ("ul", "ol"):
            self._lists.pop()
        if block:
            self.end_line(apart=name in _PARAGRAPH and not self._lists)
        if name == "li":
            self._mark = ""

    def _children(self, element: etree._Element) -> None:
        self._inline(element.text)
        for child in element:
            if child.tag is etree.Entity:
                # Only names that HTML knows: a file may define its own to grow without bound.
                known = html.unescape(child.text)
                self._inline(known if known != child.text else None)
            elif isinstance(child.tag, str):
                self.element(child)
            self._inline(child.tail)

    def _open(self, name: str) -> None:
        if name in ("ul", "ol"):
            self._lists.append(0 if name == "ol" else None)
        elif name == "li" and self._lists:
            number = self._lists[-1]
            if number is not None:
                self._lists[-1] = number = number + 1
            self._mark = "  " * (len(self._lists) - 1) + (f"{number}. " if number is not None else "- ")

    def _inline(self, text: str | None) -> None:
        if text:
            self._line.append(_SPACE.sub(" ", text))

    def _verbatim(self, text: str) -> None:
        if text.strip():
            self.parts += ["\n\n" if self.parts else "", self._mark + text.strip("\n").rstrip()]
            self._mark, self._apart = "", True

    def end_line(self, apart: bool = False) -> None:
        """End the line; `apart`: a blank line is between it and the next."""
        line = _AROUND_TAB.sub("\t", _SPACE_RUN.sub(" ", "".join(self._line))).strip(" \t")
        self._line = []
        if line:
            if self.parts:
                self.parts.append("\n\n" if self._apart else "\n")
            self.parts.append(self._mark + line)
            self._mark, self._apart = "", False
        self._apart = self._apart or apart


def _formula(element: etree._Element) -> str:
    """TeX between `$` where MathML carries it, else the formula's characters."""
    tex = element.get("alttext") or next(
        (
            "".join(found.itertext())
            for found in element.iter(etree.Element)
            if _name(found) == "annotation" and found.get("encoding", "").lower() in ("application/x-tex", "latex")
        ),
        None,
    )
    if tex:
        return f"${' '.join(tex.split())}$"
    return " ".join("".join(element.itertext()).split())
