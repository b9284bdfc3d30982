"""The documents that are compared: those of earlier deliveries, then this folder's own, in one numbering of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from corpus.ahead import ahead
from corpus.dataset import Delivery, View
from corpus.dedup import criteria
from corpus.dedup.config import DedupConfig
from corpus.dedup.deduplicate import Documents, key_pairs
from corpus.dedup.delivery import SETTLED, settled
from corpus.dedup.keep import sort_keys
from corpus.plan import Task

_TEXTS = 2048
"""Documents whose texts are read at once."""
_SIGNATURES = 2 << 20
"""Bytes of signatures that are read at once."""


@dataclass(frozen=True)
class Part:
    """One partition, of the folder that is being deduplicated or of earlier `delivery`."""

    view: View
    partition: str
    delivery: int | None = None


class Population:
    """Rows 0, 1, 2 ... over `parts`, in order: a `verify.Source`. `beat` is called while it reads."""

    def __init__(
        self,
        parts: Sequence[Part],
        config: DedupConfig,
        beat: Callable[[int], object],
        deliveries: Sequence[Delivery] = (),
    ) -> None:
        self.parts, self._config, self._beat, self._deliveries = tuple(parts), config, beat, deliveries
        # `starts[k]` is the row with which part k begins; filled by `documents`.
        self.starts = np.zeros(1, np.int64)

    @classmethod
    def of(cls, task: Task, beat: Callable[[int], object]) -> Population:
        """All that a task compares."""
        parts = [Part(v, name, number) for number, v in enumerate(task.earlier) for name in v.partitions()]
        return cls([*parts, *(Part(task.view, name) for name in task.partitions)], task.step.config, beat, task.earlier)

    def documents(self, most: int) -> Documents:
        """What is known of them, of none if there are more than `most`; how many there are is in `starts`."""
        config = self._config
        count = sum(criterion != criteria.FIRST_ID for criterion in config.keep)
        keys = [name for name, asked in (("url_key", config.url), ("exact_key", config.exact)) if asked]
        counts = np.zeros(len(self.parts), np.int64)
        ids, preferred, known = [], [np.zeros((count, 0))], []
        found: dict[str, list[np.ndarray]] = {name: [np.zeros((0, 2), np.uint64)] for name in keys}
        located = [np.zeros(0, bool)]
        for number, part in enumerate(self.parts):
            looked = criteria.columns(config.keep) if part.delivery is None else SETTLED
            for batch in part.view.batches(part.partition, ["id", "text_bytes", *keys, *looked]):
                counts[number] += len(batch)
                self._beat(len(batch) if part.delivery is None else 0)
                if counts.sum() > most:
                    continue
                ids.append(batch.column("id"))
                sizes = batch.column("text_bytes").to_numpy()
                if part.delivery is None:
                    preferred.append(sort_keys(config.keep, batch, sizes))
                else:
                    # Who stayed there is settled; of the rest the longest.
                    preferred.append(np.broadcast_to(-sizes.astype(float), (count, len(batch))))
                    known.append((part.delivery, pa.Table.from_batches([batch.select(["id", *SETTLED])])))
                for name in keys:
                    found[name].append(key_pairs(batch.column(name)))
                if config.url:
                    located.append(batch.column("url_key").is_valid().to_numpy(zero_copy_only=False))
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        return Documents(
            pa.concat_arrays(ids) if ids else pa.array([], pa.binary(16)),
            np.concatenate(preferred, axis=1),
            np.concatenate(found["exact_key"]) if config.exact else None,
            np.concatenate(found["url_key"]) if config.url else None,
            np.concatenate(located) if config.url else None,
            settled(self._deliveries, known),
        )

    def signatures(self) -> Iterator[np.ndarray]:
        """See `verify.Source`."""
        rows = max(1, _SIGNATURES // (4 * self._config.permutations))
        for part in self.parts:
            for batch in ahead(part.view.batches(part.partition, ["signature"], rows)):
                column = batch.column("signature")
                flat = np.frombuffer(column.buffers()[1] or b"", "<u4").reshape(-1, self._config.permutations)
                yield flat[column.offset : column.offset + len(column)]
                self._beat(0)

    def texts(self, rows: np.ndarray) -> Iterator[pa.Array]:
        """See `verify.Source`; after `documents`."""
        for number, part in enumerate(self.parts):
            first, last = np.searchsorted(rows, self.starts[number : number + 2])
            if first == last:
                continue
            start = int(self.starts[number])
            for batch in ahead(part.view.batches(part.partition, ["text"], _TEXTS)):
                self._beat(0)
                here = rows[slice(*np.searchsorted(rows, [start, start + len(batch)]))]
                if len(here) == len(batch):
                    yield batch.column("text")
                elif len(here):
                    yield batch.column("text").take(pa.array(here - start))
                start += len(batch)
