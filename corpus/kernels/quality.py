"""Every quality signal of a batch of documents in one native pass: UTF-8 bytes in, a row of float64 out.

Formulas are datatrove 0.10's (Gopher quality and repetition, C4, FineWeb); a ratio of nothing to nothing is NaN.
Memory is that of the largest document of the batch, time is linear in its length.
"""

from __future__ import annotations

import numba
import numpy as np

from corpus.kernels.phrases import CURLY, JAVASCRIPT, LOREM_IPSUM, POLICY, has_terminal, mentions
from corpus.kernels.quality_flags import ALPHA, BREAK, PUNCTUATION, SPACE, SYMBOL, TERMINAL, to_points
from corpus.kernels.repetition import (
    duplicate_grams,
    duplicates,
    extend,
    hash_words,
    table_mask,
    top_gram,
)
from corpus.kernels.words import split_words

# First column of each group in the output; `corpus.quality.signals` names them in this order.
QUALITY, REPETITION, C4, FINEWEB, COLUMNS = 0, 8, 21, 27, 31
_SHORT_LINE = 30


def _stop_words() -> np.ndarray:
    """Gopher's eight, each as the number whose base-256 digits are its characters."""
    words = ("the", "be", "to", "of", "and", "that", "have", "with")
    return np.array([int.from_bytes(word.encode(), "big") for word in words], np.int64)


_STOP_WORDS = _stop_words()


@numba.njit(cache=True, nogil=True)
def _ratio(part, whole):  # type: ignore[no-untyped-def]
    return part / whole if whole else np.nan


@numba.njit(cache=True, nogil=True)
def _word_signals(letters, at, count, table, out):  # type: ignore[no-untyped-def]
    """Words that are no symbols, their mean length, words with a letter, different stop words."""
    words = characters = alphabetic = seen = 0
    for i in range(count):
        first, end = at[i], at[i + 1]
        word = alpha = False
        code = 0
        for j in range(first, end):
            bits = table[letters[j]]
            word = word or not bits & SYMBOL
            alpha = alpha or bits & ALPHA
            code = code * 256 + int(letters[j]) if end - first <= 4 and letters[j] < 128 else -1
        if word:
            words += 1
            characters += end - first
        if alpha:
            alphabetic += 1
        for j in range(len(_STOP_WORDS)):
            if code == _STOP_WORDS[j]:
                seen |= 1 << j
    stop_words = 0
    for j in range(len(_STOP_WORDS)):
        stop_words += (seen >> j) & 1
    out[QUALITY] = words
    out[QUALITY + 1] = _ratio(characters, words)
    out[QUALITY + 6] = _ratio(alphabetic, count)
    out[QUALITY + 7] = stop_words


@numba.njit(cache=True, nogil=True)
def _symbol_signals(points, n, count, out):  # type: ignore[no-untyped-def]
    """Hash signs and ellipses a word; new lines a word (FineWeb), and how many of these."""
    hashes = ellipses = newlines = stops = 0
    for i in range(n):
        point = points[i]
        stops = stops + 1 if point == 46 else 0
        if stops == 3:
            ellipses += 1
            stops = 0
        if point == 0x2026:
            ellipses += 1
        elif point == 35:
            hashes += 1
        elif point == 10:
            newlines += 1
    out[QUALITY + 2] = _ratio(hashes, count)
    out[QUALITY + 3] = _ratio(ellipses, count)
    out[FINEWEB + 3] = _ratio(newlines, count)
    return newlines


@numba.njit(cache=True, nogil=True)
def _line_signals(points, n, table, out):  # type: ignore[no-untyped-def]
    """Shares of the lines of `str.splitlines`, blank ones included; C4's phrases."""
    lines = bullets = ellipses = lorem = curly = javascript = policy = unpunctuated = 0
    start = 0
    while start < n:
        end = start
        while end < n and not table[points[end]] & BREAK:
            end += 1
        found = mentions(points, start, end)
        lines += 1
        lorem += 1 if found & LOREM_IPSUM else 0
        javascript += 1 if found & JAVASCRIPT else 0
        policy += 1 if found & POLICY else 0
        curly += 1 if found & CURLY else 0
        first, last = start, end
        while first < last and table[points[first]] & SPACE:
            first += 1
        while last > first and table[points[last - 1]] & SPACE:
            last -= 1
        if first < last:
            bullets += 1 if points[first] == 0x2022 or points[first] == 45 else 0
            stops = last - first > 2 and points[last - 1] == 46 and points[last - 2] == 46 and points[last - 3] == 46
            ellipses += 1 if stops or points[last - 1] == 0x2026 else 0
        unpunctuated += 0 if has_terminal(points, first, last) else 1
        crlf = end + 1 < n and points[end] == 13 and points[end + 1] == 10
        start = end + (2 if crlf else 1)
    out[QUALITY + 4] = _ratio(bullets, lines)
    out[QUALITY + 5] = _ratio(ellipses, lines)
    out[C4 + 1] = lorem
    out[C4 + 2] = curly
    out[C4 + 3] = _ratio(javascript, lines)
    out[C4 + 4] = _ratio(policy, lines)
    out[C4 + 5] = _ratio(unpunctuated, lines)


