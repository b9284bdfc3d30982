"""The documents that reach a decision, with what thresholds are weighed in: stored signals, bytes and tokens.

Nothing is measured again and no text is read; of the stored structs only the fields that are asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dataset import View
from corpus.errors import CorpusError
from corpus.quality import names
from corpus.quality.rule import Rule
from corpus.report import results
from corpus.report.lookup import ROWS
from corpus.report.outputs import Outputs
from corpus.store import read_table

QUALITY, LANGUAGE = "quality/decision", "language/decision"
LANGUAGE_SCORE = "language_score"
_TOKENS = "pack/tokens"


@dataclass(frozen=True)
class Batch:
    """Documents of a partition: `size` int64[n] bytes of text as extracted; `tokens` float64[n], `exact` bool[n].

    `tokens` is None where there is no tokenizer, and an estimate where not `exact`.
    """

    partition: str
    documents: pa.RecordBatch
    size: np.ndarray
    tokens: np.ndarray | None
    exact: np.ndarray


@dataclass
class Amount:
    """How much of a population: documents, bytes of text as extracted, and tokens (None without a tokenizer)."""

    documents: int = 0
    bytes: int = 0
    tokens: float | None = None
    estimated: bool = False

    def add(self, batch: Batch, mask: np.ndarray) -> None:
        """Add the documents of `mask` (bool[n])."""
        self.documents += int(mask.sum())
        self.bytes += int(batch.size[mask].sum())
        if batch.tokens is not None:
            self.tokens = (self.tokens or 0) + float(batch.tokens[mask].sum())
            self.estimated |= bool((mask & ~batch.exact).any())

    def to_json(self) -> dict[str, Any]:
        tokens = None if self.tokens is None else round(self.tokens)
        return {"documents": self.documents, "bytes": self.bytes, "tokens": tokens, "estimated": self.estimated}


@dataclass(frozen=True)
class Population:
    """The documents that reach the step `before`, of one language or source only when named."""

    outputs: Outputs
    before: str = QUALITY
    language: str | None = None
    source: str | None = None
    bytes_per_token: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Raises CorpusError when the recipe lacks the step, or one that drops documents before it was not run."""
        object.__setattr__(self, "bytes_per_token", results.facts(self.outputs, "tokenizer").get("bytes_per_token"))
        order, root = [step.name for step in self.outputs.steps], self.outputs.root
        stage = self.before.partition("/")[0]
        if self.before not in order:
            raise CorpusError(f"{root}: its recipe has no stage {stage}; `corpus {stage} {root}` adds it")
        for step in self.outputs.steps[: order.index(self.before)]:
            if step.filters and step not in self.outputs.done:
                raise CorpusError(f"{root}: {step.name} was not run yet or is out of date; `corpus run {root}` does it")
        sources = [source.name for source in self.outputs.recipe.sources]
        if self.source is not None and self.source not in sources:
            raise CorpusError(f"--source {self.source}: no such source; {near(self.source, sources)}")
        if self.language is not None and "language" not in self.view.columns:
            raise CorpusError(f"--language: no language was stored yet; `corpus language {root}` does it")

    @property
    def view(self) -> View:
        return self.outputs.view(self.before, inclusive=False)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of the recipe's quality decision: those that are on and whose signals it measures."""
        if self.before != QUALITY:
            return ()
        step = next(step for step in self.outputs.steps if step.name == QUALITY)
        return tuple(r for r in step.config.active_rules if names.column(r.signal)[0] in step.needs)

    def measured(self, signal: str) -> bool:
        """Whether the signal's column was stored."""
        return column(signal).partition(".")[0] in self.view.columns

    def lack(self, name: str) -> str:
        """What to say of a column or signal that is not stored."""
        root, stored = self.outputs.root, name.partition(".")[0]
        if any(stored in step.adds for step in self.outputs.steps):
            return f"{root}: {name} was not measured yet, or is out of date; `corpus run {root}` does it"
        return f"{root}: its recipe does not measure {name}; docs/quality.md says what does"

    def batches(self, signals: Iterable[str]) -> Iterator[Batch]:
        """Its documents with `id`, the columns of these signals and what tells source files, by partition.

        Raises CorpusError for a signal that is not stored.
        """
        wanted = ["id", "bytes", *dict.fromkeys(column(signal) for signal in signals)]
        if self.outputs.recipe.reads_code:
            wanted.append(names.IS_CODE)
        chosen = {name: value for name in ("language", "source") if (value := getattr(self, name)) is not None}
        for name in [*chosen, *wanted]:
            if name.partition(".")[0] not in self.view.columns:
                raise CorpusError(self.lack(name))
        for partition in self.view.partitions():
            known = self._tokens(partition)
            for documents in self.view.batches(partition, [*wanted, *chosen], ROWS):
                for name, value in chosen.items():
                    documents = documents.filter(pc.equal(documents.column(name), value))
                size = documents.column("bytes").to_numpy()
                yield Batch(partition, documents, size, *self._counted(documents.column("id"), size, known))

    def _tokens(self, partition: str) -> pa.Table | None:
        """Tokens by id of the documents that were packed."""
        if not self.outputs.has(_TOKENS):
            return None
        found = list(read_table(self.outputs.table(_TOKENS, partition), ["id", "tokens"], ROWS))
        return pa.Table.from_batches(found).combine_chunks() if found else None

    def _counted(self, ids: pa.Array, size: np.ndarray, known: pa.Table | None) -> tuple[np.ndarray | None, np.ndarray]:
        if self.bytes_per_token is None:
            return None, np.zeros(len(ids), bool)
        tokens, exact = size / self.bytes_per_token, np.zeros(len(ids), bool)
        if known is not None:
            at = pc.index_in(ids, value_set=known.column("id").chunk(0))
            exact = at.is_valid().to_numpy(zero_copy_only=False)
            tokens[exact] = known.column("tokens").to_numpy()[at.drop_null().to_numpy()]
        return tokens, exact


def column(signal: str) -> str:
    """Where a signal is stored: `signals.words`, `perplexity`. Raises ValueError for a name that no signal has."""
    if signal == LANGUAGE_SCORE:
        return signal
    name, inside = names.column(signal)
    return name if inside is None else f"{name}.{inside}"


def near(name: str, known: Collection[str]) -> str:
    """The end of a message about an unknown name."""
    found = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {found[0]}?" if found else f"there are {', '.join(known)}"
