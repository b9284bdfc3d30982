"""Bytes of a page to text, and text without what is no text."""

from __future__ import annotations

import codecs
import re

from corpus.extract.sniff import utf16

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"""<meta[^>]{1,512}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([A-Za-z0-9_:.+-]{2,40})""", re.IGNORECASE)
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1f\x85]")
# More than this share of U+FFFD says that the charset is wrong, less that the page has a few broken bytes.
_WRONG = 0.01


def decode(content: bytes, charset: str | None = None) -> tuple[str, str]:
    """(text, name of the charset that it was decoded with). Never fails: bytes without meaning become U+FFFD.

    The order: byte order mark; UTF-16 if every other byte is NUL; UTF-8 if all of it is valid and some of it is not
    ASCII, since pages declare a wrong charset more often than other bytes happen to be UTF-8 (trafilatura does the
    same); the transport's `charset`; `<meta>` in the first 1,024 bytes (WHATWG prescan); uchardet's guess.
    """
    for mark, name in _BOMS:
        if content.startswith(mark):
            return content[len(mark) :].decode(name, "replace"), name
    if 0 in content[:2] and (unmarked := utf16(content)):
        return content.decode(unmarked, "replace"), unmarked
    try:
        text = content.decode()
        # ISO-2022 and HZ are 7-bit: only an escape tells them from ASCII.
        if not content.isascii() or not (b"\x1b" in content or b"~{" in content):
            return text, "utf-8"
    except UnicodeDecodeError:
        pass
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

    meta = _META.search(content, 0, 1024)
    for label in (charset, meta and meta[1].decode()):
        declared = map_encoding_to_html5(label, fallback_utf8=False) if label else None
        # WHATWG: a <meta> that could be read as ASCII does not mean UTF-16.
        if declared and not declared.startswith("utf-16"):
            text = content.decode(declared, "replace")
            if text.count("\ufffd") <= _WRONG * len(text):
                return text, declared
    detected = detect_encoding(content) or "utf-8"
    return content.decode(detected, "replace"), detected


def clean(text: str) -> str:
    """Text with `\\n` line ends; no NUL, control characters (but `\\n`, `\\t`), surrogates, BOM, outer space."""
    return _NO_TEXT.sub("", _LINE_ENDS.sub("\n", text)).strip()
