"""Crawl files (WARC, WET, ARC): responses with status 200 and an HTML type, HTML resources, and conversions.

Gzip, zstd or plain, by member or in one piece; what a file is, its content tells, not its name.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import xxhash

from corpus.errors import InputError
from corpus.sources.arc import ArcGrammar
from corpus.sources.config import SourceConfig
from corpus.sources.framing import Framing, Gap, Plain
from corpus.sources.http_body import BodyError, Response, decode, parse
from corpus.sources.members import Gzip
from corpus.sources.pieces import InputFile
from corpus.sources.records import Grammar, Record, WarcGrammar, records
from corpus.sources.rows import Row, batches, valid
from corpus.sources.zstd_frames import ZstdFile

HTML = ("text/html", "application/xhtml+xml")
_HTML_BEGIN = re.compile(rb"(?i)<html|<!doctype html")
_DOCUMENTS = ("response", "resource", "conversion")
_OTHERS = ("warcinfo", "request", "metadata", "revisit", "continuation", "filedesc", "dns")
_WARC, _ARC = WarcGrammar(), ArcGrammar()
# How much of a file with a damaged beginning is searched for what it is.
_SNIFF = 64 << 20


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The documents of each file; `date` is WARC-Date or Archive-date, the time of the fetch.

    The locator is `file#offset`: of the record in a plain file, of the gzip member or zstd frame in a compressed one,
    there with `:index` for the second and later records of a member. Problems: `status`, `content_type`, `damaged`,
    `too_large`, `decode_error`, and `payload_duplicate` for a response with the stored body of an earlier one of the
    same file, whose locator is the detail. Skipped: records of other types, by type; `empty_member`, `padding`,
    `dictionary`, `skippable_frame`, `empty_file`. Raises InputError when a file cannot be opened or read.
    """
    return batches(row for file in files for row in _rows(file, config, skipped))


