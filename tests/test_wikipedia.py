"""MediaWiki exports as a source: real export XML, plain and in multistream bzip2, cut, corrupt, hostile."""

from __future__ import annotations

import bz2
import functools
import tracemalloc
from collections import Counter
from xml.etree import ElementTree

import pytest
import reading
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.documents import RAW
from corpus.sources import SourceConfig, discover, read

EXPORT = "http://www.mediawiki.org/xml/export-0.11/"


def element(parent, name, text=None, **attributes):
    found = ElementTree.SubElement(parent, name, attributes)
    found.text = text
    return found


def head(language: str = "de", base: str = "https://de.wikipedia.org/wiki/Wikipedia:Hauptseite") -> ElementTree.Element:
    root = ElementTree.Element(
        "mediawiki", {"xmlns": EXPORT, "version": "0.11", "xml:lang": language} if language else {"xmlns": EXPORT}
    )
    site = element(root, "siteinfo")
    element(site, "sitename", "Wikipedia")
    element(site, "dbname", "dewiki")
    element(site, "base", base)
    element(site, "generator", "MediaWiki 1.43.0-wmf.1")
    element(site, "case", "first-letter")
    names = element(site, "namespaces")
    for key, name in (("-1", "Spezial"), ("0", None), ("6", "Datei"), ("14", "Kategorie"), ("100", "Portal")):
        element(names, "namespace", name, key=key, case="first-letter")
    return root


def page(parent, title, *texts, ns=0, number=7, redirect=None, model="wikitext"):
    found = element(parent, "page")
    element(found, "title", title)
    element(found, "ns", str(ns))
    element(found, "id", str(number))
    if redirect:
        element(found, "redirect", title=redirect)
    for i, text in enumerate(texts):
        revision = element(found, "revision")
        element(revision, "id", str(900 + i))
        element(revision, "timestamp", f"202{i}-03-04T05:06:07Z")
        contributor = element(revision, "contributor")
        element(contributor, "username", "Someone")
        element(contributor, "id", "1")
        element(revision, "model", model)
        element(revision, "format", "text/x-wiki")
        element(revision, "text", text, **{"bytes": str(len(text)), "xml:space": "preserve"})
        element(revision, "sha1", "abc")
    return found


def export(*pages: tuple[str, str], **options) -> bytes:
    root = head(**options)
    for number, (title, text) in enumerate(pages, 1):
        page(root, title, text, number=number)
    ElementTree.indent(root)
    return ElementTree.tostring(root)


rows = functools.partial(reading.rows, kind="wikipedia")


def made(tmp_path, content: bytes, name: str = "d.xml", **options):
    (tmp_path / name).write_bytes(content)
    return rows(tmp_path / name, **options)


def test_an_article_is_a_document(tmp_path):
    text = "'''Köln''' ist eine [[Stadt]].<ref>x</ref>\n[[Datei:Dom.jpg|mini|Der Dom]]\n[[Kategorie:Ort]]"
    found, skipped = made(tmp_path, export(("Köln am Rhein?", text)))
    assert found == [
        dict.fromkeys(RAW.names)
        | {
            "locator": "d.xml#1:1",
            "url": "https://de.wikipedia.org/wiki/K%C3%B6ln_am_Rhein%3F",
            "date": "2020-03-04T05:06:07Z",
            "title": "Köln am Rhein?",
            "declared_language": "de",
            "content": "Köln ist eine Stadt.".encode(),
            "media_type": "text/plain",
            "charset": "utf-8",
        }
    ]
    assert not skipped


def test_what_is_no_article_is_counted(tmp_path):
    root = head()
    page(root, "A", "a", number=1)
    page(root, "B", "#REDIRECT [[A]]", number=2, redirect="A")
    page(root, "Portal:C", "c", ns=100, number=3)
    page(root, "D", "{}", number=4, model="json")
    page(root, "E", "old", "new", number=5)
    page(root, "F", number=6)
    content = ElementTree.tostring(root)
    found, skipped = made(tmp_path, content)
    assert [(row["locator"], row["content"], row["date"]) for row in found] == [
        ("d.xml#1:1", b"a", "2020-03-04T05:06:07Z"),
        ("d.xml#5:5", b"new", "2021-03-04T05:06:07Z"),
        ("d.xml#6:6", b"", None),
    ]
    assert skipped == {"redirect": 1, "namespace": 1, "model": 1}
    found, skipped = made(tmp_path, content, wikipedia={"namespaces": [100], "license": "CC-BY-SA-4.0"})
    assert [(row["title"], row["license"]) for row in found] == [("Portal:C", "CC-BY-SA-4.0")]
    assert skipped == {"namespace": 5}


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://x.example/wiki/Main_Page", "https://x.example/wiki/A/b_c"),
        ("http://x.example/index.php/Main_Page", "http://x.example/index.php/A/b_c"),
        ("http://x.example/index.php?title=Main_Page", "http://x.example/index.php?title=A/b_c"),
        ("javascript:alert(1)//x/y", None),
        ("Main Page", None),
    ],
)
def test_the_url_is_beside_the_main_page(tmp_path, base, url):
    found, _ = made(tmp_path, export(("A/b c", "x"), base=base, language="zz z"))
    assert (found[0]["url"], found[0]["declared_language"]) == (url, None)


def streams(*parts: bytes) -> bytes:
    return b"".join(bz2.compress(part) for part in parts)


