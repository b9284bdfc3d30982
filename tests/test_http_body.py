"""HTTP bodies of several members, and what stands behind the end of a coding."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.http_body import BodyError, decode

LIMIT = 1 << 20
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0abc"


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "deflate": zlib.compress,
    "deflate raw": raw_deflate,
}


def undo(coding: str, body: bytes, limit: int = LIMIT) -> bytes:
    return decode({"content-encoding": coding.partition(" ")[0]}, body, limit)


def problem(coding: str, body: bytes, limit: int = LIMIT) -> tuple[str, str]:
    with pytest.raises(BodyError) as caught:
        undo(coding, body, limit)
    return caught.value.problem, caught.value.detail


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@given(parts=st.lists(st.binary(max_size=2000), min_size=1, max_size=40), padding=st.sampled_from([b"", b"\0" * 600]))
def test_members_are_one_body(coding: str, parts: list[bytes], padding: bytes) -> None:
    assert undo(coding, b"".join(map(PACK[coding], parts)) + padding) == b"".join(parts)


def test_large_members_end_inside_a_step() -> None:
    parts = [bytes([65 + i]) * size for i, size in enumerate((65536, 131072, 65535, 300_000))]
    for coding in ("gzip", "zstd"):
        assert undo(coding, b"".join(map(PACK[coding], parts))) == b"".join(parts)
    assert undo("zstd", SKIPPABLE + zstandard.compress(b"a") + SKIPPABLE + zstandard.compress(b"b")) == b"ab"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_later_member_that_is_cut_corrupt_or_too_large(coding: str) -> None:
    first, second = PACK[coding](b"first"), PACK[coding](bytes(range(256)) * 9)
    assert problem(coding, first + second[:-5])[0] == "damaged"
    half = len(second) // 2
    assert problem("gzip", gzip.compress(b"a") + gzip.compress(b"b")[:-8] + bytes(8))[0] == "decode_error"
    assert problem(coding, first + second[:half])[0] == "damaged"
    large = PACK[coding](b"a" * (LIMIT - 4))
    assert problem(coding, large + first) == ("too_large", f"more than {LIMIT} bytes after {coding}")


def test_ten_thousand_empty_members_are_no_body() -> None:
    for coding in ("gzip", "zstd"):
        assert problem(coding, PACK[coding](b"") * 20_000) == ("decode_error", f"{coding}: more than 10000 members")


@pytest.mark.parametrize("coding", PACK)
def test_what_stands_behind_the_end(coding: str) -> None:
    body = PACK[coding](b"<p>text</p>")
    for harmless in (b"\0" * 5000, b"\r\n \t\n", b"\x01\x02\x03\x04", b"\0\0" + b"8 bytes."):
        assert undo(coding, body + harmless) == b"<p>text</p>"
    name = coding.partition(" ")[0]
    assert problem(coding, body + b"<p>more</p>") == ("decode_error", f"{name}: 11 bytes behind its end")
