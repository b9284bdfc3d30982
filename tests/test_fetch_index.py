"""The search in a crawl's index, over ranges in memory."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import InputError
from corpus.fetch import index
from corpus.fetch.client import Client
from corpus.fetch.config import FetchConfig
from corpus.fetch.response import Damaged, Gone

CRAWL = "CC-MAIN-2024-33"


class Memory:
    """Stands in for a client: ranges of a few files."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.asked = files, list[str]()

    def range(self, url: str, start: int, length: int) -> tuple[bytes, int]:
        name = url.removeprefix(f"http://x/cc-index/collections/{CRAWL}/indexes/")
        self.asked.append(name)
        if start >= len(self.files.get(name, b"")):
            raise Gone("416")
        return self.files[name][start : start + length], len(self.files[name])

    def retry(self, what: str, attempt: Callable[[], Any]) -> Any:
        try:
            return attempt()
        except Damaged as error:
            raise Gone(str(error)) from error


def zipnum(lines: list[bytes], each: int) -> Memory:
    """A sorted index in members of `each` lines, over two files, with its cluster.idx."""
    ordered = sorted(lines)
    blocks = [ordered[at : at + each] for at in range(0, len(ordered), each)]
    files = {"cdx-00000.gz": b"", "cdx-00001.gz": b"", "cluster.idx": b""}
    for number, block in enumerate(blocks):
        name = f"cdx-{2 * number // len(blocks):05}.gz"
        packed = gzip.compress(b"".join(text + b"\n" for text in block), mtime=0)
        key = b" ".join(block[0].split(b" ", 2)[:2])
        files["cluster.idx"] += b"%s\t%s\t%d\t%d\t%d\n" % (key, name.encode(), len(files[name]), len(packed), number)
        files[name] += packed
    return Memory(files)


def lines_of(memory: Memory, prefix: bytes) -> list[bytes]:
    return list(index.Index(cast(Client, memory), "http://x/", CRAWL).lines(prefix))


@settings(max_examples=200, deadline=None)
@given(
    keys=st.lists(st.text("ab,)/", min_size=1, max_size=5), min_size=1, max_size=60),
    prefix=st.text("ab,)/", min_size=1, max_size=3),
    each=st.integers(1, 4),
    window=st.integers(60, 200),
)
def test_the_search_finds_what_reading_all_finds(keys: list[str], prefix: str, each: int, window: int) -> None:
    everything = [f"{key} {number} {{}}".encode() for number, key in enumerate(keys)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "WINDOW", window)
        found = lines_of(zipnum(everything, each), prefix.encode())
    assert found == sorted(text for text in everything if text.startswith(prefix.encode()))


def test_the_search_asks_for_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "WINDOW", 1 << 13)
    memory = zipnum([b"com,site%06d)/ 2024 {}" % number for number in range(15_000)], 5)
    assert len(memory.files["cluster.idx"]) > 10 * index.WINDOW
    assert len(lines_of(memory, b"com,site0050")) == 100
    assert memory.asked.count("cluster.idx") <= 6
    assert len(memory.asked) <= 7  # neighbouring members come together


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "416"),
        (b"x" * 200_000, "is no index as Common Crawl writes it"),
        (b"com,example)/ 2024\t../../x.gz\t0\t10\t1\n", "is no index"),
        (b"com,example)/ 2024\tcdx-00000.gz\t-1\t10\t1\n", "is no index"),
        (b"com,example)/ 2024\tcdx-00000.gz\t0\t99999999999\t1\n", "is no index"),
        (b"com,example)/ 2024\tcdx-00000.gz\t0\n", "is no index"),
        (b"com,example)/ 2024\tcdx-00000.gz\t5\t50\t1\n", "no gzip file"),
        (b"com,example)/ 2024\tcdx-00000.gz\t0\t50\t1\n", "a gzip file that is cut"),
        (b"com,example)/ 2024\tcdx-00009.gz\t0\t50\t1\n", "416"),
    ],
)
def test_an_index_that_is_none(content: bytes, why: str) -> None:
    memory = zipnum([b"com,example)/%d 2024 {}" % number for number in range(50)], 25)
    memory.files["cluster.idx"] = content
    with pytest.raises(InputError, match=why):
        lines_of(memory, b"com,example)")


def test_a_bomb_in_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = zipnum([b"com,example)/ 2024 " + bytes(1 << 20)], 1)
    monkeypatch.setattr(index, "MEMBER", 1 << 20)
    with pytest.raises(InputError, match="larger than it may be"):
        lines_of(memory, b"com,")


@pytest.mark.parametrize(
    ("bad", "count"),
    [
        (["{", "{}", "[]", "null", "[" * 100_000], 5),
        (['{"url": "http://a.com/", "filename": "../x.gz", "offset": "1", "length": "2"}'], 1),
        (['{"url": "http://a.com/", "filename": "x.gz", "offset": "-1", "length": "2"}'], 1),
        (['{"url": "http://a.com/", "filename": "x.gz", "offset": "1", "length": "0"}'], 1),
        (['{"url": "http://a.com/", "filename": "x.gz", "offset": "1", "length": "999999999999"}'], 1),
        (['{"url": "http://a.com/", "filename": "x.gz", "offset": "1", "length": "' + "9" * 5000 + '"}'], 1),
        (['{"url": "http://[a.com/", "filename": "x.gz", "offset": "1", "length": "2"}'], 0),
    ],
)
def test_lines_that_cannot_be_read_are_counted(bad: list[str], count: int) -> None:
    good = '{"url": "http://a.com/", "filename": "x.gz", "offset": "7", "length": "2", "status": "200", "mime": "text/html"}'
    memory = zipnum([f"com,a)/ 2024 {fields}".encode() for fields in [good, *bad]], 3)
    config = FetchConfig(crawl=CRAWL, to=Path("x"), match=("domain=a.com",))
    found, skipped = index.find(cast(Client, memory), "http://x/", config)
    assert found == [index.Record("x.gz", 7, 2, "http://a.com/", "2024")]
    assert skipped == count


@pytest.mark.parametrize(
    "text", ["domain=.", "host=..", f"domain={'a' * 64}.org", "url=:80/x", "domain=a.org:80", "domain=a..b"]
)
def test_a_rule_without_a_host_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="names no host"):
        index.rule(text)


def test_names_that_are_not_ascii() -> None:
    rule = index.rule("domain=Bücher.example")
    assert rule.prefixes[0] == b"example,xn--bcher-kva)"
    assert rule.accepts("https://www.xn--bcher-kva.example/x")


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("url=a.org/x/y*", b"org,a)/x/y"),
        ("url=a.org/X/", b"org,a)/x"),
        ("url=a.org/x/y?q=1*", b"org,a)/x"),
        ("url=a.org/x/a%20b/*", b"org,a)/x"),
        ("url=a.org//x/*", b"org,a)"),
        ("url=a.org/x/../y", b"org,a)/x"),
        ("url=a.org*", b"org,a)"),
        ("url=a.org", b"org,a)"),
        ("url=a.org:80/x", b"org,a:"),
        ("url=www2.a.org/x#top", b"org,a)/x"),
    ],
)
def test_a_prefix_ends_before_what_the_index_may_write_differently(text: str, prefix: bytes) -> None:
    assert index.rule(text).prefixes == (prefix,)
