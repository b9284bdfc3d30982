"""A back-off n-gram model in memory: what was trained or read, and the table that it is asked through."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.errors import InputError
from corpus.kernels.arrow import string_buffers
from corpus.quality.perplexity.tokens import Reading

SPECIALS = ("<unk>", "<s>", "</s>")
MAX_ORDER = 8
LEAST, MOST_BACKOFF = -1000.0, 1000.0
"""Of log10 probabilities (0 at most), and of back-off weights on both sides of 0; real models end near -100."""


def most_bytes(size: int) -> int:
    """What a model file of `size` bytes may unpack to: 50 times as much; real ones give 2 to 10 times."""
    return max(64 << 20, 50 * size)


def unsound(probability: np.ndarray, backoff: np.ndarray) -> np.ndarray:
    """int64: the n-grams (log10 values) whose numbers no model has, NaN among them."""
    fine = (probability >= LEAST) & (probability <= 0) & (np.abs(backoff) <= MOST_BACKOFF)
    return np.flatnonzero(~fine)


@dataclass(frozen=True)
class Order:
    """The n-grams of one length, by prefix and then by word.

    n-gram i is n-gram `prefix[i]` (uint32) of the order below and word `word[i]` (uint32). `probability` and `backoff`
    are float32, log10. Of the unigrams word i is i, and there is no prefix.
    """

    prefix: np.ndarray
    word: np.ndarray
    probability: np.ndarray
    backoff: np.ndarray

    def __len__(self) -> int:
        return len(self.word)


@dataclass(frozen=True)
class NgramModel:
    """`vocabulary` is a large_string array that begins with SPECIALS; `facts` is what a card says of the training."""

    vocabulary: pa.Array
    orders: tuple[Order, ...]
    reading: Reading | None = None
    """None: made elsewhere."""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> list[int]:
        """n-grams of each order."""
        return [len(order) for order in self.orders]

    @functools.cached_property
    def lookup(self) -> Lookup:
        """Raises InputError for a word or an n-gram that is there twice."""
        return Lookup(word_table(self.vocabulary), _table(self.orders))


@dataclass(frozen=True)
class Lookup:
    """What a model is asked through; it lives on without the model's own arrays."""

    words: tuple[np.ndarray, np.ndarray]
    """Of `word_table`."""
    table: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    """Slots, the unigrams' probabilities and next contexts, back-off weights, links (`corpus.kernels.ngrams_query`)."""

    def ids(self, hashes: np.ndarray) -> np.ndarray:
        """uint32[tokens] of `Tokens.hashes`: UNKNOWN for what the vocabulary lacks, STOP for ends of sentences."""
        return ids_of(hashes, self.words)

    def log10(self, ids: np.ndarray) -> np.ndarray:
        """float64[tokens]: of each token (`ids` without <s>, each sentence closed by STOP), given those before it."""
        from corpus.kernels.ngrams import STOP
        from corpus.kernels.ngrams_query import score

        out = np.empty(len(ids))
        sentences = np.concatenate([[0], np.flatnonzero(ids == STOP) + 1])
        score(ids, sentences, *self.table, out)
        return out


def word_table(vocabulary: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Word ids by hash: (uint64[slots] hashes, 0 is free; uint32[slots] ids). Raises InputError for twins.

    SPECIALS are left out: in a text they are unknown words.
    """
    from corpus.kernels.ngrams import fill_vocabulary
    from corpus.kernels.ngrams_text import hash_words

    data, offsets = string_buffers(vocabulary)
    hashes = np.empty(len(vocabulary), np.uint64)
    hash_words(data, offsets, hashes)
    slots = _slots(len(hashes))
    keys, values = np.zeros(slots, np.uint64), np.zeros(slots, np.uint32)
    if fill_vocabulary(hashes, len(SPECIALS), keys, values):
        raise InputError("the n-gram model's vocabulary has a word twice; train it again, or get it again")
    return keys, values


def ids_of(hashes: np.ndarray, words: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """uint32[tokens]: see `Lookup.ids`."""
    from corpus.kernels.ngrams import word_ids

    out = np.empty(len(hashes), np.uint32)
    word_ids(hashes, *words, out)
    return out


def _table(orders: tuple[Order, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from corpus.kernels.ngrams import NONE
    from corpus.kernels.ngrams_query import finish, insert

    counts = [len(order) for order in orders]
    below = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    slots = np.full((_slots(int(below[-1]) - counts[0]), 2), 0xFFFFFFFFFFFFFFFF, np.uint64)
    link = np.full(int(below[-1]), NONE, np.uint32)
    parents = np.zeros(int(below[-1]), bool)
    for n, order in enumerate(orders[1:], 1):
        if insert(slots, below[n], order.prefix, order.word, link, below[n - 1]) >= 0:
            raise InputError("the n-gram model has an n-gram twice; train it again, or get it again")
        parents[below[n - 1] + order.prefix] = True
    probability = np.concatenate([order.probability for order in orders])
    backoff = np.concatenate([order.backoff for order in orders])
    nodes = int(below[-2]) if len(counts) > 1 else counts[0]
    following = np.empty(counts[0], np.uint32)
    finish(slots, probability, backoff, link, parents, nodes, following)
    return slots, probability[: counts[0]].copy(), following, backoff[:nodes].copy(), link[:nodes].copy()


def _slots(entries: int) -> int:
    """A power of two, at most two thirds full."""
    return 1 << max(4, (entries * 3 // 2).bit_length())
