"""Line rules: they edit the text before it is measured, as spans that can be shown and undone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from corpus.errors import CorpusError
from corpus.kernels.arrow import string_buffers
from corpus.quality.rules import LINE_PRESETS, LINE_RULES

LINE_EDITS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("replacement", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
    ]
)


def edit_lines(texts: pa.Array, line_rules: Sequence[str]) -> pa.Table:
    """The edits (`LINE_EDITS`) that the line rules make to `texts`, sorted and disjoint within a row.

    C4's (Raffel et al. 2020, arXiv:1910.10683, section 2.2, and its published code) are as datatrove 0.10 runs them:
    lines with a word of over 1,000 characters, without terminal punctuation, of fewer than 3 words, with "javascript"
    or with a phrase of cookie and privacy notices go, and citations like [1] inside the others. With any of them, what
    is left is stripped and joined by single new lines; those edits are under the rule `c4_whitespace`.

    RefinedWeb's (Penedo et al. 2023, arXiv:2306.01116, appendix G.2) take lines that are mainly capitals, only digits,
    counters (`3 likes`) or one word, and patterns inside short lines (`Read more...`); other lines stay as they are.
    Raises CorpusError for an unknown rule.
    """
    return edit_and_count(texts, line_rules)[0]


def edit_and_count(texts: pa.Array, line_rules: Sequence[str]) -> tuple[pa.Table, np.ndarray]:
    """As `edit_lines`, and float64[texts, 3]: what went, as `removed` of `corpus.quality.signals.compute`."""
    from corpus.kernels.lines import line_edits
    from corpus.kernels.quality_flags import flags

    for name in line_rules:
        if name not in LINE_PRESETS:
            raise CorpusError(f"line rule {name!r} is unknown: name some of {', '.join(LINE_PRESETS)}")
    chosen = {rule for name in line_rules for rule in LINE_PRESETS[name]}
    removed = np.zeros((len(texts), 3))
    if not chosen or len(texts) == 0:
        return LINE_EDITS.empty_table(), removed
    bits = sum(1 << index for index, rule in enumerate(LINE_RULES) if rule in chosen)
    data, offsets = string_buffers(texts)
    data.flags.writeable = False
    room = max(64, len(data) >> 5)  # bytes an edit, or every pass would be made twice
    while True:
        rows, starts, ends = (np.empty(room, np.int64) for _ in range(3))
        kinds, newline = np.empty(room, np.int8), np.empty(room, np.bool_)
        count = line_edits(data, offsets, bits, flags(), rows, starts, ends, kinds, newline, removed)
        if count <= room:
            break
        room = count
    rows, starts, ends, kinds, newline = rows[:count], starts[:count], ends[:count], kinds[:count], newline[:count]
    origin = offsets[rows]
    single = np.zeros(count, bool)
    one_byte = ends - starts == 1
    single[one_byte] = data[(origin + starts)[one_byte]] == ord("\n")
    real = np.where(newline, ~single, ends > starts)
    names = pa.array([*LINE_RULES, "c4_whitespace"])
    columns = [
        rows[real],
        starts[real],
        ends[real],
        pa.array(["", "\n"]).take(pa.array(newline[real].astype(np.int8))),
        names.take(pa.array(kinds[real])),
    ]
    return pa.table(columns, schema=LINE_EDITS), removed
