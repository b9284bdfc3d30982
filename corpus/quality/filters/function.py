"""A function of one's own as a filter: what it is called with, and what it may return."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import CorpusError
from corpus.quality.filters.config import FilterConfig
from corpus.quality.filters.source import describe, load

FAILURES = pa.schema(
    [
        ("row", pa.int64()),
        ("rule", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("detail", pa.string()),
    ]
)
_MOST_CHARS = 80
_EXPECTED = "return one boolean a document, true to keep it, or a table with `row` of those that fail"


class FunctionFilter:
    """Calls `function(batch, **options)` with record batches of the filter's columns."""

    rows = 4096

    def __init__(self, config: FilterConfig) -> None:
        """Raises CorpusError when there is no such function."""
        self._config, self._function = config, load(config)
        if not callable(self._function):
            raise CorpusError(f"{config}: is a {type(self._function).__name__}, no function")

    def judge(self, batch: pa.RecordBatch) -> tuple[pa.Table, None]:
        """(`FAILURES` of a batch with `id` and the filter's columns, no edits).

        Raises CorpusError, naming the document if one alone is to blame, when the function raises or exits, or
        returns what is neither booleans nor a table of failures.
        """
        given = batch.select(list(self._config.columns))
        try:
            answer = self._function(given, **self._config.options)
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            row = self._culprit(given)
            whose = "" if row is None else f", document {batch.column('id')[row].as_py().hex()}"
            raise CorpusError(f"{self._config}: {describe(error)}{whose}") from error
        try:
            return failures(answer, len(batch), self._config.name), None
        except (ValueError, TypeError, pa.ArrowException) as error:
            raise CorpusError(f"{self._config}: {' '.join(str(error).split())}; {_EXPECTED}") from error

    def _culprit(self, batch: pa.RecordBatch) -> int | None:
        """The row that the function fails on when it is alone, found by halving."""
        start, size = 0, len(batch)
        while True:
            for first, count in ((start, size // 2), (start + size // 2, size - size // 2)):
                if count and self._fails(batch.slice(first, count)):
                    break
            else:
                return None
            start, size = first, count
            if size == 1:
                return start

    def _fails(self, batch: pa.RecordBatch) -> bool:
        try:
            self._function(batch, **self._config.options)
        except (Exception, SystemExit):
            return True
        return False


def failures(answer: Any, documents: int, name: str) -> pa.Table:
    """What a filter called `name` returned for a batch of so many documents, as `FAILURES`, by row.

    Raises ValueError, TypeError or ArrowException for what cannot be understood.
    """
    if isinstance(answer, pa.RecordBatch):
        answer = pa.Table.from_batches([answer])
    elif isinstance(answer, Mapping):
        answer = pa.table(dict(answer))
    if isinstance(answer, pa.Table):
        return _table(answer, documents, name)
    if isinstance(answer, pa.Array | pa.ChunkedArray):
        if not pa.types.is_boolean(answer.type) or answer.null_count:
            raise TypeError(f"it returned an array of {answer.type} with {answer.null_count} nulls")
        keep = answer.to_numpy(zero_copy_only=False) if isinstance(answer, pa.Array) else answer.to_numpy()
    else:
        keep = np.asarray(answer)
        if keep.ndim != 1 or keep.dtype != bool:
            what = f"{type(answer).__name__} of {keep.dtype}" if keep.ndim else type(answer).__name__
            raise TypeError(f"it returned a {what}")
    if len(keep) != documents:
        raise ValueError(f"it returned {len(keep)} booleans for {documents} documents")
    rows = np.flatnonzero(~keep)
    return _complete({"row": pa.array(rows, pa.int64()), "rule": pa.repeat(pa.scalar(name), len(rows))})


def _table(table: pa.Table, documents: int, name: str) -> pa.Table:
    if unknown := [column for column in table.column_names if column not in FAILURES.names]:
        raise ValueError(f"it returned a table with a column {unknown[0]!r}, none of {', '.join(FAILURES.names)}")
    if "row" not in table.column_names:
        raise ValueError("it returned a table without `row`")
    rows = table.column("row")
    if table.num_rows and not pa.types.is_integer(rows.type):
        raise TypeError(f"it returned `row` as {rows.type}, not as integers")
    rows = rows.cast(pa.int64())
    low, high = pc.min_max(rows).values()
    if rows.null_count or (table.num_rows and not 0 <= low.as_py() <= high.as_py() < documents):
        raise ValueError(f"it returned `row` outside of 0 to {documents - 1}")
    columns = {column: table.column(column) for column in table.column_names} | {"row": rows}
    if "rule" in columns:
        given = columns["rule"].cast(pa.string())
        if given.null_count:
            raise ValueError("it returned a `rule` that is null")
        columns["rule"] = pa.array([rule_name(name, rule) for rule in given.to_pylist()], pa.string())
    else:
        columns["rule"] = pa.repeat(pa.scalar(name), table.num_rows)
    return _complete(columns).sort_by("row")


def rule_name(name: str, reason: str | None) -> str:
    """`NAME`, or `NAME_reason` in the letters of a name: two filters, or a filter and a preset, share no rule."""
    words = re.sub(r"\W+", "_", reason or "").strip("_")[:_MOST_CHARS]
    return words if words == name or words.startswith(f"{name}_") else f"{name}_{words}" if words else name


def _complete(columns: dict[str, Any]) -> pa.Table:
    size = len(columns["row"])
    filled = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(size, field.type)
        for field in FAILURES
    ]
    return pa.table(filled, schema=FAILURES)
