"""Decoding, metadata, signatures, limits before parsing, and the extractors."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.documents import RAW
from corpus.extract import extractor_label
from corpus.extract.config import ExtractConfig
from corpus.extract.decode import clean, decode
from corpus.extract.guard import Guard
from corpus.extract.metadata import metadata
from corpus.extract.scan import scan
from corpus.extract.sniff import not_html

ARTICLE = (
    "<html lang='en-GB'><head><title>A &amp; B</title><meta name='author' content='Ann Author'>"
    "<meta property='article:published_time' content='2020-05-06T07:08:09Z'></head><body>"
    "<nav><a href='/'>Home</a></nav>"
    "<article><h1>A headline</h1>"
    + "<p>The main text of this page, it is long enough to be found. </p>"
    * 5
    + "</article>"
    "</body></html>"
)


def batch(*contents, kind="text/html", **columns):
    rows = [
        {"locator": f"a#{i}", "url": f"http://x/{i}", "content": content, "media_type": kind, **columns}
        for i, content in enumerate(contents)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=RAW)


def test_resiliparse_writes_no_markdown():
    with pytest.raises(ValueError, match="resiliparse writes no Markdown; use cascade or trafilatura"):
        ExtractConfig(extractor="resiliparse", format="markdown")


def test_label_names_version_and_settings():
    assert re.fullmatch(r"cascade \d+ model [0-9a-f]{8}", extractor_label(ExtractConfig()))
    assert re.fullmatch(r"resiliparse \d+\.\d+.* main_content", extractor_label(ExtractConfig(extractor="resiliparse")))
    assert re.fullmatch(r"trafilatura \d+\.\d+.* fast", extractor_label(ExtractConfig(extractor="trafilatura")))


@pytest.mark.parametrize("extractor", ["resiliparse", "trafilatura"])
def test_extractors_on_an_article(extractor):
    with Guard(ExtractConfig(extractor=extractor)) as guard:
        article, nothing = guard.extract(batch(ARTICLE.encode(), b"", date="2023", author="Other")).to_pylist()
    assert "The main text of this page" in article["text"]
    assert "Home" not in article["text"]
    assert (article["title"], article["author"], article["date"], article["declared_language"]) == (
        "A & B",
        "Ann Author",
        "2020-05-06T07:08:09Z",
        "en-GB",
    )
    # What the page does not say is the record's.
    assert (nothing["outcome"], nothing["text"], nothing["date"], nothing["author"]) == ("empty", None, "2023", "Other")
    assert (nothing["value"], nothing["threshold"]) == (0, 1)


def test_trafilatura_names_the_pages_where_it_would_lose_text():
    deep = ARTICLE.replace("<article>", "<article>" + "<div>" * 300).encode()
    with Guard(ExtractConfig(extractor="trafilatura")) as guard:
        lost, empty, whole = guard.extract(batch(deep, b"", ARTICLE.encode())).to_pylist()
    assert (lost["outcome"], lost["text"]) == ("limit", None)
    assert (empty["outcome"], whole["outcome"]) == ("empty", "ok")


def measure(*pages):
    offsets = np.cumsum([0] + [len(page) for page in pages]).astype(np.int64)
    return scan(np.frombuffer(b"".join(pages), np.uint8), offsets).tolist()


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (b"", [0, 0, 0]),
        (b"text < 3 & <3 <", [0, 0, 0]),
        (b"<div><b></b><DIV></DIV></div>", [2, 0, 0]),
        (b"<div/><br><img src=x><p><p><li>", [0, 1, 0]),
        (b"<!-- <div><div> --><i>", [1, 0, 0]),
        (b"<script>if (a<b) '<div><div></scrip>'</script><u>", [1, 0, 0]),
        (b"<script><div><div>", [0, 0, 0]),
        (b"<a b='>' c=\">>\" d e = f g/>", [0, 5, 0]),
        (b"<a b='unclosed <div><div>", [1, 1, 0]),
        (b"<table><tr><td colspan=3><td><tr><th COLSPAN='2'><tr></table>", [1, 1, 12]),
        (b"<table><tr><td colspan=99999999999999999999></table>", [1, 1, 1000]),
        (b"</div></div><div>", [1, 0, 0]),
    ],
)
def test_scan(page, found):
    assert measure(page) == [found]


@settings(max_examples=200, deadline=None)
@given(pages=st.lists(st.text("<>/=' \"!-abtdrscip\n").map(str.encode), max_size=4))
def test_scan_ends_and_keeps_pages_apart(pages):
    assert measure(*pages) == [measure(page)[0] for page in pages]


@pytest.mark.parametrize(
    ("content", "charset", "text", "name"),
    [
        (b"plain", None, "plain", "utf-8"),
        ("é".encode(), "iso-8859-1", "é", "utf-8"),
        (b"\xef\xbb\xbf\xe9t\xe9 " * 1, "iso-8859-1", "\ufffdt\ufffd ", "utf-8"),
        ("été".encode("utf-16"), None, "été", "utf-16-le"),
        ("<p>été</p>".encode("utf-16-le"), None, "<p>été</p>", "utf-16-le"),
        ("<p>été</p>".encode("utf-16-be"), "utf-8", "<p>été</p>", "utf-16-be"),
        (b"\0<p>one stray NUL", None, "\0<p>one stray NUL", "utf-8"),
        (b"+ADw-b+AD4-", "utf-7", "+ADw-b+AD4-", "utf-8"),
        ("été à la mer".encode("latin-1"), "ISO-8859-1", "été à la mer", "cp1252"),
        (b"<meta charset=koi8-r>" + "слово".encode("koi8-r"), None, "<meta charset=koi8-r>слово", "koi8-r"),
        (b"<meta charset='shift_jis'>" + "日本語".encode("shift-jis"), None, "<meta charset='shift_jis'>日本語", None),
        ("日本語".encode("iso-2022-jp"), "iso-2022-jp", "日本語", None),
        (b"<meta charset=utf-16>" + "\u20ac9".encode("cp1252"), "nonsense", None, None),
    ],
)
def test_decode(content, charset, text, name):
    decoded, used = decode(content, charset)
    if text is not None:
        assert decoded == text
    if name is not None:
        assert used == name


def test_decode_forgives_single_bad_bytes():
    text = "Viele Wörter über Bücher und Häuser. " * 50
    content = text.encode() + b"\xe9"
    assert decode(content, "utf-8") == (text + "\ufffd", "utf-8")


def test_decode_does_not_believe_a_wrong_charset():
    text = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 20
    assert decode(text.encode("windows-1251"), "utf-8")[0] == text


@given(st.binary(max_size=200), st.one_of(st.none(), st.sampled_from(["utf-8", "gb2312", "x", "utf-16", "é\0"])))
def test_decode_and_clean_never_fail(content, charset):
    text = clean(decode(content, charset)[0])
    text.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_metadata_without_any():
    assert metadata("<p>text") == (None,) * 5


def test_metadata_from_other_places():
    page = (
        '<html xml:lang=de_AT><meta content="Titel" property="og:title"><meta name=author content="https://x.de/a">'
        '<script type="application/ld+json">{"datePublished": "2019-03-04 05:06:07+01:00"}</script>'
    )
    assert metadata(page) == ("Titel", None, "2019-03-04T05:06:07+01:00", "de-AT", None)
    assert metadata("<time datetime='2018-01'>").date == "2018-01"
    assert metadata("<meta name=date content='31.12.2018'>").date is None


@pytest.mark.parametrize("piece", ["<meta ", "<title>", "<html ", "<time a='", '"datePublished": "', "a=" * 20])
def test_metadata_is_linear(piece):
    # A quadratic pattern would take minutes here: the pattern's own bounds keep it to seconds at most.
    assert metadata(piece * (300_000 // len(piece))).declared_language is None


def test_real_pages_give_the_same_whatever_the_batches():
    kits = Path(os.environ.get("CORPUSMILL_KITS") or Path(__file__).parents[2] / "shared" / "kits")
    path = kits / "extraction" / "readability.warc.gz"
    if not path.exists():
        pytest.skip("labelled kits not found: set CORPUSMILL_KITS to the folder that holds extraction/")
    from collections import Counter

    from corpus.sources import SourceConfig, discover, read

    source = SourceConfig(name="s", kind="warc", path=str(path))
    whole = next(read(discover(source)[0], source, Counter()))
    with Guard(ExtractConfig()) as guard:
        at_once = guard.extract(whole)
        assert at_once.column("outcome").to_pylist().count("ok") >= 0.95 * len(whole) > 60
        assert guard.extract(whole.slice(40, 9)).equals(at_once.slice(40, 9))


@pytest.mark.parametrize(
    ("page", "url", "canonical"),
    [
        ('<link rel="canonical" href="https://a.example/x">', None, "https://a.example/x"),
        ("<LINK HREF=/x?a=1&amp;b=2 data-x=1 REL='Canonical'>", "http://a.example/y/z", "http://a.example/x?a=1&b=2"),
        ("<link rel='nofollow canonical' href=' x '>", "http://a.example/y/z", "http://a.example/y/x"),
        ("<base href='/b/'><link rel=canonical href=x>", "http://a.example/y/z", "http://a.example/b/x"),
        ("<link rel=canonical href=//b.example/x>", "https://a.example/", "https://b.example/x"),
        ("<link rel=canonicals href=/x>", "http://a.example/", None),
        ("<link rel=stylesheet href=/canonical.css>", "http://a.example/", None),
        ("<link rel=canonical href=/x>", None, None),
        ("<link rel=canonical href=/x>", "folder/page.html", None),
        ("<link rel=canonical href='javascript:alert(1)'>", "http://a.example/", None),
        ("<link rel=canonical href='http://[bad/'>", "http://a.example/", None),
        ("<link rel=canonical href='http://a b/'>", "http://a.example/", None),
        ("<link rel=canonical href=''>", "http://a.example/", None),
        ("<meta property=og:url content=http://a.example/og>", None, "http://a.example/og"),
        ("<link rel=canonical href=ftp://a/><meta property=og:url content=/og>", "http://a/", "http://a/og"),
    ],
)
def test_canonical_address(page, url, canonical):
    assert metadata(page, url).canonical_url == canonical


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", None),
        (b"<p>x", None),
        (b"%PDF-1.4\n%\xe2\xe3", "PDF"),
        (b"\n %PDF-1.4", "PDF"),
        (b"My %PDF-1.4", None),
        (b"GIF89a\1\0\1\0", "GIF"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "RIFF"),
        (b"\0\0\0\x18ftypmp42", "MP4"),
        (b"BZh91AY&SY", "bzip2"),
        (b"BM is short for bitmap", None),
        (b"ID3 tags explained", None),
        (b"<p>" + bytes(range(32)) * 9, "binary"),
        (b"<p>" + b"one stray \1 byte" + b" in a long page" * 9, None),
        (b"<p>" + b"a\0b" * 100, "binary"),
        ("<p>x</p>".encode("utf-16-le"), None),
        ("<p>x</p>".encode("utf-16"), None),
        ("\u65e5\u672c\u8a9e".encode("shift-jis") * 100, None),
        ("\u65e5\u672c\u8a9e".encode("iso-2022-jp") * 100, None),
    ],
)
def test_not_html(content, name):
    assert not_html(content) == name
