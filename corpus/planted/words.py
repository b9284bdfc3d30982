"""Words, n-grams and similarities in plain Python: what `dedup` and `decontaminate` say is checked against these.

They follow the definitions of docs/dedup.md and nothing of the code that is checked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

Ngram = tuple[str, ...]

# Blocks of Thai, Lao, Myanmar, Khmer, Kana and Han, whose letters are words each.
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u3029\u3031-\u303c\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\uff66-\uff9f\U0001aff0-\U0001b16f"
    "\U00020000-\U000323af"
)
WORD = re.compile(rf"[^\W{_SPACELESS}]+|(?=\w)[{_SPACELESS}]")
SPACELESS = re.compile(f"[{_SPACELESS}]")


def lower(text: str) -> str:
    """`text` in small letters, code point by code point: no final sigma, and `İ` as it is, whose small form is two."""
    return "İ".join(part.lower() for part in text.replace("Σ", "σ").split("İ"))


def without_accents(text: str) -> str:
    """`text` without combining marks, be they letters of their own or part of one."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if unicodedata.category(c)[0] != "M"))


def squeezed(text: str) -> str:
    """What exact duplicates have in common: small letters, each run of white space one space."""
    return " ".join(lower(text).split())


def ngrams(words: Sequence[str], n: int) -> set[Ngram]:
    """The set of runs of `n` words, or of all words where there are fewer; empty for none."""
    if not words:
        return set()
    n = min(n, len(words))
    return {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}


@dataclass(frozen=True)
class Words:
    """What counts as a word: `normalise` as in `dedup.normalise`."""

    normalise: Collection[str] = ("case",)

    def of(self, text: str) -> list[str]:
        """The words of a text, in order."""
        if "accents" in self.normalise:
            text = without_accents(text)
        if "case" in self.normalise:
            text = lower(text)
        found = WORD.findall(text)
        return list(map(_zeros, found)) if "digits" in self.normalise else found


@lru_cache(maxsize=1 << 16)
def _zeros(word: str) -> str:
    return re.sub(r"\d", "0", word)


@dataclass(frozen=True)
class Similarity:
    """Of two sets of n-grams: shared of all (Jaccard), or shared of the smaller set (`containment`)."""

    ngram: int
    words: Words
    containment: bool = False

    def ngrams(self, text: str) -> set[Ngram]:
        return ngrams(self.words.of(text), self.ngram)

    def of(self, shared: int, one: int, other: int) -> float:
        """From the sizes of the intersection and of both sets; 0 where one is empty."""
        whole = min(one, other) if self.containment else one + other - shared
        return shared / whole if whole else 0.0

    def between(self, one: set[Ngram], other: set[Ngram]) -> float:
        return self.of(len(one & other), len(one), len(other))
