"""Signals: what the quality rules look at, measured once a document and stored.

All are float64, because a threshold of 0.3 is not the same number in float32. NaN stands for a ratio of nothing to
nothing (an empty document), which every rule fails.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from corpus.kernels.arrow import string_buffers

# In the order of the kernel's columns.
_SIGNALS = (
    # Gopher quality (Rae et al. 2021, arXiv:2112.11446, section A1.1).
    ("words", "words that hold more than punctuation"),
    ("mean_word_length", "characters a word, over those words"),
    ("hash_ratio", "# signs a word, symbols counted as words"),
    ("ellipsis_ratio", "ellipses (... or …) a word, symbols counted as words"),
    ("bullet_lines", "share of lines that begin with • or -"),
    ("ellipsis_lines", "share of lines that end in an ellipsis"),
    ("alpha_words", "share of words, symbols included, with a letter"),
    ("stop_words", "how many of the, be, to, of, and, that, have, with occur"),
    # Gopher repetition (the same, table A1); characters as a share of all characters of the text.
    ("dup_lines", "share of lines that repeat an earlier one; lines stand between runs of new lines"),
    ("dup_paragraphs", "share of paragraphs that repeat an earlier one"),
    ("dup_line_chars", "characters in repeated lines"),
    ("dup_paragraph_chars", "characters in repeated paragraphs"),
    *((f"top_{n}gram", f"characters in the commonest {n}-gram, all its occurrences") for n in (2, 3, 4)),
    *((f"dup_{n}gram", f"characters in repeated {n}-grams, each counted once") for n in range(5, 11)),
    # C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2).
    ("sentences", "sentences, counted line by line"),
    ("lorem_ipsum", "lines with 'lorem ipsum'"),
    ("curly_brackets", "lines with {"),
    ("javascript_lines", "share of lines with 'javascript'"),
    ("policy_lines", "share of lines with a phrase of cookie and privacy notices"),
    ("unpunctuated_lines", "share of lines that do not end in . ? ! \" or ', or end in three stops"),
    # FineWeb (Penedo et al. 2024, arXiv:2406.17557, section 3.6).
    ("line_punctuation", "share of lines, blank ones apart, that end in a terminal mark of any script"),
    ("short_lines", "share of lines, blank ones apart, of at most 30 characters"),
    ("char_duplicates", "characters in repeated lines, of all that are not new lines"),
    ("newline_ratio", "new lines a word, symbols counted as words"),
)

SIGNALS: pa.StructType = pa.struct(
    [pa.field(name, pa.float64(), metadata={"doc": doc}) for name, doc in _SIGNALS],
)
"""One float64 field a signal; what it measures is in the field's metadata under `doc`."""


def compute(texts: pa.Array, words: pa.ListArray | None = None, sentences: pa.Array | None = None) -> pa.StructArray:
    """The signals of `texts` (string or large_string, no nulls), as `SIGNALS`, a row a text.

    `words` (a list of strings a text) replaces our own splitting, for a language that needs another segmenter;
    `sentences` (integers) replaces our own count. Raises TypeError for other types, ValueError for nulls or another
    length.
    """
    from corpus.kernels.quality import COLUMNS, measure
    from corpus.kernels.quality_flags import flags
    from corpus.kernels.words import exceptions

    for given in (words, sentences):
        if given is not None and (len(given) != len(texts) or given.null_count):
            raise ValueError("compute: words and sentences need one value a text, none of them null")
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
    measure(data, offsets, flags(), *exceptions(), word_data, word_offsets, rows, out)
    columns = [pa.array(column) for column in np.ascontiguousarray(out.T)]
    if sentences is not None:
        columns[SIGNALS.get_field_index("sentences")] = sentences.cast(pa.float64())
    return pa.StructArray.from_arrays(columns, fields=list(SIGNALS))


def split_words(text: str) -> list[str]:
    """The words of one text, as the signals see them (see docs/quality.md)."""
    from corpus.kernels import words
    from corpus.kernels.quality_flags import flags, to_points

    data = np.frombuffer(text.encode(), np.uint8)
    points = np.empty(len(data) + 1, np.uint32)
    starts, ends, scratch = (np.empty(len(data) + 1, np.int64) for _ in range(3))
    n = to_points(data, 0, len(data), points, scratch)
    count = words.split_words(points, n, flags(), *words.exceptions(), starts, ends, scratch)
    return [text[start:end] for start, end in zip(starts[:count].tolist(), ends[:count].tolist(), strict=True)]
