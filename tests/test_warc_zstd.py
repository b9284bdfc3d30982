"""WARC files compressed by zstd: by frame and in one, with and without a dictionary; made by the reference library."""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections import Counter
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import reading
import zstandard

DICTIONARY = 0x184D2A5D


def page(i: int) -> bytes:
    words = random.Random(i).choices(["river", "mountain", "island", "<b>bridge</b>", "village", "winter"], k=150)
    return f"<html><body><p>Page {i}. {' '.join(words)}.</p></body></html>".encode()


def record(i: int) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page(i)
    head = (
        f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: http://x/{i}\r\nWARC-Date: 2020-01-02T03:04:05Z\r\n"
        f"WARC-Block-Digest: sha1:{hashlib.sha1(block).hexdigest()}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


RECORDS = [record(i) for i in range(20)]


def skippable(content: bytes, magic: int = DICTIONARY) -> bytes:
    return magic.to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


def dictionary() -> zstandard.ZstdCompressionDict:
    return zstandard.train_dictionary(4096, [record(i) for i in range(100, 400)])


def load(path: Path, data: bytes, **options: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    path.write_bytes(data)
    return reading.rows(path, "warc", **options)


def whole(rows: list[dict[str, Any]]) -> list[int]:
    found = [row for row in rows if not row["problem"]]
    numbers = [int(row["url"].rpartition("/")[2]) for row in found]
    assert [row["content"] for row in found] == [page(i) for i in numbers]
    return numbers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.warc.zst"


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("checksum", [True, False])
def test_frames_with_a_dictionary(path: Path, compressed: bool, checksum: bool) -> None:
    known = dictionary()
    packer = zstandard.ZstdCompressor(dict_data=known, write_checksum=checksum)
    content = zstandard.compress(known.as_bytes()) if compressed else known.as_bytes()
    frames = [packer.compress(data) for data in RECORDS]
    assert len(frames[0]) < 0.7 * len(zstandard.compress(RECORDS[0]))
    rows, skipped = load(path, skippable(content) + b"".join(frames))
    assert whole(rows) == list(range(20))
    assert skipped == {"dictionary": 1}
    start = 8 + len(content)
    assert [row["locator"] for row in rows] == [f"a.warc.zst#{start + sum(map(len, frames[:i]))}" for i in range(20)]
    # One bad frame is one page.
    hurt = bytearray(skippable(content) + b"".join(frames))
    hurt[start + len(frames[0]) + len(frames[1]) // 2] ^= 1
    rows, _ = load(path, bytes(hurt))
    assert whole(rows) == [0, *range(2, 20)]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, zstandard.compress(b"other" * 99), zstandard.compress(b"a" * 99)[:-3]]
)
def test_a_dictionary_that_is_not_the_one(path: Path, content: bytes) -> None:
    packer = zstandard.ZstdCompressor(dict_data=dictionary(), write_checksum=True)
    rows, skipped = load(path, skippable(content) + b"".join(map(packer.compress, RECORDS)))
    assert {row["problem"] for row in rows} == {"damaged"}
    assert len(rows) + sum(skipped.values()) == 21 or len(rows) == 1


def test_a_dictionary_that_is_damaged(path: Path) -> None:
    known = dictionary()
    packer = zstandard.ZstdCompressor(dict_data=known, write_checksum=True)
    body = b"".join(map(packer.compress, RECORDS))
    rng = random.Random(1)
    for _ in range(100):
        hurt = bytearray(known.as_bytes())
        hurt[rng.randrange(4, 300)] ^= 1 << rng.randrange(8)
        rows, skipped = load(path, skippable(bytes(hurt)) + body)
        assert len(rows) == 20
        whole(rows)
        assert skipped == {"dictionary": 1}


def test_skippable_frames_and_padding(path: Path) -> None:
    frames = [zstandard.compress(data) for data in RECORDS]
    seek_table = skippable(b"table" * 10, 0x184D2A5E)
    data = b"".join([*frames[:5], seek_table, *frames[5:], seek_table, seek_table])
    rows, skipped = load(path, data)
    assert whole(rows) == list(range(20))
    assert skipped == {"skippable_frame": 3}
    # One that claims more than there is.
    rows, _ = load(path, b"".join([*frames[:5], b"\x50\x2a\x4d\x18\xff\xff\xff\x7f", *frames[5:]]))
    assert whole(rows) == list(range(20))
    assert [row["detail"] for row in rows if row["problem"]] == [
        f"no zstd member; 8 bytes at {sum(map(len, frames[:5]))}"
    ]


@pytest.mark.parametrize("size", [97, 1000, 10**9])
def test_frames_that_are_not_the_records(path: Path, size: int) -> None:
    """One frame of all, and frames that cut the records anywhere."""
    stream = b"".join(RECORDS)
    parts = [stream[at : at + size] for at in range(0, len(stream), size)]
    rows, _ = load(path, b"".join(map(zstandard.compress, parts)))
    assert whole(rows) == list(range(20))


def test_one_frame_that_ends_early_or_is_damaged(path: Path) -> None:
    packer = zstandard.ZstdCompressor(write_checksum=True)
    many = b"".join(record(i) for i in range(2000))
    data = packer.compress(many)
    rows, _ = load(path, data[: len(data) // 2])
    numbers = whole(rows)
    assert numbers == list(range(len(numbers)))
    assert 50 < len(numbers) < 1950
    assert rows[-1]["problem"] == "damaged"
    hurt = bytearray(data)
    hurt[len(hurt) // 2] ^= 1
    rows, _ = load(path, bytes(hurt))
    assert len(whole(rows)) > 50
    assert rows[-1]["problem"] == "damaged"


def test_lying_lengths_in_one_frame(path: Path) -> None:
    records = [record(i).replace(b"WARC-Block", b"X-Block") for i in range(300)]
    for i in (10, 50, 51, 52, 53, 54, 55, 200):
        records[i] = records[i].replace(b"Content-Length: ", b"Content-Length: 1" + b"0" * (i % 7))
    packer = zstandard.ZstdCompressor(write_checksum=True)
    rows, _ = load(path, packer.compress(b"".join(records)), max_record_mb=1)
    assert whole(rows) == list(range(300))


def test_a_window_that_is_too_large(path: Path) -> None:
    frames = [zstandard.compress(data) for data in RECORDS]
    wide = b"\x28\xb5\x2f\xfd\x00" + bytes([(18 << 3) + 1]) + b"\x01\0\0"
    rows, _ = load(path, b"".join([*frames[:5], wide, *frames[5:]]))
    assert whole(rows) == list(range(20))
    assert [(row["problem"], row["detail"]) for row in rows if row["problem"]] == [
        ("too_large", f"a zstd frame that needs a window of {9 << 25} bytes")
    ]


@pytest.mark.parametrize("left", [1, 3, 4, 5, 6, 9, 12, 40, 41])
def test_a_last_frame_that_is_cut(path: Path, left: int) -> None:
    frames = [zstandard.compress(data) for data in RECORDS]
    rows, _ = load(path, b"".join(frames[:19]) + frames[19][:left])
    assert whole(rows) == list(range(19))
    assert [row["problem"] for row in rows[19:]] == ["damaged"]


@pytest.mark.skipif(which("zstd") is None, reason="the zstd command is not installed")
@pytest.mark.parametrize("options", [[], ["--long=27", "-19"], ["-T2", "-B100KB"], ["--no-check"]])
def test_files_of_the_zstd_command(tmp_path: Path, options: list[str]) -> None:
    source = tmp_path / "a.warc"
    source.write_bytes(b"".join(RECORDS))
    subprocess.run(["zstd", "-q", *options, str(source)], check=True)
    rows, _ = load(tmp_path / "b.warc.zst", (tmp_path / "a.warc.zst").read_bytes())
    assert whole(rows) == list(range(20))
