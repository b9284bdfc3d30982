"""Arrow IPC: files (`.arrow`, `.feather` version 2) and streams (as `datasets` writes); one row is one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.ipc as ipc

from corpus.errors import InputError
from corpus.sources.columns import check_columns, raw_batches, top_level, validate
from corpus.sources.config import SourceConfig
from corpus.sources.pieces import InputFile
from corpus.sources.rows import Row, batches

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The rows of each file; the locator is `file#row`, 0-based (`file#row:id` where `id` is mapped).

    A null text is a `no_text` row, one over the limit is `too_large`. Where a stream is cut or corrupt, one `damaged`
    row stands for its rest. Raises InputError for a file that is no Arrow IPC, is damaged, or lacks a mapped column or
    has it twice. The format has no checksums: what is checked is that every number fits what it points into.
    """
    for file in files:
        yield from _read(file, config, skipped)


def _read(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    where = f"source {config.name}: {file.path}"
    start, reader, damage = 0, None, None
    try:
        with pa.OSFile(file.path) as source:
            reader = _open(source, config, where)
            for batch in _batches(reader):
                validate(batch, config)
                yield from raw_batches(batch, start, file.relative, config)
                start += len(batch)
            if isinstance(reader, ipc.RecordBatchStreamReader) and not _ended(source):
                damage = "no mark at the end of the stream: rows may be missing"
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0][:300]
        # An error of the disk has a number; a stream that ends too early has none.
        if not isinstance(reader, ipc.RecordBatchStreamReader) or getattr(error, "errno", None):
            raise InputError(f"{where}: not readable as Arrow IPC ({reason}); restore or remove the file") from error
        damage = reason
    if damage:
        yield from batches([Row(f"{file.relative}#{start}", problem="damaged", detail=damage)])
    elif not start:
        skipped["empty_file"] += 1


_Reader: TypeAlias = Any  # of a file or of a stream; pyarrow has no type for both


def _open(source: pa.NativeFile, config: SourceConfig, where: str) -> _Reader:
    """A reader of the mapped columns."""
    begin = source.read(6)
    if begin.startswith(b"FEA1"):
        raise InputError(f"{where}: Feather version 1 is no Arrow IPC; write the file again as version 2")
    opened = ipc.open_file if begin == b"ARROW1" else ipc.open_stream
    source.seek(0)
    schema = opened(source).schema
    check_columns(schema, config, where)
    source.seek(0)
    return opened(source, options=ipc.IpcReadOptions(included_fields=top_level(schema, config)))


def _batches(reader: _Reader) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, ipc.RecordBatchStreamReader):
        yield from reader
    else:
        yield from map(reader.get_batch, range(reader.num_record_batches))


def _ended(source: pa.NativeFile) -> bool:
    """Whether the mark is there, and nothing behind it: a stream that is cut between two batches reads as whole."""
    end = source.tell()
    source.seek(max(0, end - len(_END)))
    return end == source.size() and source.read(len(_END)) == _END
