"""Crawl files of twenty good documents, damaged: what is whole comes out as it went in, what is cut never does."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest
import reading
import zstandard

from corpus.sources.framing import Gap
from corpus.sources.records import records
from corpus.sources.warc import frame

ROOT = Path(__file__).parent.parent
GB = 1 << 30


def page(i: int) -> bytes:
    """Every page has a size of its own and hardly shrinks."""
    noise = random.Random(i).randbytes(600 + 37 * i).hex()
    return f"<html><body><p>page {i}</p><p>{noise}</p></body></html>".encode()


def record(i: int, block: bytes | None = None, length: object = None, digest: bool = False) -> bytes:
    if block is None:
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page(i)
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://x/{i}\r\n"
    head += f"WARC-Block-Digest: sha1:{hashlib.sha1(block).hexdigest()}\r\n" if digest else ""
    head += "" if length == "missing" else f"Content-Length: {len(block) if length is None else length}\r\n"
    return head.encode() + b"\r\n" + block + b"\r\n\r\n"


def frame_of(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "stored": lambda data: gzip.compress(data, 0, mtime=0),
    "zstd": frame_of,
    "plain": bytes,
}
CHECKED = ("gzip", "stored", "zstd")


def twenty(layout: str, digest: bool = False) -> list[bytes]:
    return [PACK[layout](record(i, digest=digest)) for i in range(20)]


def load(path: Path, data: bytes | None = None, **options: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    """(rows, skipped); the members must be the file, and each row must be found in the account."""
    if data is not None:
        path.write_bytes(data)
    rows, skipped = reading.rows(path, "warc", **options)
    assert account(path) == len(rows) + sum(skipped.values()) - skipped["empty_file"]
    return rows, skipped


def account(path: Path) -> int:
    """Number of records, gaps and empty members, which must cover the file from its first byte to its last."""
    count = at = 0
    with path.open("rb") as stream:
        framing, grammar = frame(stream.fileno())
        for member in framing.members():
            assert member.offset == at
            found, last = 0, 0
            if not isinstance(member, Gap):
                for item in records(member, 1 << 20, grammar):
                    assert item.end >= item.position >= last
                    last = item.end or last
                    found += 1
                assert member.compressed or last == path.stat().st_size
                at = member.stop()
            else:
                at = member.stop
            assert at > member.offset
            count += found or not (member.offset == 0 and framing.name == "plain")
    assert at == path.stat().st_size
    return count


def whole(rows: list[dict[str, Any]]) -> list[int]:
    """Numbers of the pages that came out, in order; each is what went in."""
    found = [row for row in rows if row["problem"] is None]
    numbers = [int(row["url"].rpartition("/")[2]) for row in found]
    assert [row["content"] for row in found] == [page(i) for i in numbers]
    return numbers


def test_every_byte_of_the_conformance_kit_is_accounted_for(kits: Path) -> None:
    files = [file for file in sorted((kits / "warc").rglob("*")) if file.is_file()]
    assert len(files) > 40
    for file in files:
        rows, skipped = load(file)
        assert rows or skipped


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.warc.gz"


@pytest.mark.parametrize("layout", CHECKED)
@pytest.mark.parametrize("seed", range(4))
def test_one_byte_flipped_anywhere(path: Path, layout: str, seed: int) -> None:
    parts = twenty(layout)
    data, rng = b"".join(parts), random.Random(seed)
    for _ in range(50):
        hurt = bytearray(data)
        at = rng.randrange(len(hurt))
        hurt[at] ^= rng.randrange(1, 256)
        rows, _ = load(path, bytes(hurt))
        assert len(whole(rows)) >= 19, at


@pytest.mark.parametrize("seed", range(2))
def test_one_byte_flipped_where_only_digests_tell(path: Path, seed: int) -> None:
    bare = zstandard.ZstdCompressor(write_checksum=False)
    rng = random.Random(seed)
    for pack in (bytes, bare.compress):
        data = b"".join(pack(record(i, digest=True)) for i in range(20))
        for _ in range(30):
            hurt = bytearray(data)
            at = rng.randrange(len(hurt))
            hurt[at] ^= rng.randrange(1, 256)
            rows, _ = load(path, bytes(hurt))
            bodies = {row["content"] for row in rows if row["problem"] is None}
            assert bodies <= {page(i) for i in range(20)}, at
            assert len(bodies) >= 19, at


@pytest.mark.parametrize("layout", PACK)
@pytest.mark.parametrize(
    "damage", ["zeros", "noise", "head cut", "tail cut", "middle cut", "gone but 3 bytes", "twice"]
)
@pytest.mark.parametrize("number", [0, 7, 19])
def test_a_member_that_is_no_longer_whole(path: Path, layout: str, damage: str, number: int) -> None:
    # In a plain file, only a digest tells of bytes that are others than they were.
    parts = twenty(layout, digest=layout == "plain" and damage in ("zeros", "noise"))
    part = parts[number]
    third = len(part) // 3
    parts[number] = {
        "zeros": part[:third] + bytes(third) + part[2 * third :],
        "noise": part[:third] + random.Random(1).randbytes(third) + part[2 * third :],
        "head cut": part[third:],
        "tail cut": part[:-third],
        "middle cut": part[:third] + part[2 * third :],
        "gone but 3 bytes": part[:3],
        "twice": part[: 2 * third] + part,
    }[damage]
    rows, _ = load(path, b"".join(parts))
    numbers = whole(rows)
    # A plain record that repeats its own beginning has lied about its length.
    expected = [i for i in range(20) if i != number or (damage == "twice")]
    if damage == "twice" and layout == "plain":
        assert set(numbers) >= set(range(20)) - {number}
    else:
        assert numbers == expected
    hurt = [row for row in rows if row["problem"]]
    assert {row["problem"] for row in hurt} == {"damaged"}
    assert all(" bytes at " in row["detail"] for row in hurt)


@pytest.mark.parametrize("layout", ["gzip", "zstd"])
def test_the_ledger_says_where_the_damage_is(path: Path, layout: str) -> None:
    parts = twenty(layout)
    start = len(b"".join(parts[:7]))
    parts[7] = parts[7][: len(parts[7]) // 2]
    rows, _ = load(path, b"".join(parts))
    (row,) = [row for row in rows if row["problem"]]
    # A zstd frame this small is one block, which gives all or nothing.
    assert row["url"] == ("http://x/7" if layout == "gzip" else None)
    assert row["locator"] == f"a.warc.gz#{start}"
    assert row["detail"].endswith(f"; {len(parts[7])} bytes at {start}")


def test_the_ledger_says_where_plain_damage_is(path: Path) -> None:
    parts = [record(i, length=10**6 if i == 7 else None) for i in range(20)]
    parts[7] = parts[7].replace(b"</html>", b"")
    start = len(b"".join(parts[:7]))
    rows, _ = load(path, b"".join(parts))
    (row,) = [row for row in rows if row["problem"]]
    assert row["detail"] == (
        f"Content-Length 1000000 does not lead to the end of the record; {len(parts[7])} bytes at {start}"
    )


LIES = [0, 1, 57, -1, 5000, 10**7, 10**12, 10**40, "many", "", "0x10", "missing"]


@pytest.mark.parametrize("layout", PACK)
@pytest.mark.parametrize("lie", LIES)
def test_a_length_that_lies_loses_no_whole_page(path: Path, layout: str, lie: object) -> None:
    parts = twenty(layout)
    for digest in (True, False):
        parts[7] = PACK[layout](record(7, length=lie, digest=digest))
        rows, _ = load(path, b"".join(parts), max_record_mb=1)
        # Where nothing is checked, a length beyond the record's end may be right, and bytes be missing.
        lost = layout == "plain" and not digest and isinstance(lie, int) and 5000 <= lie < 10**18
        assert whole(rows) == [i for i in range(20) if i != 7 or not lost]


@pytest.mark.parametrize("layout", PACK)
def test_every_length_lies(path: Path, layout: str) -> None:
    lies = random.Random(1).choices(LIES, k=20)
    data = b"".join(PACK[layout](record(i, length=lie, digest=True)) for i, lie in enumerate(lies))
    assert whole(load(path, data, max_record_mb=1)[0]) == list(range(20))


@pytest.mark.parametrize("layout", PACK)
@pytest.mark.parametrize("fields", ["", "Content-Length: {}\r\n", "Transfer-Encoding: chunked\r\n"])
def test_a_page_that_was_cut_before_it_was_packed_never_passes(path: Path, layout: str, fields: str) -> None:
    """Its record was closed, its checksum fits; only its lengths tell."""
    body = page(7)
    if "chunked" in fields:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{fields.format(len(body))}\r\n".encode() + body
    parts = twenty(layout)
    for left in (0.2, 0.5, 0.99):
        parts[7] = PACK[layout](record(7, block[: int(left * len(block))], length=len(block)))
        rows, _ = load(path, b"".join(parts))
        assert whole(rows) == [i for i in range(20) if i != 7]
        assert [row["problem"] for row in rows if row["problem"]] == ["damaged"]


@pytest.mark.parametrize("layout", PACK)
def test_a_file_that_ends_early(path: Path, layout: str) -> None:
    parts = twenty(layout)
    data = b"".join(parts)
    for left in random.Random(2).sample(range(len(data)), 25):
        complete = sum(len(b"".join(parts[: i + 1])) <= left for i in range(20))
        rows, _ = load(path, data[:left])
        # A plain record that lacks only its closing newlines is whole.
        assert whole(rows) in ([*range(complete)], [*range(complete + (layout == "plain"))])


def test_ten_thousand_empty_members(path: Path) -> None:
    parts = twenty("gzip")
    empty = gzip.compress(b"", mtime=0) * 10_000
    rows, skipped = load(path, b"".join(parts[:10]) + empty + b"".join(parts[10:]))
    assert whole(rows) == list(range(20))
    assert skipped == {"empty_member": 10_000}
    parts = twenty("zstd")
    rows, skipped = load(path, b"".join(parts[:10]) + frame_of(b"") * 10_000 + b"".join(parts[10:]))
    assert whole(rows) == list(range(20))
    assert skipped == {"empty_member": 10_000}


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.warc.zst", "a.arc.gz"])
@pytest.mark.parametrize("layout", PACK)
def test_the_content_tells_what_a_file_is(tmp_path: Path, name: str, layout: str) -> None:
    rows, skipped = load(tmp_path / name, b"".join(twenty(layout)))
    assert whole(rows) == list(range(20))
    assert not skipped
    # Even when its first bytes are no longer what they were.
    for hole in (1, 3, 40):
        rows, _ = load(tmp_path / name, bytes(hole) + b"".join(twenty(layout))[hole:])
        assert whole(rows) in (list(range(20)), list(range(1, 20)))


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_a_file_that_is_something_else(tmp_path: Path, name: str) -> None:
    for data in (page(1), gzip.compress(page(1)), frame_of(page(1)), random.Random(1).randbytes(100_000)):
        rows, _ = load(tmp_path / name, data)
        assert [row["problem"] for row in rows] == ["damaged"]


# Archives inside archives.


@pytest.mark.parametrize("layout", ["gzip", "zstd"])
def test_members_that_a_damaged_record_holds_are_not_taken_for_the_files_own(path: Path, layout: str) -> None:
    """A stored archive does not shrink: its members stand in the outer one byte for byte."""
    inner = b"".join(PACK[layout](record(100 + i)) for i in range(12))
    block = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n" + inner
    parts = twenty(layout)
    parts[7] = PACK["stored" if layout == "gzip" else layout](record(7, block))
    assert parts[7].count(PACK[layout](record(105))[:200]) == 1
    start, size = len(b"".join(parts[:7])), len(parts[7])
    data, rng = b"".join(parts), random.Random(3)
    strays = 0
    for _ in range(100):
        hurt = bytearray(data)
        # Behind the outer record's header: what stands there tells where the member ends.
        hurt[start + rng.randrange(400, size)] ^= rng.randrange(1, 256)
        rows, _ = load(path, bytes(hurt))
        urls = [row["url"] for row in rows if row["problem"] is None]
        strays += sum(int(url.rpartition("/")[2]) >= 100 for url in urls)
        assert {f"http://x/{i}" for i in range(20) if i != 7} <= set(urls)
    assert strays == 0


def test_a_stored_archive_whose_own_framing_is_damaged(path: Path) -> None:
    inner = b"".join(PACK["gzip"](record(100 + i)) for i in range(60))
    parts = twenty("gzip")
    outer = PACK["stored"](record(7, b"HTTP/1.1 200 OK\r\nContent-Type: application/gzip\r\n\r\n" + inner))
    at, blocks = 10, []
    while not blocks or not outer[blocks[-1]] & 1:
        blocks.append(at)
        at += 5 + int.from_bytes(outer[at + 1 : at + 3], "little")
    assert len(blocks) >= 3
    for block in blocks[1:]:
        parts[7] = outer[: block + 1] + b"\0\0\0\0" + outer[block + 5 :]
        rows, _ = load(path, b"".join(parts))
        assert whole(rows) == [i for i in range(20) if i != 7]
        assert [row["problem"] for row in rows if row["problem"]] == ["damaged"]


def test_equal_members_behind_a_damaged_one_are_not_skipped(path: Path) -> None:
    """The length that ends each member is the same here; only one of them ends the damaged one."""

    def equal(i: int) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page(i)[:600]

    for level in (0, 6):
        parts = [gzip.compress(record(i + 10, equal(i)), level) for i in range(20)]
        parts[7] = parts[7][:-300]
        rows, _ = load(path, b"".join(parts))
        assert [row["url"] for row in rows if row["problem"] is None] == [
            f"http://x/{i + 10}" for i in range(20) if i != 7
        ]


# HTTP.


def test_chunks_and_headers_that_lie(path: Path) -> None:
    def http(body: bytes, fields: str) -> bytes:
        return f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{fields}\r\n".encode() + body

    chunked = "Transfer-Encoding: chunked\r\n"
    body = page(3)
    cases = {
        http(b"%x\r\n%s\r\n" % (len(body), body), chunked): "damaged",
        http(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) + 9, body), chunked): "damaged",
        http(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) - 9, body), chunked): "damaged",
        http(b"ffffffffffffffff\r\n" + body, chunked): "damaged",
        http(b"5\r\n<html\r\n-5\r\n" + body, chunked): "damaged",
        http(body, chunked): None,
        http(body, f"Content-Length: {len(body) + 1}\r\n"): "damaged",
        http(body, "Content-Length: many\r\n"): None,
        http(body, f"Content-Encoding: {'gzip, ' * 50}\r\n"): "decode_error",
        http(gzip.compress(body)[:-9], "Content-Encoding: gzip\r\n"): "damaged",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX: " + b"a" * 5000: "damaged",
        b"HTTP/1.1 200": "damaged",
    }
    parts = [gzip.compress(record(3, block)) for block in cases]
    rows, _ = load(path, b"".join(parts))
    assert [row["problem"] for row in rows] == list(cases.values())
    assert {row["content"] for row in rows if row["problem"] is None} == {body}


# Bombs of 1 GB, made without making 1 GB.


def deflate_bomb(head: bytes = b"", tail: bytes = b"") -> Iterator[bytes]:
    """A gzip member of `head`, 1 GB of zeros and `tail`."""
    chunk = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(head)
    for _ in range(1024):
        crc = zlib.crc32(chunk, crc)
    yield gzip.compress(b"", mtime=0)[:10]
    first = zlib.compressobj(9, zlib.DEFLATED, -15)
    yield first.compress(head) + first.flush(zlib.Z_FULL_FLUSH)
    yield block * 1024
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    yield last.compress(tail) + last.flush()
    yield struct.pack("<II", zlib.crc32(tail, crc), (len(head) + GB + len(tail)) % (1 << 32))


def brotli_bomb() -> bytes:
    packer = brotli.Compressor(quality=1)
    return b"".join([*(packer.process(bytes(8 << 20)) for _ in range(128)), packer.finish()])


def zstd_bomb(head: bytes = b"", window: int = 8) -> bytes:
    """RFC 8878: `head` as a raw block, then blocks that say `128 KB of zeros` in four bytes; 2**window MB of window."""
    blocks = [(len(head) << 3).to_bytes(3, "little") + head] if head else []
    blocks += [(2 | (128 << 10) << 3).to_bytes(3, "little") + b"\0"] * 8192
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(window + 10) << 3]) + b"".join(blocks) + b"\x01\0\0"


READER = """
import json, sys
from collections import Counter
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from corpus.sources import SourceConfig, discover, read
import corpus.sources.warc
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
base = peak()
source = SourceConfig(name="s", kind="warc", path=sys.argv[2])
problems = Counter()
for piece in discover(source):
    for batch in read(piece, source, Counter()):
        problems.update(map(str, batch.column("problem").to_pylist()))
