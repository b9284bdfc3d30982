"""Signals: what the quality rules look at, measured once a document and stored.

All are float64, because a threshold of 0.3 is not the same number in float32. NaN stands for a ratio of nothing to
nothing (an empty document), which every rule fails.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpus.kernels.arrow import string_buffers
from corpus.quality.names import TEXT

SIGNALS: pa.StructType = pa.struct(
    [pa.field(signal.name, pa.float64(), metadata={"doc": signal.doc}) for signal in TEXT],
)
"""One float64 field a signal; what it measures is in the field's metadata under `doc`."""


def compute(
    texts: pa.Array,
    words: pa.ListArray | None = None,
    sentences: pa.Array | None = None,
    removed: np.ndarray | None = None,
) -> pa.StructArray:
    """The signals of `texts` (string or large_string, no nulls), as `SIGNALS`, a row a text.

    `words` (a list of strings a text) replaces our own splitting, for a language that needs another segmenter;
    `sentences` (integers) replaces our own count; `removed` (float64[texts, 3], else zeros) is what line rules took
    from the texts, as `edit_and_count` gives it. Raises TypeError for other types, ValueError for nulls or another
    length.
    """
    from corpus.kernels import dictionaries, unicode
    from corpus.kernels.quality import COLUMNS, measure
    from corpus.kernels.quality_flags import flags
    from corpus.kernels.words import exceptions

    for given in (words, sentences):
        if given is not None and (len(given) != len(texts) or given.null_count):
            raise ValueError("compute: words and sentences need one value a text, none of them null")
    if removed is None:
        removed = np.zeros((len(texts), len(TEXT) - COLUMNS))
    elif removed.shape != (len(texts), len(TEXT) - COLUMNS):
        raise ValueError(f"compute: removed has the shape {removed.shape}")
    if len(texts) == 0:
        return pa.array([], SIGNALS)
    data, offsets = string_buffers(texts)
    word_data, word_offsets, rows = data, offsets[:1], offsets[:0]
    if words is not None:
        word_data, word_offsets = string_buffers(words.values)
        rows = words.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    for array in (data, word_data):  # one compiled variant, wherever the bytes come from
        array.flags.writeable = False
    out = np.empty((len(texts), COLUMNS), np.float64)
    tables = (flags(), unicode.lower(), *exceptions(), dictionaries.needed(data))
    measure(data, offsets, *tables, word_data, word_offsets, rows, out)
    columns = [pa.array(column) for column in np.vstack((out.T, removed.T))]
    if sentences is not None:
        columns[SIGNALS.get_field_index("sentences")] = sentences.cast(pa.float64())
    return pa.StructArray.from_arrays(columns, fields=list(SIGNALS))


def split_words(text: str) -> list[str]:
    """The words of one text, as the signals see them (see docs/quality.md)."""
    from corpus.kernels import dictionaries, words
    from corpus.kernels.quality_flags import flags, to_points

    data = np.frombuffer(text.encode(), np.uint8)
    points = np.empty(len(data) + 1, np.uint32)
    starts, ends, scratch = (np.empty(len(data) + 1, np.int64) for _ in range(3))
    n = to_points(data, 0, len(data), points, scratch)
    trie = dictionaries.needed(data)
    count = words.split_words(points, n, flags(), *words.exceptions(), trie, starts, ends, scratch)
    return [text[start:end] for start, end in zip(starts[:count].tolist(), ends[:count].tolist(), strict=True)]
