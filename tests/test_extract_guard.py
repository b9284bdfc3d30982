"""The guard: whatever a page does to its extractor, only that page is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pyarrow as pa
import pytest
from pydantic import ValidationError

from corpus.documents import RAW
from corpus.errors import CorpusError
from corpus.extract.config import ExtractConfig
from corpus.extract.guard import EXTRACTED, Guard


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
        "def extract(html, url, markdown):\n"
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
        "    if verb == 'swell': return Page('x' * 2 * len(html))\n"
        "    if verb == 'grow': return Page('\u65e5' * (len(html) // 2))\n"
        "    if verb == 'dirty': return Page(html, 'a\\0\\x1bb\\ud800', '\\x85\\0', canonical_url='http://h/\\x01')\n"
        "    if verb == 'grab':\n"
        "        held = []\n"
        "        try:\n"
        "            while True: held.append(bytearray(b'x' * (1 << 20)))\n"
        "        except MemoryError: held.clear()\n"
        "        lines = open('/proc/self/status').read().splitlines()\n"
        "        return Page(html, next(line.split()[1] for line in lines if line.startswith('VmHWM')))\n"
        "    if verb == 'work':\n"
        "        end = time.process_time() + 0.4\n"
        "        while time.process_time() < end: pass\n"
        "    return Page(html, title=str(os.getpid()))\n"
        "def broken(html, url, markdown): return None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "hostile_extractor:extract"


def children():
    return psutil.Process().children(recursive=True)


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
    texts = [content.decode() for content in contents]
    texts[place] = None
    assert found.column("text").to_pylist() == texts
    bad = found.slice(place, 1).to_pylist()[0]
    assert (bad["outcome"], bad["detail"]) == FATES[verb]
    assert again.column("text").to_pylist() == ["still there"]
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


def test_text_over_one_and_a_half_times_its_page_never_comes_out(hostile):
    with Guard(ExtractConfig(), hostile) as guard:
        swollen, grown, as_long = guard.extract(batch(b"swell now", b"grow now ", b"page")).to_pylist()
    assert (swollen["outcome"], swollen["text"]) == ("limit", None)
    assert (swollen["value"], swollen["threshold"], swollen["detail"]) == (18, 13.5, "bytes of text")
    # Bytes count, not characters: four of three bytes each are 12.
    assert (grown["outcome"], grown["text"]) == ("ok", "\u65e5" * 4)
    assert as_long["outcome"] == "ok"


def test_metadata_have_no_control_characters_whoever_gives_them(hostile):
    with Guard(ExtractConfig(), hostile) as guard:
        dirty, clean = guard.extract(batch(b"dirty", b"page", author="An\0n\x1b A.", date="\x01")).to_pylist()
    assert (dirty["title"], dirty["author"], dirty["canonical_url"]) == ("ab", "", "http://h/")
    assert (clean["author"], clean["date"]) == ("Ann A.", None)


def test_no_page_gets_more_memory_than_there_is(hostile):
    with Guard(ExtractConfig(max_memory_mb=200), hostile) as guard:
        (row,) = guard.extract(batch(b"grab all")).to_pylist()
    assert 150 < int(row["title"]) / 1024 <= 200


def test_too_little_memory_for_any_page(hostile):
    with pytest.raises(ValidationError, match="8 times max_page_bytes"):
        ExtractConfig(max_memory_mb=128, max_page_bytes=32 << 20)


@pytest.fixture
def warming(tmp_path, monkeypatch):
    (tmp_path / "warming_extractor.py").write_text(
        "import time\n"
        "from corpus.extract.page import Page\n"
        "HELD = []\n"
        "def warm():\n"
        "    time.sleep(0.5)\n"
        "    HELD.append(bytearray(b'x' * (150 << 20)))\n"
        "def extract(html, url, markdown): return Page(html, str(len(HELD)))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "warming_extractor:extract"


def test_warming_up_is_no_pages_time(warming):
    with Guard(ExtractConfig(timeout_seconds=0.3), warming) as guard:
        (row,) = guard.extract(batch(b"page")).to_pylist()
    assert (row["outcome"], row["title"]) == ("ok", "1")


def test_an_extractor_that_takes_more_than_there_is(warming):
    with Guard(ExtractConfig(max_memory_mb=150), warming) as guard, pytest.raises(CorpusError, match="max_memory_mb"):
        guard.extract(batch(b"page"))


def test_waiting_for_a_processor_does_not_count(hostile):
    given = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(given)})
    crowd = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(5)]
    try:
        with Guard(ExtractConfig(timeout_seconds=1), hostile) as guard:
            (row,) = guard.extract(batch(b"work")).to_pylist()
    finally:
        for process in crowd:
            process.kill()
            process.wait()
        os.sched_setaffinity(0, given)
    assert row["outcome"] == "ok"
