"""PDF files: one file is one document, its `url` is its relative path. Their text is made in `corpus.extract.pdf`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from corpus.sources.config import SourceConfig
from corpus.sources.html import load
from corpus.sources.inputs import InputFile
from corpus.sources.rows import Row, batches


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The bytes of each file, for a process that may crash over them. Problems: `unreadable`, `too_large`."""
    return batches(_row(file, config.max_record_bytes) for file in files)


def _row(file: InputFile, limit: int) -> Row:
    content, problem, detail = load(file, limit)
    return Row(
        file.relative, url=file.relative, content=content, media_type="application/pdf", problem=problem, detail=detail
    )
