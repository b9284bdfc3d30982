"""Pages that hang, blow up or confuse parsers: each ends by itself or is ended, and its neighbours never notice."""

from __future__ import annotations

import base64
import gzip
import random
import re
import resource
import struct
import time
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.documents import RAW
from corpus.extract.child import PROGRESS
from corpus.extract.config import ExtractConfig
from corpus.extract.decode import decode
from corpus.extract.guard import OUTCOMES, Guard
from corpus.extract.process import Child
from corpus.extract.registry import EXTRACTORS

TIMEOUT = 0.5
GROUPS = 10
PROSE = "<p>The river runs past the old mill, and behind it lies the village where the fair is held each summer.</p>"
NEIGHBOURS = [
    f"<html lang=en><title>Page {i}</title><body><nav><a href=/>Home</a></nav><article>"
    f"<h1>Story {i}</h1>{PROSE.replace('summer', f'summer of {1900 + i}') * 4}</article></body></html>".encode()
    for i in range(99)
]


def page(body: str) -> bytes:
    return f"<!doctype html><html><head><title>t</title></head><body>{PROSE}{body}{PROSE}</body></html>".encode()


def nested(tags: str, times: int, close: bool = False) -> bytes:
    names = tags.split()
    opened = "".join(f"<{name}>" for name in names) * times
    closed = "".join(f"</{name}>" for name in reversed(names)) * times if close else ""
    return page(f"{opened}deep{closed}")


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(b"\0\xff\xff\xff" * 4)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data)
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", 1, 4, 8, 2, 0, 0, 0)),
            (b"IDAT", pixels),
            (b"IEND", b""),
        )
    )


