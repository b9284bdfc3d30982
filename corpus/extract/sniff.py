"""Bytes that are no page, whatever their type says: signatures of WHATWG's MIME Sniffing standard and a few more."""

from __future__ import annotations

import re

# Left out are marks that may begin a sentence: "BM", "MZ".
_SIGNATURES = {
    b"%PDF-": "PDF",
    b"%!PS-Adobe-": "PostScript",
    b"{\\rtf": "RTF",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\0\0\1\0": "icon",
    b"\0\0\2\0": "icon",
    b"OggS\0": "Ogg",
    b"fLaC\0": "FLAC",
    b"MThd\0\0\0\6": "MIDI",
    b"FLV\1": "Flash",
    b"\x1a\x45\xdf\xa3": "WebM",
    b"\x1f\x8b\x08": "gzip",
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",
    b"Rar!\x1a\7": "RAR",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"OTTO\0": "font",
    b"ttcf\0": "font",
    b"\0\1\0\0": "font",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "OLE2 (DOC, XLS)",
    b"\x7fELF": "program",
    b"\xca\xfe\xba\xbe": "program",
    b"\0asm": "program",
}
_MARKS = tuple(_SIGNATURES)
_DEEPER = (
    (re.compile(rb"RIFF....(WEBP|WAVE|AVI )", re.DOTALL), "RIFF"),
    (re.compile(rb"FORM....AIF[FC]", re.DOTALL), "AIFF"),
    (re.compile(rb"\0\0\0.ftyp", re.DOTALL), "MP4"),
    (re.compile(rb"BZh[1-9]1AY&SY"), "bzip2"),
    (re.compile(rb"ID3[\2-\4]\0"), "MP3"),
    (re.compile(rb"[CFZ]WS[\1-\x1f]"), "Flash"),
    (re.compile(rb"wOF[F2](?:\x00\x01\x00\x00|OTTO|true)"), "font"),
)
# WHATWG's "binary data bytes" but the vertical tab, which word processors leave: no encoding that keeps ASCII has them.
_BINARY = bytes([*range(9), *range(0x0E, 0x1B), *range(0x1C, 0x20)])
_HEADER = 1445
# One stray byte is a slip in a page (WHATWG lets a declared text/html pass with any); more than this is none.
_MANY = 0.02


def not_html(content: bytes) -> str | None:
    """The name of what these bytes are, or None where they may be a page. UTF-16 without a mark may."""
    start = content[:64].lstrip()
    if start.startswith(_MARKS):
        return next(name for mark, name in _SIGNATURES.items() if start.startswith(mark))
    for pattern, name in _DEEPER:
        if pattern.match(start):
            return name
    header = content[:_HEADER]
    if header.startswith((b"\xff\xfe", b"\xfe\xff")) or utf16(header):
        return None
    binary = len(header) - len(header.translate(None, _BINARY))
    return "binary" if binary > max(2, _MANY * len(header)) else None


def utf16(content: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` where every other byte of the start is NUL, as it is of markup in them."""
    header = content[: _HEADER & ~1]
    for name, high, low in (("utf-16-le", header[1::2], header[::2]), ("utf-16-be", header[::2], header[1::2])):
        if len(high) >= 4 and high.count(0) > 0.4 * len(high) and not low.count(0):
            return name
    return None
