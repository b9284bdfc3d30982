"""The commit protocol: an entry is the commit point, what none names is rubbish, ledgers reconcile."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.errors import CorpusError, InputError
from corpus.store import BATCH_BYTES, GROUP_ROWS, StepFolder, Writer, fingerprint, read_table, write_atomic

SCHEMA = pa.schema([("id", pa.binary(16)), ("n", pa.int64())])


def batch(start: int, stop: int) -> pa.RecordBatch:
    ids = [hashlib.md5(number.to_bytes(8)).digest() for number in range(start, stop)]
    return pa.RecordBatch.from_arrays([pa.array(ids, pa.binary(16)), pa.array(range(start, stop))], schema=SCHEMA)


def commit(folder: StepFolder, rows: int = 10, key: str = "k") -> None:
    with Writer(folder, "p") as out:
        out.table(SCHEMA).write(batch(0, rows))
        out.path("extra/card.md").write_text(f"{rows}\n")
        out.count(rows, rows)
        out.commit(key, "1", {"a": 1}, {"in": "0" * 64})


def test_commit_names_every_file_with_its_digest(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path / "step")
    commit(folder)
    entry = folder.entry("p")
    assert entry is not None
    assert [file.path for file in entry.files] == ["extra/card.md", "p.parquet"]
    assert [file.rows for file in entry.files] == [None, 10]
    assert folder.verify("p") == []
    assert folder.strays() == []
    assert sum(len(part) for part in read_table(tmp_path / "step" / "p.parquet")) == 10


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for name in "ab":
        with Writer(StepFolder(tmp_path / name), "p") as out:
            for start in range(0, GROUP_ROWS * 2, 1000):
                out.table(SCHEMA).write(batch(start, start + 1000))
            digests.add(out.commit("k", "1", {}, {}).files[0].sha256)
    assert len(digests) == 1
    assert pq.read_metadata(tmp_path / "a" / "p.parquet").num_row_groups > 1


def test_an_error_leaves_what_was_committed(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path / "step")
    commit(folder)
    before = folder.entry("p")
    with pytest.raises(TypeError, match="no batch"), Writer(folder, "p") as out:  # noqa: PT012
        out.table(SCHEMA).write(batch(0, 5))
        raise TypeError("no batch")
    assert folder.entry("p") == before
    assert folder.verify("p") == []
    assert folder.strays() == []


def test_a_ledger_that_does_not_reconcile_is_not_committed(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path / "step")
    with Writer(folder, "p") as out:
        out.table(SCHEMA).write(batch(0, 5))
        out.count(10, 5, {"rule": 4})
        with pytest.raises(CorpusError, match="does not reconcile: 10 in, 5 out"):
            out.commit("k", "1", {}, {})
    assert folder.entry("p") is None
    folder.clean()
    assert folder.strays() == []
    assert list((tmp_path / "step").rglob("*.parquet")) == []


def test_verify_and_strays(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path / "step")
    commit(folder)
    path = tmp_path / "step" / "p.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "sha256 differs" in folder.verify("p")[0]
    path.write_bytes(data[:-3])
    assert f"{len(data) - 3} bytes, the manifest says {len(data)}" in folder.verify("p")[0]
    path.unlink()
    assert "missing" in folder.verify("p")[0]
    (tmp_path / "step" / "stray.txt").write_text("x")
    (tmp_path / "step" / ".tmp-1").mkdir()
    (tmp_path / "step" / ".work-2").mkdir()
    assert [p.name for p in folder.strays()] == ["stray.txt"]
    folder.clean(keep={tmp_path / "step" / ".work-2"})
    # What is not ours stays.
    assert sorted(p.name for p in (tmp_path / "step").iterdir() if p.name != "extra") == [
        ".work-2",
        "_manifest",
        "stray.txt",
    ]


def test_files_that_a_new_commit_lacks_are_removed(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path / "step")
    commit(folder)
    with Writer(folder, "p") as out:
        out.path("other.txt").write_text("x")
        out.commit("k2", "1", {}, {})
    assert {path.name for path in (tmp_path / "step").rglob("*") if path.is_file()} == {"p.json", "other.txt"}
    folder.remove("p")
    assert [path for path in (tmp_path / "step").rglob("*") if path.is_file()] == []


def test_a_nested_step_is_no_stray(tmp_path: Path) -> None:
    commit(StepFolder(tmp_path / "outer"))
    commit(StepFolder(tmp_path / "outer" / "inner"))
    StepFolder(tmp_path / "outer").clean()
    assert StepFolder(tmp_path / "outer").strays() == []
    assert StepFolder(tmp_path / "outer" / "inner").verify("p") == []


def test_every_flipped_bit_of_a_page_is_seen(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path / "step")
    commit(folder, rows=2000)
    path = tmp_path / "step" / "p.parquet"
    good = path.read_bytes()
    column = pq.read_metadata(path).row_group(0).column(0)
    # Past the page's own header, which is not under the checksum.
    begin, end = column.data_page_offset + 64, column.data_page_offset + column.total_compressed_size
    assert end - begin > 1000
    for position in range(begin, end, (end - begin) // 40):
        data = bytearray(good)
        data[position] ^= 4
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"p\.parquet: cannot be read"):
            list(read_table(path))


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path / "step")
    commit(folder)
    (tmp_path / "step" / "_manifest" / "p.json").write_text("{")
    with pytest.raises(CorpusError, match=r"p\.json: damaged manifest entry"):
        folder.entry("p")


def test_killed_while_replacing_files_the_old_entry_does_not_stand(tmp_path: Path) -> None:
    """Between the first rename and the new entry there is no entry at all."""
    folder = StepFolder(tmp_path / "step")
    commit(folder)
    code = f"""
        import os, pathlib
        from corpus import store
        folder = store.StepFolder(pathlib.Path({str(tmp_path / "step")!r}))
        real, renamed = pathlib.Path.replace, []
        def replace(self, target):
            if len(renamed) == 2:  # the journal and the first file
                os.kill(os.getpid(), 9)
            renamed.append(target)
            return real(self, target)
        pathlib.Path.replace = replace
        with store.Writer(folder, "p") as out:
            out.path("extra/card.md").write_text("new")
            out.path("p.parquet").write_text("new")
            out.commit("new", "1", {{}}, {{}})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -9
    assert (tmp_path / "step" / "extra" / "card.md").read_text() == "new"
    assert folder.entry("p") is None
    folder.clean()
    assert [path.name for path in (tmp_path / "step").rglob("*") if path.is_file()] == []


