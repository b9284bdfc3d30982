"""HTTP responses as WARC holds them: the header, and the body with its transfer and content codings undone.

Every decoder is bounded. Crawlers often store a body already decoded under its old header, so a body that is plainly
text where a coding was declared is taken as it is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

from corpus.sources.headers import first_of_each, header_fields

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})")
_BLANK = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]{0,1024})?\r?\n")
_STEP = 64 << 10
# As many as curl takes.
_MAX_CODINGS = 5
_MAX_MEMBERS = 10_000
# Less than this behind a coding's end is no text: raw deflate often has a checksum there, which curl lets pass too.
_MAX_TRAILER = 8
_GZIP = re.compile(rb"\x1f\x8b\x08")
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # a frame, or one to skip
_OPT_OUT = ("x-robots-tag", "tdm-reservation")


class BodyError(Exception):
    """(problem, detail) of a body that gives no document."""

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(problem, detail)
        self.problem, self.detail = problem, detail


class Response(NamedTuple):
    """An HTTP response: `headers` with names in lower case, the first of equal names; `body` as stored.

    `opt_out` is what it says of reuse, as `corpus.documents.RAW` has it: every `X-Robots-Tag` (which may be repeated)
    and `TDM-Reservation` (W3C TDMRep), one a line.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    opt_out: str | None


def parse(block: bytes) -> Response | None:
    """None for a block that is no HTTP response. Raises BodyError (`damaged`) for a header that does not end."""
    status = _STATUS.match(block)
    if status is None:
        return None
    blank = _BLANK.search(block, 0, 1 << 20)
    if blank is None:
        raise BodyError("damaged", "the HTTP header does not end")
    fields = header_fields(block[: blank.start()])
    said = [f"{name}: {' '.join(value.split())}" for name, value in fields if name in _OPT_OUT]
    # Each once: a header may say the same a thousand times.
    opt_out = "\n".join(dict.fromkeys(said)) if said else None
    return Response(int(status[1]), first_of_each(fields), block[blank.end() :], opt_out)


def ends_where_it_says(block: bytes) -> bool | None:
    """Whether a response ends where its own framing says (RFC 9112, 6.3); None where that says nothing."""
    try:
        response = parse(block)
        if response is None:
            return None
        headers, body = response.headers, response.body
        if _chunked(headers):
            return None if _dechunk(body) is body else True
    except BodyError:
        return False
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return None
    # A body that was stored decoded has another length than its header says.
    return int(length[:18]) == len(body) or (None if _codings(headers) else False)


def decode(headers: dict[str, str], raw: bytes, limit: int) -> bytes:
    """The body of at most `limit` bytes. Raises BodyError: `damaged` (cut), `too_large`, `decode_error`."""
    codings, chunked = _codings(headers), _chunked(headers)
    length = headers.get("content-length", "")
    if not chunked and not codings and length.isdecimal() and len(raw) < int(length[:18]):
        raise BodyError("damaged", f"HTTP Content-Length {length}, body {len(raw)} bytes")
    if len(codings) > _MAX_CODINGS:
        raise BodyError("decode_error", f"{len(codings)} codings one in another")
    body = _dechunk(raw) if chunked else raw
    for name in reversed(codings):
        body = _undo(name, body, limit)
    return body


def _codings(headers: dict[str, str]) -> list[str]:
    """Content codings in the order in which they were applied."""
    if "content-encoding" not in headers:
        return []
    names = [name.strip() for name in headers["content-encoding"].lower().split(",")]
    return [name for name in names if name not in ("", "identity", "none", "utf-8")]


def _chunked(headers: dict[str, str]) -> bool:
    return "chunked" in headers.get("transfer-encoding", "").lower()


