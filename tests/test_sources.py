"""Discovery of files and the readers of HTML, text, JSONL and Parquet."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import re
import zlib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import rows

from corpus.errors import InputError
from corpus.sources import InputFile, SourceConfig, discover, read


def test_config_refuses_what_is_wrong():
    with pytest.raises(ValueError, match="pattern"):
        SourceConfig(name="My Source", kind="html", path="x")
    with pytest.raises(ValueError, match="name a file"):
        SourceConfig(name="s", kind="html", path="")
    with pytest.raises(ValueError, match="has no column `txt` of ours; there are text, url, date, title, author, "):
        SourceConfig(name="s", kind="jsonl", path="x", columns={"txt": "body"})
    for path in ("caf\udce9.txt", ("notes", "caf\udce9.txt")):
        with pytest.raises(ValueError, match="is not valid UTF-8: rename the file"):
            SourceConfig(name="s", kind="text", path=path)
    assert SourceConfig(name="s", kind="jsonl", path="x", columns={"url": "u"}).columns == {"text": "text", "url": "u"}


@pytest.mark.parametrize("path", ["nothing", "no/*.html", "empty"])
def test_a_path_without_files_is_named(tmp_path, path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "note.txt").write_text("not HTML")
    with pytest.raises(InputError, match=r"^source s: .*; correct `path`") as caught:
        discover(SourceConfig(name="s", kind="html", path=str(tmp_path / path)))
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pieces_are_fixed_by_the_files(tmp_path):
    for i in range(1500):
        (tmp_path / f"{i:04d}.html").write_text(f"<p>{i}")
    source = SourceConfig(name="s", kind="html", path=str(tmp_path))
    before = discover(source)
    names = [file.relative for piece in before for file in piece.files]
    assert names == sorted(names)
    assert len(names) == 1500
    assert all(len(piece.files) <= 1000 for piece in before)
    assert len({piece.name for piece in before}) == len(before) > 2
    assert discover(source) == before == pickle.loads(pickle.dumps(before))
    # A file at the front leaves most pieces as they were.
    (tmp_path / "000.html").write_text("<p>new")
    after = discover(source)
    assert len({piece.name for piece in before} & {piece.name for piece in after}) >= len(before) - 1
    assert {piece.name for piece in discover(source.model_copy(update={"name": "t"}))}.isdisjoint(
        piece.name for piece in after
    )


def test_files_folders_globs_and_several_paths(tmp_path):
    for name in ("a/x.txt", "a/y.md", "a/z.html", "b/x.txt", "b/.hidden.txt", "b/é ü.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    def relative(*paths):
        source = SourceConfig(name="s", kind="text", path=tuple(str(tmp_path / path) for path in paths))
        return [file.relative for piece in discover(source) for file in piece.files]

    assert relative("a") == ["x.txt", "y.md"]
    assert relative("a/z.html") == ["z.html"]
    assert relative("*/x.txt") == ["a/x.txt", "b/x.txt"]
    assert relative("b", "a") == ["a/x.txt", "a/y.md", "b/x.txt", "b/é ü.txt"]
    assert relative("a", "a/x.txt", "a/*.txt") == ["x.txt", "y.md"]


def test_links_that_loop_or_lead_nowhere(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "page.html").write_text("<p>text")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "gone.html").symlink_to(tmp_path / "missing")
    (tmp_path / "self.html").symlink_to(tmp_path / "self.html")
    found, _ = rows(tmp_path, "html")
    assert [(row["locator"], row["problem"]) for row in found] == [
        ("a/gone.html", "unreadable"),
        ("a/page.html", None),
        ("self.html", "unreadable"),
    ]


def test_names_that_are_not_utf8(tmp_path):
    (Path(str(tmp_path)) / b"caf\xe9.txt".decode("utf-8", "surrogateescape")).write_text("text")
    found, _ = rows(tmp_path, "text")
    assert found[0]["locator"] == "caf\\xe9.txt"


def test_two_names_never_give_one_locator(tmp_path):
    names = [b"bad\xff.txt", rb"bad\xff.txt", rb"bad\\xff.txt", b"bad\\\xff.txt", "bad\xff.txt".encode()]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    found, _ = rows(tmp_path, "text")
    locators = {row["locator"] for row in found}
    assert len(locators) == len(names)
    assert {r"bad\xff.txt", r"bad\\xff.txt", "bad\xff.txt"} < locators


CONTENT = {"html": "<p>x", "text": "x", "jsonl": '{"text": "x"}\n'}


@pytest.mark.parametrize("kind", ["html", "text", "jsonl", "parquet", "warc"])
@pytest.mark.parametrize("change", ["longer", "later", "gone", "put back"])
def test_a_file_that_changes_before_it_is_read_stops_the_task(tmp_path, kind, change):
    suffix = {"text": "txt"}.get(kind, kind)
    path, source = tmp_path / f"a.{suffix}", SourceConfig(name="s", kind=kind, path=str(tmp_path))
    (tmp_path / f"b.{suffix}").write_text("b")
    if change == "put back":
        path.symlink_to(tmp_path / "missing")
    else:
        path.write_text("a")
    (piece, *_) = discover(source)
    if change == "longer":
        path.write_text("aa")
    elif change == "later":
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    elif change == "gone":
        path.unlink()
    else:
        (tmp_path / "missing").write_text("a")
    with pytest.raises(InputError) as caught:
        list(read(piece, source, Counter()))
    assert str(caught.value) == f"{path}: changed while the run was going; run again"


@pytest.mark.parametrize("kind", ["html", "text", "jsonl"])
def test_a_file_that_changes_while_it_is_read_stops_the_task(tmp_path, kind):
    path, source = tmp_path / f"a.{kind}", SourceConfig(name="s", kind=kind, path=str(tmp_path / f"a.{kind}"))
    path.write_text(CONTENT[kind])
    (piece,) = discover(source)
    batches = read(piece, source, Counter())
    assert next(batches).num_rows == 1
    path.write_text(CONTENT[kind] * 2)
    with pytest.raises(InputError, match=r"changed while the run was going; run again$"):
        next(batches)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "warc"])
def test_a_link_that_leads_nowhere_stops_other_kinds(tmp_path, kind):
    (tmp_path / f"a.{kind}").symlink_to(tmp_path / "missing")
    source = SourceConfig(name="s", kind=kind, path=str(tmp_path))
    assert discover(source)[0].files == (InputFile(str(tmp_path / f"a.{kind}"), f"a.{kind}", 0, -1),)
    with pytest.raises(InputError, match=rf"^source s: .*a\.{kind}: (cannot be|not) read"):
        rows(tmp_path, kind)


def test_a_file_that_may_not_be_opened_is_a_row_and_a_failing_disk_is_not(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("x")

    def fail(error):
        def opened(*args, **options):
            raise error

        monkeypatch.setattr(Path, "open", opened)

    fail(PermissionError(13, "Permission denied"))
    ((row,), _) = rows(tmp_path, "text")
    assert (row["problem"], row["detail"]) == ("unreadable", "Permission denied")
    fail(OSError(5, "Input/output error"))
    with pytest.raises(InputError, match=r"a\.txt: cannot be read \(Input/output error\)"):
        rows(tmp_path, "text")


def test_html_is_passed_as_bytes(tmp_path):
    (tmp_path / "p.htm").write_bytes(b"<p>\xff\xfe")
    (tmp_path / "q.html").write_bytes(b"x" * ((1 << 20) + 1))
    (page, large), _ = rows(tmp_path, "html", max_record_mb=1)
    assert (page["content"], page["media_type"], page["url"]) == (b"<p>\xff\xfe", "text/html", "p.htm")
    assert (large["content"], large["problem"]) == (None, "too_large")


@pytest.mark.parametrize(
    ("content", "text", "charset"),
    [
        ("plain é".encode(), "plain é", "utf-8"),
        ("\ufeffmark é".encode(), "mark é", "utf-8"),
        ("wide é".encode("utf-16"), "wide é", "utf-16"),
        ("wide é".encode("utf-32"), "wide é", "utf-32"),
        (b"", "", "utf-8"),
    ],
)
def test_text_becomes_utf8(tmp_path, content, text, charset):
    (tmp_path / "a.txt").write_bytes(content)
    (row,), _ = rows(tmp_path, "text")
    assert (row["content"].decode(), row["charset"], row["media_type"]) == (text, charset, "text/plain")


def test_text_in_an_old_charset_is_detected(tmp_path):
    text = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 20
    (tmp_path / "a.txt").write_bytes(text.encode("windows-1251"))
    (row,), _ = rows(tmp_path, "text")
    assert row["content"].decode() == text
    assert row["charset"] != "utf-8"


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a NUL byte"),
        ("no mark".encode("utf-16-le"), "a NUL byte"),
        (bytes(range(1, 256)) * 4, "96 of 1020 bytes are control characters"),
        (
            zlib.compress(random.Random(1).randbytes(7000)).replace(b"\0", b""),
            r"\d+ of \d+ bytes are control characters",
        ),
    ],
)
def test_binary_data_is_no_text(tmp_path, content, detail):
    (tmp_path / "a.txt").write_bytes(content)
    ((row,), _) = rows(tmp_path, "text")
    assert (row["problem"], row["content"]) == ("binary", None)
    assert re.fullmatch(detail, row["detail"])


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("吾輩は猫である。名前はまだ無い。\n", "iso2022_jp"),
        ("吾輩は猫である。名前はまだ無い。\n", "shift_jis"),
        ("我们的祖国是花园。\n", "gb18030"),
        ("Слова и ещё слова.\n", "koi8-r"),
        ("Größe\fund\tÄrger\x1b[1m!\x1b[0m\b\n\x1a", "cp437"),
    ],
)
def test_text_of_any_charset_is_not_taken_for_binary(tmp_path, text, charset):
    (tmp_path / "a.txt").write_bytes(text.encode(charset) * 20)
    ((row,), _) = rows(tmp_path, "text")
    assert row["problem"] is None


def write(path, data):
    """Bytes to a file, compressed as its name says."""
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        half = len(data) // 2
        data = zstandard.compress(data[:half]) + zstandard.compress(data[half:])
    path.write_bytes(data)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text()), suffix=st.sampled_from([".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst"]))
def test_jsonl_round_trip(tmp_path_factory, texts, suffix):
    path = tmp_path_factory.mktemp("jsonl") / f"a{suffix}"
    write(path, b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts))
    found, skipped = rows(path, "jsonl")
    assert [row["content"].decode() for row in found] == texts
    assert [row["locator"] for row in found] == [f"a{suffix}#{i + 1}" for i in range(len(texts))]
    assert skipped == ({} if texts else {"empty_file": 1})


def test_jsonl_lines_that_are_no_document(tmp_path):
    lines = [
        b"\xef\xbb\xbf" + b'{"text": "first", "id": 7, "link": "http://x/", "when": "2020"}',
        b"",
        b'{"text": "cut',
        b"[1, 2]",
        b'{"txt": "other"}',
        b'{"text": null}',
        b'{"text": "\\ud800 lone"}',
        b'{"text": "\xff"}',
        b"[" * 100_000,
        b'{"text": "' + b"x" * (1 << 20) + b'"}',
        b'{"text": "last"}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    columns = {"id": "id", "url": "link", "date": "when"}
    found, skipped = rows(path, "jsonl", columns=columns, max_record_mb=1)
    assert [(row["locator"], row["problem"]) for row in found] == [
        ("a.jsonl#1:7", None),
        ("a.jsonl#3", "bad_json"),
        ("a.jsonl#4", "bad_json"),
        ("a.jsonl#5", "no_text"),
        ("a.jsonl#6", "no_text"),
        ("a.jsonl#7", None),
        ("a.jsonl#8", "bad_json"),
        ("a.jsonl#9", "bad_json"),
        ("a.jsonl#10", "too_large"),
        ("a.jsonl#11", None),
    ]
    assert (found[0]["url"], found[0]["date"], found[5]["content"].decode()) == ("http://x/", "2020", "\ufffd lone")
    assert skipped == {"blank_line": 1}
    assert all(row["detail"] for row in found if row["problem"])


def test_jsonl_says_what_is_there_in_the_words_of_json(tmp_path):
    values = ["null", "7", "1.5", "true", "[1]", "{}"]
    lines = [f'{{"text": {value}}}' for value in values] + ["[1, 2]", "null", '"x"']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found, _ = rows(tmp_path / "a.jsonl", "jsonl")
    kinds = ["null", "a number", "a number", "a boolean", "a list", "an object"]
    assert [row["detail"] for row in found] == [
        *(f"`text` is {kind}, not a string" for kind in kinds),
        "a list, not an object",
        "null, not an object",
        "a string, not an object",
    ]
    (tmp_path / "a.jsonl").write_text('[{"text": "a"}, {"text": "b"}]\n')
    ((row,), _) = rows(tmp_path / "a.jsonl", "jsonl")
    assert (row["problem"], row["detail"]) == (
        "bad_json",
        "one JSON array on one line; `jq -c '.[]'` makes it JSON lines",
    )


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("hurt", ["cut", "flipped"])
def test_compressed_jsonl_that_is_damaged(tmp_path, suffix, hurt):
    import random

    letters = random.Random(1)
    lines = [{"text": "".join(letters.choices("abcdefghij ", k=80))} for _ in range(5000)]
    path = tmp_path / f"a.jsonl{suffix}"
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    if suffix == ".gz":
        packed = bytearray(gzip.compress(data))
    else:
        packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(data))
    if hurt == "cut":
        del packed[-len(packed) // 3 :]
    else:
        packed[-2] ^= 1
    path.write_bytes(packed)
    found, _ = rows(path, "jsonl")
    assert found[-1]["problem"] == "damaged"
    assert [row["content"].decode() for row in found[:-1] if not row["problem"]] == [
        line["text"] for line in lines[: sum(not row["problem"] for row in found)]
    ]


def test_parquet_columns_and_bounds(tmp_path):
    import datetime

    path = tmp_path / "a.parquet"
    texts = ["one", None, "three", "x" * ((1 << 20) + 1)] + [f"text {i}" for i in range(600)]
    table = pa.table(
        {
            "body": pa.array(texts, pa.large_string()).dictionary_encode(),
            "key": range(len(texts)),
            "when": [datetime.datetime(2020, 1, 2, 3, 4)] * len(texts),
            "unused": [[1]] * len(texts),
        }
    )
    pq.write_table(table, path, row_group_size=100, write_page_checksum=True)
    columns = {"text": "body", "id": "key", "date": "when"}
    found, _ = rows(path, "parquet", columns=columns, max_record_mb=1)
    assert len(found) == len(texts)
    assert [row["problem"] for row in found[:5]] == [None, "no_text", None, "too_large", None]
    assert (found[2]["locator"], found[2]["content"], found[2]["date"][:16]) == (
        "a.parquet#2:2",
        b"three",
        "2020-01-02T03:04",
    )
    assert found[-1]["content"] == b"text 599"


def test_parquet_batches_are_bounded_in_bytes(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [chr(97 + i) * (5 << 20) for i in range(8)]}), path)
    source = SourceConfig(name="s", kind="parquet", path=str(path))
    sizes = [len(batch) for piece in discover(source) for batch in read(piece, source, Counter())]
    assert sizes == [3, 3, 2]


@pytest.mark.parametrize("hurt", ["cut", "flipped", "no parquet", "empty"])
def test_parquet_that_cannot_be_read(tmp_path, hurt):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(1000)]}), path, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    if hurt == "cut":
        del data[-100:]
    elif hurt == "flipped":
        data[300] ^= 1
    else:
        data = bytearray(b"hello there, this is text" if hurt == "no parquet" else b"")
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"^source s: .*a\.parquet: not readable as Parquet") as caught:
        rows(path, "parquet")
    assert "\n" not in str(caught.value)


def test_parquet_without_the_column_names_those_there(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"body": ["x"], "count": [1]}), path)
    with pytest.raises(InputError, match=r"no column `text`.*body, count"):
        rows(path, "parquet")
    with pytest.raises(InputError, match="`count` is int64, not text"):
        rows(path, "parquet", columns={"text": "count"})


def test_parquet_with_a_column_twice(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table([pa.array(["x"]), pa.array(["y"]), pa.array([1])], names=["text", "text", "n"])
    pq.write_table(table, path)
    with pytest.raises(InputError, match=r"^source s: .*a\.parquet: more than one column `text`; rename") as caught:
        rows(path, "parquet")
    assert "\n" not in str(caught.value)
    # Two that are not mapped are not looked at.
    pq.write_table(table.rename_columns(["n", "n", "text"]).set_column(2, "text", pa.array(["x"])), path)
    assert [row["content"] for row in rows(path, "parquet")[0]] == [b"x"]


def test_a_jsonl_line_of_millions_of_values_is_not_parsed(tmp_path):
    line = b'{"text": "x", "a": [' + b"[]," * (1 << 20) + b"[]]}\n"
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(line + b'{"text": "next"}\n'))
    first, second = rows(tmp_path, "jsonl")[0]
    assert (first["problem"], first["detail"]) == ("too_large", "more than 2097152 commas and brackets")
    assert second["content"] == b"next"
