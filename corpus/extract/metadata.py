"""Title, author, date and language as a page declares them, in one pass of regular expressions over its start.

A page's text may come from any extractor; its metadata always comes from here, so it is the same for all.
"""

from __future__ import annotations

import html
import itertools
import re
from typing import NamedTuple

from corpus.extract.decode import clean

_HEAD = 256 << 10
_TITLE = re.compile(r"<title\b[^>]{0,512}>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(r"<html\b([^>]{0,2048})", re.IGNORECASE)
_META = re.compile(r"<meta\b([^>]{0,2048})", re.IGNORECASE)
_TIME = re.compile(r"<time\b([^>]{0,1024})", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w:.-]{1,64})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LINKED = re.compile(r'"datePublished"\s{0,9}:\s{0,9}"([^"]{4,40})"')
_DATE = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01])"
    r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?)?"
)
_SPACE = re.compile(r"\s+")
_TITLES = ("og:title", "twitter:title", "dc.title")
_AUTHORS = ("author", "article:author", "dc.creator", "parsely-author", "sailthru.author")
_DATES = (
    "article:published_time",
    "datepublished",
    "date",
    "dc.date",
    "dc.date.issued",
    "dcterms.created",
    "dcterms.date",
    "pubdate",
    "publishdate",
    "publish_date",
    "parsely-pub-date",
    "sailthru.date",
    "og:published_time",
)


class Metadata(NamedTuple):
    """Each is None where the page does not say it."""

    title: str | None
    author: str | None
    date: str | None
    declared_language: str | None


def metadata(page: str) -> Metadata:
    """What the first 256 K characters declare. The date is ISO 8601 as given, or None when it is another format."""
    head = page[:_HEAD]
    fields: dict[str, str] = {}
    for tag in _META.finditer(head):
        pairs = _attributes(tag[1])
        name = pairs.get("name") or pairs.get("property") or pairs.get("itemprop") or pairs.get("http-equiv")
        if name and pairs.get("content"):
            fields.setdefault(name.lower(), pairs["content"])
    root = _HTML.search(head)
    declared = _attributes(root[1]) if root else {}
    title = _TITLE.search(head)
    authors = [_line(fields[name]) for name in _AUTHORS if name in fields]
    return Metadata(
        (title and _line(title[1])) or next((_line(fields[name]) for name in _TITLES if name in fields), None),
        next((author for author in authors if author and not author.startswith(("http:", "https:", "/"))), None),
        _date(head, fields),
        _language(declared.get("lang") or declared.get("xml:lang") or fields.get("content-language")),
    )


def _attributes(tag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag):
        found.setdefault(name.lower(), double or single or bare)
    return found


def _line(text: str) -> str | None:
    return clean(_SPACE.sub(" ", html.unescape(text)))[:500] or None


def _date(head: str, fields: dict[str, str]) -> str | None:
    candidates = itertools.chain(
        (fields[name] for name in _DATES if name in fields),
        (match[1] for match in itertools.islice(_LINKED.finditer(head), 1)),
        (_attributes(match[1]).get("datetime", "") for match in itertools.islice(_TIME.finditer(head), 1)),
    )
    return next((found[0].replace(" ", "T") for text in candidates if (found := _DATE.match(text.strip()))), None)


def _language(label: str | None) -> str | None:
    """A BCP 47 tag as declared, or None for what cannot be one."""
    label = (label or "").split(",")[0].strip().replace("_", "-")
    return label if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}", label) else None
