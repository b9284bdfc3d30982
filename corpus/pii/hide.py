"""What people are shown of texts: personal data and secrets hidden, whatever the recipe does with them.

Everything that prints, logs or reports a document's words goes through here, by way of `corpus.report.lookup`, which
reads them. The patterns run on what is shown, so nothing depends on which stages have run; no kernel is loaded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable

import pyarrow as pa

from corpus.pii.kinds import KINDS

# Columns of stored tables that hold words of documents, or of filters about them.
WORDS = ("text", "title", "author", "detail")


def hidden(text: str, kinds: Collection[str] = KINDS) -> str:
    """`text` with each value of `kinds` replaced by `<EMAIL>`, `<PHONE>` and so on."""
    data = text.encode("utf-8", "surrogatepass")
    return _part(data, 0, len(data), _values(data, kinds))


def hidden_parts(text: str, parts: Iterable[tuple[int, int]]) -> list[str]:
    """Parts (start, end in UTF-8 bytes) of a text as they are seen in the whole of it: a value that lies across an
    edge is hidden too."""
    data = text.encode("utf-8", "surrogatepass")
    values = _values(data, KINDS)
    ends = [after for _, after, _ in values]
    return [_part(data, start, end, values, bisect_right(ends, start)) for start, end in parts]


def _values(data: bytes, kinds: Collection[str]) -> list[tuple[int, int, str]]:
    from corpus.pii.match import scan

    return [value for value in scan(data) if value[2] in kinds]


def _part(data: bytes, start: int, end: int, values: list[tuple[int, int, str]], skip: int = 0) -> str:
    at, parts = start, []
    for index in range(skip, len(values)):
        first, after, kind = values[index]
        if first >= end:
            break
        parts += [data[at : max(at, first)], f"<{kind.upper()}>".encode()]
        at = after
    parts.append(data[at : max(at, end)])
    return b"".join(parts).decode("utf-8", "replace")


def hide(table: pa.Table, names: Collection[str] = WORDS, kinds: Collection[str] = KINDS) -> pa.Table:
    """`table` with what its columns `names` hold hidden; columns that it lacks are passed over."""
    for index, field in enumerate(table.schema if kinds else ()):
        if field.name in names and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            values = [None if v is None else hidden(v, kinds) for v in table.column(index).to_pylist()]
            table = table.set_column(index, field, pa.array(values, field.type))
    return table
