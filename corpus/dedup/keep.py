"""Which document of a cluster stays: a total order by the criteria of `dedup.keep`, then by id.

It depends on the documents alone, neither on the order in which they come nor on how the work was cut up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from corpus.dedup.criteria import DATES, FIRST_ID

# Years and months, which `datetime.fromisoformat` does not take, are their first day.
_REDUCED = re.compile(r"\d{4}(-\d{2})?")
_MOST = ("highest", "newest", "longest")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def halves(ids: pa.Array) -> np.ndarray:
    """uint64[n, 2] that order as the 16 bytes of `ids` binary(16)[n] do."""
    data = np.frombuffer(memoryview(ids.buffers()[1] or b""), ">u8", 2 * (len(ids) + ids.offset))
    return data.reshape(-1, 2)[ids.offset :].astype(np.uint64)


def _seconds(date: str) -> float:
    """Since 1970, of an ISO 8601 date of any precision (its beginning; UTC unless it says otherwise), or NaN."""
    date = date.strip()
    if found := _REDUCED.fullmatch(date):
        date += "-01" if found[1] else "-01-01"
    try:
        moment = datetime.fromisoformat(date)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return np.nan


def dates(texts: pa.Array) -> np.ndarray:
    """float64[n]: seconds since 1970 of dates (string[n]) in ISO 8601; NaN for a null and for what is no date."""
    different = texts.dictionary_encode()
    known = np.array([_seconds(text) for text in different.dictionary.to_pylist()], np.float64)
    out = np.full(len(texts), np.nan)
    valid = np.asarray(different.indices.is_valid())
    out[valid] = known[different.indices.drop_null().to_numpy(zero_copy_only=False)]
    return out


def sort_keys(keep: Sequence[str], documents: pa.RecordBatch, sizes: np.ndarray) -> np.ndarray:
    """float64[criteria, documents]: by each criterion, what is smaller is preferred and NaN is last.

    `documents` has the columns of `criteria.columns`, `sizes` int[documents] are the bytes of their texts. Raises
    CorpusError when a signal is not stored.
    """
    from corpus.quality.decide import values

    rows = []
    for criterion in keep:
        kind, _, signal = criterion.partition(":")
        if kind == FIRST_ID:
            continue
        if signal:
            value = values(documents, signal)
        else:
            value = dates(documents.column("date")) if kind in DATES else np.asarray(sizes, np.float64)
        rows.append(-value if kind in _MOST else value)
    return np.array(rows, np.float64).reshape(len(rows), len(documents))


def preference(ids: pa.Array, keys: np.ndarray) -> np.ndarray:
    """int64[n]: the rows, most preferred first: by the `keys` float64[k, n] of `sort_keys`, first to last, then by the
    smallest id (binary(16)[n])."""
    high, low = halves(ids).T
    return np.lexsort((low, high, *keys[::-1]))
