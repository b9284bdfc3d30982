"""Arrow files and streams, columns of any kind and depth, JSON lines by keys inside objects, compressed streams."""

from __future__ import annotations

import bz2
import datetime
import gzip
import json
import random
from collections import Counter
from decimal import Decimal

import datasets
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import rows

from corpus.errors import InputError
from corpus.sources import SourceConfig, discover, read
from corpus.sources.compressed import DAMAGE, open_stream


def texts(found):
    return [row["content"].decode() if row["content"] is not None else None for row in found]


def write(table, path, kind):
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=100)
    elif kind == "file":
        with ipc.new_file(path, table.schema, options=ipc.IpcWriteOptions(compression="lz4")) as writer:
            writer.write_table(table, max_chunksize=300)
    else:
        with ipc.new_stream(path, table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(table, max_chunksize=300)


TEXTS = ["one", None, "thrée", "x" * ((1 << 20) + 1), *(f"text {i}" for i in range(600))]
STRINGS = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", ["file", "stream"])
@pytest.mark.parametrize("strings", STRINGS, ids=str)
def test_arrow_of_every_kind_of_string(tmp_path, kind, strings):
    column = pa.array(TEXTS)
    column = column.dictionary_encode() if pa.types.is_dictionary(strings) else column.cast(strings)
    table = pa.table({"unused": [[1]] * len(TEXTS), "body": column, "key": range(len(TEXTS))})
    write(table, tmp_path / "a.arrow", kind)
    found, skipped = rows(tmp_path, "arrow", columns={"text": "body", "id": "key"}, max_record_mb=1)
    assert [row["problem"] for row in found[:5]] == [None, "no_text", None, "too_large", None]
    assert texts(found) == [None if text and len(text) > 1 << 20 else text for text in TEXTS]
    assert [row["locator"] for row in found] == [f"a.arrow#{i}:{i}" for i in range(len(TEXTS))]
    assert skipped == {}


def test_arrow_as_datasets_and_feather_write_it(tmp_path):
    lines = [f"row {i}" for i in range(1500)]
    datasets.Dataset.from_dict({"text": lines, "n": range(1500)}).save_to_disk(tmp_path / "saved")
    found, _ = rows(tmp_path / "saved", "arrow")
    assert texts(found) == lines
    feather.write_feather(pa.table({"text": lines}), tmp_path / "a.feather", compression="zstd")
    found, _ = rows(tmp_path / "a.feather", "arrow")
    assert texts(found) == lines
    assert found[-1]["locator"] == "a.feather#1499"


def test_arrow_without_rows_is_counted(tmp_path):
    for kind in ("file", "stream"):
        write(pa.table({"text": pa.array([], pa.string())}), tmp_path / f"{kind}.arrow", kind)
    assert rows(tmp_path, "arrow") == ([], {"empty_file": 2})


@pytest.mark.parametrize("data", [b"", b"hello there, this is text", b"ARROW1\0\0", b"\0" * 100])
def test_what_is_no_arrow_stops_with_one_line(tmp_path, data):
    (tmp_path / "a.arrow").write_bytes(data)
    with pytest.raises(InputError, match=r"^source s: .*a\.arrow: not readable as Arrow IPC \(.*\); restore") as caught:
        rows(tmp_path, "arrow")
    assert "\n" not in str(caught.value)
    (tmp_path / "a.arrow").write_bytes(b"FEA1" + data)
    with pytest.raises(InputError, match=r"Feather version 1 is no Arrow IPC; write the file again as version 2$"):
        rows(tmp_path, "arrow")


def stream_of(tmp_path, texts):
    with ipc.new_stream(tmp_path / "whole.arrows", pa.schema({"text": pa.string()})) as writer:
        for text in texts:
            writer.write_batch(pa.record_batch({"text": [text] * 10}))
    return (tmp_path / "whole.arrows").read_bytes()


def test_a_stream_that_is_cut_is_never_whole(tmp_path):
    data = stream_of(tmp_path, ["a", "b", "c"])
    begin = len(stream_of(tmp_path, [])) - 8
    (tmp_path / "whole.arrows").unlink()
    path = tmp_path / "a.arrows"
    for size in range(begin, len(data) + 1):
        path.write_bytes(data[:size])
        found, _ = rows(path, "arrow")
        good = [row for row in found if not row["problem"]]
        assert len(good) % 10 == 0
        assert texts(good) == (["a"] * 10 + ["b"] * 10 + ["c"] * 10)[: len(good)]
        if size < len(data):
            assert (found[-1]["locator"], found[-1]["problem"]) == (f"a.arrows#{len(good)}", "damaged")
        else:
            assert len(good) == len(found) == 30
    path.write_bytes(data + data)
    assert rows(path, "arrow")[0][-1]["problem"] == "damaged"


def test_numbers_that_lead_astray_do_not_crash(tmp_path):
    """Random damage to any byte: rows, a `damaged` row or one line; a file with fewer rows never looks whole."""
    rng = random.Random(5)
    for strings in STRINGS:
        column = pa.array([f"text {i}" for i in range(50)])
        column = column.dictionary_encode() if pa.types.is_dictionary(strings) else column.cast(strings)
        for kind in ("file", "stream"):
            path = tmp_path / "a.arrow"
            write(pa.table({"text": column}), path, kind)
            data = path.read_bytes()
            for _ in range(40):
                hurt, at = bytearray(data), rng.randrange(len(data) - 8)
                hurt[at : at + rng.choice([1, 4, 8])] = rng.choice([b"\xff" * 8, b"\0" * 8, rng.randbytes(8)])[:8]
                path.write_bytes(hurt)
                try:
                    found, _ = rows(path, "arrow")
                except InputError:
                    continue
                assert len(found) == 50 or found[-1]["problem"] == "damaged"


def invalid(strings):
    values = pa.array([b"good", b"ba\xffd, and longer than a view", None], pa.binary())
    if pa.types.is_dictionary(strings):
        return pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), values[:2].view(pa.string()))
    return values.cast(
        {pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}.get(strings, pa.binary())
    ).view(strings)


