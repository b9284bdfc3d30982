"""Text as a classifier sees it, in training and in prediction alike."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from corpus.quality.classifier.config import Preparation

# Line breaks of `str.splitlines` become spaces, as in DCLM's recipe: fastText ends an example at a new line. What
# begins with its label prefix would be a label of the example, and its end-of-sentence word would cut the text off.
_NOT_TEXT = r"[\n\r\v\f\x{1c}-\x{1e}\x{85}\x{2028}\x{2029}\x{0}]|__label__|</s>"
DESCRIPTION = "line breaks, U+0000, `__label__` and `</s>` become spaces"


def prepare(texts: pa.Array, preparation: Preparation) -> pa.Array:
    """One line a text (string or large_string without nulls), without a line break; null where nothing is left."""
    lines = pc.utf8_slice_codeunits(texts, 0, preparation.max_chars)
    lines = pc.replace_substring_regex(lines, _NOT_TEXT, " ")
    if preparation.lower:
        lines = pc.utf8_lower(lines)
    lines = pc.utf8_trim_whitespace(lines)
    return pc.if_else(pc.equal(pc.binary_length(lines), 0), pa.scalar(None, lines.type), lines)