def test_multistream_bzip2(tmp_path):
    whole = export(*((f"T{i}", f"text {i} " * 50) for i in range(300)))
    third = len(whole) // 3
    parts = whole[:third], whole[third : 2 * third], whole[2 * third :]
    found, _ = made(tmp_path, streams(*parts), "d.xml.bz2")
    plain, _ = made(tmp_path, whole)
    assert [row["content"] for row in found] == [row["content"] for row in plain]
    assert [row["locator"] for row in found] == [f"d.xml.bz2#{i}:{i}" for i in range(1, 301)]
    # What stands in whole streams before the damage is kept, and one row stands for the rest.
    damaged = bytearray(streams(*parts))
    damaged[-len(bz2.compress(parts[2])) // 2] ^= 255
    found, _ = made(tmp_path, bytes(damaged), "d.xml.bz2")
    good = b"".join(parts[:2]).count(b"</page>")
    assert [row["title"] for row in found[:good]] == [f"T{i}" for i in range(good)]
    assert [(row["locator"], row["problem"]) for row in found[good:]] == [(f"d.xml.bz2#{good + 1}", "damaged")]
    found, _ = made(tmp_path, streams(*parts)[:-20], "d.xml.bz2")
    assert len(found) == good + 1
    assert found[-1]["detail"] == "compressed data: the file ends inside a compressed stream"


def test_xml_that_is_cut_or_broken(tmp_path):
    whole = export(("A", "a"), ("B", "b"), ("C", "c"))
    for end in (whole.index(b"<title>C") + 3, whole.index(b"<title>C") + 9, whole.index(b"</mediawiki>") + 4):
        found, _ = made(tmp_path, whole[:end])
        titles = [row["title"] for row in found if not row["problem"]]
        assert titles == ["A", "B", "C"][: 2 if end < whole.rindex(b"</page>") else 3]
        assert (found[-1]["locator"], found[-1]["problem"]) == (f"d.xml#{len(titles) + 1}", "damaged")
    found, _ = made(tmp_path, whole.replace(b"<title>B", b"<title>\xff"))
    assert [row["problem"] for row in found] == [None, "damaged"]
    assert found[1]["detail"].startswith("not well-formed (invalid token): line ")
    found, _ = made(tmp_path, whole + b"<more/>")
    assert [row["problem"] for row in found] == [None, None, None, "damaged"]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"<html><p>x</p></html>", "no MediaWiki export: its root is <html>"),
        (b'{"a": 1}', "not well-formed (invalid token): line 1, column 0"),
        (b'<!DOCTYPE m [<!ENTITY a "b">]><mediawiki/>', "a document type declaration, which no export has"),
        (b"<mediawiki>" + b"<a>" * 100_000, "elements nested deeper than 16"),
        (b"<mediawiki><!--" + b"x" * 3_000_000 + b"--></mediawiki>", "a tag or a comment of more than 1048576 bytes"),
        (b'<mediawiki a="' + b"x" * 3_000_000 + b'"/>', "a tag or a comment of more than 1048576 bytes"),
        (
            b"<mediawiki><page><title>" + b"x" * 9999 + b"</title></page></mediawiki>",
            "a <title> of more than 4096 bytes",
        ),
    ],
)
def test_what_is_no_export(tmp_path, content, detail):
    found, _ = made(tmp_path, content)
    assert [(row["locator"], row["problem"], row["detail"]) for row in found] == [("d.xml#1", "damaged", detail)]


def test_an_empty_file_is_counted(tmp_path):
    assert made(tmp_path, b"") == ([], {"empty_file": 1})
    assert made(tmp_path, bz2.compress(b""), "d.xml.bz2") == ([], {"empty_file": 1})


def test_articles_that_are_too_large_or_hostile(tmp_path):
    hostile = "[[" * 500_000
    content = export(("A", "x" * (1 << 20)), ("B", "x" * ((1 << 20) + 1)), ("C", "é" * (1 << 19)), ("D", hostile))
    found, _ = made(tmp_path, content, max_record_mb=1)
    assert [(row["title"], row["problem"], row["detail"]) for row in found] == [
        ("A", None, None),
        ("B", "too_large", "more than 1048576 bytes"),
        ("C", None, None),
        ("D", "limit", "templates, links and tables nested deeper than 100"),
    ]


def test_memory_does_not_grow_with_the_dump(tmp_path):
    part = "".join(
        f"<page><title>T{i}</title><revision><text>{'word ' * 200}</text></revision></page>" for i in range(99)
    )
    with bz2.open(tmp_path / "d.xml.bz2", "wt") as stream:
        stream.write("<mediawiki>")
        for _ in range(40):
            stream.write(part)
        stream.write("<page><title>bomb</title><revision><text>")
        for _ in range(40):
            stream.write("x" * (1 << 20))
        stream.write("</text></revision></page></mediawiki>")
    source = SourceConfig(name="s", kind="wikipedia", path=str(tmp_path), max_record_mb=1)
    (piece,) = discover(source)
    tracemalloc.start()
    count, last = 0, None
    for batch in read(piece, source, Counter()):
        count += batch.num_rows
        last = batch.column("problem")[-1].as_py()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, last) == (3961, "too_large")
    assert peak < 12 << 20


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_keeps_what_is_before_it(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("dump")
    whole = export(("A", "a [[b]]"), ("B", "b"), ("C", "c"))
    at = data.draw(st.integers(0, len(whole) - 1))
    (folder / "d.xml").write_bytes(whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :])
    found, skipped = rows(folder)
    before = whole[:at].count(b"</page>")
    assert [row["content"] for row in found[:before]] == [b"a b", b"b", b"c"][:before]
    assert len(found) + skipped.total() >= min(3, before + 1)
