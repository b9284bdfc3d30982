"""PDF files, made by ReportLab: text layer, metadata, passwords, damage, and the process that reads them."""

from __future__ import annotations

import contextlib
import io
import zlib
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from corpus.documents import RAW
from corpus.extract.config import ExtractConfig
from corpus.extract.guard import Guard
from corpus.extract.page import Page, RefusedError
from corpus.extract.pdf import PDF, _date, extract_pdf, pdf_label
from corpus.sources import SourceConfig, discover, read
from corpus.sources.rows import Row, batches

LONG = "A sentence that is long enough to fill the whole width of the page, and then goes"


def pdf(*pages: list[str], **options) -> bytes:
    """Pages of lines, as a file of its own."""
    title, author = options.pop("title", None), options.pop("author", None)
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1, **options)
    if title:
        canvas.setTitle(title)
    if author:
        canvas.setAuthor(author)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(50, 780 - 20 * number, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def outcome(content: bytes) -> tuple[str, str]:
    with pytest.raises(RefusedError) as caught:
        extract_pdf(content)
    return caught.value.outcome, caught.value.detail


def test_text_and_metadata():
    page = extract_pdf(pdf(["Heading", "Short line."], ["Next page."], title="A title", author="Ann A", lang="de-AT"))
    assert page == Page("Heading\nShort line.\nNext page.", "A title", "Ann A", "2000-01-01T00:00:00+00:00", "de-AT")
    bare = extract_pdf(pdf(["Text."]))
    assert (bare.text, bare.declared_language, bare.canonical_url) == ("Text.", None, None)


def test_lines_of_a_sentence_are_joined():
    lines = [LONG, "on in the next line, which is also long enough to fill the whole width, as one sees.", "New one."]
    assert extract_pdf(pdf(lines)).text == f"{LONG} {lines[1]}\n{lines[2]}"
    # Neither a short line nor a table of contents is a sentence that goes on.
    lines = ["Contents", "chapter", f"{LONG} 7", f"{LONG} 12"]
    assert extract_pdf(pdf(lines)).text == "\n".join(lines)
    # A sentence goes on across pages too.
    assert extract_pdf(pdf([LONG], ["on here."])).text == f"{LONG} on here."


def test_hyphens_at_the_end_of_lines():
    split = "The words of this line fill it to the end of the page, where one of them is separ-"
    assert extract_pdf(pdf([split, "ated by a hyphen."])).text == f"{split[:-1]}ated by a hyphen."
    kept = "The words of this line fill it to the end of the page, where one is well-"
    both = extract_pdf(pdf([kept, "known.", "It is well-known."])).text
    assert both == f"{kept}known.\nIt is well-known."
    name = "The words of this line fill it to the end of the page, where there is a Jean-"
    assert extract_pdf(pdf([name, "Paul, by name."])).text == f"{name}Paul, by name."


def test_only_what_repeats_exactly_at_the_edges_goes():
    pages = [
        ["The book", f"Unique words of page {i}.", "End of it.", f"Chapter {i // 2}", str(i + 4)] for i in range(6)
    ]
    text = extract_pdf(pdf(*pages)).text
    # Chapter 0, 1 and 2 stand on two pages each, which is not enough; the numbers count the pages.
    # The first page begins with the title, which runs on above the others.
    body = "\n".join(f"Unique words of page {i}.\nEnd of it.\nChapter {i // 2}" for i in range(6))
    assert text == f"The book\n{body}"
    # Header and title at once.
    pages = [["The book", "The book", "Page 0."], *(["The book", f"Page {i}.", "The end."] for i in range(1, 5))]
    assert extract_pdf(pdf(*pages)).text == "The book Page 0.\nPage 1.\nPage 2.\nPage 3.\nPage 4."
    # Numbers that do not count pages stay, and so does what repeats in the middle.
    pages = [[f"First {i}.", f"Second {i}.", "same", f"Last but one {i}.", f"{i * i}"] for i in range(5)]
    assert extract_pdf(pdf(*pages)).text == "\n".join("\n".join(page) for page in pages)
    assert extract_pdf(pdf(["Same."], ["Same."])).text == "Same.\nSame."


@pytest.mark.parametrize(
    ("given_date", "expected"),
    [
        ("D:20230306180657Z", "2023-03-06T18:06:57Z"),
        ("D:20230306180657+01'00'", "2023-03-06T18:06:57+01:00"),
        ("D:202303061806", "2023-03-06T18:06:00"),
        ("D:20230306", "2023-03-06"),
        ("D:2023", "2023"),
        ("20230306", "2023-03-06"),
        ("6 March 2023", None),
        ("", None),
    ],
)
def test_dates(given_date, expected):
    assert _date(given_date) == expected


def test_passwords():
    assert outcome(pdf(["Secret."], encrypt=StandardEncryption("user", "owner")))[0] == "encrypted"
    # Many files only restrict what their reader offers: the empty password opens them.
    assert extract_pdf(pdf(["Open."], encrypt=StandardEncryption("", "owner"))).text == "Open."


def test_no_text_layer():
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.rect(10, 10, 100, 100)
    canvas.showPage()
    canvas.save()
    assert outcome(out.getvalue()) == ("empty", "no text layer")


def test_damage():
    whole = pdf(["Some text."], ["More text."])
    cut = ("damaged", "no end mark: the file is cut or no PDF")
    assert outcome(b"") == outcome(b"%PDF-1.4") == outcome(whole[: len(whole) // 2]) == cut
    assert outcome(b"<html>%%EOF") == ("damaged", "Failed to load document (PDFium: Data format error).")
    assert extract_pdf(whole + b"\r\n\0\0" * 1000).text == "Some text.\nMore text."


def batch(*rows: Row) -> pa.RecordBatch:
    found = list(batches(rows))
    assert len(found) == 1
    return found[0]


def test_the_guard_keeps_rows_in_order_and_their_neighbours():
    html = b"<html><head><title>T</title></head><body><main><p>A paragraph of HTML that says something.</p></main></body></html>"
    rows = batch(
        Row("a", content=pdf(["Text."], title="PDF's own"), media_type=PDF, title="the record's", license="CC0-1.0"),
        Row("b", content=html, media_type="text/html"),
        Row("c", content=b"%PDF-1.4 cut", media_type=PDF),
        Row("d", content=pdf(["Locked."], encrypt=StandardEncryption("a", "b")), media_type=PDF),
        Row("e", content=b"plain", media_type="text/plain"),
        Row("f", content=pdf([]), media_type=PDF),
        Row("g", problem="too_large", detail="x"),
        # Its bytes are no page, so the limit of pages is not theirs.
        Row("h", content=pdf(["Large."]).replace(b"%%EOF", b"%" + b"<p>" * 5000 + b"\n%%EOF"), media_type=PDF),
    )
    with Guard(ExtractConfig(extractor="resiliparse", max_page_bytes=1024, max_depth=16)) as guard:
        found = guard.extract(rows).to_pylist()
    assert [row["outcome"] for row in found] == ["ok", "ok", "damaged", "encrypted", "ok", "empty", "too_large", "ok"]
    assert (found[0]["text"], found[0]["title"], found[7]["text"]) == ("Text.", "PDF's own", "Large.")
    assert (found[5]["detail"], found[5]["value"]) == ("no text layer", None)


def test_a_file_that_takes_too_long_loses_only_itself():
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.beginForm("page")
    for number in range(35):
        canvas.drawString(50, 780 - 20 * number, "word " * 18)
    canvas.endForm()
    for _ in range(2000):
        canvas.doForm("page")
        canvas.showPage()
    canvas.save()
    rows = batch(Row("a", content=out.getvalue(), media_type=PDF), Row("b", content=pdf(["Quick."]), media_type=PDF))
    with Guard(ExtractConfig(extractor="resiliparse", timeout_seconds=0.3)) as guard:
        found = guard.extract(rows).to_pylist()
    assert [(row["outcome"], row["text"]) for row in found] == [("timeout", None), ("ok", "Quick.")]


def test_a_bomb_loses_only_itself():
    packer = zlib.compressobj(9)
    stream = zlib.compress(b"".join(packer.compress(b" " * (1 << 20)) for _ in range(200)) + packer.flush())
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<<>>>>",
        b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%s\nendstream" % (len(stream), stream),
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, text) for number, text in enumerate(objects, 1))
    bomb = b"%PDF-1.4\n" + body + b"trailer<</Size 5/Root 1 0 R>>\n%%EOF"
    rows = batch(Row("a", content=bomb, media_type=PDF), Row("b", content=pdf(["Good."]), media_type=PDF))
    with Guard(ExtractConfig(extractor="resiliparse", max_memory_mb=128)) as guard:
        found = guard.extract(rows).to_pylist()
    assert [(row["outcome"], row["text"]) for row in found] == [("crash", None), ("ok", "Good.")]


def test_the_source_gives_bytes(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.PDF").write_bytes(pdf(["Text."]))
    (tmp_path / "big.pdf").write_bytes(b"%PDF" + b"x" * (1 << 20))
    (tmp_path / "gone.pdf").symlink_to(tmp_path / "nowhere")
    (tmp_path / "other.txt").write_text("no")
    source = SourceConfig(name="s", kind="pdf", path=str(tmp_path), max_record_mb=1)
    found = [b for piece in discover(source) for b in read(piece, source, Counter())]
    assert all(part.schema == RAW for part in found)
    rows = [row for part in found for row in part.to_pylist()]
    assert [(row["locator"], row["media_type"], row["problem"]) for row in rows] == [
        ("big.pdf", PDF, "too_large"),
        ("gone.pdf", PDF, "unreadable"),
        ("sub/a.PDF", PDF, None),
    ]
    assert rows[2]["content"] == (tmp_path / "sub" / "a.PDF").read_bytes()
    assert rows[2]["url"] == "sub/a.PDF"


def test_the_label_names_the_library():
    assert pdf_label().startswith("pypdfium2 ")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_gives_text_or_its_error(data):
    whole = bytearray(pdf(["Some text to lose."], ["A second page."]))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 10))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RefusedError):
        assert extract_pdf(bytes(whole)).text