def _rows(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[Row]:
    empty = True
    try:
        with Path(file.path).open("rb") as stream:
            for offset, record in _records(stream.fileno(), config.max_record_bytes, skipped):
                empty = False
                row = _row(file.relative, offset, record, config.max_record_bytes, skipped)
                if row is not None:
                    yield row
    except OSError as error:
        raise InputError(
            f"source {config.name}: {file.path}: cannot be read ({error.strerror}); restore the file"
        ) from error
    if empty:
        skipped["empty_file"] += 1


def _records(descriptor: int, limit: int, skipped: Counter[str]) -> Iterator[tuple[str, Record]]:
    """(offset, record) of each record and of each range that holds none."""
    framing, grammar = frame(descriptor)
    for member in framing.members():
        if isinstance(member, Gap):
            if member.kind:
                skipped[member.kind] += 1
            else:
                detail = f"no {framing.name} member; {_range(member.offset, member.stop)}"
                yield str(member.offset), Record(0, 0, {}, problem="damaged", detail=detail)
            continue
        found = False
        for record in records(member, limit, grammar):
            found = True
            if record.problem == "damaged":
                start, stop = (member.offset, member.stop()) if member.error else (record.position, record.end)
                inside = " of what the member holds" if member.compressed and not member.error else ""
                record.detail = f"{record.detail}; {_range(start, stop)}{inside}"
            offset = member.offset if member.compressed else record.position
            yield f"{offset}:{record.index}" if member.compressed and record.index else str(offset), record
        if not found and member.compressed:
            skipped["empty_member"] += 1


def _range(start: int, stop: int) -> str:
    return f"{stop - start} bytes at {start}"


def frame(descriptor: int) -> tuple[Framing, Grammar]:
    """How an open file is cut into members, and what its records look like, by the first record that can be found."""
    size = os.fstat(descriptor).st_size
    plain = Plain(descriptor, size, _begins)
    compressed = (Gzip(descriptor, size, _begins), ZstdFile(descriptor, size, _begins))
    begin = os.pread(descriptor, 8192, 0).lstrip(b"\r\n")
    found: Framing | None = None
    if _begins(begin):
        found = plain
    for framing in compressed:
        if found is None and framing.starts_file():
            found = framing
    if found is None:
        # The first bytes are damaged: the first record that is whole tells.
        starts = [_plain_start(descriptor, size), *(framing.resync(0) for framing in compressed)]
        found = (plain, *compressed)[starts.index(min(starts))]
    if found is not plain:
        begin = found.first_bytes(found.resync(0)).lstrip(b"\r\n")
    elif not _begins(begin):
        begin = os.pread(descriptor, 8192, _plain_start(descriptor, size))
    grammar = _ARC if _ARC.begins(begin) else _WARC
    found.begins = grammar.begins
    return found, grammar


def _begins(data: bytes) -> bool:
    return _WARC.begins(data) or _ARC.begins(data)


def _plain_start(descriptor: int, size: int) -> int:
    """Where the first record of an uncompressed file begins, as far as it is searched; else its size."""
    for at in range(0, min(size, _SNIFF), 1 << 20):
        data = bytearray(os.pread(descriptor, (1 << 20) + _ARC.overlap, at))
        found = [start for grammar in (_WARC, _ARC) if (start := grammar.next(data)) is not None]
        if found:
            return at + min(found)
    return size


def _row(file: str, offset: str, record: Record, limit: int, skipped: Counter[str]) -> Row | None:
    """None for a record that is no document by its type, whole or not."""
    headers = record.headers
    kind = headers.get("warc-type", "").lower()
    if kind in _OTHERS or (kind and kind not in _DOCUMENTS and not record.problem):
        skipped[kind if kind in _OTHERS else "unknown_type"] += 1
        return None
    url = valid(headers.get("warc-target-uri", "").strip("<> ")) or None
    locator, date = f"{file}#{offset}", headers.get("warc-date") or None
    if record.problem:
        return Row(locator, url, date, problem=record.problem, detail=valid(record.detail or ""))
    try:
        response = _response(kind, record)
        declared, content = headers.get("content-type", ""), record.block
        if response is not None:
            declared = response.headers.get("content-type") or headers.get("warc-identified-payload-type", "")
        name, charset = _declared(declared)
        if name:
            _require_document(kind, name)
        if response is not None:
            content = decode(response.headers, response.body, limit)
        if not name:
            name = "text/html" if _HTML_BEGIN.search(content, 0, 1024) else "none"
            _require_document(kind, name)
    except BodyError as error:
        return Row(locator, url, date, problem=error.problem, detail=valid(error.detail))
    media_type = "text/plain" if name == "text/plain" else "text/html"
    payload = None
    if response is not None and response.body and not record.mended:
        codings = [response.headers.get(name, "") for name in ("content-encoding", "transfer-encoding")]
        # What is read or judged otherwise is no duplicate. What a header says of its body may be a lie.
        judged = "\0".join([media_type, charset or "", response.opt_out or "", *codings])
        payload = xxhash.xxh3_128_digest(xxhash.xxh3_128_digest(response.body) + judged.encode("utf-8", "replace"))
    opt_out = response.opt_out if response else None
    return Row(
        locator, url, date, content=content, media_type=media_type, charset=charset, opt_out=opt_out, payload=payload
    )


def _response(kind: str, record: Record) -> Response | None:
    """The HTTP response of a whole record, if it holds one. Raises BodyError when it is no document."""
    headers = record.headers
    if "warc-truncated" in headers:
        raise BodyError("damaged", f"WARC-Truncated: {headers['warc-truncated']}")
    if headers.get("warc-segment-number"):
        raise BodyError("damaged", "a segment of a record")
    if not kind:
        raise BodyError("damaged", "no WARC-Type")
    response = parse(record.block) if kind == "response" else None
    if response is not None and response.status != 200:
        raise BodyError("status", str(response.status))
    return response


def _declared(value: str) -> tuple[str, str | None]:
    """(media type, charset) of a Content-Type header, in lower case."""
    name, _, parameters = value.lower().partition(";")
    _, _, charset = parameters.partition("charset=")
    return name.strip(), charset.split(";")[0].strip("\"' \t")[:40] or None


def _require_document(kind: str, name: str) -> None:
    """Raise BodyError `content_type` for a media type that is no document."""
    if name not in HTML and not (kind == "conversion" and name == "text/plain"):
        raise BodyError("content_type", name[:100])
