"""Record batches of any table to batches of RAW: what Parquet, Arrow and Hugging Face datasets share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.documents import RAW
from corpus.errors import InputError
from corpus.sources.config import SourceConfig
from corpus.sources.rows import BATCH_BYTES, BATCH_ROWS

METADATA = ("url", "date", "title", "author", "declared_language", "license", "programming_language")
"""The mapped columns that go into RAW's columns of the same names."""
_NAMES, _SHOWN = 20, 30


def check_columns(schema: pa.Schema, config: SourceConfig, where: str) -> None:
    """Raise InputError, beginning with `where`, unless each mapped column is there once and `text` holds text.

    A mapped name is a column's own name or else the way to a field of a struct: `article.body`.
    """
    try:
        for ours, theirs in config.columns.items():
            path = _path(schema, theirs)
            if path is None:
                raise InputError(f"{where}: {no_column(ours, theirs, schema.names)}")
            if schema.names.count(path[0].name) > 1:
                raise InputError(f"{where}: more than one column `{path[0].name}`; rename all but one, or map another")
            if ours == "text" and not _is_bytes(path[-1].type):
                raise InputError(f"{where}: column `{theirs}` is {path[-1].type}, not text; correct `columns`")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: the name of a column is not UTF-8; restore or remove the file") from error


def no_column(ours: str, theirs: str, there: Sequence[str]) -> str:
    """The words for a mapped column that is not among those `there`, which are named as far as a line has room."""
    option = "--text-column NAME" if ours == "text" else f"--columns {ours}=NAME"
    names = [" ".join(name.split()) for name in there[:_NAMES]]
    shown = ", ".join(name if len(name) <= _SHOWN else f"{name[:_SHOWN].rstrip()}…" for name in names)
    more = f", and {len(there) - _NAMES} more" if len(there) > _NAMES else ""
    return (
        f"no column `{theirs}`; set `columns: {{{ours}: NAME}}` in the recipe, {option} on the command line, "
        f"to one of: {shown}{more}"
    )


def raw_batches(batch: pa.RecordBatch, start: int, relative: str, config: SourceConfig) -> Iterator[pa.RecordBatch]:
    """The rows of `batch`, of a schema that `check_columns` let pass, as batches of RAW.

    At most 256 rows and, unless one row alone is larger, 16 MB each, however often a dictionary or a view names one
    long value. The locator is `relative#row`, `start` being the number of the first row, with `:id` behind it where
    `id` is mapped. A null text is a `no_text` row; one whose mapped columns hold more than `max_record_bytes` is
    `too_large`. In a text, bytes that are not UTF-8 become U+FFFD; metadata that is not UTF-8 is null, as is what has
    no form as a string (lists, structs).
    """
    for begin in range(0, len(batch), BATCH_ROWS):
        part = batch.slice(begin, BATCH_ROWS)
        columns: dict[str, pa.Array] = {ours: _column(part, theirs) for ours, theirs in config.columns.items()}
        sizes = sum((_sizes(column) for column in columns.values()), np.zeros(len(part), np.int64))
        for first, end in _slices(sizes, config.max_record_bytes):
            rows = {ours: column.slice(first, end - first) for ours, column in columns.items()}
            if sizes[first] > config.max_record_bytes:
                rows = {ours: pa.nulls(1) if _is_bytes(column.type) else column for ours, column in rows.items()}
                problem, detail = "too_large", f"more than {config.max_record_bytes} bytes"
            else:
                problem, detail = "no_text", f"`{config.columns['text']}` is null"
            locators = [f"{relative}#{row}" for row in range(start + begin + first, start + begin + end)]
            yield _raw(rows, locators, problem, detail)


def top_level(schema: pa.Schema, config: SourceConfig) -> list[int]:
    """Indices of the columns that hold what is mapped, ascending."""
    paths = [_path(schema, name) for name in config.columns.values()]
    return sorted({schema.names.index(path[0].name) for path in paths if path})


def validate(batch: pa.RecordBatch, config: SourceConfig) -> None:
    """Raise pa.ArrowInvalid where offsets, indices or lengths of a mapped column do not fit what they point into.

    What a checksum does not vouch for must pass here before anything else looks at it: Arrow trusts such numbers.
    Whether strings are UTF-8 is not asked, `raw_batches` mends that.
    """
    batch.validate()
    for name in config.columns.values():
        column = _column(batch, name)
        if pa.types.is_dictionary(column.type):
            # Checks the indices; the values are checked below.
            pa.DictionaryArray.from_arrays(column.indices, pa.nulls(len(column.dictionary)))
            column = column.dictionary
        kind = _BYTES.get(column.type, column.type)
        column.view(kind).validate(full=True)


