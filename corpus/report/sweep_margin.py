"""Documents beside a threshold, so that one can see what it divides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from corpus.report.lookup import fetch, texts
from corpus.report.outputs import BASE
from corpus.report.sweep import Batch, Population
from corpus.report.text import excerpt
from corpus.tokenizer.sample import keyed_hash

CHARS = 160  # of an excerpt
_POOL = 20  # for each document shown, so many of the nearest to choose from


@dataclass(frozen=True)
class Neighbour:
    """A document beside a threshold, `kept` by it or not."""

    threshold: float
    kept: bool
    id: bytes
    value: float
    partition: str
    url: str = ""
    excerpt: str = ""


class Pool:
    """The documents nearest to a threshold on one side of it; of equally near ones those with the least hashes."""

    def __init__(self, samples: int, seed: int) -> None:
        self.limit, self.seed = _POOL * samples, seed
        self.found: list[tuple[float, int, bytes, float, str]] = []

    def add(self, batch: Batch, mask: np.ndarray, value: np.ndarray, threshold: float) -> None:
        rows = np.flatnonzero(mask)
        distance = np.abs(value[rows] - threshold)
        if len(rows) > self.limit:
            near = distance <= np.partition(distance, self.limit)[self.limit]
            rows, distance = rows[near], distance[near]
        ids = batch.documents.column("id").take(pa.array(rows))
        hashes = keyed_hash(ids, f"sweep {self.seed}")
        first = np.lexsort((hashes, distance))[: self.limit]
        self.found += [
            (float(distance[k]), int(hashes[k]), ids[int(k)].as_py(), float(value[rows[k]]), batch.partition)
            for k in first
        ]
        self.found = sorted(self.found)[: self.limit]

    def picks(self, samples: int) -> list[tuple[bytes, float, str]]:
        """(id, value, partition) of the chosen ones, the nearest first."""
        chosen = sorted(sorted(self.found, key=lambda item: item[1])[:samples])
        return [item[2:] for item in chosen]


def shown(population: Population, found: Sequence[Neighbour]) -> list[Neighbour]:
    """With URL (or else locator) and the beginning of the text as it is before the decision."""
    urls: dict[bytes, str] = {}
    read: dict[bytes, str] = {}
    for partition in dict.fromkeys(one.partition for one in found):
        ids = {one.id for one in found if one.partition == partition}
        table = fetch(population.outputs.table(BASE, partition), ids, ["url", "locator"])
        urls |= {row["id"]: row["url"] or row["locator"] for row in table.to_pylist()}
        read |= texts(population.view, partition, ids)
    return [replace(one, url=urls[one.id], excerpt=excerpt(read[one.id], CHARS)) for one in found]
