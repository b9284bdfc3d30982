"""Sentences of one document, from its words."""

from __future__ import annotations

from corpus.kernels.jit import njit
from corpus.kernels.quality_flags import BREAK, PUNCTUATION, TERMINAL


@njit
def mark_sentences(points, starts, ends, count, table, firsts):  # type: ignore[no-untyped-def]
    """The first word of each sentence into `firsts`, which holds `count`; how many sentences.

    A sentence ends, within a line, after a terminal mark that is a word, and the punctuation that follows it.
    """
    sentences = 0
    ended = False
    for i in range(count):
        first = starts[i]
        terminal = ends[i] - first == 1 and table[points[first]] & TERMINAL
        fresh = i == 0
        for j in range(ends[i - 1] if i else 0, first):
            fresh = fresh or table[points[j]] & BREAK
        if not fresh and ended and not terminal:
            for j in range(first, ends[i]):
                fresh = fresh or not table[points[j]] & PUNCTUATION
        if fresh:
            firsts[sentences] = i
            sentences += 1
            ended = False
        ended = ended or terminal
    return sentences
