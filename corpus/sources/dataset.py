"""Hugging Face datasets, saved to disk or on the hub: one row is one document. `datasets` reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

import corpus.sources.hub as hub
from corpus.errors import InputError
from corpus.sources.columns import check_columns, raw_batches
from corpus.sources.config import SourceConfig
from corpus.sources.inputs import InputFile
from corpus.sources.rows import BATCH_ROWS


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The rows of each shard; the locator is `shard#row`, 0-based (`shard#row:id` where `id` is mapped).

    A shard is a file of a saved dataset, `NAME/SPLIT/00000-of-00002` of a dataset on the hub. Rows stay in Arrow all
    the way. Skipped: `empty_file`. Raises InputError for a shard that cannot be read, and as `check_columns` does.
    """
    for file in files:
        yield from _read(file, config, skipped)


def _read(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    where = f"source {config.name}: {file.path}"
    checked: pa.Schema | None = None
    row = 0
    try:
        for table in _tables(file, config, where):
            if table.schema != checked:
                check_columns(table.schema, config, where)
                checked = table.schema
            for batch in table.select(_needed(table.schema, config)).to_batches():
                # Arrow's own files have no checksums: offsets that lead astray must not be followed.
                batch.validate(full=True)
                yield from raw_batches(batch, row, file.relative, config)
                row += len(batch)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{where}: `datasets` cannot read it ({reason}); restore or remove it") from error
    if not row:
        skipped["empty_file"] += 1


def _tables(file: InputFile, config: SourceConfig, where: str) -> Iterator[pa.Table]:
    dataset: Any
    if file.identity:
        dataset = hub.shard(file.path, file.identity, config, where)
    else:
        dataset = hub.quiet().Dataset.from_file(file.path)
        check_columns(dataset.data.schema, config, where)
    yield from dataset.with_format("arrow").iter(batch_size=BATCH_ROWS)


def _needed(schema: pa.Schema, config: SourceConfig) -> list[str]:
    """The columns that hold what is mapped, also by the way to a field (`article.body`)."""
    return sorted({name if name in schema.names else name.split(".")[0] for name in config.columns.values()})
