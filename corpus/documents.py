"""THE schemas: documents, raw records before extraction, ledgers and edits.

Everything that moves between stages is an Arrow record batch of one of these.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

ID = pa.binary(16)

DOCUMENT = pa.schema(
    [
        # 16 bytes of a hash over source name + locator: stable across runs, never positional.
        pa.field("id", ID, nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        # Name of the source in the recipe.
        pa.field("source", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        # Where the record lies: `file#offset` for WARC, `file#line` for JSONL, `file#row` for Parquet, `file`.
        pa.field("locator", pa.string(), nullable=False),
        # ISO 8601, as precise as the source gives it.
        pa.field("date", pa.string()),
        pa.field("title", pa.string()),
        pa.field("author", pa.string()),
        # What the page says of itself (`<html lang>`), not what was detected.
        pa.field("declared_language", pa.string()),
        # The address that the page names as its own (`<link rel=canonical>`), absolute.
        pa.field("canonical_url", pa.string()),
        # Name or SPDX expression of the licence that the source states: of the repository, of the book, of the row.
        pa.field("license", pa.string()),
        # Of source code, in GitHub Linguist's names: `Python`, `C++`.
        pa.field("programming_language", pa.string()),
        # sha256 of the text's UTF-8 bytes, and their number.
        pa.field("content_sha", pa.binary(32), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        # Name, version and options of what made the text, e.g. `resiliparse 2.0.1 main_content`.
        pa.field("extractor", pa.string(), nullable=False),
    ]
)

# What a source yields, one row a record, before extraction. A row with `problem` set is a dead letter: it is counted
# as read and goes to the ledger of `extract` under that rule, with `detail`.
RAW = pa.schema(
    [
        pa.field("locator", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("date", pa.string()),
        pa.field("title", pa.string()),
        pa.field("author", pa.string()),
        pa.field("declared_language", pa.string()),
        pa.field("content", pa.large_binary()),
        # `text/html` (goes through an extractor) or `text/plain` (UTF-8, is the text).
        pa.field("media_type", pa.string()),
        # Charset that the transport declared (HTTP header), if any.
        pa.field("charset", pa.string()),
        pa.field("problem", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("license", pa.string()),
        pa.field("programming_language", pa.string()),
        # What the transport said of reuse: the values of `X-Robots-Tag` and `TDM-Reservation`, as
        # `x-robots-tag: VALUE` and `tdm-reservation: VALUE`, one a line.
        pa.field("opt_out", pa.string()),
        # Digest of what was stored and of all else that its text depends on: equal ones give equal documents.
        pa.field("payload", pa.binary(16)),
    ]
)

# One row for each rule that a dropped document failed.
LEDGER = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("detail", pa.string()),
        # Only in the ledger of `extract`, whose documents never reach the base table.
        pa.field("url", pa.string()),
        pa.field("locator", pa.string()),
    ]
)

# Spans of the text as it stood before the stage, in UTF-8 bytes, sorted and disjoint within a document.
EDITS = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("replacement", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
    ]
)


def document_id(source: str, locator: str) -> bytes:
    """16 bytes: BLAKE2b over the source's name and the record's locator."""
    return hashlib.blake2b(f"{source}\0{locator}".encode("utf-8", "surrogateescape"), digest_size=16).digest()
