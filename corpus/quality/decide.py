"""Verdicts from stored signals: no text is read, so a changed threshold costs milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import CorpusError
from corpus.quality import names
from corpus.quality.rule import Rule

VERDICTS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
    ]
)


def columns(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The document columns that these rules look at, in a fixed order."""
    return tuple(sorted({names.column(rule.signal)[0] for rule in rules}))


def _stored(documents: pa.RecordBatch, signal: str) -> pa.Array:
    """The column or the field of a signal. Raises CorpusError when it is not there."""
    name, field = names.column(signal)
    column = documents.column(name) if name in documents.schema.names else None
    if column is not None and field is not None:
        column = pc.struct_field(column, field) if column.type.get_field_index(field) >= 0 else None
    if column is None:
        raise CorpusError(
            f"the stored signals have no {signal}; they were made by another version or without it, "
            "so run the quality stage again"
        )
    return column


def values(documents: pa.RecordBatch, signal: str) -> np.ndarray:
    """float64[documents]: a stored signal, NaN where it is null. Raises CorpusError when it is not there."""
    return pc.fill_null(_stored(documents, signal).cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)


def concerned(documents: pa.RecordBatch, rule: Rule) -> np.ndarray:
    """bool[documents]: which ones a rule judges: source files whose language has the signal, or all others."""
    if names.IS_CODE not in documents.schema.names:
        return np.full(len(documents), not names.is_code(rule.signal))
    if not names.is_code(rule.signal):
        return documents.column(names.IS_CODE).is_null().to_numpy(zero_copy_only=False)
    return _stored(documents, rule.signal).is_valid().to_numpy(zero_copy_only=False)


def failing(documents: pa.RecordBatch, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """(bool[documents] that fail the rule, float64[documents] its signal); NaN and null of what it judges fail."""
    value = values(documents, rule.signal)
    kept = value >= rule.threshold if rule.op == ">=" else value <= rule.threshold
    return ~kept & concerned(documents, rule), value


def decide(documents: pa.RecordBatch, rules: Sequence[Rule]) -> pa.Table:
    """A row (`VERDICTS`) for every rule that every document fails, by document and then in the order of the rules.

    `documents` has the columns of `columns(rules)`, and `programming_language` where there may be source files. A
    signal that is NaN or null fails each rule on it, with value NaN. Raises CorpusError when a signal is missing.
    """
    rows, ranks, found = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for index, rule in enumerate(rules):
        failed, value = failing(documents, rule)
        at = np.flatnonzero(failed)
        rows.append(at)
        ranks.append(np.full(len(at), index))
        found.append(value[at])
    row, rank, value = np.concatenate(rows), np.concatenate(ranks), np.concatenate(found)
    order = np.argsort(row, kind="stable")
    rule_names = pa.array([rule.name for rule in rules], pa.string())
    thresholds = pa.array([rule.threshold for rule in rules], pa.float64())
    rule_of = pa.array(rank[order])
    made = [pa.array(row[order]), rule_names.take(rule_of), pa.array(value[order]), thresholds.take(rule_of)]
    return pa.table(made, schema=VERDICTS)
