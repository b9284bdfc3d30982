"""WARC files: whole ones, against fastwarc, and damaged ones, against what was written."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import os
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path

import brotli
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.documents import RAW
from corpus.extract.admission import Admission
from corpus.extract.config import ExtractConfig
from corpus.sources import SourceConfig, discover, read

KITS = Path(os.environ.get("CORPUSMILL_KITS") or Path(__file__).parents[2] / "shared" / "kits")


def kit(name: str) -> Path:
    path = KITS / name
    if not path.exists():
        pytest.skip(f"labelled kits not found: set CORPUSMILL_KITS to the folder that holds {name}")
    return path


def http(body: bytes, *headers: str, status: str = "200 OK", kind: str = "text/html") -> bytes:
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {kind}"] if kind else []), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def record(block: bytes, url="http://x/", kind="response", length=None, extra=(), digest=True) -> bytes:
    lines = ["WARC/1.0", f"WARC-Type: {kind}", f"WARC-Target-URI: {url}", "WARC-Date: 2020-01-02T03:04:05Z", *extra]
    if digest:
        lines.append(f"WARC-Block-Digest: sha1:{base64.b32encode(hashlib.sha1(block).digest()).decode()}")
    lines.append(f"Content-Length: {len(block) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def load(path, **options):
    """(all rows of a WARC file, what was skipped)"""
    source = SourceConfig(name="s", kind="warc", path=str(path), **options)
    skipped: Counter[str] = Counter()
    found = [row for piece in discover(source) for batch in read(piece, source, skipped) for row in batch.to_pylist()]
    assert all((row["content"] is None) == (row["problem"] is not None) for row in found)
    assert len({row["locator"] for row in found}) == len(found)
    return found, skipped


def loaded(tmp_path, data: bytes, name="a.warc", **options):
    (tmp_path / name).write_bytes(data)
    return load(tmp_path / name, **options)


def page(i: int) -> bytes:
    return f"<html><p>page {i} {hashlib.sha256(b'%d' % i).hexdigest() * 20}</p></html>".encode()


def twenty(digest=True) -> list[bytes]:
    return [record(http(page(i)), f"http://x/{i}", digest=digest) for i in range(20)]


def whole(found) -> list[int]:
    """Numbers of the pages that came out; each must be byte for byte what went in."""
    numbers = [int(row["url"].rpartition("/")[2]) for row in found if not row["problem"]]
    assert [row["content"] for row in found if not row["problem"]] == [page(i) for i in numbers]
    return numbers


@settings(max_examples=30, deadline=None)
@given(
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=5, unique=True),
    layout=st.sampled_from(["plain", "members", "one member", "cut into members"]),
)
def test_round_trip(tmp_path_factory, bodies, layout):
    records = [record(http(body), f"http://x/{i}") for i, body in enumerate(bodies)]
    data = b"".join(records)
    offsets = [sum(map(len, records[:i])) for i in range(len(records))]
    if layout == "members":
        members = [gzip.compress(part) for part in records]
        data = b"".join(members)
        offsets = [sum(map(len, members[:i])) for i in range(len(members))]
    elif layout == "one member":
        data = gzip.compress(data)
    elif layout == "cut into members":
        data = b"".join(gzip.compress(data[at : at + 97]) for at in range(0, len(data), 97))
    path = tmp_path_factory.mktemp("warc") / ("a.warc" if layout == "plain" else "a.warc.gz")
    path.write_bytes(data)
    found, skipped = load(path)
    assert [row["content"] for row in found] == bodies
    assert [row["url"] for row in found] == [f"http://x/{i}" for i in range(len(bodies))]
    # A piece of nothing but newlines holds no record.
    assert skipped.keys() <= ({"empty_member"} if layout == "cut into members" else set())
    if layout in ("plain", "members"):
        assert [row["locator"] for row in found] == [f"{path.name}#{offset}" for offset in offsets]


def test_which_records_are_documents(tmp_path):
    text = "wet é".encode()
    data = b"".join(
        [
            record(b"software: test", kind="warcinfo"),
            record(b"GET / HTTP/1.1\r\n\r\n", kind="request"),
            record(http(b"<p>1", kind="text/html; charset=ISO-8859-2; x=y"), "<http://x/1>"),
            record(http(b"<p>2", kind="application/xhtml+xml"), "http://x/2"),
            record(http(b"<p>3", status="404 Not Found"), "http://x/3"),
            record(http(b"%PDF", kind="application/pdf"), "http://x/4"),
            record(http(b"<!DOCTYPE html><p>5", kind=""), "http://x/5"),
            record(text, "http://x/6", kind="conversion", extra=["Content-Type: text/plain"]),
            record(b"<p>7", "http://x/7", kind="resource", extra=["Content-Type: text/html"]),
            record(b"robots", "http://x/8", kind="resource", extra=["Content-Type: text/plain"]),
            record(http(b"<p>9"), "http://x/9", extra=["WARC-Truncated: length"]),
            record(b"", kind="revisit"),
            record(b"fetchTimeMs: 1", kind="metadata"),
        ]
    )
    found, skipped = loaded(tmp_path, data)
    assert [(row["problem"], row["detail"]) for row in found if row["problem"]] == [
        ("status", "404"),
        ("content_type", "application/pdf"),
        ("content_type", "text/plain"),
        ("damaged", "WARC-Truncated: length"),
    ]
    good = [row for row in found if not row["problem"]]
    assert [(row["url"], row["content"], row["media_type"], row["charset"]) for row in good] == [
        ("http://x/1", b"<p>1", "text/html", "iso-8859-2"),
        ("http://x/2", b"<p>2", "text/html", None),
        ("http://x/5", b"<!DOCTYPE html><p>5", "text/html", None),
        ("http://x/6", text, "text/plain", None),
        ("http://x/7", b"<p>7", "text/html", None),
    ]
    assert good[0]["date"] == "2020-01-02T03:04:05Z"
    assert skipped == {"warcinfo": 1, "request": 1, "revisit": 1, "metadata": 1}


def chunked(body: bytes) -> bytes:
    parts = [body[at : at + 100] for at in range(0, len(body), 100)]
    return b"".join(b"%x;e=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


CODINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate raw": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
    "identity": bytes,
    "gzip stored plain": bytes,
    "UTF-8": bytes,
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("in_chunks", [False, True])
def test_http_codings(tmp_path, coding, in_chunks):
    body = b"<html>" + page(1) * 50
    stored = CODINGS[coding](body)
    headers = [f"Content-Encoding: {coding.removesuffix(' raw').removesuffix(' stored plain')}"]
    if in_chunks:
        stored, headers = chunked(stored), [*headers, "Transfer-Encoding: chunked"]
    (row,), _ = loaded(tmp_path, record(http(stored, *headers)))
    assert row["problem"] is None
    assert row["content"] == body


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_http_bodies_that_cannot_be_decoded(tmp_path, coding):
    packed = CODINGS[coding](os.urandom(5000))
    header = f"Content-Encoding: {coding}"
    data = b"".join(
        [
            record(http(packed[:-2000], header), "http://x/cut"),
            record(http(b"\x00\x01\x02 nothing" * 50, header), "http://x/bad"),
            record(http(CODINGS[coding](b"a" * (3 << 20)), header), "http://x/bomb"),
            record(http(page(4)), "http://x/4"),
        ]
    )
    found, _ = loaded(tmp_path, data, max_record_mb=1)
    assert [row["problem"] for row in found] == ["damaged", "decode_error", "too_large", None]


def test_http_bodies_that_are_cut(tmp_path):
    data = b"".join(
        [
            record(http(chunked(page(1))[:-50], "Transfer-Encoding: chunked"), "http://x/1"),
            record(http(page(2), f"Content-Length: {len(page(2)) + 9}"), "http://x/2"),
            record(http(page(3), "Transfer-Encoding: chunked"), "http://x/3"),
            record(b"HTTP/1.1 200 OK\r\nContent-Type: text/html", "http://x/4"),
        ]
    )
    found, _ = loaded(tmp_path, data)
    assert [row["problem"] for row in found] == ["damaged", "damaged", None, "damaged"]


@pytest.mark.parametrize("digest", [True, False])
@pytest.mark.parametrize("where", [0.001, 0.02, 0.3, 0.5, 0.8, 0.99, 0.999])
def test_a_flipped_bit_in_a_gzip_member_loses_one_record(tmp_path, where, digest):
    members = [gzip.compress(part) for part in twenty(digest)]
    hurt = bytearray(members[7])
    hurt[int(where * len(hurt))] ^= 4
    members[7] = bytes(hurt)
    found, _ = loaded(tmp_path, b"".join(members), "a.warc.gz")
    numbers = whole(found)
    # A bit in the gzip header that changes no content (time, name) may leave the record whole.
    assert numbers in ([*range(7), *range(8, 20)], [*range(20)])
    assert len(found) == 20


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), packed=st.booleans())
def test_a_flipped_bit_anywhere(tmp_path_factory, place, bit, packed):
    parts = [gzip.compress(part) for part in twenty()] if packed else twenty()
    data = bytearray(b"".join(parts))
    data[int(place * len(data))] ^= 1 << bit
    path = tmp_path_factory.mktemp("warc") / ("a.warc.gz" if packed else "a.warc")
    path.write_bytes(data)
    found, skipped = load(path)
    urls = {row["url"] for row in found if not row["problem"]}
    assert (
        sum(row["content"] == page(i) for i, row in enumerate(found)) >= 19
        or len(urls & {f"http://x/{i}" for i in range(20)}) >= 19
    )
    # Content that came out is content that went in, and nothing went without a row or a count.
    assert {row["content"] for row in found if row["content"]} <= {page(i) for i in range(20)}
    assert len(found) + sum(skipped.values()) >= 20


def test_a_truncated_single_gzip_stream_keeps_what_is_whole(tmp_path):
    data = gzip.compress(b"".join(twenty(digest=False)))
    found, _ = loaded(tmp_path, data[: len(data) // 2], "a.warc.gz")
    numbers = whole(found)
    assert numbers == list(range(len(numbers)))
    assert 5 < len(numbers) < 15
    assert found[-1]["problem"] == "damaged"


@pytest.mark.parametrize("digest", [True, False])
def test_a_damaged_single_gzip_stream_gives_only_what_is_proved(tmp_path, digest):
    data = bytearray(gzip.compress(b"".join(twenty(digest))))
    data[len(data) // 2] ^= 1
    found, _ = loaded(tmp_path, bytes(data), "a.warc.gz")
    assert len(whole(found)) >= 5 if digest else whole(found) == []
    assert found[-1]["problem"] == "damaged"


@pytest.mark.parametrize("lie", [1500, 5000, 70_000, 2_000_000, 10**12])
@pytest.mark.parametrize("layout", ["plain", "one member", "cut into members"])
def test_lying_lengths_inside_one_stream_lose_only_what_nothing_proves(tmp_path, lie, layout):
    parts = [record(http(page(i)), f"http://x/{i}", digest=False) for i in range(500)]
    for i in (50, 51, 300):
        parts[i] = record(http(page(i)[: -4 if i == 51 else None]), f"http://x/{i}", length=lie, digest=False)
    data, name = b"".join(parts), "a.warc" if layout == "plain" else "a.warc.gz"
    if layout == "one member":
        data = gzip.compress(data)
    elif layout == "cut into members":
        # A member boundary in the middle of record 50's header.
        cut = sum(map(len, parts[:50])) + 20
        data = gzip.compress(data[:cut]) + gzip.compress(data[cut:])
    found, _ = loaded(tmp_path, data, name, max_record_mb=1)
    # In a plain file, bytes may be missing.
    lost = [51] if layout != "plain" else [50, 51, 300]
    assert whole(found) == [i for i in range(500) if i not in lost]
    assert [row["url"] for row in found if row["problem"]] == [f"http://x/{i}" for i in lost]


@pytest.mark.parametrize("packed", [True, False])
def test_what_proves_a_record_whose_length_lies(tmp_path, packed):
    """A digest, or the response's own length, say that it is whole, and that it is not."""
    text = b"no page, no end"
    cut = b"<html>cut before </html>"
    blocks = [
        record(http(text), "http://x/digest", length=3),
        record(http(text + b"1", "Content-Length: 16"), "http://x/length", length=900, digest=False),
        record(http(chunked(text + b"2"), "Transfer-Encoding: chunked"), "http://x/chunks", length=-1, digest=False),
        record(http(text + b"3"), "http://x/nothing", length=900, digest=False),
        record(http(cut, f"Content-Length: {len(cut) + 1}"), "http://x/cut", length=900, digest=False),
        record(http(cut), "http://x/other", length=900, extra=[f"WARC-Block-Digest: sha1:{'0' * 40}"], digest=False),
    ]
    data = b"".join(gzip.compress(block) for block in blocks) if packed else b"".join(blocks)
    found, _ = loaded(tmp_path, data)
    assert [row["url"][9:] for row in found if not row["problem"]] == ["digest", "length", "chunks"]
    assert [row["content"] for row in found if not row["problem"]] == [text, text + b"1", text + b"2"]


