"""EPUB books: made by a library (EPUB 3), by hand (EPUB 2), locked, damaged, hostile."""

from __future__ import annotations

import os
import struct
import zipfile
from collections import Counter
from pathlib import Path

import mkepub
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import InputError
from corpus.sources import SourceConfig, discover, epub, read
from corpus.sources.xhtml import XhtmlError, chapter_text

CONTAINER = """<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
ONE = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body><h1>One</h1><p>First.</p></body></html>'
TWO = ONE.replace("One", "Two").replace("First", "Second")


def package(items: str, spine: str, metadata: str = "<dc:title>A book</dc:title>", guide: str = "") -> str:
    return f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="2.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">{metadata}</metadata>
<manifest>{items}</manifest><spine toc="ncx">{spine}</spine>{guide}</package>"""


def item(name: str, href: str, kind: str = "application/xhtml+xml", **more: str) -> str:
    return f'<item id="{name}" href="{href}" media-type="{kind}" {" ".join(f"{k}={v!r}" for k, v in more.items())}/>'


PLAIN = package(item("a", "one.xhtml") + item("b", "text/two%20b.xhtml"), '<itemref idref="a"/><itemref idref="b"/>')
BOOK = {"OEBPS/content.opf": PLAIN, "OEBPS/one.xhtml": ONE, "OEBPS/text/two b.xhtml": TWO}


