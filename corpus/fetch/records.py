"""Single records of a crawl's WARC files, by byte ranges, into WARC files of ours.

Each record is a gzip member, taken byte for byte and only when it is whole. The records stand in a fixed order, so
what a killed run left of a file is known by its lengths and checksums, and the next run goes on behind it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from corpus.errors import InputError
from corpus.fetch.client import Client
from corpus.fetch.download import Manifest, Observer, foreign, whole_member, work_files
from corpus.fetch.index import Record
from corpus.fetch.response import Damaged, Gone
from corpus.store import fsync, write_atomic

GAP = (
    8 << 10
)  # bytes between two records (the request, the metadata of a page) that are cheaper to skip than to ask twice
MERGED = 8 << 20  # bytes of a request at most, when it brings more than one record
FILE = 128 << 20  # bytes of records a file: enough files for many workers to read
HOPELESS = 20  # so many records missing, and more than half: it is not the records


def files(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Records in their order, cut into what one file takes: by the records alone."""
    taken: list[Record] = []
    size = 0
    for record in records:
        if taken and size + record.length > FILE:
            yield taken
            taken, size = [], 0
        taken.append(record)
        size += record.length
    if taken:
        yield taken


def write(
    client: Client, pool: ThreadPoolExecutor, base: str, records: Sequence[Record], path: Path, url: str,
    manifest: Manifest, workers: int, observer: Observer,
) -> bool:  # fmt: skip
    """Write the records that lie under the URL `base` into `path`, unless it is listed; True when any was fetched.

    Records that the server does not have, or has damaged, are left out and listed with the file in the manifest.
    Raises InputError when none can be had, or when the server fails otherwise.
    """
    total = sum(record.length for record in records)
    if manifest.has(path.name, url):
        observer.update(path.name, total, total)
        return False
    part, state = work_files(path)
    missing: list[dict[str, Any]] = _missing(state)
    gone = {(entry["filename"], entry["offset"]) for entry in missing}
    there = [record for record in records if (record.filename, record.offset) not in gone]
    if path.exists() and path.name not in manifest.files:
        if _kept(path, there) != len(there) or path.stat().st_size != sum(record.length for record in there):
            raise foreign(path)
    else:
        kept = _kept(part, there)
        done = sum(record.length for record in there[:kept])
        last = there[kept - 1] if kept else None
        # What was missing behind the end of the part is asked for again.
        missing = [entry for entry in missing if last and (entry["filename"], entry["offset"]) < last[:2]]
        rest = [record for record in records if last is None or record[:2] > last[:2]]
        with part.open("r+b" if part.exists() else "wb") as stream:
            stream.truncate(done)
            stream.seek(done)
            for record, found in _ordered(client, pool, base, rest, workers):
                if isinstance(found, bytes):
                    stream.write(found)
                    stream.flush()
                else:
                    missing.append(
                        {"url": record.url, "filename": record.filename, "offset": record.offset, "why": found}
                    )
                    if len(missing) >= HOPELESS and 2 * len(missing) > kept + len(missing):
                        raise InputError(f"{found} ({len(missing)} of the first {kept + len(missing)} records)")
                    write_atomic(state, json.dumps(missing))  # before anything behind it reaches the part
                kept += isinstance(found, bytes)
                done += record.length
                observer.update(path.name, done, total)
            os.fsync(stream.fileno())
        if not kept:
            raise InputError(f"{missing[0]['why']} (none of the {len(records)} records can be had)")
        part.replace(path)
        fsync(path.parent)
    manifest.add(path.name, url, records=len(records) - len(missing), missing=missing)
    state.unlink(missing_ok=True)
    return True


def _missing(state: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(state.read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return []


def _kept(path: Path, records: Sequence[Record]) -> int:
    """How many of the records a file begins with, whole."""
    if not path.exists():
        return 0
    with path.open("rb") as stream:
        for number, record in enumerate(records):
            if not _is_record(stream.read(record.length)):
                return number
    return len(records)


def _is_record(data: bytes) -> bool:
    return whole_member(data) and zlib.decompressobj(31).decompress(data, 5) == b"WARC/"


def _ordered(
    client: Client, pool: ThreadPoolExecutor, base: str, records: Sequence[Record], workers: int
) -> Iterator[tuple[Record, bytes | str]]:
    """Each record with its bytes, or with why there are none, in order; a few requests ahead of the reader."""
    ranges = _merged(records)
    ahead: deque[tuple[list[Record], Future[list[bytes | str]]]] = deque()
    while True:
        while len(ahead) < 2 * workers and (group := next(ranges, None)):
            ahead.append((group, pool.submit(_fetch, client, base, group)))
        if not ahead:
            return
        group, future = ahead.popleft()
        yield from zip(group, future.result(), strict=True)


def _merged(records: Sequence[Record]) -> Iterator[list[Record]]:
    group: list[Record] = []
    for record in records:
        if group and not (
            record.filename == group[0].filename
            and 0 <= record.offset - (group[-1].offset + group[-1].length) <= GAP
            and record.offset + record.length - group[0].offset <= MERGED
        ):
            yield group
            group = []
        group.append(record)
    if group:
        yield group


def _fetch(client: Client, base: str, group: list[Record]) -> list[bytes | str]:
    url, start = base + group[0].filename, group[0].offset

    def attempt() -> list[bytes | str]:
        body, _ = client.range(url, start, group[-1].offset + group[-1].length - start)
        found = [body[record.offset - start : record.offset - start + record.length] for record in group]
        if not all(map(_is_record, found)):
            raise Damaged("what the index calls a record is none, or is cut")
        return list(found)

    try:
        return client.retry(url, attempt)
    except Gone as error:
        return [str(error)] if len(group) == 1 else [_fetch(client, base, [record])[0] for record in group]
