"""Signals by which a page asks not to be indexed, not to be trained on, or reserves its rights.

Read are the robots meta tag and `X-Robots-Tag` (`noindex`, `none`, `noai`, `noimageai`) and the TDM Reservation
Protocol of W3C's community group (`tdm-reservation: 1` as a header or a meta tag; its site-wide file is not at hand).
What is addressed to one robot by name (`<meta name="googlebot">`, `X-Robots-Tag: otherbot: noindex`) binds that robot
alone, and `unavailable_after` would make the answer depend on the day: neither counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_NOINDEX, _TDM = "opt_out_noindex", "opt_out_tdm"
_RULES = {"noindex": _NOINDEX, "none": _NOINDEX, "noai": "opt_out_noai", "noimageai": "opt_out_noimageai"}
_HEAD = 256 << 10
# All are for lower-case bytes: ignoring case would take many times as long. A tag is looked at up to 2,048 bytes, and
# the next search begins behind it; nothing gives back what it took, so that each byte is read a few times at most.
_META = re.compile(rb"<meta[ \t\r\n\f/]([^>]{0,2048}+)")
_ATTRIBUTE = re.compile(rb"""([^\s=/]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"']++)))?+""")
# What stands in a comment or in raw text is no tag; one that never ends takes the rest.
_INERT = re.compile(
    rb"<(?:!--(?:-?>|.*?(?:--!?>|\Z))"
    rb"|(script|style|textarea|title|xmp|noframes|iframe)(?=[\s/>]).*?(?:</\1(?=[\s/>])|\Z))",
    re.DOTALL,
)
_SPLIT = re.compile(r"[\s,;]+")
# Directives that have a value; any other word before a colon is the name of a robot.
_VALUED = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
_ADDRESSED = re.compile(r"\s*([a-z][\w.-]*)\s*:")


def opt_outs(content: bytes, transport: str | None = None) -> dict[str, str]:
    """Rule -> where it stands, in rules' order of rank; `transport` as in `corpus.documents.RAW.opt_out`.

    Looks at the first 256 KB of the page, in any charset that has ASCII's letters (UTF-16 too).
    """
    found: dict[str, str] = {}
    for line in (transport or "").lower().splitlines():
        name, _, value = line.partition(":")
        if name == "x-robots-tag":
            for rule in _robots_tag(value):
                found.setdefault(rule, name)
        elif name == "tdm-reservation" and value.strip() == "1":
            found.setdefault(_TDM, name)
    # UTF-16 is ASCII with NULs between.
    head = content[:_HEAD].replace(b"\0", b"").lower()
    if any(_signals(head)):
        for rule, where in _signals(_INERT.sub(b" ", head)):
            found.setdefault(rule, where)
    return dict(sorted(found.items()))


def _signals(head: bytes) -> Iterator[tuple[str, str]]:
    for match in _META.finditer(head):
        tag = match[1]
        if b"robots" not in tag and b"tdm-reservation" not in tag:
            continue
        pairs: dict[bytes, bytes] = {}
        for name, double, single, bare in _ATTRIBUTE.findall(tag):
            pairs.setdefault(name, double or single or bare)
        name, content = pairs.get(b"name", b"").strip(), pairs.get(b"content", b"").strip()
        if name == b"robots":
            for word in _SPLIT.split(content.decode("latin-1")):
                if word in _RULES:
                    yield _RULES[word], "meta robots"
        elif name == b"tdm-reservation" and content == b"1":
            yield _TDM, "meta tdm-reservation"


def _robots_tag(value: str) -> Iterator[str]:
    """Rules of one `X-Robots-Tag`, whose name of a robot holds for the directives behind it."""
    general = True
    for item in value.split(","):
        if match := _ADDRESSED.match(item):
            if match[1] in _VALUED:
                continue
            general = match[1] == "robots"
            item = item[match.end() :]
        for word in _SPLIT.split(item):
            if general and word in _RULES:
                yield _RULES[word]
