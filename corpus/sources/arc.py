"""ARC, the format before WARC: one line of fields, then the response as it came.

Internet Archive, "ARC File Format" (1996): a version block (`filedesc://`), then documents, each `<newline>`, a
URL-record and the network document. Versions 1.0 and 1.1 write `URL IP-address Archive-date Content-type
Archive-length`, version 2 has result code, checksum, location, offset and file name before the length.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime

from corpus.sources.records import MAX_HEADER, Window

# Possessive, and bounded: a page may be made to look like this all over.
_ADDRESS = rb"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}+:[0-9A-Fa-f:.]{0,45}+|0|-)"
_FIELDS = rb" " + _ADDRESS + rb" (\d{8,18}+)((?: [^ \r\n]{0,500}+){1,12}+)\r?\n"
# Old crawlers left spaces in URLs.
_URL = rb"[A-Za-z][A-Za-z0-9+.\-]{0,31}:[^\r\n]{0,8000}?"
# Where a document is cut, the next line stands behind anything.
_INSIDE = re.compile(rb"(?:https?://|ftp://|dns:)[^ \r\n]")
_LONGEST_INSIDE = 2000
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]{0,31}:[^\r\n]*\Z")
_TELLING = re.compile(rb"\d{8,18}|\d{1,3}(?:\.\d{1,3}){3}")
_DATES = ("%Y%m%d%H%M%S", "%Y%m%d")
_KINDS = {"http": "response", "https": "response", "filedesc": "filedesc", "dns": "dns"}


class ArcGrammar:
    """URL-records of every version, told apart line by line."""

    overlap = 16 << 10
    tail = b"\n"
    _begin = re.compile(rb"(" + _URL + rb")" + _FIELDS)
    _url, _fields = re.compile(_URL), re.compile(_FIELDS)

    def next(self, data: bytearray, start: int = 0) -> int | None:
        """Looks for the fields, then back for the URL: from each URL onward, the time would be that of their square."""
        at = start
        while found := self._fields.search(data, at):
            end = found.start()
            line = data.rfind(b"\n", 0, end) + 1
            if line and line >= start and self._url.fullmatch(data, line, end):
                return line
            word = max(start, end - _LONGEST_INSIDE)
            word = max(word, *(data.rfind(gap, word, end) + 1 for gap in (b" ", b"\r", b"\n")))
            if inside := _INSIDE.search(data, word, end):
                return inside.start()
            at = end + 1
        return None

    def begins(self, data: bytes) -> bool:
        return self._begin.match(data) is not None

    def follows(self, data: bytes, newlines: bool) -> bool:
        if self.begins(data) or not newlines:
            return self.begins(data)
        # A line that the end of the file cuts, or one that is damaged.
        words = data.partition(b"\n")[0].split(b" ")
        cut = len(data) < 4096 and _SCHEME.match(data) is not None
        return cut or (5 <= len(words) <= 16 and any(_TELLING.fullmatch(word) for word in words[1:-2]))

    def header(self, window: Window) -> tuple[dict[str, str], int] | None:
        """The URL-record that begins here, if it ends within 64 KB, in the fields of WARC."""
        window.fill(1024)
        while b"\n" not in window.data and (held := len(window.data)) < MAX_HEADER:
            window.fill(held + 1024)
            if len(window.data) == held and not window.join():
                break
        line = self._begin.match(window.data)
        return (_headers(line), line.end()) if line else None


def _headers(line: re.Match[bytes]) -> dict[str, str]:
    url, date = line[1].decode("utf-8", "replace"), line[2].decode()
    fields = line[3].decode("utf-8", "replace").split(" ")[1:]
    length = fields.pop() if len(fields) > 1 else ""
    # Version 2 has five fields more before the length, an offset in the fourth.
    if len(fields) >= 6 and fields[-2].isdecimal():
        fields = fields[:-5]
    media_type = " ".join(fields)
    if media_type in ("no-type", "unk", "-"):
        media_type = ""
    return {
        "warc-type": _KINDS.get(url.partition(":")[0].lower(), "resource"),
        "warc-target-uri": url,
        "warc-date": iso_date(date),
        "content-type": media_type,
        "warc-identified-payload-type": media_type,
        "content-length": length,
    }


def iso_date(digits: str) -> str:
    """ISO 8601 of `YYYYMMDDhhmmss` or `YYYYMMDD`, what follows left out; empty for what is no date."""
    for size, form in zip((14, 8), _DATES, strict=True):
        with suppress(ValueError):
            found = datetime.strptime(digits[:size], form)
            return found.isoformat() + "Z" if size == 14 else found.date().isoformat()
    return ""
