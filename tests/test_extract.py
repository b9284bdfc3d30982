"""Decoding, metadata, the extractors, and the guard that pages cannot break."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.documents import RAW
from corpus.errors import CorpusError
from corpus.extract import extractor_label
from corpus.extract.config import ExtractConfig
from corpus.extract.decode import clean, decode
from corpus.extract.guard import EXTRACTED, Guard
from corpus.extract.metadata import metadata
from corpus.extract.scan import scan

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


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """An extractor that does to its process what the page says."""
    (tmp_path / "hostile_extractor.py").write_text(
        "import ctypes, os, time\n"
        "from corpus.extract.page import LimitError, Page\n"
        "HELD = []\n"
        "def extract(html, url):\n"
        "    verb, _, rest = html.partition(' ')\n"
        "    if verb == 'raise': raise RuntimeError(f'{rest} {object()}')\n"
        "    if verb == 'exit': os._exit(3)\n"
        "    if verb == 'quit': raise SystemExit(0)\n"
        "    if verb == 'segfault': ctypes.string_at(0)\n"
        "    if verb == 'sleep': time.sleep(60)\n"
        "    if verb == 'spin': b'a'.__class__(ctypes.CDLL(None).pause())\n"
        "    if verb == 'eat':\n"
        "        while True: HELD.append(bytearray(b'x' * (16 << 20)))\n"
        "    if verb == 'lost': raise LimitError('too deep')\n"
        "    if verb == 'leak': HELD.append(bytearray(b'x' * (30 << 20)))\n"
        "    return Page(f'text {html}', title=str(os.getpid()))\n"
        "def broken(html, url): return None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "hostile_extractor:extract"


def children():
    return psutil.Process().children(recursive=True)


def test_label_names_version_and_settings():
    assert re.fullmatch(r"resiliparse \d+\.\d+.* main_content", extractor_label(ExtractConfig()))
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


def test_plain_text_needs_no_process():
    before = children()
    with Guard(ExtractConfig(max_page_bytes=1024, min_chars=3)) as guard:
        found = guard.extract(batch(b"a\r\nb\0c\x1bd\xff", b" \n ", b"x" * 2000, kind="text/plain", title="t"))
        assert children() == before
    assert found.column("text").to_pylist() == ["a\nbcd\ufffd", None, None]
    assert found.column("outcome").to_pylist() == ["ok", "empty", "too_large"]
    assert found.column("title").to_pylist() == ["t"] * 3


def test_a_row_with_a_problem_keeps_it():
    rows = [{"locator": "a#1", "problem": "damaged", "detail": "cut", "url": "u"}]
    with Guard(ExtractConfig()) as guard:
        (row,) = guard.extract(pa.RecordBatch.from_pylist(rows, schema=RAW)).to_pylist()
    assert (row["outcome"], row["detail"], row["text"]) == ("damaged", "cut", None)


def test_an_empty_batch():
    with Guard(ExtractConfig()) as guard:
        assert guard.extract(batch()).schema == EXTRACTED


FATES = {
    "raise": ("exception", "RuntimeError: now <object object at 0x>"),
    "quit": ("exception", "SystemExit: 0"),
    "exit": ("crash", "exit status 3"),
    "segfault": ("crash", "killed by signal 11"),
    "sleep": ("timeout", "seconds"),
    "spin": ("timeout", "seconds"),
    "lost": ("limit", "too deep"),
}


@pytest.mark.parametrize("verb", FATES)
@pytest.mark.parametrize("place", [0, 57, 99])
def test_a_bad_page_loses_only_itself(hostile, verb, place):
    contents = [f"page {i}".encode() for i in range(100)]
    contents[place] = f"{verb} now".encode()
    before = set(children())
    with Guard(ExtractConfig(timeout_seconds=0.3), hostile) as guard:
        found = guard.extract(batch(*contents))
        again = guard.extract(batch(b"still there"))
    texts = [f"text {content.decode()}" for content in contents]
    texts[place] = None
    assert found.column("text").to_pylist() == texts
    bad = found.slice(place, 1).to_pylist()[0]
    assert (bad["outcome"], bad["detail"]) == FATES[verb]
    assert again.column("text").to_pylist() == ["text still there"]
    assert set(children()) == before


def test_a_page_that_eats_memory_loses_only_itself(hostile):
    contents = [b"one", b"eat all", b"two"]
    with Guard(ExtractConfig(max_memory_mb=200), hostile) as guard:
        found = guard.extract(batch(*contents))
    assert found.column("outcome").to_pylist() == ["ok", "memory", "ok"]
    assert found.column("threshold").to_pylist() == [None, 200, None]


def test_memory_is_not_blamed_on_the_page_that_came_last(hostile):
    contents = [b"leak %d" % i for i in range(40)]
    with Guard(ExtractConfig(max_memory_mb=200), hostile) as guard:
        found = guard.extract(batch(*contents))
    assert found.column("outcome").to_pylist() == ["ok"] * 40


def test_many_bad_pages_in_a_row(hostile):
    contents = [b"segfault", b"exit", b"segfault", b"good", b"exit"]
    with Guard(ExtractConfig(), hostile) as guard:
        found = guard.extract(batch(*contents))
    assert found.column("outcome").to_pylist() == ["crash", "crash", "crash", "ok", "crash"]


def test_an_extractor_that_returns_nonsense(hostile):
    with Guard(ExtractConfig(), "hostile_extractor:broken") as guard:
        found = guard.extract(batch(b"page"))
    assert found.column("outcome").to_pylist() == ["exception"]


def test_an_extractor_that_cannot_be_loaded():
    before = set(children())
    with Guard(ExtractConfig(), "no_such_module:extract") as guard, pytest.raises(CorpusError, match="no_such_module"):
        guard.extract(batch(b"page"))
    assert set(children()) == before


def test_the_child_process_serves_many_batches(hostile):
    with Guard(ExtractConfig(), hostile) as guard:
        pids = {guard.extract(batch(b"a", b"b")).column("title")[i].as_py() for i in (0, 1) for _ in range(3)}
    assert len(pids) == 1
    assert not psutil.pid_exists(int(pids.pop()))


@pytest.mark.parametrize("verb", ["page", "sleep"])
def test_the_child_dies_with_its_parent(hostile, tmp_path, verb):
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "import pyarrow as pa\n"
        "from corpus.documents import RAW\n"
        "from corpus.extract.config import ExtractConfig\n"
        "from corpus.extract.guard import Guard\n"
        "guard = Guard(ExtractConfig(timeout_seconds=60), 'hostile_extractor:extract')\n"
        "one = lambda text: pa.RecordBatch.from_pylist("
        "[{'locator': 'a', 'content': text, 'media_type': 'text/html'}], schema=RAW)\n"
        "print(guard.extract(one(b'page')).column('title')[0].as_py(), flush=True)\n"
        "guard.extract(one(sys.argv[2].encode()))\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), verb], stdout=subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.2)
    assert child.is_running()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert psutil.wait_procs([child], timeout=5)[1] == []
    assert list((tmp_path / "tmp").iterdir()) == []


HTML_PAGES = {
    "deep": ("<div>" * 5000 + "x", "nested elements"),
    "attributes": ("<p " + " ".join(f"a{i}=1" for i in range(5000)) + ">x", "attributes of one tag"),
    "cells": ("<table><tr>" + "<td colspan=1000>" * 20 + "<tr><td>a" * 100, "table cells"),
}


@pytest.mark.parametrize("name", HTML_PAGES)
def test_pages_over_a_limit_are_not_parsed(name):
    content, what = HTML_PAGES[name]
    before = children()
    with Guard(ExtractConfig()) as guard:
        (row,) = guard.extract(batch(content.encode())).to_pylist()
        assert children() == before
    assert (row["outcome"], row["detail"]) == ("limit", what)
    assert row["value"] > row["threshold"]


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
    assert metadata("<p>text") == (None, None, None, None)


def test_metadata_from_other_places():
    page = (
        '<html xml:lang=de_AT><meta content="Titel" property="og:title"><meta name=author content="https://x.de/a">'
        '<script type="application/ld+json">{"datePublished": "2019-03-04 05:06:07+01:00"}</script>'
    )
    assert metadata(page) == ("Titel", None, "2019-03-04T05:06:07+01:00", "de-AT")
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