@numba.njit(cache=True, nogil=True)
def _sentences(points, starts, ends, count, table):  # type: ignore[no-untyped-def]
    """Sentences, line by line: one ends after a terminal mark that is a word, and the punctuation that follows it."""
    sentences = 0
    ended = False
    for i in range(count):
        fresh = i == 0
        for j in range(ends[i - 1] if i else 0, starts[i]):
            fresh = fresh or table[points[j]] & BREAK
        terminal = ends[i] - starts[i] == 1 and table[points[starts[i]]] & TERMINAL
        punctuation = True
        for j in range(starts[i], ends[i]):
            punctuation = punctuation and table[points[j]] & PUNCTUATION
        if fresh or (ended and not terminal and not punctuation):
            sentences += 1
            ended = False
        ended = ended or terminal
    return sentences


@numba.njit(cache=True, nogil=True)
def _split_runs(points, start, end, least, starts, ends):  # type: ignore[no-untyped-def]
    """Segments of `points[start:end]` between runs of `least` and more new lines, as `re.split` gives them."""
    count = 0
    first = i = start
    while i < end:
        run = i
        while run < end and points[run] == 10:
            run += 1
        if run - i >= least:
            starts[count], ends[count] = first, i
            count += 1
            first = run
        i = max(run, i + 1)
    starts[count], ends[count] = first, end
    return count + 1


@numba.njit(cache=True, nogil=True)
def _fineweb_lines(points, n, table, starts, ends, out):  # type: ignore[no-untyped-def]
    """Lines between new lines that are not blank, into `starts` and `ends`; shares of them."""
    count = punctuated = short = 0
    start = 0
    for end in range(n + 1):
        if end < n and points[end] != 10:
            continue
        blank = True
        for i in range(start, end):
            if not table[points[i]] & SPACE:
                blank = False
                break
        if not blank:
            starts[count], ends[count] = start, end
            count += 1
            punctuated += 1 if table[points[end - 1]] & TERMINAL else 0
            short += 1 if end - start <= _SHORT_LINE else 0
        start = end + 1
    out[FINEWEB] = _ratio(punctuated, count)
    out[FINEWEB + 1] = _ratio(short, count)
    return count


@numba.njit(cache=True, nogil=True)
def _join(source, starts, ends, count, letters, at):  # type: ignore[no-untyped-def]
    """The words without what stands between them."""
    total = 0
    for i in range(count):
        at[i] = total
        for j in range(starts[i], ends[i]):
            letters[total] = source[j]
            total += 1
    at[count] = total


@numba.njit(cache=True, nogil=True)
def measure(data, offsets, table, exceptions, cuts, words, word_offsets, rows, out):  # type: ignore[no-untyped-def]
    """Fill `out` (float64[documents, COLUMNS]) from the documents `data[offsets[i]:offsets[i + 1]]`.

    With `rows` (int64[documents + 1], else empty) the words of document i are not split from its text but are
    `words[word_offsets[k]:word_offsets[k + 1]]` for k from rows[i] to rows[i + 1].
    """
    longest = most = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
        if len(rows):
            most = max(most, rows[row + 1] - rows[row])
            longest = max(longest, word_offsets[rows[row + 1]] - word_offsets[rows[row]])
    size = max(longest, most) + 2
    points, letters = np.empty(size, np.uint32), np.empty(size, np.uint32)
    where, at = np.empty(size, np.int64), np.empty(size, np.int64)
    starts, ends = np.empty(size, np.int64), np.empty(size, np.int64)
    keys, powers, grams = np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint64)
    counts = np.empty(size, np.int64)
    slots = np.zeros(table_mask(size) + 1, np.int64)
    base = 1
    for row in range(len(offsets) - 1):
        result = out[row]
        n = to_points(data, offsets[row], offsets[row + 1], points, where)
        count = split_words(points, n, table, exceptions, cuts, starts, ends, counts)
        result[C4] = _sentences(points, starts, ends, count, table)
        if len(rows):
            count = rows[row + 1] - rows[row]
            total = 0
            for i in range(count):
                at[i] = total
                k = rows[row] + i
                total += to_points(words, word_offsets[k], word_offsets[k + 1], letters[total:], where)
            at[count] = total
        else:
            _join(points, starts, ends, count, letters, at)
        _word_signals(letters, at, count, table, result)
        newlines = _symbol_signals(points, n, count, result)
        _line_signals(points, n, table, result)

        first, last = 0, n
        while first < last and table[points[first]] & SPACE:
            first += 1
        while last > first and table[points[last - 1]] & SPACE:
            last -= 1
        lines = _split_runs(points, 0, n, 1, starts, ends)
        number, characters = duplicates(points, starts, ends, lines, grams, slots, base)
        base += lines
        result[REPETITION] = _ratio(number, lines) if n else np.nan
        result[REPETITION + 2] = _ratio(characters, n)
        paragraphs = _split_runs(points, first, last, 2, starts, ends)
        number, characters = duplicates(points, starts, ends, paragraphs, grams, slots, base)
        base += paragraphs
        result[REPETITION + 1] = _ratio(number, paragraphs) if n else np.nan
        result[REPETITION + 3] = _ratio(characters, n)

        hash_words(letters, at, count, keys, powers)
        mask = table_mask(count)
        grams[:count] = keys[:count]
        for width in range(2, 11):
            extend(grams, keys, powers, count, width)
            if width < 5:
                characters = top_gram(letters, at, count, width, grams, counts, slots, base, mask)
            else:
                characters = duplicate_grams(letters, at, count, width, grams, slots, base, mask)
            base += count
            result[REPETITION + 2 + width] = _ratio(characters, n)

        lines = _fineweb_lines(points, n, table, starts, ends, result)
        number, characters = duplicates(points, starts, ends, lines, grams, slots, base)
        base += lines
        result[FINEWEB + 2] = _ratio(characters, n - newlines)
