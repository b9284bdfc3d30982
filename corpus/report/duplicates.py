"""What dedup compared and what it found: bands, the S-curve, and how large the clusters are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.dedup.curve import figures, headline
from corpus.report.outputs import Outputs
from corpus.store import read_table

DECISION = "dedup/decision"


def size_name(first: int, last: int) -> str:
    """`2`, `3 to 4`."""
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


@dataclass(frozen=True)
class SizeRow:
    """The clusters that had `first` to `last` documents, the one that stays included, and the documents in them."""

    first: int
    last: int
    clusters: int
    documents: int

    @property
    def name(self) -> str:
        return size_name(self.first, self.last)


@dataclass(frozen=True)
class Duplicates:
    """`banding`: `corpus.dedup.curve.figures`, None without MinHash; `sizes`: a row a power of two."""

    banding: dict[str, Any] | None
    sizes: tuple[SizeRow, ...]

    @property
    def headline(self) -> str | None:
        return headline(self.banding) if self.banding else None

    def to_json(self) -> dict[str, Any]:
        return {"banding": self.banding, "sizes": [vars(row) for row in self.sizes]}


def duplicates(outputs: Outputs) -> Duplicates | None:
    """None where dedup has not run."""
    config = outputs.recipe.dedup
    if config is None or not outputs.has(DECISION):
        return None
    found = np.zeros((64, 2), np.int64)
    for partition in outputs.partitions:
        for batch in read_table(outputs.table(DECISION, partition), ["cluster_size"]):
            sizes = batch.column("cluster_size").to_numpy()
            # Bits of size - 1: 1, 2, 3 to 4, 5 to 8 ...
            classes = np.frexp(sizes - 1)[1]
            found[:, 0] += np.bincount(classes, minlength=64)
            found[:, 1] += np.bincount(classes, sizes, 64).astype(np.int64)
    last = int(np.flatnonzero(found[:, 0]).max(initial=-1))
    rows = (SizeRow(2**k // 2 + 1 if k else 1, 2**k, *found[k].tolist()) for k in range(last + 1))
    return Duplicates(figures(config) if config.minhash else None, tuple(rows))
