"""The score of the language, as the language decision looks at it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.documents import ID
from corpus.errors import CorpusError
from corpus.quality.names import IS_CODE
from corpus.report.lookup import ROWS
from corpus.report.sweep import LANGUAGE, LANGUAGE_SCORE, Batch, Population
from corpus.store import read_table


class Languages:
    """Who is judged by the score, whom the language decision's other rules let pass, and whom it keeps: the other
    rules (a keep list, a script) are taken from its ledger."""

    def __init__(self, population: Population) -> None:
        """Raises CorpusError when the language decision was not made yet."""
        self.outputs, self.partition = population.outputs, ""
        if not self.outputs.has(LANGUAGE):
            root = self.outputs.root
            raise CorpusError(f"{root}: {LANGUAGE} was not run yet or is out of date; `corpus run {root}` does it")
        config = self.outputs.recipe.language
        self.leaves_code = config is not None and config.source_files == "leave"
        self.threshold = config.thresholds.get(population.language or "", config.threshold) if config else None
        self.failed = self.dropped = pa.array([], ID)

    def values(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(float64[n] the score, bool[n] whom it judges, bool[n] who passes the other rules, bool[n] who is kept)"""
        if batch.partition != self.partition:
            self._open(batch.partition)
        documents = batch.documents
        score = documents.column(LANGUAGE_SCORE).cast(pa.float64()).to_numpy(zero_copy_only=False)
        passes, kept = (~_mask(documents.column("id"), ids) for ids in (self.failed, self.dropped))
        judged = passes
        if self.leaves_code and IS_CODE in documents.schema.names:
            judged = passes & documents.column(IS_CODE).is_null().to_numpy(zero_copy_only=False)
        return score, judged, passes, kept

    def _open(self, partition: str) -> None:
        """Read which documents of a partition were dropped, and which would be whatever their score."""
        dropped, failed = [pa.array([], ID)], [pa.array([], ID)]
        for batch in read_table(self.outputs.table(LANGUAGE, partition, "ledger"), ["id", "rule"], ROWS):
            ids = batch.column("id").cast(ID)
            dropped.append(ids)
            failed.append(ids.filter(pc.not_equal(batch.column("rule"), LANGUAGE_SCORE)))
        self.partition, self.dropped, self.failed = partition, pa.concat_arrays(dropped), pa.concat_arrays(failed)


def _mask(ids: pa.Array, some: pa.Array) -> np.ndarray:
    return pc.is_in(ids, value_set=some).to_numpy(zero_copy_only=False)
