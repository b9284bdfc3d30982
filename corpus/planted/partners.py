"""Which documents really have another one like them: exact, in plain Python, over some documents out of many."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping

from corpus.planted.words import Ngram, Similarity, squeezed


def with_partner(names: Collection[str], texts: Mapping[str, str], by: Similarity, threshold: float) -> set[str]:
    """Those of `names` with another document of `texts` that is equal but for case and white space, or at `threshold`.

    Who is alike shares one of the rarest n-grams (prefix filter: Chaudhuri, Ganti and Kaushik 2006), so few documents
    are compared; memory is that of the n-grams of `names`.
    """
    alike = Counter(squeezed(text) for text in texts.values())
    found = {name for name in names if alike[squeezed(texts[name])] > 1}
    own = {name: by.ngrams(texts[name]) for name in sorted(set(names) - found)}
    known = set[Ngram]().union(*own.values())
    frequency = Counter(gram for text in texts.values() for gram in by.ngrams(text) & known)
    holders: dict[Ngram, list[str]] = {}
    for name, grams in own.items():
        for gram in _prefix(grams, frequency, by, threshold):
            holders.setdefault(gram, []).append(name)
    for other, text in texts.items():
        if not holders:
            break
        grams = by.ngrams(text)
        near = {name for gram in grams & holders.keys() for name in holders[gram]} - found - {other}
        found |= {name for name in near if by.between(own[name], grams) >= threshold}
    return found


def _prefix(grams: set[Ngram], frequency: Counter[Ngram], by: Similarity, threshold: float) -> list[Ngram]:
    """n-grams of which every document at `threshold` has one, the rarest; all for containment, where a document may
    share few."""
    least = 1 if by.containment else math.ceil(threshold * len(grams) - 1e-9)
    return sorted(grams, key=lambda gram: (frequency[gram], gram))[: len(grams) - least + 1]