print(json.dumps([base, peak(), problems]))
"""


def read_apart(path: Path) -> tuple[int, int, dict[str, int]]:
    """(KB of memory before reading, at most while reading, rows by problem) of a process that reads a folder."""
    done = subprocess.run(
        [sys.executable, "-c", READER, str(ROOT), str(path)], capture_output=True, text=True, check=True
    )
    base, peak, problems = json.loads(done.stdout)
    return base, peak, problems


@pytest.mark.slow
def test_bombs_cost_neither_memory_nor_neighbours(tmp_path: Path) -> None:
    def http(coding: str, body: bytes) -> bytes:
        return f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {coding}\r\n\r\n".encode() + body

    gzipped = b"".join(deflate_bomb())
    bodies = {
        "gzip": gzipped,
        "deflate": gzipped[10:-8],
        "br": brotli_bomb(),
        "zstd": zstd_bomb(window=3),
        "gzip, gzip": gzip.compress(gzipped),
    }
    parts = twenty("gzip")
    for coding, body in bodies.items():
        (tmp_path / f"{coding}.warc.gz").write_bytes(
            b"".join([*parts[:10], gzip.compress(record(50, http(coding, body))), *parts[10:]])
        )
    for name, length in (("true", GB), ("small", 5), ("huge", 10**15)):
        head = record(50, b"", length=length).removesuffix(b"\r\n\r\n")
        bomb = b"".join(deflate_bomb(head, b"\r\n\r\n"))
        (tmp_path / f"{name}.warc.gz").write_bytes(b"".join([*parts[:10], bomb, *parts[10:]]))
    frames = twenty("zstd")
    for window in (7, 8):
        # A window of 128 MB is the most that is given.
        bomb = zstd_bomb(record(50, b"", length=GB).removesuffix(b"\r\n\r\n"), window)
        (tmp_path / f"{window}.warc.zst").write_bytes(b"".join([*frames[:10], bomb, *frames[10:]]))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 16 << 20
    base, peak, problems = read_apart(tmp_path)
    assert problems == {"None": 200, "too_large": 8, "damaged": 2}
    assert base < peak < 300 << 10


def test_a_large_record_and_a_plain_bomb_of_lies_stay_in_bounds(tmp_path: Path) -> None:
    body = b"<html>" + random.Random(1).randbytes(1 << 20).hex().encode() * 28 + b"</html>"
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(record(1, block), 1))
    (tmp_path / "b.warc").write_bytes(record(1, block, length=10**9))
    with (tmp_path / "c.warc").open("wb") as file:
        file.write(record(1, b"HTTP/1.1 200 OK\r\n\r\n", length=7 << 20))
        file.truncate(256 << 20)
    base, peak, problems = read_apart(tmp_path)
    assert problems == {"None": 1, "damaged": 2}
    assert base < peak < 300 << 10