M = 1_000_000
HOSTILE = {
    # Elements in elements.
    "div 200k deep": lambda: nested("div", 200_000),
    "div 200k deep, closed": lambda: nested("div", 200_000, close=True),
    "div just under the limit of depth": lambda: nested("div", 1900, close=True),
    "a 200k deep": lambda: nested("a", 200_000),
    "b 200k deep": lambda: nested("b", 200_000),
    "b i u font mixed 100k deep": lambda: nested("b i u font", 25_000),
    "table 100k deep": lambda: nested("table tr td", 33_000),
    "table 600 deep": lambda: nested("table tr td", 600),
    "ul li 100k deep": lambda: nested("ul li", 50_000),
    "ol li 900 deep, closed": lambda: nested("ol li", 900, close=True),
    "li without a list 100k": lambda: page("<li>" * 100_000),
    "dl dt dd 100k": lambda: nested("dl dt dd", 33_000),
    "blockquote 200k deep": lambda: nested("blockquote", 200_000),
    "svg 200k deep": lambda: nested("svg", 200_000),
    "math in svg in math": lambda: nested("svg foreignObject math annotation-xml", 20_000),
    "math text integration points": lambda: nested("math mi div", 600),
    "template 200k deep": lambda: nested("template", 200_000),
    "template 1900 deep": lambda: nested("template", 1900),
    "select 200k": lambda: nested("select", 200_000),
    "option optgroup 100k": lambda: page("<select>" + "<optgroup><option>x" * 50_000),
    "template in select": lambda: page("<select><template><option>" * 1000),
    "template in select in table": lambda: page("<table><select><template><tr>" * 600),
    "font 200k deep": lambda: nested("font", 200_000),
    "form 100k": lambda: nested("form", 100_000),
    "button 100k": lambda: nested("button", 100_000),
    "object applet marquee": lambda: nested("object applet marquee", 600),
    "unclosed mix": lambda: nested("div span p section article em", 20_000),
    "unknown element 150k deep": lambda: nested("x-y", 150_000),
    # Many of one thing.
    "1 M attributes": lambda: page("<p " + " ".join(f"a{i}" for i in range(M)) + ">x"),
    "1 M equal attributes": lambda: page("<p" + " a=1" * M + ">x"),
    "1900 attributes on 100 tags": lambda: page(("<p " + " ".join(f"a{i}=1" for i in range(1900)) + ">x") * 100),
    "200k paragraphs": lambda: page("<p>word" * 200_000),
    "200k empty paragraphs": lambda: page("<p></p>" * 200_000),
    "300k br": lambda: page("text<br>" * 300_000),
    "300k hr": lambda: page("<hr>" * 300_000),
    "300k spans": lambda: page("<span>x</span>" * 300_000),
    "100k links": lambda: page("<a href=/x>word</a> " * 100_000),
    "100k images": lambda: page("<img src=x alt=y>" * 100_000),
    "100k headings": lambda: page("<h2>head</h2>" * 100_000),
    "1 M end tags": lambda: page("</p>" * M),
    "300k end tags of nothing": lambda: page("</div></b></table></x>" * 75_000),
    "100k bodies": lambda: page("<body class=a>x" * 100_000),
    "100k html tags": lambda: page("<html lang=x>" * 100_000),
    "100k heads": lambda: page("</head><head>" * 50_000),
    "1 M <": lambda: page("<" * M),
    "1 M <a": lambda: page("<a" * M),
    "1 M <a >": lambda: page("<a >" * M),
    "1 M <!": lambda: page("<!" * M),
    "1 M <?": lambda: page("<?x?>" * (M // 5)),
    "1 M &": lambda: page("&" * M),
    "100k entities": lambda: page("&amp;&lt;&copy;&nGt;" * 25_000),
    "100k entities without end": lambda: page("&ampx;&ltx&#x;&#99999999999;" * 25_000),
    "entity bomb": lambda: (
        b'<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(12))
        + b"]>"
        + page("&l;" * 100)
    ),
    "100k doctypes": lambda: b"<!doctype html>" * 100_000,
    "100k comments": lambda: page("<!-- c -->x" * 100_000),
    "misnested formatting": lambda: page("<b><i><p></b>x</i></p>" * 20_000),
    "adoption agency": lambda: page("<a><b><i><u><s>" * 300 + "<p>x" * 300 + "</a></b></i></u></s>" * 300),
    "active formatting elements": lambda: page("".join(f"<b id=b{i}>" for i in range(1900)) + "<p>x" * 3000),
    "foster parenting 100k": lambda: page("<table>" + "lost<tr>" * 100_000),
    "foster parenting in depth": lambda: page("<table>text<b>" * 600),
    # Tables.
    "14 KB of colspan": lambda: page("<table>" + "<tr><td colspan=1000>x" * 700 + "</table>"),
    "14 KB of colspan in a row": lambda: page("<table><tr>" + "<td colspan=1000>" * 800 + "<tr><td>x" * 900),
    "huge rowspan": lambda: page("<table>" + "<tr><td rowspan=65534>x<td rowspan=65534>y" * 3000 + "</table>"),
    "50k rows": lambda: page("<table>" + "<tr><td>a<td>b" * 50_000 + "</table>"),
    "100k cells in a row": lambda: page("<table><tr>" + "<td>x" * 100_000 + "</table>"),
    "cells 900 by 900": lambda: page("<table>" + ("<tr>" + "<td>x" * 900) * 900 + "</table>"),
    # Long things.
    "10 MB of text in a line": lambda: page("word " * (2 * M - 200)),
    "9 MB without a space": lambda: page("x" * (9 * M)),
    "attribute of 1 MB": lambda: page(f"<p class='{'x' * M}'>text"),
    "class of 200k names": lambda: page(f"<p class='{' '.join(f'c{i}' for i in range(200_000))}'>text"),
    "data URL of 5 MB": lambda: page(f"<img src='data:image/png;base64,{base64.b64encode(noise(3_700_000, 1)).decode()}'>"),
    "tag name of 1 MB": lambda: page(f"<{'x' * M}>text</{'x' * M}>"),
    "unterminated comment": lambda: page("<!--" + "x" * M),
    "unterminated comments": lambda: page("<!-- -- " * 100_000),
    "unterminated script": lambda: page("<script>" + "a<b;" * 250_000),
    "script in script": lambda: page("<script><!--<script>" * 50_000),
    "unterminated style": lambda: page("<style>" + "a{b:c}" * 100_000),
    "unterminated attribute": lambda: page("<p title='" + "x y " * 250_000),
    "unterminated CDATA": lambda: page("<svg><![CDATA[" + "x]]" * 300_000),
    "unterminated title": lambda: b"<html><head><title>" + b"x " * 500_000,
    "unterminated textarea": lambda: page("<textarea>" + "x<b> " * 200_000),
    "plaintext": lambda: page("<plaintext>" + "</plaintext><b>x" * 50_000),
    "xmp and noframes": lambda: page("<xmp><b>x</xmp><noframes><b>y</noframes><noembed>z</noembed>" * 20_000),
    "frameset": lambda: b"<html><frameset>" + b"<frame src=x>" * 100_000,
    "iframe srcdoc": lambda: page("<iframe srcdoc='<iframe srcdoc=x>'>text</iframe>" * 20_000),
    "only script": lambda: b"<html><script>" + b"var a=1;" * 100_000 + b"</script></html>",
    "json in script": lambda: page('<script type=application/ld+json>' + '{"a":' * 100_000 + "</script>"),
    # Bytes and characters.
    "empty": lambda: b"",
    "only a byte order mark": lambda: b"\xef\xbb\xbf",
    "white space": lambda: b" \n\t" * 300_000,
    "one character": lambda: b"x",
    "one list item": lambda: b"<li>a",
    "invalid UTF-8": lambda: page("x") + b"<p>" + b"\xff\xfe\xc3\x28\xa0\xed\xa0\x80" * 50_000,
    "overlong UTF-8": lambda: page("x") + b"\xc0\xbcscript\xc0\xbe" * 1000,
    "UTF-7": lambda: b"<meta charset=utf-7>" + page("+ADw-script+AD4-alert(1)+ADw-/script+AD4-"),
    "UTF-16 without a mark": lambda: page("text").decode().encode("utf-16-le"),
    "UTF-16 BE without a mark": lambda: page("text").decode().encode("utf-16-be"),
    "UTF-16 cut in a pair": lambda: b"\xff\xfe" + page("\U0001f600").decode().encode("utf-16-le")[:-3],
    "UTF-16 200k deep": lambda: nested("div", 200_000).decode().encode("utf-16"),
    "charset lies": lambda: b"<meta charset=utf-16><meta charset=shift_jis>" + page("\u00e9t\u00e9 \u65e5\u672c"),
    "charset of nonsense": lambda: b"<meta charset='\xff\0x-user-defined'>" + page("x"),
    "PDF": lambda: b"%PDF-1.7\n" + noise(100_000, 2) + b"\n%%EOF",
    "PNG": png,
    "gzip": lambda: gzip.compress(page("x")),
    "zip": lambda: b"PK\3\4" + noise(1000, 3),
    "noise": lambda: noise(300_000, 4),
    "noise with tags": lambda: re.sub(rb"[\x80-\xff]", b"<", noise(300_000, 5)),
    "NULs": lambda: page("a\0b<p\0>c\0" * 10_000),
    "only NULs": lambda: b"\0" * M,
    "control characters": lambda: page("".join(map(chr, range(32))) + "\x7f\x80\x85\x9f" + "x" * 3000),
    "control characters as entities": lambda: page("".join(f"&#{i};a&#x{i:x};" for i in range(160)) * 20),
    "lone surrogates": lambda: page("a&#xD800;b&#xDFFF;c&#55357;&#56832;" * 1000),
    "noncharacters": lambda: page("&#xFFFE;&#xFFFF;&#x10FFFF;\ufdd0\ufeff" * 1000),
    "bidi and zero width": lambda: page("\u202e\u2066\u200b\u200d\u2060\u00ad" * 50_000),
    "combining marks": lambda: page("e" + "\u0301\u0489" * 200_000),
    "emoji chains": lambda: page("\U0001f468\u200d" * 50_000),
    "line separators": lambda: page("a\u2028b\u2029c\x85d\x0be\x0cf" * 10_000),
    "metadata of control characters": lambda: (
        b"<title>a&#0;\x01b&#xD800;\0c</title><meta name=author content='x&#8;\x1by'>"
        b"<link rel=canonical href='http://h/\x01&#xD800;'><html lang='e\x01n'>" + page("x")
    ),
}  # fmt: skip


def batch(*contents: bytes) -> pa.RecordBatch:
    rows = [
        {"locator": f"a#{i}", "url": f"http://h/{i}", "content": content, "media_type": "text/html"}
        for i, content in enumerate(contents)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=RAW)


def strings(row: dict) -> list[str]:
    names = ("text", "title", "author", "date", "declared_language", "canonical_url", "detail")
    return [row[name] for name in names if row[name] is not None]


def broken_promises(row: dict, content: bytes) -> list[str]:
    """What no page may do to its row."""
    broken = [f"outcome {row['outcome']}"] if row["outcome"] not in OUTCOMES else []
    if (row["outcome"] == "ok") != (row["text"] is not None):
        broken.append("text and outcome")
    if any(re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text) for text in strings(row)):
        broken.append("characters that no text has")
    if row["text"] and len(row["text"].encode()) > 1.5 * len(decode(content)[0].encode()):
        broken.append("more text than page")
    return broken


@pytest.fixture(scope="module", params=sorted(EXTRACTORS))
def extractor(request: pytest.FixtureRequest) -> tuple[ExtractConfig, list[str]]:
    """The configuration, and the texts of the neighbours when they are among themselves."""
    config = ExtractConfig(extractor=request.param, timeout_seconds=TIMEOUT)
    with Guard(config) as guard:
        alone = guard.extract(batch(*NEIGHBOURS))
    assert alone.column("outcome").to_pylist() == ["ok"] * 99
    return config, alone.column("text").to_pylist()


def peak_mb() -> int:
    """The greatest resident memory of any child that has ended, so far; a child begins as a copy of this process."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10


def own_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@pytest.fixture
def overtime(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of every page that a child was killed for, until it was gone, less what both waited for a processor."""
    found: list[float] = []
    run, look = Child.run, Child._wait_ns
    own = Path("/proc/self/schedstat")
    waited = {"child": 0, "own": 0}

    def noted(child: Child) -> int:
        waited["child"] = look(child)
        waited["own"] = int(own.read_text().split()[1])
        return waited["child"]

    def timed(child: Child, *arguments):
        answers, fate = run(child, *arguments)
        started = PROGRESS.unpack(child._progress[:])[1]
        if fate is not None and started == child._seen:
            waits = waited["child"] - child._waited + int(own.read_text().split()[1]) - waited["own"]
            found.append((time.monotonic_ns() - started - waits) / 1e9)
        return answers, fate

    monkeypatch.setattr(Child, "_wait_ns", noted)
    monkeypatch.setattr(Child, "run", timed)
    return found


@pytest.mark.parametrize("group", range(GROUPS))
def test_hostile_pages_end_and_their_neighbours_are_kept(extractor, group, overtime):
    config, texts = extractor
    names = list(HOSTILE)[group::GROUPS]
    contents = [HOSTILE[name]() for name in names]
    places = [7 * i for i in range(len(names))]
    mixed = list(NEIGHBOURS)
    for place, content in zip(places, contents, strict=True):
        mixed.insert(place, content)
    before = peak_mb()
    with Guard(config) as guard:
        rows = guard.extract(batch(*mixed)).to_pylist()
    assert [row["text"] for i, row in enumerate(rows) if i not in places] == texts
    found = {name: rows[place] for name, place in zip(names, places, strict=True)}
    broken = {name: broken_promises(found[name], content) for name, content in zip(names, contents, strict=True)}
    assert {name: promises for name, promises in broken.items() if promises} == {}
    # Any other outcome came before the guard's patience ended.
    assert len(overtime) >= [row["outcome"] for row in found.values()].count("timeout")
    assert max(overtime, default=0) < TIMEOUT + 0.5
    assert peak_mb() < max(1000, own_mb() + 50) or peak_mb() == before


def test_there_are_enough_hostile_pages():
    assert len(HOSTILE) >= 110


@pytest.mark.parametrize(
    ("name", "outcome", "detail"),
    [
        ("1 M attributes", "limit", "attributes of one tag"),
        ("div 200k deep", "limit", "nested elements"),
        ("UTF-16 200k deep", "limit", "nested elements"),
        ("14 KB of colspan in a row", "limit", "table cells"),
        ("PDF", "not_html", "PDF"),
        ("PNG", "not_html", "PNG"),
        ("gzip", "not_html", "gzip"),
        ("zip", "not_html", "zip"),
        ("noise", "not_html", "binary"),
        ("only NULs", "not_html", "binary"),
    ],
)
def test_what_needs_no_parser(name, outcome, detail):
    with Guard(ExtractConfig()) as guard:
        (row,) = guard.extract(batch(HOSTILE[name]())).to_pylist()
        assert guard._child is None
    assert (row["outcome"], row["detail"]) == (outcome, detail)


def test_utf_7_stays_what_it_is():
    with Guard(ExtractConfig(extractor="resiliparse")) as guard:
        (row,) = guard.extract(batch(HOSTILE["UTF-7"]())).to_pylist()
    assert "+ADw-script+AD4-alert(1)" in row["text"]
    assert "<script" not in row["text"]


@pytest.mark.parametrize("name", ["UTF-16 without a mark", "UTF-16 BE without a mark"])
def test_utf_16_without_a_mark_is_read(name):
    with Guard(ExtractConfig(extractor="resiliparse")) as guard:
        (row,) = guard.extract(batch(HOSTILE[name]())).to_pylist()
    assert "The river runs past the old mill" in row["text"]
