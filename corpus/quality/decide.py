"""Verdicts from stored signals: no text is read, so a changed threshold costs milliseconds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import CorpusError
from corpus.quality.config import QualityConfig

VERDICTS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
    ]
)


def decide(signals: pa.StructArray, config: QualityConfig) -> pa.Table:
    """A row (`VERDICTS`) for every rule that every document fails, by document and then in the order of the rules.

    A signal that is NaN or null fails each rule on it, with value NaN. Raises CorpusError when a signal is missing.
    """
    rules = config.active_rules
    rows, ranks, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for index, rule in enumerate(rules):
        if signals.type.get_field_index(rule.signal) < 0:
            raise CorpusError(
                f"rule {rule.name}: the stored signals have no {rule.signal}; they were made by another version, "
                "so run the quality stage again"
            )
        value = pc.fill_null(pc.struct_field(signals, rule.signal), np.nan).to_numpy(zero_copy_only=False)
        kept = value >= rule.threshold if rule.op == ">=" else value <= rule.threshold
        failed = np.flatnonzero(~kept)
        rows.append(failed)
        ranks.append(np.full(len(failed), index))
        values.append(value[failed])
    row, rank, value = np.concatenate(rows), np.concatenate(ranks), np.concatenate(values)
    order = np.argsort(row, kind="stable")
    names = pa.array([rule.name for rule in rules], pa.string())
    thresholds = pa.array([rule.threshold for rule in rules], pa.float64())
    rule_of = pa.array(rank[order])
    columns = [pa.array(row[order]), names.take(rule_of), pa.array(value[order]), thresholds.take(rule_of)]
    return pa.table(columns, schema=VERDICTS)
