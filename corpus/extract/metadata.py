"""Title, author, date, language and address as a page declares them, by regular expressions over its start.

A page's text may come from any extractor; its metadata always comes from here, so it is the same for all.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from corpus.extract.decode import clean

_HEAD = 256 << 10
_TITLE = re.compile(r"<title\b[^>]{0,512}>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(r"<html\b([^>]{0,2048})", re.IGNORECASE)
_TAG = re.compile(r"<(meta|link|base|time)\b([^>]{0,4096})", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w:.-]{1,64})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LINKED = re.compile(r'"datePublished"\s{0,9}:\s{0,9}"([^"]{4,40})"')
_DATE = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01])"
    r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?)?"
)
_SPACE = re.compile(r"\s+")
_IN_NO_URL = re.compile('[\x00-\x20\x7f-\xa0<>"]')
_LONGEST_URL = 2083  # of sitemaps.org, the longest that anyone promises to read
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
    canonical_url: str | None = None


def metadata(page: str, url: str | None = None) -> Metadata:
    """What the first 256 K characters declare. The date is ISO 8601 as given, or None when it is another format.

    `url` is where the page lay: a relative canonical address (RFC 6596) is resolved against it, or against `<base>`.
    """
    head = page[:_HEAD]
    fields: dict[str, str] = {}
    base = canonical = time = None
    for tag in _TAG.finditer(head):
        kind = tag[1].lower()
        if kind == "meta":
            pairs = _attributes(tag[2])
            name = pairs.get("name") or pairs.get("property") or pairs.get("itemprop") or pairs.get("http-equiv")
            if name and pairs.get("content"):
                fields.setdefault(name.lower(), pairs["content"])
        elif kind == "base":
            base = base or _attributes(tag[2]).get("href")
        elif kind == "time":
            time = tag[2] if time is None else time
        # Most pages have a dozen links to style sheets; their attributes need no look.
        elif not canonical and "canonical" in tag[2].lower():
            pairs = _attributes(tag[2])
            canonical = pairs.get("href") if "canonical" in pairs.get("rel", "").lower().split() else None
    root = _HTML.search(head)
    declared = _attributes(root[1]) if root else {}
    title = _TITLE.search(head)
    authors = [_line(fields[name]) for name in _AUTHORS if name in fields]
    return Metadata(
        (title and _line(title[1])) or next((_line(fields[name]) for name in _TITLES if name in fields), None),
        next((author for author in authors if author and not author.startswith(("http:", "https:", "/"))), None),
        _date(head, fields, time),
        _language(declared.get("lang") or declared.get("xml:lang") or fields.get("content-language")),
        _absolute(canonical, _absolute(base, url) or url) or _absolute(fields.get("og:url"), url),
    )


def _absolute(link: str | None, base: str | None) -> str | None:
    """An http(s) address with a host, or None."""
    link = html.unescape(link or "").strip()
    if not link or len(link) > _LONGEST_URL or _IN_NO_URL.search(link):
        return None
    try:
        joined = urljoin(base or "", link)
        parts = urlsplit(joined)
        named = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # a bracket that is no IPv6 address
        return None
    return joined if named and len(joined) <= _LONGEST_URL else None


def _attributes(tag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag):
        found.setdefault(name.lower(), double or single or bare)
    return found


def _line(text: str) -> str | None:
    return clean(_SPACE.sub(" ", html.unescape(text)))[:500] or None


def _date(head: str, fields: dict[str, str], time: str | None) -> str | None:
    # To look for a plain string first is many times as fast.
    linked = _LINKED.search(head) if '"datePublished"' in head else None
    candidates = [fields[name] for name in _DATES if name in fields]
    candidates += [linked[1]] if linked else []
    candidates += [_attributes(time).get("datetime", "")] if time else []
    return next((found[0].replace(" ", "T") for text in candidates if (found := _DATE.match(text.strip()))), None)


def _language(label: str | None) -> str | None:
    """A BCP 47 tag as declared, or None for what cannot be one."""
    label = (label or "").split(",")[0].strip().replace("_", "-")
    return label if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}", label) else None
