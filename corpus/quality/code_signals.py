"""Signals of source files: what the rules of the code corpora look at, measured once a file and stored."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.kernels.arrow import string_buffers
from corpus.quality.names import CODE

CODE_SIGNALS: pa.StructType = pa.struct(
    [pa.field(signal.name, pa.float64(), metadata={"doc": signal.doc}) for signal in CODE],
)
"""One float64 field a signal, null where it does not apply to the language."""

# StarCoder2's list; one with data in it has no rule of line lengths, nor have languages whose lines are paragraphs.
_LONG_LINES = (
    *(
        "AsciiDoc",
        "HTML",
        "JSON",
        "MDX",
        "Markdown",
        "Org",
        "RMarkdown",
        "Roff",
        "Roff Manpage",
        "SMT",
        "TeX",
        "Texinfo",
    ),
    *("Text", "Textile", "Wikitext", "XML", "reStructuredText"),
)
_FEW_LETTERS = ("Motorola 68K Assembly", "WebAssembly")
# StarCoder2's phrases, and those of Go's and protobuf's generators.
GENERATED = (
    r"(?i)\A(?:[^\n]*\n){0,4}[^\n]*(?:auto-?generated|automatically generated|generated automatically"
    r"|this file is generated|@generated\b|\bgenerated (?:by|from|with)\b[^\n]*do not edit|do not edit[^\n]*generated)"
)
ENCODED = (
    r"[a-zA-Z0-9+/\n=]{64,}",
    r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}",
    r"(?:\\u[0-9a-fA-F]{4}){8,}",
)
"""StarCoder2's patterns of encoded data, for RE2 and, with `re.ASCII`, for `re`; each is taken out before the next."""
_HEAD = 8192


def compute_code(texts: pa.Array, languages: pa.Array) -> pa.StructArray:
    """The signals of source files (`CODE_SIGNALS`, a row a text); a null row where the language is null.

    `texts` string or large_string without nulls; `languages` string, in GitHub Linguist's names.
    """
    source = pc.is_valid(languages)
    found = _measure(texts.filter(source), languages.filter(source))
    if len(found) == len(texts):
        return found
    rank = pc.subtract(pc.cumulative_sum(source.cast(pa.int64())), 1)
    return found.take(pc.if_else(source, rank, pa.scalar(None, pa.int64())))


def _measure(texts: pa.Array, languages: pa.Array) -> pa.StructArray:
    from corpus.kernels.code import COLUMNS, measure
    from corpus.kernels.quality_flags import flags
    from corpus.kernels.unicode import classes
    from corpus.quality.comment_syntax import tables

    if len(texts) == 0:
        return pa.array([], CODE_SIGNALS)
    known = tables()
    folded = pc.utf8_lower(languages)
    names = folded.to_pylist()
    syntax = np.array([known.rows.get(name, -1) for name in names], np.int64)
    data, offsets = string_buffers(texts)
    data.flags.writeable = False
    out = np.empty((len(texts), COLUMNS), np.float64)
    syntaxes = (known.lines, known.openings, known.closings, known.quotes, known.long_quotes, known.flags)
    measure(data, offsets, flags(), classes(), syntax, *syntaxes, out)
    arrays = [pa.array(column) for column in np.ascontiguousarray(out.T)]
    arrays += [_generated(texts), _encoded(texts)]
    columns = dict(zip((signal.name for signal in CODE), arrays, strict=True))
    nothing = pa.scalar(None, pa.float64())
    columns["code_comments"] = pc.if_else(pa.array(syntax >= 0), columns["code_comments"], nothing)
    for exempt, signals in (
        (_LONG_LINES, ("code_longest_line", "code_mean_line")),
        (_FEW_LETTERS, ("code_alphabetic",)),
    ):
        applies = pc.invert(pc.is_in(folded, pa.array([name.lower() for name in exempt], folded.type)))
        for name in signals:
            columns[name] = pc.if_else(applies, columns[name], nothing)
    return pa.StructArray.from_arrays(list(columns.values()), fields=list(CODE_SIGNALS))


def _generated(texts: pa.Array) -> pa.Array:
    head = pc.utf8_slice_codeunits(texts, 0, _HEAD)
    return pc.match_substring_regex(head, GENERATED).cast(pa.float64())


def _encoded(texts: pa.Array) -> pa.Array:
    left = texts
    for pattern in ENCODED:
        left = pc.replace_substring_regex(left, pattern, "")
    whole = pc.utf8_length(texts).cast(pa.float64())
    return pc.divide(pc.subtract(whole, pc.utf8_length(left).cast(pa.float64())), whole)