def test_a_stream_of_lying_lengths_takes_bounded_memory_and_one_look_at_its_end(tmp_path):
    from corpus.sources.members import GzipMember

    given = 0
    inflate = GzipMember.read

    def read_counted(self, size):
        nonlocal given
        data = inflate(self, size)
        given += len(data)
        return data

    body = os.urandom(64 << 10).hex().encode()
    parts = [record(http(body), f"http://x/{i}", length=10**9, digest=False) for i in range(200)]
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(b"".join(parts), 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GzipMember, "read", read_counted)
        tracemalloc.start()
        found, _ = load(tmp_path / "a.warc.gz", max_record_mb=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert [row["problem"] for row in found] == ["damaged"] * 200
    assert given < 4 * sum(map(len, parts))
    assert peak < 8 << 20


def test_what_lies_between_gzip_members(tmp_path):
    first, second, third = (gzip.compress(part) for part in twenty()[:3])
    empty = gzip.compress(b"")
    data = first + b"garbage" * 9 + second + empty + empty + third + bytes(5000)
    found, skipped = loaded(tmp_path, data, "a.warc.gz")
    assert whole(found) == [0, 1, 2]
    assert [row["detail"] for row in found if row["problem"]] == [f"no gzip member; 63 bytes at {len(first)}"]
    assert skipped == {"empty_member": 2, "padding": 1}


@pytest.mark.parametrize("data", [b"", gzip.compress(b""), b"\r\n\r\n"])
def test_empty_files(tmp_path, data):
    found, skipped = loaded(tmp_path, data)
    assert found == []
    assert skipped["empty_file"] == 1


@pytest.mark.parametrize("data", [b"no WARC at all\n" * 10_000, gzip.compress(b"some text" * 1000), b"\x1f\x8b\x08"])
def test_files_that_are_no_warc(tmp_path, data):
    found, _ = loaded(tmp_path, data)
    assert [row["problem"] for row in found] == ["damaged"]


def test_large_records_and_bombs_use_bounded_memory(tmp_path):
    def many_zeros(size: int) -> bytes:
        head = record(b"", "http://x/bomb", length=size, digest=False).removesuffix(b"\r\n\r\n")
        packer = zlib.compressobj(wbits=31)
        parts = [packer.compress(head)]
        parts += [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
        return b"".join([*parts, packer.compress(b"\r\n\r\n"), packer.flush()])

    pages = [gzip.compress(part) for part in twenty()[:2]]
    path = tmp_path / "a.warc.gz"
    path.write_bytes(pages[0] + many_zeros(200 << 20) + pages[1])
    tracemalloc.start()
    found, _ = load(path, max_record_mb=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(row["url"], row["problem"]) for row in found] == [
        ("http://x/0", None),
        ("http://x/bomb", "too_large"),
        ("http://x/1", None),
    ]
    assert peak < 24 << 20


def test_damaged_records_of_other_types_are_no_lost_documents(tmp_path):
    request = record(b"GET / HTTP/1.1\r\n\r\n", kind="request", length=10**6)
    found, skipped = loaded(tmp_path, gzip.compress(request) + gzip.compress(twenty()[0]), "a.warc.gz")
    assert whole(found) == [0]
    assert skipped == {"request": 1}


@pytest.mark.parametrize(
    "name", ["warcio/example-iana.org-chunked.warc", "whirl/whirlwind.warc.gz", "iipc/hello-world.warc", "adbar"]
)
def test_as_fastwarc_on_clean_files(name):
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    path = kit("extraction/readability.warc.gz" if name == "adbar" else f"warc/{name}")
    ours, skipped = load(path)
    theirs = []
    known = ("warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion")
    names = {int(getattr(WarcRecordType, name)): name for name in known}
    kinds: Counter[str] = Counter()
    with path.open("rb") as stream:
        for entry in ArchiveIterator(stream, parse_http=True, auto_decode="all"):
            kinds[names[int(entry.record_type)]] += 1
            is_page = entry.is_http and (entry.http_content_type or "").lower() in (
                "text/html",
                "application/xhtml+xml",
            )
            if is_page and names[int(entry.record_type)] == "response" and entry.http_headers.status_code == 200:
                theirs.append((entry.headers["WARC-Target-URI"], entry.reader.read()))
    assert theirs or name == "iipc/hello-world.warc"
    good = [(row["url"], row["content"]) for row in ours if not row["problem"]]
    assert [pair for pair in good if pair in theirs] == theirs
    assert len(ours) + sum(skipped.values()) == sum(kinds.values())
    assert all(skipped[kind] == kinds[kind] for kind in ("request", "revisit", "warcinfo", "metadata"))


def test_every_file_of_the_conformance_kit_is_read():
    """As many records as fastwarc counts, where it reads to the end; every row and every count stands for bytes."""
    from fastwarc.warc import ArchiveIterator

    files = [path for path in sorted(kit("warc").rglob("*")) if path.is_file() and ".arc" not in path.name]
    assert len(files) > 30
    counted = 0
    for path in files:
        found, skipped = load(path)
        assert found or skipped, path
        with path.open("rb") as stream, contextlib.suppress(OSError):
            count = sum(1 for _ in ArchiveIterator(stream, parse_http=False))
            gaps = sum("no gzip member" in (row["detail"] or "") for row in found)
            beside = sum(skipped[kind] for kind in ("empty_member", "empty_file", "padding"))
            assert len(found) + sum(skipped.values()) - gaps - beside == count, path
            counted += 1
    assert counted > 30
    assert sum(not row["problem"] for row in load(kit("warc/gowarc/corrupted-mid-record.warc.gz.open"))[0]) == 12


# Payloads and what they say of reuse.


def refusals(rows, **settings):
    """What the stage refuses of these rows before it parses any."""
    return Admission(ExtractConfig.model_validate(settings), {}).judge(pa.RecordBatch.from_pylist(rows, schema=RAW))


def test_an_equal_payload_costs_no_parse(tmp_path):
    first, second = page(1), page(2)
    lie = ["WARC-Payload-Digest: sha1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
    packed = gzip.compress(first, mtime=0)
    parts = [
        record(http(first), "http://x/0", extra=lie),
        record(http(second), "http://x/1", extra=lie),
        record(http(first, "Server: other"), "http://y/2"),
        record(http(b""), "http://x/3"),
        record(http(b""), "http://x/4"),
        record(http(packed, "Content-Encoding: gzip"), "http://x/5"),
        record(http(packed, "Content-Encoding: x-gzip"), "http://x/6"),
        record(http(packed, "Content-Encoding: gzip"), "http://x/7"),
        record(http(first, kind="text/html; charset=utf-8"), "http://x/8"),
        record(http(first, "X-Robots-Tag: noai"), "http://x/9"),
        record(first, "http://x/10", kind="resource", extra=["Content-Type: text/html"]),
    ]
    found, _ = loaded(tmp_path, b"".join(map(gzip.compress, parts)), "a.warc.gz")
    starts = [sum(len(gzip.compress(part)) for part in parts[:i]) for i in range(len(parts))]
    assert [row["url"] for row in found] == [f"http://{'y' if i == 2 else 'x'}/{i}" for i in range(11)]
    assert refusals(found) == {
        9: [("opt_out_noai", "x-robots-tag")],
        2: [("payload_duplicate", f"a.warc.gz#{starts[0]}")],
        7: [("payload_duplicate", f"a.warc.gz#{starts[5]}")],
    }
    # What a rule refuses stands for no other.
    blocked = refusals(found, urls={"block": ["http://x/0"]})
    assert [blocked[row][0][0] for row in sorted(blocked)] == ["url_blocked", "payload_duplicate", "opt_out_noai"]


def test_what_was_no_document_stands_for_no_other(tmp_path):
    body = page(1)
    data = [
        gzip.compress(record(http(body, status="404 Not Found"), "http://x/0")),
        gzip.compress(record(http(body, kind="image/png"), "http://x/1")),
        gzip.compress(record(http(body), "http://x/2"))[:-1] + b"!",
        gzip.compress(record(http(body), "http://x/3", extra=["WARC-Truncated: time"])),
        gzip.compress(record(http(body, f"Content-Length: {len(body) + 1}"), "http://x/4")),
        gzip.compress(record(http(body), "http://x/5", length=3)),
        gzip.compress(record(http(body), "http://x/6")),
        gzip.compress(record(http(body), "http://x/7", length=3)),
        gzip.compress(record(http(body), "http://x/8")),
    ]
    found, _ = loaded(tmp_path, b"".join(data), "a.warc.gz")
    damaged = "damaged"
    assert [row["problem"] for row in found] == ["status", "content_type", damaged, damaged, damaged, *[None] * 4]
    assert refusals(found) == {8: [("payload_duplicate", found[6]["locator"])]}


def test_every_header_that_speaks_of_reuse_is_kept(tmp_path):
    fields = ["X-Robots-Tag: noindex", "x-robots-tag: otherbot:\t noai,", "\tnoimageai", "TDM-Reservation: 1"]
    data = b"".join(
        [
            record(http(page(1), *fields, "X-ROBOTS-TAG: noindex", "Robots: none"), "http://x/1"),
            record(http(page(2)), "http://x/2"),
            record(http(page(3), "X-Robots-Tag: caf\xe9".encode("latin-1").decode("latin-1")), "http://x/3"),
        ]
    )
    found, _ = loaded(tmp_path, data)
    assert [row["opt_out"] for row in found] == [
        "x-robots-tag: noindex\nx-robots-tag: otherbot: noai, noimageai\ntdm-reservation: 1",
        None,
        "x-robots-tag: café",
    ]