@pytest.mark.parametrize("kind", ["file", "stream", "parquet"])
@pytest.mark.parametrize("strings", STRINGS, ids=str)
def test_bytes_that_are_not_utf8(tmp_path, kind, strings):
    path = tmp_path / f"a.{'parquet' if kind == 'parquet' else 'arrow'}"
    column = invalid(strings)
    write(pa.table({"text": column, "title": column, "key": column}), path, kind)
    if kind == "parquet" and pa.types.is_dictionary(strings):
        with pytest.raises(InputError, match=r"not readable as Parquet \(Invalid UTF8"):  # Arrow itself refuses it
            rows(path, "parquet")
        return
    found, _ = rows(path, path.suffix[1:], columns={"title": "title", "id": "key"})
    assert texts(found) == ["good", "ba\ufffdd, and longer than a view", None]
    assert [row["title"] for row in found] == ["good", None, None]
    assert [row["locator"] for row in found] == [f"{path.name}#0:good", f"{path.name}#1", f"{path.name}#2"]


@pytest.mark.parametrize("strings", ["dictionary", "view"])
def test_one_long_value_named_often_stays_bounded(tmp_path, strings):
    """A file of 8 MB whose rows hold 2 GB."""
    column = pa.array(["x" * (8 << 20)]).dictionary_encode().take(pa.array([0] * 250))
    if strings == "view":
        long = pa.array(["x" * (8 << 20)]).cast(pa.string_view())
        views = pa.py_buffer(long.buffers()[1].to_pybytes()[:16] * 250)
        column = pa.Array.from_buffers(pa.string_view(), 250, [None, views, *long.buffers()[2:]])
    with ipc.new_file(tmp_path / "a.arrow", pa.schema({"text": column.type, "title": column.type})) as writer:
        writer.write_batch(pa.record_batch({"text": column, "title": column}))
    config = SourceConfig(name="s", kind="arrow", path=str(tmp_path), columns={"title": "title"})
    before, total = pa.total_allocated_bytes(), 0
    for piece in discover(config):
        for batch in read(piece, config, Counter()):
            total += batch.num_rows
            assert pa.total_allocated_bytes() - before < 200 << 20
    assert total == 250


