"""Header fields as HTTP and WARC write them (RFC 9112, ISO 28500), and the digests that they carry."""

from __future__ import annotations

import base64
import hashlib


def header_fields(lines: bytes) -> list[tuple[str, str]]:
    """(name in lower case, value) of each field below the first line, in order; folded lines join."""
    fields: list[tuple[str, str]] = []
    try:
        texts = lines.decode().split("\n")
    except UnicodeDecodeError:
        texts = [_decoded(line) for line in lines.split(b"\n")]
    for text in texts[1:]:
        key, colon, value = text.partition(":")
        if fields and text[:1] in (" ", "\t"):
            name, begun = fields[-1]
            fields[-1] = name, f"{begun} {text.strip()}"
        elif colon:
            fields.append((key.strip().lower(), value.strip()))
    return fields


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def first_of_each(fields: list[tuple[str, str]]) -> dict[str, str]:
    """name -> value; the first of equal names wins."""
    return dict(reversed(fields))


def digest_fits(declared: str, data: bytes) -> bool | None:
    """Whether `ALGORITHM:VALUE` (base32 or hex) is the digest of `data`; None for one that cannot be computed."""
    algorithm, _, text = declared.partition(":")
    try:
        digest = hashlib.new(algorithm.lower().replace("-", ""), data, usedforsecurity=False).digest()
        if len(text) == 2 * len(digest):
            return bytes.fromhex(text) == digest
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8)) == digest
    except (ValueError, TypeError):
        return None
