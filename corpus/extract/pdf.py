"""PDF to text, through PDFium (Chromium's engine): its text layer, page by page. Nothing is recognised in images."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import re
from collections import Counter
from collections.abc import Iterator

from corpus.extract.page import LimitError, Page, RefusedError

PDF = "application/pdf"
_MAX_CHARS = 64 << 20
_END_WITHIN = 1024  # bytes from the end in which readers look for the end mark (ISO 32000-1, Annex H.3)
_EDGE = 2  # lines at the top and at the bottom of a page that may be its header and footer
_SPLIT = "\ufffe"  # PDFium's mark for a hyphen at the end of a line, which it joins with the next
_SPLIT_WORD = re.compile(rf"([^\W\d_]+){_SPLIT}([^\W\d_]+)")
_WORD = re.compile(rf"[^\W\d_]+(?:[-{_SPLIT}][^\W\d_]+)*")
_DATE = re.compile(r"(?:D:)?(\d{4})(0[1-9]|1[0-2])?([0-2]\d|3[01])?(?:(\d\d)(\d\d)(\d\d)?)?(Z|[+-]\d\d'?\d\d)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})


def pdf_label() -> str:
    """Name and version, as documents carry it: `pypdfium2 5.15.2`."""
    return f"pypdfium2 {importlib.metadata.version('pypdfium2')}"


def extract_pdf(content: bytes) -> Page:
    """The text of all pages in their order; title, author, date and language of the document.

    Of the first and last two lines of a page those go that stand there alike on a third of the pages (on three at
    least), but for the top of the first page, where the title is; and bare numbers that count the pages. A line that
    fills the width and ends inside a sentence is joined with the next; a word split by a hyphen is joined unless the
    document writes it with one elsewhere.

    Raises RefusedError: `encrypted` (a password is needed; the empty one is tried), `damaged`, `empty` (no text
    layer); LimitError past 64 M characters.
    """
    import pypdfium2
    from pypdfium2 import raw

    if b"%%EOF" not in content.rstrip(b"\0 \r\n\t")[-_END_WITHIN:]:
        raise RefusedError("damaged", "no end mark: the file is cut or no PDF")
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        secret = error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise RefusedError("encrypted" if secret else "damaged", str(error)) from error
    with contextlib.closing(document):
        pages = list(_pages(document))
        if not any(pages):
            raise RefusedError("empty", "no text layer")
        title, author, date = (document.get_metadata_value(key).strip() for key in ("Title", "Author", "CreationDate"))
        language = _language(document)
    text = _hyphens(_join(_without_edges(pages))).translate(_LIGATURES)
    return Page(text, title or None, author or None, _date(date), language)


def _pages(document) -> Iterator[list[str]]:  # type: ignore[no-untyped-def]
    """The lines of each page that are not blank."""
    import pypdfium2

    size = 0
    for number in range(len(document)):
        try:
            page = document[number]
            layer = page.get_textpage()
        except pypdfium2.PdfiumError as error:
            raise RefusedError("damaged", f"page {number + 1} of {len(document)}: {error}") from error
        text = layer.get_text_range()
        layer.close()
        page.close()
        size += len(text)
        if size > _MAX_CHARS:
            raise LimitError(f"more than {_MAX_CHARS} characters")
        yield [line.strip() for line in text.splitlines() if line.strip()]


def _language(document) -> str | None:  # type: ignore[no-untyped-def]
    from pypdfium2 import raw

    size = raw.FPDFCatalog_GetLanguage(document, None, 0)
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFCatalog_GetLanguage(document, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    language = buffer.raw.decode("utf-16-le", "replace").rstrip("\0")
    return language if _LANGUAGE.fullmatch(language) else None


def _date(text: str) -> str | None:
    """ISO 8601, as precise as the PDF date (ISO 32000-1, 7.9.4) is."""
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    date = "-".join(part for part in (year, month, month and day) if part)
    if day is None or hour is None:
        return date
    zone = (zone or "").replace("'", "")
    return f"{date}T{hour}:{minute}:{second or '00'}{zone[:3]}{':' + zone[3:] if zone[3:] else ''}"


def _edge(lines: list[str]) -> list[int]:
    """Where headers and footers may stand."""
    return sorted({*range(min(_EDGE, len(lines))), *range(max(0, len(lines) - _EDGE), len(lines))})


def _page_number(line: str, page: int) -> int | None:
    """By how much a bare number differs from the count of pages."""
    return int(line) - page if line.isdecimal() and len(line) < 6 else None


def _without_edges(pages: list[list[str]]) -> list[list[str]]:
    edges = [{lines[i] for i in _edge(lines)} for lines in pages]
    least = max(3, -(-len(pages) // 3))
    seen = Counter(line for edge in edges for line in edge)
    shifts = Counter(shift for page, edge in enumerate(edges) for shift in {_page_number(line, page) for line in edge})
    del shifts[None]
    kept = []
    for page, lines in enumerate(pages):
        gone = {i for i in _edge(lines) if max(seen[lines[i]], shifts[_page_number(lines[i], page)]) >= least}
        if page == 0:
            # What runs on above the other pages is here the title; twice, it is the header too.
            top = [i for i in range(min(_EDGE, len(lines))) if _page_number(lines[i], page) is None]
            gone -= {i for i in top if lines[i] not in lines[:i]}
        kept.append([line for i, line in enumerate(lines) if i not in gone])
    return kept


def _join(pages: list[list[str]]) -> str:
    lengths = sorted(len(part) for lines in pages for line in lines for part in line.split(_SPLIT))
    width = lengths[9 * (len(lengths) - 1) // 10] if lengths else 0
    parts: list[str] = []
    before = ""
    for line in (line for lines in pages for line in lines):
        if before:
            wide = _wide(before[-1]) and _wide(line[0])
            parts.append(("" if wide else " ") if _goes_on(before, line, width) else "\n")
        parts.append(line)
        before = line
    return "".join(parts)


def _goes_on(line: str, following: str, width: int) -> bool:
    """Whether a sentence goes on in the next line, as far as letters tell."""
    length = len(line.rpartition(_SPLIT)[2])
    if 10 * length < 7 * width or not (line[-1].isalpha() or line[-1] in ",)-–—，、）」"):
        return False
    if following[0].isupper():
        return 10 * length >= 9 * width
    return following[0].isalnum() or following[0] in "\"'(“‘«„（「"


def _wide(letter: str) -> bool:
    """Of a script that sets no space between words; Hangul does."""
    return "\u2e80" <= letter <= "\uabff" or "\uf900" <= letter <= "\ufaff" or "\uff00" <= letter <= "\uffef"


def _hyphens(text: str) -> str:
    words = set(_WORD.findall(text)) if _SPLIT in text else set()

    def whole(match: re.Match[str]) -> str:
        begin, end = match.groups()
        if begin + end in words:
            return begin + end
        if f"{begin}-{end}" in words or not (begin[-1].islower() and end[0].islower()):
            return f"{begin}-{end}"
        return begin + end

    return _SPLIT_WORD.sub(whole, text).replace(_SPLIT, "-")
