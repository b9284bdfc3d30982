"""Parquet files: one row is one document. Only the mapped columns are read, a batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import InputError
from corpus.sources.columns import check_columns, raw_batches
from corpus.sources.config import SourceConfig
from corpus.sources.pieces import InputFile
from corpus.sources.rows import BATCH_ROWS


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
        with pq.ParquetFile(file.path, page_checksum_verification=True, pre_buffer=False) as parquet:
            check_columns(parquet.schema_arrow, config, where)
            if not parquet.metadata.num_rows:
                skipped["empty_file"] += 1
            start = 0
            columns = sorted(set(config.columns.values()))
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                yield from raw_batches(batch, start, file.relative, config)
                start += len(batch)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0][:300]
        raise InputError(f"{where}: not readable as Parquet ({reason}); restore or remove the file") from error
