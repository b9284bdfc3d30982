"""Steps on disk: files written to a temporary folder, renamed, and named by a manifest entry.

A step's folder holds, for each partition, its files and `_manifest/<partition>.json`. The entry is the commit point:
it is removed before a file that it names is replaced, and written after the new files are safe, so what an entry
names is whole. A journal says which files a commit touches while it does; what a killed one left is removed by it, and
nothing that we did not write ever is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import CorpusError, StoredError

# Side folders begin with `_`, which pyarrow's and datasets' folder readers pass over: `extract/` reads as one table.
MANIFEST = "_manifest"
TEMPORARY = ".tmp-"
WORK = ".work-"  # a folder in which an unfinished task keeps what it can go on from
JOURNAL = ".commit-"  # the files of a commit while it is being made
OURS = (TEMPORARY, WORK, JOURNAL)
# A row group is flushed at either bound, so that memory stays flat and groups stay worth compressing.
GROUP_ROWS, GROUP_BYTES = 16_384, 32 << 20
# About how much is read at once: several batches and what is made of them lie in a worker at a time.
BATCH_BYTES = 16 << 20


@dataclass(frozen=True)
class File:
    """A committed file: path relative to the step's folder, size in bytes, sha256 in hex, rows for tables."""

    path: str
    bytes: int
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class Entry:
    """What one partition of one step committed.

    `dropped` counts each dropped document once, under the first rule that it failed, so that
    `rows_in == rows_out + sum(dropped)`; `failed` counts every rule that a document failed. `inputs` maps the name
    of each file that was read to its sha256. `facts` is what the stage says further of itself.
    """

    partition: str
    key: str
    version: str
    config: dict[str, Any]
    inputs: dict[str, str]
    rows_in: int
    rows_out: int
    dropped: dict[str, int]
    failed: dict[str, int]
    files: tuple[File, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """Raises ValueError, TypeError, KeyError or AttributeError for what `to_json` did not write."""
        raw = json.loads(text)
        raw["files"] = tuple(File(**item) for item in raw["files"])
        entry = cls(**raw)
        for number in (entry.rows_in, entry.rows_out, *entry.dropped.values(), *entry.failed.values()):
            if type(number) is not int:
                raise TypeError(f"{number!r} is no count")
        for mapping in (entry.config, entry.inputs, entry.facts):
            mapping.items()
        return entry


def fingerprint(value: Any) -> str:
    """sha256 in hex of a JSON-able value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_once(path: Path) -> str:
    """As `sha256_file`; a file of known size and time is not read again by this process: large models take seconds."""
    found = path.stat()
    return _sha256_of(path, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _sha256_of(path: Path, size: int, changed: int) -> str:
    return sha256_file(path)


def fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write through a temporary file beside `path`, fsync, rename, fsync the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data.encode() if isinstance(data, str) else data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    fsync(path.parent)


@contextlib.contextmanager
def published(out: Path) -> Iterator[Path]:
    """Where to write what will lie at `out`, a file outside of the outputs, once all of it is safe.

    Raises CorpusError when it cannot be written; nothing is left there then.
    """
    temporary: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=out.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        fsync(temporary)
        temporary.chmod(0o644)
        temporary.replace(out)
        fsync(out.parent)
        temporary = None
    except OSError as error:
        raise CorpusError(f"{out}: cannot be written ({error.strerror or error}); nothing was left there") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


class StepFolder:
    """One step's folder: `entries`, `discard`, `strays`, `verify`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = path / MANIFEST

    def entry(self, partition: str) -> Entry | None:
        """The committed entry of a partition, or None."""
        path = self.manifest / f"{partition}.json"
        try:
            return Entry.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorpusError(f"{path}: damaged manifest entry ({error}); remove it and run again") from error

    def entries(self) -> dict[str, Entry]:
        """Every committed entry by partition, in the order of their names."""
        names = sorted(path.stem for path in self.manifest.glob("*.json") if not path.name.startswith(TEMPORARY))
        return {name: entry for name in names if (entry := self.entry(name)) is not None}

    def commit(self, entry: Entry) -> None:
        """Write the manifest entry; its files must be in place and fsynced. Raises CorpusError, see `check`."""
        self.check(entry)
        write_atomic(self.manifest / f"{entry.partition}.json", entry.to_json())

    def check(self, entry: Entry) -> None:
        """Raises CorpusError when the ledger does not reconcile: in = out + dropped by rule."""
        if entry.rows_in != entry.rows_out + sum(entry.dropped.values()):
            raise CorpusError(
                f"{self.path.name} {entry.partition}: the ledger does not reconcile: {entry.rows_in} in, "
                f"{entry.rows_out} out, dropped {entry.dropped}; this is a bug, please report it"
            )

    def discard(self, partition: str) -> None:
        """Un-commit a partition; its files stay until they are written again."""
        (self.manifest / f"{partition}.json").unlink(missing_ok=True)
        if self.manifest.is_dir():
            fsync(self.manifest)

    def remove(self, partition: str) -> None:
        """Un-commit a partition and remove its files."""
        entry = self.entry(partition)
        if entry is not None:
            self.begin(partition, [file.path for file in entry.files])
            self.discard(partition)
            self.end(partition)

    def begin(self, partition: str, files: Collection[str]) -> None:
        """Note the files that a commit is about to touch."""
        write_atomic(self.manifest / f"{JOURNAL}{partition}", json.dumps(sorted(files)))

    def end(self, partition: str) -> None:
        """Remove those of the noted files that the partition's entry does not name, then the note."""
        journal = self.manifest / f"{JOURNAL}{partition}"
        entry = self.entry(partition)
        named = {file.path for file in entry.files} if entry else set()
        for path in json.loads(journal.read_text(encoding="utf-8")):
            if path not in named:
                (self.path / path).unlink(missing_ok=True)
        journal.unlink()

    def strays(self) -> list[Path]:
        """Files that neither an entry names nor a running task made, sorted."""
        if not self.path.is_dir():
            return []
        named = {self.path / file.path for entry in self.entries().values() for file in entry.files}
        named |= {self.manifest / f"{name}.json" for name in self.entries()}
        found: list[Path] = []
        for folder, folders, files in os.walk(self.path):
            here = Path(folder)
            # A nested step (`quality/signals` under `quality`) looks after its own files.
            folders[:] = sorted(f for f in folders if not (here / f / MANIFEST).is_dir() and not f.startswith(OURS))
            found += [here / name for name in sorted(files) if here / name not in named and not name.startswith(OURS)]
        return found

    def clean(self, keep: Collection[Path] = ()) -> None:
        """Remove what killed tasks left: temporary folders, work folders but those in `keep`, half-done commits."""
        for journal in sorted(self.manifest.glob(f"{JOURNAL}*")):
            self.end(journal.name.removeprefix(JOURNAL))
        for pattern in (f"{TEMPORARY}*", f"{WORK}*"):
            for path in [*self.path.glob(pattern), *self.manifest.glob(pattern)]:
                if path not in keep:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def missing(self, entry: Entry) -> list[str]:
        """One line for each file of the entry that is gone or of another size; reads no file."""
        faults = []
        for file in entry.files:
            path = self.path / file.path
            if not path.is_file():
                faults.append(f"{path}: missing")
            elif path.stat().st_size != file.bytes:
                faults.append(f"{path}: {path.stat().st_size} bytes, the manifest says {file.bytes}")
        return faults

    def verify(self, partition: str) -> list[str]:
        """One line for each committed file of the partition that is missing or differs from its digest."""
        entry = self.entry(partition)
        if entry is None:
            return []
        faults = self.missing(entry)
        if faults:
            return faults
        for file in entry.files:
            path = self.path / file.path
            try:
                if sha256_file(path) != file.sha256:
                    faults.append(f"{path}: sha256 differs from the manifest")
            except OSError as error:
                faults.append(f"{path}: cannot be read ({error.strerror})")
        return faults


def table_name(partition: str, kind: str = "") -> str:
    """Path of a partition's table in its step's folder; `kind` "ledger" or "edits": the one beside it."""
    return f"_{kind}/{partition}.parquet" if kind else f"{partition}.parquet"


class Table:
    """A Parquet file being written: zstd, page checksums, row groups of bounded size."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema, self.rows = schema, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        # Dictionaries and statistics of random ids and long texts give nothing, nor does compressing hashes.
        hashes = {"exact_key", "url_key", "signature"}
        plain = {"id", "text", "content_sha", *hashes}
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression={name: "none" if name in hashes else "zstd" for name in schema.names},
            write_page_checksum=True,
            use_dictionary=[name for name in schema.names if name not in plain],
            write_statistics=[name for name in schema.names if name not in plain],
            store_schema=True,
        )
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        for part in batch.to_batches() if isinstance(batch, pa.Table) else [batch]:
            if part.num_rows:
                self._pending.append(part.select(self.schema.names).cast(self.schema))
                self._pending_rows += part.num_rows
                self._pending_bytes += part.get_total_buffer_size()
            if self._pending_rows >= GROUP_ROWS or self._pending_bytes >= GROUP_BYTES:
                self._flush()

    def _flush(self) -> None:
        if self._pending:
            table = pa.Table.from_batches(self._pending, self.schema).combine_chunks()
            self._writer.write_table(table, row_group_size=table.num_rows)
            self.rows += table.num_rows
            self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def close(self) -> None:
        self._flush()
        self._writer.close()


class Writer:
    """The files of one partition until they are committed.

    Use as a context manager: on success `commit` was called; on any error the temporary folder goes and what was
    committed before stays as it was. Every file in `directory` is committed.
    """

    def __init__(self, folder: StepFolder, partition: str) -> None:
        self.folder, self.partition = folder, partition
        self.rows_in = self.rows_out = 0
        self.dropped: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.facts: dict[str, Any] = {}
        self._tables: dict[str, Table] = {}

    def __enter__(self) -> Writer:
        self.folder.path.mkdir(parents=True, exist_ok=True)
        self.directory = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=self.folder.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table in self._tables.values():
            # A table that cannot be closed (a full disk, say) is removed with its folder; the first error counts.
            with contextlib.suppress(Exception):
                table.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, relative: str) -> Path:
        """Where to write a file that will lie at `relative` in the step's folder."""
        path = self.directory / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def table(self, schema: pa.Schema, kind: str = "") -> Table:
        """The partition's table (or `kind` "ledger" or "edits" beside it); opened at first use."""
        return self.table_at(table_name(self.partition, kind), schema)

    def table_at(self, relative: str, schema: pa.Schema) -> Table:
        """The table at `relative` in the step's folder; opened at first use."""
        if relative not in self._tables:
            self._tables[relative] = Table(self.path(relative), schema)
        return self._tables[relative]

    def count(
        self, rows_in: int, rows_out: int, dropped: Mapping[str, int] = {}, failed: Mapping[str, int] = {}
    ) -> None:
        """Add to the partition's account. `failed` defaults to `dropped`."""
        self.rows_in += rows_in
        self.rows_out += rows_out
        for rule, number in dropped.items():
            self.dropped[rule] = self.dropped.get(rule, 0) + number
        for rule, number in (failed or dropped).items():
            self.failed[rule] = self.failed.get(rule, 0) + number

    def commit(self, key: str, version: str, config: dict[str, Any], inputs: dict[str, str]) -> Entry:
        """Close, fsync, rename every file into place, then write the manifest entry. Returns the entry."""
        rows: dict[str, int] = {}
        for relative, table in self._tables.items():
            table.close()
            rows[relative] = table.rows
        self._tables = {}
        files = []
        for path in sorted(path for path in self.directory.rglob("*") if path.is_file()):
            relative = str(path.relative_to(self.directory))
            fsync(path)
            files.append(File(relative, path.stat().st_size, sha256_file(path), rows.get(relative)))
        entry = Entry(
            self.partition,
            key,
            version,
            config,
            dict(sorted(inputs.items())),
            self.rows_in,
            self.rows_out,
            dict(sorted(self.dropped.items())),
            dict(sorted(self.failed.items())),
            tuple(files),
            self.facts,
        )
        self.folder.check(entry)
        old = self.folder.entry(self.partition)
        self.folder.begin(self.partition, {file.path for file in (*files, *(old.files if old else ()))})
        self.folder.discard(self.partition)
        touched = set()
        for file in files:
            target = self.folder.path / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.directory / file.path).replace(target)
            touched.add(target.parent)
        for parent in sorted(touched):
            fsync(parent)
        self.folder.commit(entry)
        self.folder.end(self.partition)
        return entry


