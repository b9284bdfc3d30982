"""Distributions over stored columns, as streams: memory does not grow with the corpus."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import EDITED_BYTES, View
from corpus.report.lookup import ROWS
from corpus.report.outputs import Outputs
from corpus.report.tables import step_tables

_PER_OCTAVE = 32
# Lower edges of the bins: every integer while they are small, then 32 to a doubling, so a quantile is right to 2.2%.
EDGES = np.unique([int(2 ** (k / _PER_OCTAVE)) for k in range(48 * _PER_OCTAVE)])
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass
class Lengths:
    """A distribution of lengths in bytes: exact number, sum, least and most, and counts in the bins of EDGES.

    `extracted` is the sum of the same documents' texts as they were extracted."""

    documents: int = 0
    total: int = 0
    least: int = 0
    most: int = 0
    extracted: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(len(EDGES) + 1, np.int64))

    def add(self, values: np.ndarray) -> None:
        if len(values):
            self.least = int(min(self.least, values.min()) if self.documents else values.min())
            self.most = max(self.most, int(values.max()))
            self.documents += len(values)
            self.total += int(values.sum())
            self.counts += np.bincount(np.searchsorted(EDGES, values, "right"), minlength=len(self.counts))

    @property
    def mean(self) -> float | None:
        return self.total / self.documents if self.documents else None

    def quantile(self, share: float) -> int:
        """The lower edge of the bin that holds the document at `share` of the order; 0 where there is none."""
        rank = max(int(np.ceil(share * self.documents)), 1)
        bin_ = int(np.searchsorted(np.cumsum(self.counts), rank))
        edge = int(EDGES[bin_ - 1]) if 0 < bin_ <= len(EDGES) else 0
        return min(max(edge, self.least), self.most)

    def summary(self) -> dict[str, Any]:
        """JSON: documents, bytes, those as extracted, mean, min, p1 to p99, max."""
        return {
            "documents": self.documents,
            "bytes": self.total,
            "extracted_bytes": self.extracted,
            "mean": None if self.mean is None else round(self.mean, 1),
            "min": self.least,
            **{f"p{100 * share:.0f}": self.quantile(share) for share in QUANTILES},
            "max": self.most,
        }

    def octaves(self) -> dict[int, int]:
        """Documents in half octaves: k -> those of 2^(k/2) up to 2^((k+1)/2) bytes; empty ones at the ends left out."""
        k = np.searchsorted([int(2 ** (k / 2)) for k in range(96)], EDGES, "right") - 1
        counts = np.bincount(k, self.counts[1:], minlength=96).astype(int)
        filled = np.flatnonzero(counts)
        return {int(k): int(counts[k]) for k in range(filled[0], filled[-1] + 1)} if len(filled) else {}


def lengths(view: View) -> Lengths:
    """Lengths of the documents of a view, in UTF-8 bytes of the text as it stands there: cut and masked."""
    found = Lengths()
    for partition in view.partitions():
        for batch in view.batches(partition, ["bytes", EDITED_BYTES], ROWS):
            found.add(batch.column(EDITED_BYTES).to_numpy())
            found.extracted += int(pc.sum(batch.column("bytes")).as_py())
    return found


def languages(outputs: Outputs) -> list[dict[str, Any]]:
    """{language, documents, bytes, kept, kept_bytes}, the commonest first: as labelled, of the text as extracted, and
    as they stand at the end, cut and masked; with `other_scripts`: documents not written as their language is, by
    script, and, where a second model was asked, `second_agrees` and `second_says`: documents to which it gives another
    language, by that. `second_agrees` is None for a language in which no document could be compared.

    Empty where the recipe has no language stage, or it has not run.
    """
    if not outputs.has("language/scores"):
        return []
    before = _by_language(outputs.view("language/scores"), "bytes")
    after = _by_language(outputs.view(), EDITED_BYTES)
    facts = {table.step: table.facts for table in step_tables(outputs)}
    scripts = facts["language/scores"].get("script", {}).get("not_written_so", {})
    second = facts.get("language/second", {}).get("second") if outputs.has("language/second") else None
    rows = [
        {
            "language": name,
            "documents": documents,
            "bytes": size,
            "kept": after[name][0] if name in after else 0,
            "kept_bytes": after[name][1] if name in after else 0,
            "other_scripts": scripts.get(name, {}),
            "second_agrees": second["agree"].get(name, 0 if name in second["disagree"] else None) if second else None,
            "second_says": second["disagree"].get(name, {}) if second else None,
        }
        for name, (documents, size) in before.items()
    ]
    return sorted(rows, key=lambda row: (-row["documents"], row["language"]))


def _by_language(view: View, size: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for partition in view.partitions():
        for batch in view.batches(partition, ["language", size], ROWS):
            table = pa.Table.from_batches([batch])
            for row in table.group_by("language").aggregate([(size, "count"), (size, "sum")]).to_pylist():
                found[row["language"]][0] += row[f"{size}_count"]
                found[row["language"]][1] += row[f"{size}_sum"]
    return dict(found)