_BYTES = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


def _path(schema: pa.Schema, name: str) -> list[pa.Field] | None:
    """The fields from the top down to the one of that name."""
    if name in schema.names:
        return [schema.field(schema.names.index(name))]
    path: list[pa.Field] = []
    fields = list(schema)
    for part in name.split("."):
        found = [field for field in fields if field.name == part]
        if not found or (path and len(found) > 1):
            return None
        path.append(found[0])
        fields = list(found[0].type) if pa.types.is_struct(found[0].type) else []
    return path


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    path = _path(batch.schema, name)
    assert path is not None, "check_columns looks for it"
    column = batch.column(batch.schema.names.index(path[0].name))
    for field in path[1:]:
        column = pc.struct_field(column, field.name)
    return column


def _is_bytes(kind: pa.DataType) -> bool:
    """Whether it holds strings of letters or bytes, as they are or by a dictionary."""
    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
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


def _sizes(column: pa.Array) -> np.ndarray:
    """Bytes of each value, int64 [rows], before anything is copied; 0 for null and for other types."""
    if not _is_bytes(column.type) or not len(column):
        return np.zeros(len(column), np.int64)
    if pa.types.is_dictionary(column.type):
        return pc.fill_null(pa.array(_sizes(column.dictionary)).take(column.indices), 0).to_numpy()
    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        # A view is 16 bytes, its length the first four of them; Arrow's functions do not know the type yet.
        views = np.frombuffer(column.buffers()[1], np.int32)[column.offset * 4 :: 4][: len(column)]
        return np.where(column.is_valid().to_numpy(zero_copy_only=False), views, 0).astype(np.int64)
    return pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)


def _slices(sizes: np.ndarray, limit: int) -> Iterator[tuple[int, int]]:
    """[(first, end)]: of at most 16 MB; a row over the limit stands alone, since it must not be touched."""
    first = total = 0
    alone = False
    for i, size in enumerate(sizes.tolist()):
        if i > first and (alone or size > limit or total + size > BATCH_BYTES):
            yield first, i
            first, total = i, 0
        total += size
        alone = size > limit
    if first < len(sizes):
        yield first, len(sizes)


def _raw(columns: dict[str, pa.Array], locators: list[str], problem: str, detail: str) -> pa.RecordBatch:
    """A batch of RAW; rows whose text is null have that problem."""
    content = _text(columns["text"])
    missing = pc.is_null(content)
    nothing = pa.scalar(None, pa.string())
    if "id" in columns:
        ids = _strings(columns["id"]).to_pylist()
        locators = [where if key is None else f"{where}:{key}" for where, key in zip(locators, ids, strict=True)]
    arrays: dict[str, Any] = {
        "locator": pa.array(locators),
        **{name: _strings(columns[name]) for name in METADATA if name in columns},
        "content": content,
        "media_type": pa.repeat("text/plain", len(locators)),
        "charset": pa.repeat("utf-8", len(locators)),
        "problem": pc.if_else(missing, problem, nothing),
        "detail": pc.if_else(missing, detail, nothing),
    }
    empty = pa.nulls(len(locators))
    return pa.record_batch([arrays.get(field.name, empty).cast(field.type) for field in RAW], schema=RAW)


def _text(column: pa.Array) -> pa.Array:
    content = _plain(column)
    try:
        content.cast(pa.large_string())
    except pa.ArrowInvalid:
        values = (value and value.decode("utf-8", "replace").encode() for value in content.to_pylist())
        content = pa.array(values, pa.large_binary())
    return content


def _strings(column: pa.Array) -> pa.Array:
    """Any scalar column as strings, times in ISO 8601."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if _is_bytes(column.type) or pa.types.is_fixed_size_binary(column.type):
        column = _plain(column)
        try:
            return column.cast(pa.large_string())
        except pa.ArrowInvalid:
            return pa.array([_utf8(value) for value in column.to_pylist()], pa.large_string())
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        strings = column.cast(pa.string())
    except pa.ArrowNotImplementedError:
        return pa.nulls(len(column), pa.string())
    if pa.types.is_timestamp(column.type):
        strings = pc.replace_substring(strings, " ", "T", max_replacements=1)
    return strings


def _plain(column: pa.Array) -> pa.Array:
    """Strings of letters or bytes as large_binary; what they hold is not looked at."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_binary())


def _utf8(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None