def write(path: Path, files: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, content in {"META-INF/container.xml": CONTAINER, **files}.items():
            archive.writestr(name, content)
    return path


def rows(path, **options):
    """(all rows of a source, what was skipped)"""
    source = SourceConfig(name="s", kind="epub", path=str(path), **options)
    skipped: Counter[str] = Counter()
    found = [row for piece in discover(source) for batch in read(piece, source, skipped) for row in batch.to_pylist()]
    return found, skipped


def problem(path, **options):
    found, _ = rows(path, **options)
    assert len(found) == 1
    assert found[0]["content"] is None
    return found[0]["problem"], found[0]["detail"]


def text(path) -> str:
    found, _ = rows(path)
    return found[0]["content"].decode()


def test_a_book_of_a_library_is_one_document(tmp_path):
    book = mkepub.Book(
        "The Ärzte & Co", authors=["Ann A", "Bob B"], lang="de", rights="CC BY 4.0", published="2020-05-01"
    )
    first = book.add_page("Eins", "<h1>Eins</h1><p>Erster <b>Absatz</b>.</p><ul><li>a</li><li>b</li></ul>")
    book.add_page("Unter", "<p>Darunter.</p>", parent=first)
    book.add_page("Zwei", "<p>Zweiter.</p>")
    book.save(tmp_path / "b.epub")
    found, skipped = rows(tmp_path)
    assert len(found) == 1
    row = found[0]
    assert row["content"].decode() == "Eins\n\nErster Absatz.\n\n- a\n- b\n\nDarunter.\n\nZweiter."
    assert (row["title"], row["author"], row["declared_language"]) == ("The Ärzte & Co", "Ann A; Bob B", "de")
    assert (row["license"], row["date"], row["media_type"]) == ("CC BY 4.0", "2020-05-01", "text/plain")
    assert (row["locator"], row["url"]) == ("b.epub", "b.epub")
    assert skipped == {}


def test_epub_2_with_its_metadata(tmp_path):
    metadata = """<dc:title>Buch &amp; <i>Mehr</i></dc:title><dc:creator opf:role="aut">Ann</dc:creator>
<dc:creator opf:role="ill">Ilse</dc:creator><dc:creator>Bob</dc:creator><dc:language>pt_BR</dc:language>
<dc:date opf:event="modification">2021-01-01</dc:date><dc:date opf:event="publication">1999-12</dc:date>
<dc:identifier id="id">https://books.example/42</dc:identifier><dc:rights> Public \n domain </dc:rights>"""
    write(tmp_path / "b.epub", {**BOOK, "OEBPS/content.opf": PLAIN.replace("<dc:title>A book</dc:title>", metadata)})
    row = rows(tmp_path)[0][0]
    assert row["content"] == b"One\n\nFirst.\n\nTwo\n\nSecond."
    assert (row["title"], row["author"], row["declared_language"]) == ("Buch & Mehr", "Ann; Bob", "pt-BR")
    assert (row["date"], row["license"], row["url"]) == ("1999-12", "Public domain", "https://books.example/42")


def test_roles_of_epub_3(tmp_path):
    metadata = """<dc:creator id="c1">Ed</dc:creator><meta refines="#c1" property="role">edt</meta>
<dc:creator id="c2">Ann</dc:creator><meta refines="#c2" property="role">aut</meta>"""
    write(tmp_path / "b.epub", {**BOOK, "OEBPS/content.opf": PLAIN.replace("<dc:title>A book</dc:title>", metadata)})
    row = rows(tmp_path)[0][0]
    assert (row["author"], row["title"], row["date"], row["license"]) == ("Ann", None, None, None)


def test_what_is_no_chapter_is_counted(tmp_path):
    items = item("a", "one.xhtml") + item("n", "nav.xhtml", properties="nav") + item("t", "toc.xhtml")
    items += item("x", "two.xhtml") + item("c", "c.jpg", "image/jpeg") + item("z", "z.bin", "application/z")
    spine = "".join(f'<itemref idref="{name}"/>' for name in "cntaza") + '<itemref idref="x" linear="no"/>'
    guide = '<guide><reference type="toc" href="toc.xhtml"/><reference type="text" href="one.xhtml"/></guide>'
    write(tmp_path / "b.epub", {"OEBPS/content.opf": package(items, spine, guide=guide), "OEBPS/one.xhtml": ONE})
    found, skipped = rows(tmp_path)
    assert [row["content"] for row in found] == [b"One\n\nFirst."]
    assert skipped == {"image": 1, "navigation": 2, "not_linear": 1, "media_type": 1}


def test_missing_and_broken_chapters_are_rows_of_their_own(tmp_path):
    spine = "".join(f'<itemref idref="{name}"/>' for name in "abcd") + '<itemref idref="e"/>'
    items = item("a", "one.xhtml") + item("b", "gone.xhtml") + item("c", "../../etc/passwd") + item("d", "bad.xhtml")
    bomb = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><p>&c;</q>'
    write(
        tmp_path / "b.epub",
        {"OEBPS/content.opf": package(items, spine), "OEBPS/one.xhtml": ONE, "OEBPS/bad.xhtml": bomb},
    )
    found, _ = rows(tmp_path)
    assert [(row["locator"], row["problem"], row["detail"]) for row in found] == [
        ("b.epub", None, None),
        ("b.epub#OEBPS/gone.xhtml", "damaged", "OEBPS/gone.xhtml is missing"),
        ("b.epub#../etc/passwd", "damaged", "../etc/passwd is missing"),
        ("b.epub#OEBPS/bad.xhtml", "damaged", "OEBPS/bad.xhtml: not well-formed, and no HTML"),
        ("b.epub#OEBPS/item e of the spine", "damaged", "OEBPS/item e of the spine is missing"),
    ]
    assert found[0]["content"] == b"One\n\nFirst."


def test_a_flipped_bit_costs_one_chapter(tmp_path):
    path = write(tmp_path / "b.epub", BOOK, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(b"First.")] ^= 1
    path.write_bytes(data)
    found, _ = rows(tmp_path)
    assert [(row["locator"], row["problem"]) for row in found] == [
        ("b.epub", None),
        ("b.epub#OEBPS/one.xhtml", "damaged"),
    ]
    assert found[0]["content"] == b"Two\n\nSecond."
    assert found[1]["detail"] == "OEBPS/one.xhtml: Bad CRC-32 for file 'OEBPS/one.xhtml'"


def encryption(*algorithms: str) -> str:
    data = "".join(
        f'<enc:EncryptedData><enc:EncryptionMethod Algorithm="{name}"/><enc:CipherData>'
        '<enc:CipherReference URI="OEBPS/one.xhtml"/></enc:CipherData></enc:EncryptedData>'
        for name in algorithms
    )
    names = 'xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:enc="http://www.w3.org/2001/04/xmlenc#"'
    return f"<encryption {names}>{data}</encryption>"


def test_locked_books_are_encrypted_and_mangled_fonts_are_not(tmp_path):
    fonts = encryption("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
    write(tmp_path / "fonts.epub", {**BOOK, "META-INF/encryption.xml": fonts})
    assert text(tmp_path / "fonts.epub") == "One\n\nFirst.\n\nTwo\n\nSecond."
    aes = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    path = write(tmp_path / "drm.epub", {**BOOK, "META-INF/encryption.xml": encryption(aes)})
    assert problem(path) == ("encrypted", f"algorithm {aes}")
    path = write(tmp_path / "zip.epub", BOOK, zipfile.ZIP_STORED)
    data = path.read_bytes()
    at = data.rindex(b"PK\1\2", 0, data.rindex(b"META-INF/container.xml"))
    path.write_bytes(data[: at + 8] + b"\1" + data[at + 9 :])
    assert problem(path) == ("encrypted", "META-INF/container.xml has a password")


def test_no_book(tmp_path):
    def made(content: bytes) -> Path:
        (tmp_path / "x.epub").write_bytes(content)
        return tmp_path / "x.epub"

    whole = write(tmp_path / "b.epub", BOOK).read_bytes()
    (tmp_path / "b.epub").unlink()
    assert problem(made(b"")) == ("damaged", "an offset before the start of the file")
    assert problem(made(b"no zip" * 10)) == ("damaged", "File is not a zip file")
    assert problem(made(whole[: len(whole) // 2])) == ("damaged", "File is not a zip file")
    with zipfile.ZipFile(tmp_path / "x.epub", "w") as archive:
        archive.writestr("a", "b")
    assert problem(tmp_path / "x.epub") == ("damaged", "META-INF/container.xml is missing")
    write(tmp_path / "x.epub", {})
    assert problem(tmp_path / "x.epub") == ("damaged", "OEBPS/content.opf is missing")
    write(tmp_path / "x.epub", {"OEBPS/content.opf": "<package>"})
    assert problem(tmp_path / "x.epub")[0] == "damaged"
    write(tmp_path / "x.epub", {"OEBPS/content.opf": package("", "")})
    assert problem(tmp_path / "x.epub") == ("damaged", "OEBPS/content.opf: no spine")
    write(tmp_path / "x.epub", BOOK, zipfile.ZIP_LZMA)
    assert problem(tmp_path / "x.epub")[1] == "META-INF/container.xml: compression method 14, which no EPUB has"


def test_bombs_are_too_large(tmp_path):
    path = write(tmp_path / "b.epub", {**BOOK, "OEBPS/one.xhtml": b" " * (40 << 20)})
    assert path.stat().st_size < 100_000
    assert problem(path, max_record_mb=1) == ("too_large", "more than 1048576 bytes of chapters")
    # Each chapter fits, all together do not.
    half = ONE.replace("First.", "x" * 700_000)
    path = write(tmp_path / "c.epub", {**BOOK, "OEBPS/one.xhtml": half, "OEBPS/text/two b.xhtml": half})
    assert problem(path, max_record_mb=1) == ("too_large", "more than 1048576 bytes of chapters")
    assert len(rows(path, max_record_mb=2)[0]) == 1


def test_a_directory_of_a_hundred_thousand_names_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.epub", "w") as archive:
        entry = archive.writestr
        entry("META-INF/container.xml", CONTAINER)
    data = (tmp_path / "b.epub").read_bytes()
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    directory = data[start:end] * 80_000
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, 0)
    (tmp_path / "b.epub").write_bytes(data[:start] + directory + tail)
    assert problem(tmp_path / "b.epub") == ("too_large", "a directory of more than 4194304 bytes")


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "gone.epub").symlink_to(tmp_path / "nowhere")
    assert problem(tmp_path) == ("unreadable", "No such file or directory")
    (tmp_path / "gone.epub").unlink()
    write(tmp_path / "b.epub", BOOK)

    def fail(stream):
        os.close(stream.fileno())
        return opened(stream)

    opened = epub._opened
    monkeypatch.setattr(epub, "_opened", fail)
    with pytest.raises(InputError, match=r"b\.epub: cannot be read \(Bad file descriptor\)"):
        rows(tmp_path)


def body(inner: str, start: str = "") -> str:
    return chapter_text(
        f'{start}<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>t</title>'
        f"</head><body>{inner}</body></html>".encode()
    )


def test_structure_of_a_chapter():
    assert body("<p>a\n  b&#160;c</p>\n<div>d<br/>e</div><div>f</div>") == "a b\xa0c\n\nd\ne\nf"
    assert body("<ol><li><p>a</p></li><li>b<ul><li>c</li></ul></li></ol><p>d</p>") == "1. a\n2. b\n  - c\n\nd"
    assert body("<table><tr><th>a</th><td> b </td></tr><tr><td>c</td></tr></table>") == "a\tb\nc"
    assert body("<p>x</p><pre>\n a\n   b\n</pre><p>y</p>") == "x\n\n a\n   b\n\ny"
    assert body("<p>a<script>b</script><!-- c --><ruby>漢<rt>かん</rt></ruby></p>") == "a漢"
    assert body('<p>a<span epub:type="pagebreak">12</span>b</p><nav><p>n</p></nav>') == "ab"
    assert body('<p>so <math alttext="x^2"><mi>x</mi></math>!</p>') == "so $x^2$!"
    assert body("<p>so <math><mi>x</mi><mo>+</mo></math></p>") == "so x+"


def test_entities():
    doctype = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
    assert body("<p>caf&eacute;&nbsp;&amp;</p>", doctype) == "café\xa0&"
    assert body("<p>caf&eacute;&nbsp;&amp;</p>") == "café\xa0&"
    levels = [f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12)]
    assert body("<p>a &e1; b</p>", f'<!DOCTYPE html [<!ENTITY e0 "lol">{levels[0]}]>') == "a b"
    with pytest.raises(XhtmlError):
        body("<p>a &e11; b</p>", f'<!DOCTYPE html [<!ENTITY e0 "lol">{"".join(levels)}]>')
    assert body("<p>a&x;b</p>", '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]>') == "ab"


def test_html_that_is_not_well_formed():
    assert body("<p>a<br>b<p>c <debian@lists.example> d") == "a\nb\n\nc d"
    assert (
        chapter_text("<html><body><p>caf\xe9 <br> na\xefve d\xe9j\xe0 vu</p>".encode("latin-1"))
        == "café\nnaïve déjà vu"
    )
    assert chapter_text("<html><body><p>naïve</p></body></html>".encode("utf-16")) == "naïve"


@pytest.mark.parametrize(
    ("inner", "why"),
    [
        ("<div>" * 200_000, "more than 250 nested elements"),
        ("<p " + " ".join(f"a{i}=1" for i in range(200_000)) + ">x", "more than 250 attributes"),
        ("<p>" + "x" * 11_000_000 + "</p>", "text would be lost"),
        ("<p>\0\1\2</p>", "no HTML"),
    ],
)
def test_hostile_chapters_end_at_once(inner, why):
    with pytest.raises(XhtmlError, match=why):
        body(inner)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="<>/&;=' \n\0pbrulié!-[]", max_size=80))