def test_write_atomic_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b.txt", "one")
    write_atomic(tmp_path / "a" / "b.txt", b"two")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]
    assert (tmp_path / "a" / "b.txt").read_text() == "two"


def test_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})


def test_reading_holds_no_more_of_a_longer_table(tmp_path: Path) -> None:
    def held(groups: int) -> int:
        """Most bytes of Arrow's, of a table of so many row groups of 1 MB, while it is read."""
        path = tmp_path / f"{groups}.parquet"
        with pq.ParquetWriter(path, pa.schema([("id", pa.binary(1024))]), compression="none") as writer:
            for number in range(groups):
                rows = [hashlib.shake_128(bytes((number, row % 256))).digest(1024) for row in range(1024)]
                writer.write_table(pa.table({"id": pa.array(rows, pa.binary(1024))}))
        before = pa.total_allocated_bytes()
        return max(pa.total_allocated_bytes() for _ in read_table(path, rows=256)) - before

    assert held(24) < 1.5 * held(6)


def test_batches_are_bounded_in_rows_and_in_bytes(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.binary(16)), ("text", pa.large_string())])
    large, small = ["x" * 1_000_000] * 60, ["y"] * 20_000
    with Writer(StepFolder(tmp_path), "p") as out:
        table = out.table(schema)
        for texts in (large[:30], large[30:], small):
            table.write(pa.record_batch([[b"i" * 16] * len(texts), texts], schema=schema))
        out.count(1, 1)
        out.commit("key", "1", {}, {})
    batches = list(read_table(tmp_path / "p.parquet"))
    assert [text for batch in batches for text in batch.column("text").to_pylist()] == large + small
    assert max(batch.get_total_buffer_size() for batch in batches) <= 2 * BATCH_BYTES
    # What is not asked for does not count: ids alone come in full batches.
    assert max(len(batch) for batch in read_table(tmp_path / "p.parquet", ["id"])) == 4096
