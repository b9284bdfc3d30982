"""The policy of each kind over stored spans; no text is read."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.documents import EDITS
from corpus.pii.config import PiiConfig
from corpus.pii.kinds import KINDS, RULE

_FAILURES = pa.schema(
    [("row", pa.int64()), ("rule", pa.string()), ("value", pa.float64()), ("threshold", pa.float64())]
)


def failures(rows: np.ndarray, found: pa.Table | None, config: PiiConfig) -> pa.Table:
    """A row (`row`, `rule`, `value`, `threshold`) for each document and kind whose policy is to drop, in the order of
    the documents; the value is the number of hits.

    `found` has `id`, `start`, `end`, `kind` of the spans of the documents `rows` (int64, ascending), or is None.
    """
    made: list[tuple[int, int, int]] = []
    if found is not None:
        kinds = found.column("kind")
        for kind in config.kinds("drop"):
            hit, hits = np.unique(rows[pc.equal(kinds, kind).to_numpy()], return_counts=True)
            made += zip(hit.tolist(), [KINDS.index(kind)] * len(hit), hits.tolist(), strict=True)
    made.sort()
    columns = [
        pa.array([row for row, _, _ in made], pa.int64()),
        pa.array([RULE + KINDS[kind] for _, kind, _ in made], pa.string()),
        pa.array([float(hits) for _, _, hits in made], pa.float64()),
        pa.array([0.0] * len(made), pa.float64()),
    ]
    return pa.table(columns, schema=_FAILURES)


def masks(rows: np.ndarray, found: pa.Table, keep: np.ndarray, config: PiiConfig) -> pa.Table:
    """The edits (EDITS) that mask the spans of the documents that stay."""
    kinds = config.kinds("mask")
    chosen = pc.and_(pc.is_in(found.column("kind"), pa.array(kinds, pa.string())), pa.array(keep[rows]))
    spans = found.filter(chosen)
    at = pc.index_in(spans.column("kind"), pa.array(kinds, pa.string())).combine_chunks()
    texts = pa.array([config.text(kind) for kind in kinds], pa.string())
    rules = pa.array([RULE + kind for kind in kinds], pa.string())
    columns = [*(spans.column(name) for name in ("id", "start", "end")), texts.take(at), rules.take(at)]
    return pa.table(columns, schema=EDITS)


class Tally:
    """By kind: documents and hits found, hits masked, documents dropped because of it."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = defaultdict(
            lambda: {"documents": 0, "hits": 0, "masked": 0, "dropped": 0}
        )

    def add(self, rows: np.ndarray, found: pa.Table, keep: np.ndarray, config: PiiConfig) -> None:
        kinds = found.column("kind")
        for kind in KINDS:
            policy = config.policy(kind)
            mine = rows[pc.equal(kinds, kind).to_numpy()]
            if policy == "off" or len(mine) == 0:
                continue
            count, documents = self._counts[kind], np.unique(mine)
            count["documents"] += len(documents)
            count["hits"] += len(mine)
            count["masked"] += int(keep[mine].sum()) if policy == "mask" else 0
            count["dropped"] += len(documents) if policy == "drop" else 0

    def facts(self) -> dict[str, dict[str, int]]:
        """JSON, in the order of KINDS."""
        return {kind: dict(self._counts[kind]) for kind in KINDS if kind in self._counts}