def read_table(path: Path, columns: list[str] | None = None, rows: int = 4096) -> Iterator[pa.RecordBatch]:
    """Record batches of a committed table, page checksums verified: at most `rows`, fewer where rows are large.

    Raises StoredError naming the file when it cannot be read.
    """
    # `pre_buffer`, on by default, keeps what it has read until the file is closed.
    with stored(path), pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            # One group at a time: pyarrow would join several to fill a batch, however large their rows are.
            fitting = max(1, group.num_rows * BATCH_BYTES // max(1, _size(group, columns)))
            yield from file.iter_batches(min(rows, fitting), row_groups=[number], columns=columns, use_threads=False)


def _size(group: pq.RowGroupMetaData, columns: list[str] | None) -> int:
    """Uncompressed bytes of `columns` (`signals.words` names a field of one) in a row group."""
    chunks = [group.column(i) for i in range(group.num_columns)]
    wanted = None if columns is None else tuple(f"{name}." for name in columns)
    return sum(
        chunk.total_uncompressed_size
        for chunk in chunks
        if wanted is None or f"{chunk.path_in_schema}.".startswith(wanted)
    )


@contextlib.contextmanager
def stored(path: Path) -> Iterator[None]:
    """Raises StoredError for what pyarrow says of the committed file `path`."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        why = f"{path}: cannot be read ({reason}); `corpus verify` names every damaged file"
        raise StoredError(why, path) from error
