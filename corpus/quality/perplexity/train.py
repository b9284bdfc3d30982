"""Train an n-gram model on a reference corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import CorpusError
from corpus.quality.perplexity.model import SPECIALS, NgramModel, ids_of, word_table
from corpus.quality.perplexity.reference import Sample
from corpus.quality.perplexity.tokens import Pieces, Reading, Tokens, strings, tokenise

_BATCH_BYTES = 8 << 20


@dataclass(frozen=True)
class Plan:
    """What to train."""

    order: int = 5
    prune: tuple[int, ...] = (0, 0, 1)
    """n-grams of each length that occur at most so often are left out; the last value holds for longer ones too."""
    vocabulary: int = 500_000
    """The most frequent words; all others are unknown."""


class _Types:
    """The different tokens of a corpus, with counts, bytes and nothing that depends on their order."""

    def __init__(self) -> None:
        self._keys, self._seen = np.zeros(1 << 12, np.uint64), np.zeros((1 << 12, 3), np.int64)
        self._pool, self._end, self._used = np.empty(1 << 16, np.uint8), 0, 0

    def add(self, tokens: Tokens) -> None:
        from corpus.kernels.ngrams import count_types, keep_words, rehash

        done, fresh = 0, np.empty(len(tokens), np.int64)
        while True:
            done, made, self._used = count_types(
                tokens.hashes, done, tokens.starts, tokens.stops, self._keys, self._seen, fresh, self._used
            )
            new = fresh[:made]
            size = int((self._seen[new, 2] - self._seen[new, 1]).sum())
            while self._end + size > len(self._pool):
                self._pool = np.concatenate([self._pool, np.empty_like(self._pool)])
            self._end = keep_words(tokens.data, self._seen, new, self._pool, self._end)
            if done == len(tokens):
                return
            keys, seen = np.zeros(2 * len(self._keys), np.uint64), np.zeros((2 * len(self._keys), 3), np.int64)
            rehash(self._keys, self._seen, keys, seen)
            self._keys, self._seen = keys, seen

    def vocabulary(self, most: int) -> tuple[pa.Array, int]:
        """(SPECIALS and the most frequent words, by count and then by bytes: large_string; how many words there are)"""
        slots = np.flatnonzero(self._keys)
        _, starts, stops = self._seen[slots].T
        lengths = stops - starts
        ends = np.concatenate([[0], np.cumsum(lengths)])
        flat = self._pool[np.repeat(starts - ends[:-1], lengths) + np.arange(ends[-1])]
        table = pa.table(
            {"word": strings(flat, ends.astype(np.int64)).cast(pa.large_binary()), "count": self._seen[slots, 0]}
        )
        table = table.filter(pc.invert(pc.is_in(table["word"], pa.array([s.encode() for s in SPECIALS]))))
        table = table.sort_by([("count", "descending"), ("word", "ascending")]).slice(0, max(most - len(SPECIALS), 0))
        chosen = table["word"].combine_chunks().cast(pa.large_string())
        return pa.concat_arrays([pa.array(SPECIALS, pa.large_string()), chosen]), len(slots)


def train(
    sample: Sample,
    reading: Reading,
    plan: Plan,
    pieces: Pieces | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> NgramModel:
    """The model of a sample's texts, the same for the same texts in any order.

    Its `facts` say what it was trained on, and what it measures on the texts held out. Raises CorpusError when there
    are no words.
    """
    from corpus.kernels.ngrams import with_begins
    from corpus.quality.perplexity.estimate import estimate

    texts, held_out = sample.finish()
    types, hashes = _Types(), []
    for tokens in _batches(texts, reading, pieces):
        types.add(tokens)
        hashes.append(tokens.hashes.copy())
    all_hashes = np.concatenate([np.zeros(0, np.uint64), *hashes])
    hashes.clear()
    vocabulary, words = types.vocabulary(plan.vocabulary)
    del types
    sentences = int((all_hashes == 0).sum())
    if not sentences:
        raise CorpusError(
            f"perplexity: no words to train on in {sample.documents:,} documents ({sample.bytes:,} bytes); "
            "give other references"
        )
    tell(f"{len(texts):,} documents, {len(all_hashes) - sentences:,} tokens, {words:,} different")
    ids = ids_of(all_hashes, word_table(vocabulary))
    del all_hashes
    stream = np.empty(len(ids) + sentences, np.uint32)
    with_begins(ids, stream)
    unknown = int((ids == 0).sum())
    tokens_seen = len(ids) - sentences
    del ids
    orders, discounts, seen = estimate(stream, len(vocabulary), plan.order, plan.prune, tell)
    del stream
    facts: dict[str, Any] = {
        "documents": sample.documents,
        "bytes": sample.bytes,
        "cropped_documents": sample.cropped,
        "sample_documents": len(texts),
        "sample_bytes": pc.sum(pc.binary_length(texts)).as_py() or 0,
        "tokens": tokens_seen,
        "sentences": sentences,
        "different_tokens": words,
        "unknown_tokens": unknown,
        "ngrams_seen": seen,
        "prune": list(plan.prune),
        "discounts": [[round(value, 6) for value in values] for values in discounts],
    }
    model = NgramModel(vocabulary, orders, reading, facts)
    facts["held_out"] = _measure(model, held_out, pieces)
    return model


def _batches(texts: pa.Array, reading: Reading, pieces: Pieces | None) -> Iterator[Tokens]:
    sizes = np.cumsum(pc.binary_length(texts).to_numpy())
    start = 0
    while start < len(texts):
        before = sizes[start - 1] if start else 0
        stop = max(int(np.searchsorted(sizes, before + _BATCH_BYTES, side="right")), start + 1)
        yield tokenise(texts.slice(start, stop - start), reading, pieces)
        start = stop


def _measure(model: NgramModel, texts: pa.Array, pieces: Pieces | None) -> dict[str, Any]:
    """Perplexity over all tokens of `texts`, and how that of a document is distributed; rounded to print."""
    from corpus.quality.perplexity.score import of_documents

    total, count, unknown, documents = 0.0, 0, 0, [np.zeros(0)]
    for tokens in _batches(texts, model.reading or Reading(), pieces):
        ids = model.lookup.ids(tokens.hashes)
        log10 = model.lookup.log10(ids)
        total, count, unknown = total + float(log10.sum()), count + len(ids), unknown + int((ids == 0).sum())
        documents.append(of_documents(log10, tokens.ends))
    found = np.concatenate(documents)
    found = found[~np.isnan(found)]
    if not count:
        return {"documents": 0}
    quantiles = np.quantile(found, (0.05, 0.5, 0.95), method="inverted_cdf")
    return {
        "documents": len(found),
        "tokens": count,
        "unknown_share": round(unknown / count, 6),
        "perplexity": round(10 ** (-total / count), 3),
        "document_quantiles": {str(q): round(float(v), 3) for q, v in zip((5, 50, 95), quantiles, strict=True)},
    }