def test_any_chapter_gives_text_or_its_error(inner):
    try:
        found = body(inner)
    except XhtmlError:
        return
    assert found.strip(" \t") == found


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_damage_gives_rows(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("epub")
    whole = bytearray(write(folder / "b.epub", BOOK).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (folder / "b.epub").write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    found, _ = rows(folder)
    assert found
    assert all(row["problem"] in (None, "damaged", "encrypted", "too_large") for row in found)
    # A book that lost a chapter says so.
    if found[0]["content"] is not None and len(found) == 1:
        assert found[0]["content"] == b"One\n\nFirst.\n\nTwo\n\nSecond."


def test_metadata_of_metadata_is_no_metadata(tmp_path):
    deep = "<x>" * 200 + ("word " * 100_000 + "<dc:title/>") * 6 + "</x>" * 200
    old = "<dc-metadata><dc:title>Old</dc:title></dc-metadata>"
    write(tmp_path / "b.epub", {**BOOK, "OEBPS/content.opf": PLAIN.replace("<dc:title>A book</dc:title>", deep + old)})
    assert rows(tmp_path)[0][0]["title"] == "Old"


def test_fields_are_cut(tmp_path):
    metadata = f"<dc:title>{'word <i>x</i> ' * 5000}</dc:title>" + f"<dc:creator>{'y' * 6000}</dc:creator>" * 2
    metadata += f"<dc:creator>{'z' * 6000}</dc:creator>"
    path = {**BOOK, "OEBPS/content.opf": PLAIN.replace("<dc:title>A book</dc:title>", metadata)}
    write(tmp_path / "b.epub", path)
    row = rows(tmp_path)[0][0]
    assert row["title"] == ("word x " * 5000)[: len(row["title"])]
    assert 9_990 <= len(row["title"]) <= 10_000
    assert row["author"] == "y" * 6000 + "; " + "z" * 3998


@pytest.mark.parametrize("node", ["<b/>", "&x;", "<b a='' c=''/>"])
def test_a_chapter_of_a_million_nodes_is_a_row_of_its_own(tmp_path, node):
    write(tmp_path / "b.epub", {**BOOK, "OEBPS/one.xhtml": ONE.replace("First.", node * 1_000_000)})
    found, _ = rows(tmp_path)
    assert found[0]["content"] == b"Two\n\nSecond."
    assert [(row["problem"], row["detail"]) for row in found[1:]] == [
        ("too_large", "OEBPS/one.xhtml: more than 1000000 elements, attributes and entities")
    ]


def test_a_package_of_a_million_nodes_is_too_large(tmp_path):
    write(tmp_path / "b.epub", {**BOOK, "OEBPS/content.opf": PLAIN.replace("</metadata>", "<b/>" * 1_000_000)})
    assert problem(tmp_path) == ("too_large", "OEBPS/content.opf: more than 1000000 elements, attributes and entities")


@pytest.mark.parametrize("name", ["UTF-7", "utf7", "UNICODE-1-1-UTF-7", "java"])
def test_encodings_that_hide_elements(name):
    with pytest.raises(XhtmlError, match="an encoding that no book may have"):
        chapter_text(f"<?xml version='1.0' encoding='{name}'?><p>+ADw-b/+AD4-</p>".encode())


def test_marks_of_lists_do_not_leak():
    assert body("<ul><li><pre>code\n  x</pre></li></ul><p>after</p>") == "- code\n  x\n\nafter"
    assert body("<ul><li><img/></li><li>b</li></ul><p>after</p>") == "- b\n\nafter"
    assert body("<ol><li>a<pre>b</pre>c</li><li><pre> </pre>d</li></ol>") == "1. a\n\nb\n\nc\n2. d"


def test_forms_are_text_of_the_book():
    assert body("<p>a</p><form><p>Your name: <input/></p>b</form>c") == "a\n\nYour name:\n\nb\nc"
