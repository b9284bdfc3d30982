"""ARC files of versions 1.0, 1.1 and 2.0: real ones, written ones and damaged ones."""

from __future__ import annotations

import gzip
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import reading
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.arc import ArcGrammar, iso_date
from corpus.sources.framing import Gap
from corpus.sources.records import records
from corpus.sources.warc import frame

FIELDS = {
    1: "URL IP-address Archive-date Content-type Archive-length",
    2: "URL IP-address Archive-date Content-type Result-code Checksum Location Offset Filename Archive-length",
}


def page(i: int) -> bytes:
    noise = random.Random(i).randbytes(300 + 29 * i).hex()
    return f"<html><body>\n<p>page {i}</p>\n\n<p>{noise}</p></body></html>".encode()


def response(i: int, fields: str = "") -> bytes:
    return f"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n{fields}\r\n".encode() + page(i)


def line(url: str, length: object, version: int = 1, kind: str = "text/html", date: str = "20040102030405") -> bytes:
    more = " 200 a1b2c3d4 - 1234 x.arc.gz" if version == 2 else ""
    return f"{url} 10.0.0.1 {date} {kind}{more} {length}\n".encode()


def document(i: int, version: int = 1, block: bytes | None = None, length: object = None) -> bytes:
    block = response(i) if block is None else block
    return line(f"http://x/{i}", len(block) if length is None else length, version) + block + b"\n"


def version_block(version: int = 1, minor: int = 0, more: str = "") -> bytes:
    body = f"{version} {minor} Test\n{FIELDS[version]}\n{more}\n".encode()
    head = (
        f"filedesc://x.arc 0.0.0.0 20040102030405 text/plain{' 200 - - 0 x.arc' if version == 2 else ''} {len(body)}\n"
    )
    return head.encode() + body + b"\n"


def parts(version: int = 1) -> list[bytes]:
    return [version_block(version), *(document(i, version) for i in range(20))]


PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def load(path: Path, data: bytes | None = None, **options: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    if data is not None:
        path.write_bytes(data)
    rows, skipped = reading.rows(path, "warc", **options)
    at = 0
    with path.open("rb") as stream:
        framing, grammar = frame(stream.fileno())
        for member in framing.members():
            assert member.offset == at
            if isinstance(member, Gap):
                at = member.stop
            else:
                assert all(item.end >= item.position for item in records(member, 1 << 20, grammar) if not member.error)
                at = member.stop()
    assert at == path.stat().st_size
    return rows, skipped


def whole(rows: list[dict[str, Any]]) -> list[int]:
    found = [row for row in rows if not row["problem"]]
    numbers = [int(row["url"].rpartition("/")[2]) for row in found]
    assert [row["content"] for row in found] == [page(i) for i in numbers]
    return numbers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.arc"


@pytest.mark.parametrize("layout", PACK)
@pytest.mark.parametrize("version", [1, 2])
def test_every_version_and_layout(path: Path, version: int, layout: str) -> None:
    packed = [PACK[layout](part) for part in parts(version)]
    rows, skipped = load(path, b"".join(packed))
    assert whole(rows) == list(range(20))
    assert skipped == {"filedesc": 1}
    assert {row["date"] for row in rows} == {"2004-01-02T03:04:05Z"}
    assert [row["locator"] for row in rows] == [f"a.arc#{sum(map(len, packed[: i + 1]))}" for i in range(20)]
    # All in one piece, too.
    if layout != "plain":
        assert whole(load(path, PACK[layout](b"".join(parts(version))))[0]) == list(range(20))


def test_version_1_1_has_metadata_in_its_version_block(path: Path) -> None:
    metadata = '<?xml version="1.0"?><arcmetadata>\nhttp://not/a 1.2.3.4 record\n</arcmetadata>'
    rows, skipped = load(path, version_block(1, 1, metadata) + document(3))
    assert whole(rows) == [3]
    assert skipped == {"filedesc": 1}


def test_what_a_document_is(path: Path) -> None:
    old, text = b"<html>no header at all</html>", b"plain text"
    data = b"".join(
        [
            version_block(),
            line("dns:x.example", 9, kind="text/dns") + b"127.0.0.1\n",
            line("http://x/missing", 26) + b"HTTP/1.0 404 Not Found\r\n\r\n\n",
            line("http://x/image", 6, kind="image/gif") + b"GIF89a\n",
            line("http://x/old", len(old)) + old + b"\n",
            line("http://x/a b c?d=e f", len(old) + 1, kind="text/html; charset=iso-8859-1") + old + b"!\n",
            line("ftp://x/readme", len(text), kind="text/plain") + text + b"\n",
            line("http://x/untyped", len(old) + 2, kind="no-type") + old + b"!!\n",
            line("http://x/dateless", len(old) + 3, date="99999999") + old + b"!!!\n",
        ]
    )
    rows, skipped = load(path, data)
    assert skipped == {"filedesc": 1, "dns": 1}
    assert [(row["url"], row["problem"], row["detail"]) for row in rows if row["problem"]] == [
        ("http://x/missing", "status", "404"),
        ("http://x/image", "content_type", "image/gif"),
        ("ftp://x/readme", "content_type", "text/plain"),
    ]
    good = [(row["url"], row["content"], row["charset"], row["date"]) for row in rows if not row["problem"]]
    date = "2004-01-02T03:04:05Z"
    assert good == [
        ("http://x/old", old, None, date),
        ("http://x/a b c?d=e f", old + b"!", "iso-8859-1", date),
        ("http://x/untyped", old + b"!!", None, date),
        ("http://x/dateless", old + b"!!!", None, None),
    ]


@pytest.mark.parametrize("layout", ["gzip", "zstd"])
@pytest.mark.parametrize("seed", range(2))
def test_one_byte_flipped_anywhere(path: Path, layout: str, seed: int) -> None:
    data, rng = b"".join(map(PACK[layout], parts())), random.Random(seed)
    for _ in range(50):
        hurt = bytearray(data)
        at = rng.randrange(len(hurt))
        hurt[at] ^= rng.randrange(1, 256)
        assert len(whole(load(path, bytes(hurt))[0])) >= 19, at


@pytest.mark.parametrize("seed", range(2))
def test_one_byte_flipped_in_a_plain_file(path: Path, seed: int) -> None:
    """ARC has no digest of its own: what a flipped byte leaves readable comes out; its neighbours stay."""
    data, rng = b"".join(parts()), random.Random(seed)
    pages = {page(i) for i in range(20)}
    for _ in range(50):
        hurt = bytearray(data)
        at = rng.randrange(len(hurt))
        hurt[at] ^= rng.randrange(1, 256)
        rows, _ = load(path, bytes(hurt))
        assert len({row["content"] for row in rows} & pages) >= 19, at


@pytest.mark.parametrize("layout", PACK)
@pytest.mark.parametrize("lie", [0, 1, 57, -1, 5000, 10**7, 10**12, "many", "", "-"])
def test_a_length_that_lies_loses_no_whole_page(path: Path, layout: str, lie: object) -> None:
    all_parts = parts()
    for fields in ("", f"Content-Length: {len(page(7))}\r\n"):
        all_parts[8] = document(7, block=response(7, fields), length=lie)
        rows, _ = load(path, b"".join(map(PACK[layout], all_parts)), max_record_mb=1)
        # Where nothing is checked, a length beyond the record's end may be right, and bytes be missing.
        lost = layout == "plain" and not fields and isinstance(lie, int) and lie >= 5000
        assert whole(rows) == [i for i in range(20) if i != 7 or not lost]
    all_parts[8] = document(7, block=response(7)[:-100], length=len(response(7)))
    rows, _ = load(path, b"".join(map(PACK[layout], all_parts)))
    assert whole(rows) == [i for i in range(20) if i != 7]
    assert [row["problem"] for row in rows if row["problem"]] == ["damaged"]


@pytest.mark.parametrize("layout", PACK)
@pytest.mark.parametrize("begin", [0, 1 / 3, 2 / 3])
def test_a_document_that_is_cut(path: Path, layout: str, begin: float) -> None:
    packed = [PACK[layout](part) for part in parts()]
    part = packed[8]
    first = int(begin * len(part))
    packed[8] = part[:first] + part[first + len(part) // 3 :]
    rows, _ = load(path, b"".join(packed))
    assert whole(rows) == [i for i in range(20) if i != 7]
    assert {row["problem"] for row in rows if row["problem"]} == {"damaged"}


@pytest.mark.parametrize("layout", PACK)
def test_a_file_that_ends_early(path: Path, layout: str) -> None:
    packed = [PACK[layout](part) for part in parts()]
    data = b"".join(packed)
    for left in random.Random(2).sample(range(len(data)), 25):
        complete = sum(len(b"".join(packed[: i + 1])) <= left for i in range(1, 21))
        assert whole(load(path, data[:left])[0]) in ([*range(complete)], [*range(complete + (layout == "plain"))])


@pytest.mark.parametrize("data", [b"", b"\n\n", b"filedesc://", b"http://x/ 1.2.3.4 20040102030405 text/html"])
def test_hardly_anything(path: Path, data: bytes) -> None:
    rows, skipped = load(path, data)
    assert len(rows) + skipped["empty_file"] == 1
    assert all(row["problem"] == "damaged" for row in rows)


def test_dates() -> None:
    assert iso_date("20040102030405") == "2004-01-02T03:04:05Z"
    assert iso_date("200401020304059999") == "2004-01-02T03:04:05Z"
    assert iso_date("20040102") == "2004-01-02"
    assert iso_date("20040231000000") == ""


_words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n "), min_size=1, max_size=20)


@given(
    url=st.lists(_words, min_size=1, max_size=4).map(lambda words: "http://" + " ".join(words)),
    kind=st.lists(_words, max_size=2).map(" ".join),
    version=st.sampled_from([1, 2]),
    length=st.integers(0, 10**9),
)
def test_a_line_round_trips(url: str, kind: str, version: int, length: int) -> None:
    class Held:
        """A window that holds one line."""

        data = bytearray(line(url, length, version, kind))

        def fill(self, size: int) -> bool:
            return False

    headers, size = ArcGrammar().header(Held()) or ({}, 0)  # type: ignore[arg-type]
    assert size == len(Held.data)
    assert headers["warc-target-uri"] == url
    assert headers["content-length"] == str(length)
    assert headers["content-type"] == ("" if kind in ("no-type", "unk", "-") else kind)


def test_the_conformance_kit(kits: Path) -> None:
    found = {}
    for name in ("pywb/example.arc", "pywb/example.arc.gz", "warcio/example-space-in-url.arc", "pywb/bad.arc"):
        rows, skipped = load(kits / "warc" / name)
        assert skipped == {"filedesc": 1}
        found[name] = [(row["url"], row["problem"], len(row["content"] or b"")) for row in rows]
        assert all(row["date"].startswith("2014-0") for row in rows)
    example = ("http://example.com/", None, 1270)
    assert found["pywb/example.arc"] == found["pywb/example.arc.gz"] == [example]
    url = "http://example.com/index.cfm?FuseAction=Email&EmailTitle=Examples From The Live Web&IsPopUp=False"
    assert found["warcio/example-space-in-url.arc"] == [(url, None, 1270)]
    assert found["pywb/bad.arc"] == [
        ("http://example.com/", "damaged", 0),
        ("http://example.com/", "content_type", 0),
        ("http://example.com/", "damaged", 0),
    ]


# What `ArcGrammar.next` finds, in one expression, whose time grows with the square of the input.
_NEXT = re.compile(
    rb"(?:(?<=\n)[A-Za-z][A-Za-z0-9+.\-]{0,31}:[^\r\n]{0,8000}?|(?:https?://|ftp://|dns:)[^ \r\n]{1,2000})"
    rb" (?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{0,45}|0|-) (\d{8,18})((?: [^ \r\n]{0,500}){1,12})\r?\n"
)
_TOKENS = [
    "\n",
    "\r\n",
    "\r",
    " ",
    "http://",
    "dns:",
    "x",
    "a:",
    "1.2.3.4",
    "::1",
    "0",
    "-",
    "20040102",
    "text/html",
    "5",
]
_BEGINNINGS = ["\nhttp://a/ b 1.2.3.4 20040102 text/html 5\n", "xhttp://a 0 20040102 - 5\r\n", " 0 20040102 x y"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_TOKENS + _BEGINNINGS), max_size=25).map("".join), st.integers(0, 9))
def test_the_next_line_is_found_wherever_it_stands(text: str, start: int) -> None:
    found = _NEXT.search(text.encode(), start)
    assert ArcGrammar().next(bytearray(text.encode()), start) == (found.start() if found else None)


@pytest.mark.parametrize(
    "part", [b"http://", b"http://x 0 ", b" 0 20040102", b"a:" + b" " + b":" * 8000, b"\na: 0 20040102 x\ry"]
)
def test_what_looks_like_lines_all_over_is_searched_once(part: bytes) -> None:
    data = bytearray(part * (4_000_000 // len(part)))
    assert ArcGrammar().next(data) is None
    at = len(data) + 1
    assert ArcGrammar().next(data + b"\n" + line("http://x/", 5)) == at