@pytest.mark.parametrize("kind", ["file", "stream", "parquet"])
def test_values_keep_their_form(tmp_path, kind):
    path = tmp_path / f"a.{'parquet' if kind == 'parquet' else 'arrow'}"
    columns = {
        "text": pa.array(["x", "y"]),
        "day": pa.array([datetime.date(2020, 1, 2), None]),
        "second": pa.array([datetime.datetime(2020, 1, 2, 3, 4, 5), None], pa.timestamp("s")),
        "price": pa.array([Decimal("3.10"), None]),
        "big": pa.array([2**63 - 1, None]),
        "uuid": pa.array([b"\xff" * 16, b"0123456789abcdef"], pa.binary(16)),
        "list": pa.array([[1], None]),
        "struct": pa.array([{"license": "CC0-1.0", "deep": {"er": "é"}}, None]),
        "a.b": pa.array(["plain", None]),
    }
    write(pa.table(columns), path, kind)

    def values(ours, theirs):
        return [row[ours] for row in rows(path, path.suffix[1:], columns={ours: theirs})[0]]

    assert values("date", "day") == ["2020-01-02", None]
    assert [value and value[:19] for value in values("date", "second")] == ["2020-01-02T03:04:05", None]
    assert values("author", "price") == ["3.10", None]
    assert values("url", "big") == ["9223372036854775807", None]
    assert values("title", "uuid") == [None, "0123456789abcdef"]
    assert values("title", "list") == values("title", "struct") == [None, None]
    assert values("license", "struct.license") == ["CC0-1.0", None]
    assert values("title", "a.b") == ["plain", None]
    found, _ = rows(path, path.suffix[1:], columns={"text": "struct.deep.er"})
    assert [(row["content"], row["detail"]) for row in found] == [
        ("é".encode(), None),
        (None, "`struct.deep.er` is null"),
    ]


@pytest.mark.parametrize("kind", ["file", "stream", "parquet"])
def test_columns_that_do_not_do_stop_with_one_line(tmp_path, kind):
    path = tmp_path / f"a.{'parquet' if kind == 'parquet' else 'arrow'}"
    inner = pa.array([{"body": "x", "n": 1}])
    write(pa.Table.from_arrays([inner, pa.array([1]), pa.array([2])], names=["article", "n", "n"]), path, kind)

    def message(**columns):
        with pytest.raises(InputError) as caught:
            rows(path, path.suffix[1:], columns=columns)
        return str(caught.value).removeprefix(f"source s: {path}: ")

    there = "to one of: article, n, n"
    ways = "set `columns: {text: NAME}` in the recipe, --text-column NAME on the command line,"
    assert message() == f"no column `text`; {ways} {there}"
    assert message(text="article.txt") == f"no column `article.txt`; {ways} {there}"
    assert message(text="article.body.x") == f"no column `article.body.x`; {ways} {there}"
    assert message(text="article.n") == "column `article.n` is int64, not text; correct `columns`"
    assert message(text="article").startswith("column `article` is struct<body: string, n: int64>, not text")
    assert message(text="article.body", id="n") == "more than one column `n`; rename all but one, or map another"
    assert texts(rows(path, path.suffix[1:], columns={"text": "article.body"})[0]) == ["x"]


def jsonl(tmp_path, data, **options):
    (tmp_path / "a.jsonl").write_bytes(data.encode())
    return rows(tmp_path / "a.jsonl", "jsonl", **options)


def test_jsonl_keys_inside_objects_and_numbers_as_written(tmp_path):
    data = """
        {"article": {"body": "deep"}, "article.body": "plain", "meta": {"id": 3.10, "year": 1e3, "license": "MIT"}}
        {"article": {"body": "deep"}, "meta": {"id": 123456789012345678901234567890, "year": true}}
        {"article": {"text": "x"}, "meta": 7}
        {"article": {"body": 1.50}}
    """
    found, _ = jsonl(
        tmp_path,
        data,
        columns={"text": "article.body", "id": "meta.id", "date": "meta.year", "license": "meta.license"},
    )
    assert texts(found) == ["plain", "deep", None, None]
    assert [row["locator"] for row in found] == [
        "a.jsonl#2:3.10",
        "a.jsonl#3:123456789012345678901234567890",
        "a.jsonl#4",
        "a.jsonl#5",
    ]
    assert [(row["date"], row["license"]) for row in found] == [
        ("1e3", "MIT"),
        (None, None),
        (None, None),
        (None, None),
    ]
    assert [row["detail"] for row in found[2:]] == [
        "`article.body` is missing",
        "`article.body` is a number, not a string",
    ]


