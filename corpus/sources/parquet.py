"""Parquet files: one row is one document. Only the mapped columns are read, a batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.documents import RAW
from corpus.errors import InputError
from corpus.sources.config import SourceConfig
from corpus.sources.pieces import InputFile
from corpus.sources.rows import BATCH_BYTES, BATCH_ROWS

_OURS = ("url", "date", "title", "author", "declared_language")


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The rows of each file; the locator is `file#row`, 0-based (`file#row:id` where `id` is mapped).

    Page checksums are verified where the file has them. A null text is a `no_text` row, one over the limit is
    `too_large`. Raises InputError for a file that is no Parquet file, is damaged, or lacks a mapped column or
    has it twice.
    """
    for file in files:
        yield from _read(file, config, skipped)


def _read(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    where = f"source {config.name}: {file.path}"
    try:
        with pq.ParquetFile(file.path, page_checksum_verification=True) as parquet:
            _check_columns(parquet.schema_arrow, config, where)
            if not parquet.metadata.num_rows:
                skipped["empty_file"] += 1
            start = 0
            columns = sorted(set(config.columns.values()))
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                raw = _raw(batch, start, file, config)
                start += len(raw)
                yield from _bounded(raw)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0][:300]
        raise InputError(f"{where}: not readable as Parquet ({reason}); restore or remove the file") from error


def _check_columns(schema: pa.Schema, config: SourceConfig, where: str) -> None:
    for ours, theirs in config.columns.items():
        if theirs not in schema.names:
            there = ", ".join(schema.names)
            raise InputError(f"{where}: no column `{theirs}`; set `columns: {{{ours}: ...}}` to one of: {there}")
        if schema.names.count(theirs) > 1:
            raise InputError(f"{where}: more than one column `{theirs}`; rename all but one, or map another")
    kind = schema.field(config.columns["text"]).type
    if not _is_bytes(kind.value_type if pa.types.is_dictionary(kind) else kind):
        raise InputError(f"{where}: column `{config.columns['text']}` is {kind}, not text; correct `columns`")


def _is_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    return any(
        test(kind)
        for test in (
            types.is_string,
            types.is_large_string,
            types.is_string_view,
            types.is_binary,
            types.is_large_binary,
            types.is_binary_view,
        )
    )


def _raw(batch: pa.RecordBatch, start: int, file: InputFile, config: SourceConfig) -> pa.RecordBatch:
    rows = len(batch)
    nothing = pa.nulls(rows, pa.string())
    content = batch.column(config.columns["text"])
    if pa.types.is_dictionary(content.type):
        content = content.dictionary_decode()
    content = content.cast(pa.large_binary())
    length = pc.binary_length(content)
    missing = pc.is_null(content)
    large = pc.fill_null(pc.greater(length, config.max_record_bytes), False)
    locator: list[str] = [f"{file.relative}#{start + i}" for i in range(rows)]
    if "id" in config.columns:
        ids = _strings(batch.column(config.columns["id"])).to_pylist()
        locator = [where if key is None else f"{where}:{key}" for where, key in zip(locator, ids, strict=True)]
    text = pa.scalar("text/plain")
    arrays: dict[str, Any] = {
        "locator": pa.array(locator),
        **{name: _strings(batch.column(config.columns[name])) for name in _OURS if name in config.columns},
        "content": pc.if_else(large, pa.scalar(None, pa.large_binary()), content),
        "media_type": pa.repeat(text, rows),
        "charset": pa.repeat(pa.scalar("utf-8"), rows),
        "problem": pc.if_else(missing, "no_text", pc.if_else(large, "too_large", nothing)),
        "detail": pc.if_else(
            missing,
            f"`{config.columns['text']}` is null",
            pc.if_else(large, f"more than {config.max_record_bytes} bytes", nothing),
        ),
    }
    return pa.record_batch([arrays.get(field.name, nothing).cast(field.type) for field in RAW], schema=RAW)


def _strings(column: pa.Array) -> pa.Array:
    """Any scalar column as strings (times in ISO 8601); nested ones, and bytes that are not UTF-8, are null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        return pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    if _is_bytes(column.type) and not pa.types.is_string(column.type):
        values = column.cast(pa.large_binary()).to_pylist()
        return pa.array([_utf8(value) for value in values], pa.string())
    if pa.types.is_nested(column.type):
        return pa.nulls(len(column), pa.string())
    return column.cast(pa.string())


def _utf8(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _bounded(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Slices of about 16 MB of content."""
    sizes = pc.fill_null(pc.binary_length(batch.column("content")), 0).to_pylist()
    begin = total = 0
    for i, size in enumerate(sizes):
        if i > begin and total + size > BATCH_BYTES:
            yield batch.slice(begin, i - begin)
            begin, total = i, 0
        total += size
    if begin < len(batch):
        yield batch.slice(begin)
