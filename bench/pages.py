"""A share of the default input as a WARC file that every peer can read."""

from __future__ import annotations

import hashlib
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from warcio.archiveiterator import ArchiveIterator
from warcio.warcwriter import WARCWriter

from corpus.fetch.quickstart import build

ABOUT = "half of them real, from formasaurus, half generated from Wikipedia intros"


def write_pages(given: Path, files: dict[Path, int]) -> None:
    """Write to each file its number of pages of the default input in `given`, which is made if absent.

    Chosen by hash of their URL among HTML responses of status 200 whose URL occurs once (datatrove does not look at
    the HTTP status). Each gets WARC-Identified-Payload-Type, without which datatrove guesses the type and loses some.
    """
    build(given)
    real, made = (_candidates(sorted(given.glob(pattern))) for pattern in ("formasaurus-*", "intros-*"))
    mixed = [page for pair in zip(real, made, strict=False) for page in pair]
    for path, count in files.items():
        if count > len(mixed):
            raise SystemExit(f"{given} has {len(mixed)} such pages, not {count}: choose fewer by --pages")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            writer = WARCWriter(stream, gzip=True)
            for page in mixed[:count]:
                headers = {name: page.headers.get_header(name) for name in ("WARC-Record-ID", "WARC-Date")}
                headers["WARC-Identified-Payload-Type"] = "text/html"
                record = writer.create_warc_record(
                    page.url,
                    "response",
                    payload=BytesIO(page.body),
                    length=len(page.body),
                    warc_headers_dict=headers,
                    http_headers=page.http_headers,
                )
                writer.write_record(record)


class _Page(NamedTuple):
    url: str
    headers: Any
    http_headers: Any
    body: bytes


def _candidates(paths: list[Path]) -> list[_Page]:
    """The pages of WARC files that both sides take for one, by hash of the URL."""
    found, seen = [], Counter[str]()
    for path in paths:
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                if record.rec_type != "response":
                    continue
                url = record.rec_headers.get_header("WARC-Target-URI")
                seen[url] += 1
                html = (record.http_headers.get_header("Content-Type") or "").startswith("text/html")
                if record.http_headers.get_statuscode() == "200" and html:
                    found.append(_Page(url, record.rec_headers, record.http_headers, record.content_stream().read()))
    once = [page for page in found if seen[page.url] == 1]
    return sorted(once, key=lambda page: hashlib.sha256(page.url.encode()).digest())