DOCUMENTS = [{"text": f"t{i}"} for i in range(1000)]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps(DOCUMENTS, indent=2),
        "[\n" + ",\n".join(map(json.dumps, DOCUMENTS)) + "\n]",
        json.dumps(DOCUMENTS).replace("}, ", "},\n"),
    ],
)
def test_a_json_array_is_one_bad_row(tmp_path, data):
    found, skipped = jsonl(tmp_path, "\n" + data)
    assert [(row["locator"], row["problem"], row["detail"]) for row in found] == [
        ("a.jsonl#2", "bad_json", "one JSON array over many lines; `jq -c '.[]'` makes it JSON lines")
    ]
    assert skipped == {"blank_line": 1}


@pytest.mark.parametrize("begin", ["[1,", "[", "[[[{"])
def test_a_bad_first_line_is_no_array(tmp_path, begin):
    found, _ = jsonl(tmp_path, f'{begin}\n{{"text": "x"}}\n{begin}\n')
    assert [row["problem"] for row in found] == ["bad_json", None, "bad_json"]
    found, _ = jsonl(tmp_path, begin)
    assert [(row["problem"], row["detail"][:21]) for row in found] == [("bad_json", "an array without its ")]


PACK = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "plain": bytes,
}
SKIP = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"  # a frame to skip, as pzstd writes


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.binary(max_size=50), max_size=4),
    kind=st.sampled_from(["gzip", "bz2", "zstd"]),
    padding=st.sampled_from([0, 512]),
)
def test_members_one_after_the_other(tmp_path_factory, parts, kind, padding):
    path = tmp_path_factory.mktemp("packed") / "a"
    begin = SKIP if kind == "zstd" and parts else b""
    path.write_bytes(begin + b"".join(PACK[kind](part) + b"\0" * padding for part in parts))
    with open_stream(str(path)) as stream:
        assert stream.read() == b"".join(parts)


@pytest.mark.parametrize("kind", ["gzip", "bz2", "zstd"])
@pytest.mark.parametrize("hurt", ["cut", "flipped", "begin of the second", "behind"])
def test_what_is_whole_before_the_damage_is_given(tmp_path, kind, hurt):
    first, second = random.Random(1).randbytes(300_000), random.Random(2).randbytes(300_000)
    one, two = PACK[kind](first), bytearray(PACK[kind](second))
    if hurt == "cut":
        del two[-1000:]
    elif hurt == "flipped":
        two[-3] ^= 1
    elif hurt == "behind":
        two += b"rubbish"
    else:
        two[0] ^= 1
    (tmp_path / "a").write_bytes(one + two)
    parts = []
    with open_stream(str(tmp_path / "a")) as stream, pytest.raises(DAMAGE):
        parts.extend(iter(lambda: stream.read1(1 << 20), b""))
    given = b"".join(parts)
    assert (first + second).startswith(given)
    assert len(given) >= len(first) + (len(second) if hurt == "behind" else 0)


@pytest.mark.parametrize("kind", ["gzip", "bz2", "zstd"])
def test_a_bomb_is_given_in_small_steps(tmp_path, kind):
    import tracemalloc

    (tmp_path / "a").write_bytes(PACK[kind](b"\0" * (64 << 20)))
    tracemalloc.start()
    with open_stream(str(tmp_path / "a")) as stream:
        assert stream.read(10) == b"\0" * 10
        assert stream.read(20 << 20) == b"\0" * (20 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.parametrize("data", [b"", b"\x1f", b"BZh", b"BZhello", b"(\xb5/", b"plain"])
def test_what_only_begins_like_it_is_plain(tmp_path, data):
    (tmp_path / "a.gz").write_bytes(data)
    with open_stream(str(tmp_path / "a.gz")) as stream:
        assert stream.read() == data
