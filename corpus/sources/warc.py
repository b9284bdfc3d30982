"""WARC files: responses with status 200 and an HTML type, HTML resources, and conversions (WET) are documents."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from corpus.errors import InputError
from corpus.sources.config import SourceConfig
from corpus.sources.http_body import BodyError, decode, parse
from corpus.sources.members import MAGIC, Gap, PlainFile, members, resync
from corpus.sources.pieces import InputFile
from corpus.sources.records import Record, records
from corpus.sources.rows import Row, batches, valid

HTML = ("text/html", "application/xhtml+xml")
_DOCUMENTS = ("response", "resource", "conversion")
_OTHERS = ("warcinfo", "request", "metadata", "revisit", "continuation")


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The documents of each file; `date` is WARC-Date, the time of the fetch.

    The locator is `file#offset`: of the record in a plain file, of the gzip member in a compressed one, there with
    `:index` for the second and later records of a member. Problems: `status`, `content_type`, `damaged`,
    `too_large`, `decode_error`. Skipped, by WARC-Type: records of other types; `empty_member`, `padding`,
    `empty_file`. Raises InputError when a file cannot be opened or read.
    """
    return batches(row for file in files for row in _rows(file, config, skipped))


def _rows(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[Row]:
    empty = True
    try:
        with Path(file.path).open("rb") as stream:
            for offset, record in _records(stream.fileno(), config.max_record_bytes, skipped):
                empty = False
                row = _row(f"{file.relative}#{offset}", record, config.max_record_bytes, skipped)
                if row is not None:
                    yield row
    except OSError as error:
        raise InputError(
            f"source {config.name}: {file.path}: cannot be read ({error.strerror}); restore the file"
        ) from error
    if empty:
        skipped["empty_file"] += 1


def _records(descriptor: int, limit: int, skipped: Counter[str]) -> Iterator[tuple[str, Record]]:
    size = os.fstat(descriptor).st_size
    begin = os.pread(descriptor, 64, 0).lstrip(b"\r\n")
    # A file whose first byte is damaged is still known by what follows.
    if begin.startswith(b"WARC/") or not (begin.startswith(MAGIC) or resync(descriptor, 0, size) < size):
        for record in records(PlainFile(descriptor), limit):
            yield str(record.position), record
        return
    for member in members(descriptor, size):
        if isinstance(member, Gap):
            if member.zeros:
                skipped["padding"] += 1
            else:
                detail = f"{member.size} bytes that are no gzip member"
                yield str(member.offset), Record(0, 0, {}, problem="damaged", detail=detail)
            continue
        found = False
        for record in records(member, limit):
            found = True
            yield f"{member.offset}:{record.index}" if record.index else str(member.offset), record
        if not found:
            skipped["empty_member"] += 1


def _row(locator: str, record: Record, limit: int, skipped: Counter[str]) -> Row | None:
    """None for a record that is no document by its type, whole or not."""
    headers = record.headers
    kind = headers.get("warc-type", "").lower()
    if kind in _OTHERS or (kind and kind not in _DOCUMENTS and not record.problem):
        skipped[kind if kind in _OTHERS else "unknown_type"] += 1
        return None
    base = Row(
        locator,
        url=valid(headers.get("warc-target-uri", "").strip("<> ")) or None,
        date=headers.get("warc-date") or None,
    )
    if record.problem:
        return base._replace(problem=record.problem, detail=record.detail)
    try:
        media_type, charset, content = _content(kind, record, limit)
    except BodyError as error:
        return base._replace(problem=error.problem, detail=valid(error.detail))
    return base._replace(content=content, media_type=media_type, charset=charset)


def _content(kind: str, record: Record, limit: int) -> tuple[str, str | None, bytes]:
    """(media type, declared charset, body) of a whole record. Raises BodyError when it is no document."""
    headers, body = record.headers, record.block
    if "warc-truncated" in headers:
        raise BodyError("damaged", f"WARC-Truncated: {headers['warc-truncated']}")
    if headers.get("warc-segment-number"):
        raise BodyError("damaged", "a segment of a record")
    if not kind:
        raise BodyError("damaged", "no WARC-Type")
    declared = headers.get("content-type", "")
    response = parse(body) if kind == "response" else None
    if response is not None:
        status, fields, raw = response
        if status != 200:
            raise BodyError("status", str(status))
        declared = fields.get("content-type") or headers.get("warc-identified-payload-type", "")
        _media_type(kind, declared, raw)
        body = decode(fields, raw, limit)
    media_type, charset = _media_type(kind, declared, body)
    return media_type, charset, body


def _media_type(kind: str, declared: str, body: bytes) -> tuple[str, str | None]:
    """(media type as `RAW` has it, declared charset). Raises BodyError `content_type` for one that is no document."""
    name, _, parameters = declared.partition(";")
    name = name.strip().lower()
    if not name and (b"<html" in body[:1024].lower() or b"<!doctype html" in body[:1024].lower()):
        name = "text/html"
    if name not in HTML and not (kind == "conversion" and name == "text/plain"):
        raise BodyError("content_type", (name or "none")[:100])
    _, _, charset = parameters.lower().partition("charset=")
    charset = charset.split(";")[0].strip("\"' \t")[:40]
    return ("text/plain" if name == "text/plain" else "text/html"), charset or None
