"""The documents that are compared: those of earlier deliveries, then this folder's own, in one numbering of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus.dataset import View


@dataclass(frozen=True)
class Part:
    """One partition; `own` if it is of the folder that is being deduplicated, else of an earlier delivery."""

    view: View
    partition: str
    own: bool = True

    @property
    def folder(self) -> Path:
        return self.view.root


class Population:
    """Rows 0, 1, 2 ... over `parts`, in order; `beat(0)` is called while it reads."""

    def __init__(self, parts: Sequence[Part], beat: Callable[[int], object]) -> None:
        self.parts, self._beat = tuple(parts), beat
        # `starts[k]` is the row with which part k begins; filled by the first whole `batches`.
        self.starts = np.zeros(1, np.int64)

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """(number of the part, batch of `columns`), in the order of the rows."""
        counts = np.zeros(len(self.parts), np.int64)
        for number, part in enumerate(self.parts):
            for batch in part.view.batches(part.partition, list(columns)):
                counts[number] += len(batch)
                yield number, batch
                self._beat(0)
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    def texts(self, rows: np.ndarray) -> Iterator[pa.Array]:
        """Texts of `rows` (ascending, distinct), in batches; after a whole `batches`."""
        for number, part in enumerate(self.parts):
            first, last = np.searchsorted(rows, self.starts[number : number + 2])
            if first == last:
                continue
            wanted = rows[first:last] - self.starts[number]
            seen = 0
            for batch in part.view.batches(part.partition, ["text"]):
                here = wanted[(wanted >= seen) & (wanted < seen + len(batch))] - seen
                seen += len(batch)
                self._beat(0)
                if len(here):
                    yield batch.column("text").take(pa.array(here))