def _dechunk(raw: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        head = _CHUNK.match(raw, at)
        if head is None:
            if at == 0 and raw:
                return raw
            raise BodyError("damaged", f"a broken chunk at byte {at} of the HTTP body")
        size, begin = int(head[1], 16), head.end()
        if size == 0:
            return b"".join(parts)
        if begin + size > len(raw):
            raise BodyError("damaged", "the HTTP body ends inside a chunk")
        parts.append(raw[begin : begin + size])
        at = begin + size
        at += 2 if raw[at : at + 2] == b"\r\n" else 1 if raw[at : at + 1] == b"\n" else 0


def _undo(name: str, body: bytes, limit: int) -> bytes:
    decoder = _DECODERS.get(name.removeprefix("x-"))
    parts: list[bytes] = []
    size = 0
    try:
        if decoder is None:
            raise ValueError(f"unknown Content-Encoding {name[:40]}")
        for part in decoder(body):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise BodyError("too_large", f"more than {limit} bytes after {name}")
    except EOFError as error:
        raise BodyError("damaged", f"the HTTP body ends inside its {name} coding") from error
    except BodyError:
        raise
    except Exception as error:  # each library has its own
        if size == 0 and b"<" in body[:512] and b"\0" not in body[:512]:
            return body
        raise BodyError("decode_error", f"{name}: {error}"[:200]) from error
    return b"".join(parts)


def _inflate(body: bytes, at: int, wbits: int) -> Generator[bytes, None, int]:
    """Gives where it ends."""
    inflater = zlib.decompressobj(wbits)
    while not inflater.eof:
        data = inflater.unconsumed_tail
        if not data:
            # `unused_data` is a copy: what is given at once bounds it.
            data = body[at : at + (16 << 10)]
            at += len(data)
        part = inflater.decompress(data, _STEP)
        if not data and not part:
            raise EOFError
        yield part
    return at - len(inflater.unused_data)


def _members(
    body: bytes, member: Callable[[bytes, int], Generator[bytes, None, int]], magic: re.Pattern[bytes]
) -> Iterator[bytes]:
    """Members one behind the other are one body (RFC 1952, 2.2; RFC 8878, 3.1)."""
    at = yield from member(body, 0)
    for _ in range(_MAX_MEMBERS):
        if not magic.match(body, at):
            return _require_end(body, at)
        at = yield from member(body, at)
    raise ValueError(f"more than {_MAX_MEMBERS} members")


def _require_end(body: bytes, at: int) -> None:
    """Zeros and blanks fill up; anything else may be text that a server wrote behind."""
    rest = len(body[at:].strip(b"\0 \t\r\n"))
    if rest > _MAX_TRAILER:
        raise ValueError(f"{rest} bytes behind its end")


def _gzip(body: bytes) -> Iterator[bytes]:
    return _members(body, lambda body, at: _inflate(body, at, 31), _GZIP)


def _deflate(body: bytes) -> Iterator[bytes]:
    """RFC 9110 means zlib's format; many servers send raw deflate."""
    wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    _require_end(body, (yield from _inflate(body, 0, 15 if wrapped else -15)))


def _brotli(body: bytes) -> Iterator[bytes]:
    import brotli

    decompressor = brotli.Decompressor()
    part = decompressor.process(body, output_buffer_limit=_STEP)
    while part or not decompressor.can_accept_more_data():
        yield part
        part = decompressor.process(b"", output_buffer_limit=_STEP)
    if not decompressor.is_finished():
        raise EOFError


def _zstd(body: bytes) -> Iterator[bytes]:
    import zstandard

    # RFC 9659: a window of at most 8 MB for the content coding.
    decompressor = zstandard.ZstdDecompressor(max_window_size=8 << 20)

    def frame(body: bytes, at: int) -> Generator[bytes, None, int]:
        frame = decompressor.decompressobj()
        while not frame.eof:
            if at >= len(body):
                raise EOFError
            yield frame.decompress(body[at : at + 512])
            at = min(at + 512, len(body))
        return at - len(frame.unused_data)

    return _members(body, frame, _ZSTD)


_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
