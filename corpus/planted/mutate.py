"""Texts made from texts: near duplicates at a given similarity, copies, and texts with a line more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from corpus.planted.words import SPACELESS, WORD, Similarity, lower

_SPACE = re.compile(r"[ \t\n]+")
_SPACES = (" ", "  ", "\n", "\n\n", "\t")
TOLERANCE = 0.01


@dataclass(frozen=True)
class Pool:
    """Words of the corpus, letters only; those of scripts without spaces are single characters."""

    spaced: Sequence[str]
    spaceless: Sequence[str]

    @classmethod
    def of(cls, texts: Iterable[str], most: int = 20_000) -> Pool:
        """The first `most` different words of each kind."""
        found: tuple[dict[str, None], dict[str, None]] = {}, {}
        for text in texts:
            for word in WORD.findall(text):
                kind = found[SPACELESS.match(word) is not None]
                if word.isalpha() and len(kind) < most:
                    kind[word] = None
        return cls(tuple(found[0]), tuple(found[1]))

    def other(self, word: str, rng: Random) -> str | None:
        """A word of the same kind of script, if there is another."""
        words = self.spaceless if SPACELESS.match(word) else self.spaced
        for _ in range(8 if words else 0):
            drawn = rng.choice(words)
            if drawn.lower() != word.lower():
                return drawn
        return None


def near_duplicate(text: str, level: float, threshold: float, by: Similarity, pool: Pool, rng: Random) -> str | None:
    """`text` with words replaced until its similarity is `level`, within TOLERANCE and on the level's side of
    `threshold`; None when no replacement leads there, as in a text that is too short."""
    least, most = level - TOLERANCE, level + TOLERANCE
    if level >= threshold:
        least = max(least, threshold)
    spans = list(WORD.finditer(text))
    tokens = [by.words.of(span.group()) for span in spans]
    if any(len(token) != 1 for token in tokens):
        return None
    edited = _Edited([token[0] for token in tokens], by)
    changed: dict[int, str] = {}
    for at in rng.sample(range(len(spans)), len(spans)):
        found = edited.similarity()
        if found <= most and (found < threshold or level >= threshold):
            break
        drawn = pool.other(spans[at].group(), rng)
        normal = by.words.of(drawn) if drawn is not None else []
        if drawn is None or len(normal) != 1:
            continue
        before = edited.replace(at, normal[0])
        if edited.similarity() < least:
            edited.replace(at, before)
        else:
            changed[at] = drawn
    made = spliced(text, [(spans[at].span(), word) for at, word in sorted(changed.items())])
    # Words of the text as a whole may be others than those of its parts (accents that stand apart).
    exact = by.between(by.ngrams(text), by.ngrams(made))
    return made if least <= exact <= most and (exact >= threshold) == (level >= threshold) else None


class _Edited:
    """The n-grams of words that are replaced one by one, and their similarity to those of the first state."""

    def __init__(self, words: list[str], by: Similarity) -> None:
        self._words, self._by = words, by
        self._n = min(by.ngram, len(words))
        self._counts = Counter(self._around(0, len(words)))
        self._base = frozenset(self._counts)
        self._shared = len(self._base)

    def _around(self, start: int, end: int) -> list[tuple[str, ...]]:
        """The n-grams that touch words `start` to `end`."""
        first, last = max(0, start - self._n + 1), min(end, len(self._words) - self._n + 1)
        return [tuple(self._words[at : at + self._n]) for at in range(first, last)]

    def similarity(self) -> float:
        return self._by.of(self._shared, len(self._base), len(self._counts))

    def replace(self, at: int, word: str) -> str:
        """Put `word` at a place; returns what stood there."""
        for ngram in self._around(at, at + 1):
            self._counts[ngram] -= 1
            if not self._counts[ngram]:
                del self._counts[ngram]
                self._shared -= ngram in self._base
        before, self._words[at] = self._words[at], word
        for ngram in self._around(at, at + 1):
            if ngram not in self._counts:
                self._shared += ngram in self._base
            self._counts[ngram] += 1
        return before


def spliced(text: str, parts: Sequence[tuple[tuple[int, int], str]]) -> str:
    """`text` with spans (start, end in characters; sorted, disjoint) replaced."""
    made, at = [], 0
    for (start, end), word in parts:
        made += [text[at:start], word]
        at = end
    return "".join([*made, text[at:]])


def copy(text: str, rng: Random) -> str:
    """`text` with letters of the other case and other white space, in places."""
    turned = (_turned(word) if rng.random() < 0.3 else word for word in _SPACE.split(text))
    return "".join(part for word in turned for part in (word, rng.choice(_SPACES))).strip()


def _turned(word: str) -> str:
    """Letters of the other case, where that is one letter and leads back."""
    made = []
    for letter in word:
        other = letter.upper() if letter.islower() else letter.lower()
        made.append(other if len(other) == 1 and lower(other) == lower(letter) else letter)
    return "".join(made)


def with_line(text: str, line: str, rng: Random) -> str:
    """`text` with `line` as a line of its own, at some line's end."""
    lines = text.split("\n")
    at = rng.randint(1, len(lines))
    return "\n".join([*lines[:at], line, *lines[at:]])
