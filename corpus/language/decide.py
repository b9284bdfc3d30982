"""Which documents stay, from the stored labels, scores, scripts and second opinions."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from corpus.language.codes import UNDETERMINED
from corpus.language.config import LanguageConfig
from corpus.language.scripts import disagreements

DECISION = pa.schema(
    [
        # Position in the arrays given.
        pa.field("row", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("detail", pa.string()),
    ]
)


def decide(batch: pa.RecordBatch, config: LanguageConfig) -> pa.Table:
    """One row of `DECISION` for each rule that a document fails, by row and then by rule.

    `batch` has `language` and `language_score`, and `script`, `second_agrees`, `second_language` where the rules need
    them; with `programming_language`, source files fail nothing unless `source_files` is `judge`.

    `language`: not in `keep`; `detail` says what it is instead. `language_score`: `value` is below the language's
    threshold. `language_script`: not written so. `language_disagreement`: the second model says otherwise.
    """
    language, value = batch.column("language"), batch.column("language_score").cast(pa.float64())
    size = len(batch)
    rows, none = pa.array(range(size), pa.int64()), pa.nulls(size, pa.float64())
    tables = []
    if config.keep:
        wrong = pc.invert(pc.is_in(language, pa.array(config.keep, language.type)))
        # Not as `value`: a score of 0.99 does not read as the reason why a document went.
        shown = pc.round(value, 3).cast(pa.string())
        keep = f"), keep: {', '.join(config.keep)}"
        what = pc.binary_join_element_wise(language.cast(pa.string()), " (score ", shown, keep, "")
        tables.append(_failures(rows, "language", none, none, what, wrong))
    least = _thresholds(language, config)
    # The score is a float32: a threshold of 0.65 must not drop a score that prints as 0.65.
    # NaN is not less than anything, and must not stay.
    low = pc.invert(pc.greater_equal(batch.column("language_score"), least.cast(pa.float32())))
    tables.append(_failures(rows, "language_score", value, least, language, low))
    if config.script == "drop":
        script = batch.column("script")
        wrong = pc.fill_null(disagreements(language, script), False)
        what = pc.binary_join_element_wise(language, script, " in ")
        tables.append(_failures(rows, "language_script", none, none, what, wrong))
    if config.disagreement == "drop":
        wrong = pc.fill_null(pc.invert(batch.column("second_agrees")), False)
        what = pc.binary_join_element_wise(language, batch.column("second_language"), ", second model: ")
        tables.append(_failures(rows, "language_disagreement", none, none, what, wrong))
    failures = pa.concat_tables(tables).sort_by([("row", "ascending"), ("rule", "ascending")])
    if config.source_files == "leave" and "programming_language" in batch.schema.names:
        prose = batch.column("programming_language").is_null()
        failures = failures.filter(prose.take(failures.column("row").combine_chunks()))
    return failures


def _thresholds(language: pa.Array, config: LanguageConfig) -> pa.Array:
    """The threshold of each document's language."""
    # Text without letters has score 0: who keeps it by name means that.
    thresholds = ({UNDETERMINED: 0.0} if UNDETERMINED in config.keep else {}) | config.thresholds
    own = pa.array(list(thresholds.values()), pa.float64())
    position = pc.index_in(language, value_set=pa.array(list(thresholds), language.type))
    return pc.fill_null(own.take(position), config.threshold)


def _failures(
    rows: pa.Array, rule: str, value: pa.Array, threshold: pa.Array, detail: pa.Array, mask: pa.Array
) -> pa.Table:
    columns = [rows, pa.repeat(pa.scalar(rule), len(rows)), value, threshold, detail.cast(pa.string())]
    return pa.table(columns, schema=DECISION).filter(mask)
