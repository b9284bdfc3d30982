"""Every quality signal of a batch of documents in one native pass: UTF-8 bytes in, a row of float64 out.

Formulas are datatrove 0.10's (Gopher quality and repetition, C4, FineWeb) and RedPajama-v2's over our words; a ratio of
nothing to nothing is NaN. Memory is that of the largest document of the batch, time is linear in its length.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels import text_lines as lines
from corpus.kernels import vocabulary
from corpus.kernels.jit import njit
from corpus.kernels.quality_flags import SPACE, to_hashed_points
from corpus.kernels.repetition import (
    covered,
    duplicate_grams,
    duplicates,
    gram_candidates,
    hash_words,
    longer_grams,
    multiplier_powers,
    repeated,
    table_mask,
)
from corpus.kernels.sentences import mark_sentences
from corpus.kernels.words import split_words

# First column of each group in the output; `corpus.quality.names` names them in this order.
QUALITY, REPETITION, C4, FINEWEB, REDPAJAMA, COLUMNS = 0, 8, 21, 27, 31, 55


@njit
def _ratio(part, whole):  # type: ignore[no-untyped-def]
    return part / whole if whole else np.nan


@njit
def _line_signals(n, count, facts, out):  # type: ignore[no-untyped-def]
    """From `text_lines.scan`: a text of `n` characters and `count` words."""
    out[QUALITY + 2] = _ratio(facts[lines.HASHES], count)
    out[QUALITY + 3] = _ratio(facts[lines.ELLIPSES], count)
    out[QUALITY + 4] = _ratio(facts[lines.BULLETS], facts[lines.LINES])
    out[QUALITY + 5] = _ratio(facts[lines.ELLIPSIS_LINES], facts[lines.LINES])
    out[C4 + 1] = facts[lines.LOREM_LINES]
    out[C4 + 2] = facts[lines.CURLY_LINES]
    out[C4 + 3] = _ratio(facts[lines.JAVASCRIPT_LINES], facts[lines.LINES])
    out[C4 + 4] = _ratio(facts[lines.POLICY_LINES], facts[lines.LINES])
    out[C4 + 5] = _ratio(facts[lines.UNPUNCTUATED], facts[lines.LINES])
    out[FINEWEB + 3] = _ratio(facts[lines.NEWLINES], count)
    out[REDPAJAMA] = n
    out[REDPAJAMA + 6] = facts[lines.SENTENCES]
    out[REDPAJAMA + 7] = _ratio(facts[lines.BRACES], n)


@njit
def _full_line_signals(facts, words, out):  # type: ignore[no-untyped-def]
    """From `text_lines.measure_lines`: shares of the lines that are not blank."""
    full = facts[lines.FULL_LINES]
    out[FINEWEB] = _ratio(facts[lines.TERMINAL_LINES], full)
    out[FINEWEB + 1] = _ratio(facts[lines.SHORT_LINES], full)
    out[REDPAJAMA + 1] = full
    out[REDPAJAMA + 10] = _ratio(words, full)
    out[REDPAJAMA + 11] = _ratio(facts[lines.MARKED_LINES], full)
    out[REDPAJAMA + 12] = _ratio(facts[lines.POINTED_LINES], full)
    out[REDPAJAMA + 13] = _ratio(facts[lines.UPPER_SHARE], full)
    out[REDPAJAMA + 14] = _ratio(facts[lines.NUMERIC_SHARE], full)


@njit
def _word_signals(facts, count, entropy, out):  # type: ignore[no-untyped-def]
    """From `vocabulary.measure_words`; `count` words, symbols included."""
    words, letters = facts[vocabulary.WORDS], facts[vocabulary.LETTERS]
    out[QUALITY] = words
    out[QUALITY + 1] = _ratio(letters, words)
    out[QUALITY + 6] = _ratio(facts[vocabulary.ALPHABETIC], count)
    out[QUALITY + 7] = facts[vocabulary.GOPHER_STOPS]
    out[REDPAJAMA + 2] = _ratio(facts[vocabulary.UNIQUE], words)
    out[REDPAJAMA + 3] = entropy
    out[REDPAJAMA + 4] = _ratio(facts[vocabulary.ALL_CAPS], count)
    out[REDPAJAMA + 5] = _ratio(facts[vocabulary.STOPS], count)
    out[REDPAJAMA + 8] = _ratio(facts[vocabulary.LOREM], letters + words - 1 if words else 0)
    out[REDPAJAMA + 9] = facts[vocabulary.JAVASCRIPTS]


@njit
def measure(data, offsets, table, lower, exceptions, cuts, trie, words, word_offsets, rows, out):  # type: ignore[no-untyped-def]
    """Fill `out` (float64[documents, COLUMNS]) from the documents `data[offsets[i]:offsets[i + 1]]`.

    With `rows` (int64[documents + 1], else empty) the words of document i are not split from its text but are
    `words[word_offsets[k]:word_offsets[k + 1]]` for k from rows[i] to rows[i + 1].
    """
    longest = most = given = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
        if len(rows):
            most = max(most, rows[row + 1] - rows[row])
            given = max(given, word_offsets[rows[row + 1]] - word_offsets[rows[row]])
    size = max(longest, most) + 2
    points, hashes = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.uint64)
    letters, letter_hashes = np.empty(given + 1, np.uint32), np.empty(given + 1, np.uint64)
    powers = multiplier_powers(max(longest, given) + 1)
    starts, ends, newlines = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    at, joined, live = np.empty(size, np.int64), np.empty(size, np.uint64), np.empty(size, np.int64)
    classes, grams, counts = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    normal, often, keys = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.uint64)
    slots = np.zeros(table_mask(size) + 1, np.int64)
    scanned, measured = np.empty(lines.SCANNED, np.int64), np.empty(lines.MEASURED, np.float64)
    facts = np.empty(vocabulary.FACTS, np.int64)
    base = 1
    for row in range(len(offsets) - 1):
        result = out[row]
        n = to_hashed_points(data, offsets[row], offsets[row + 1], points, hashes)

        lines.scan(points, n, table, newlines, scanned)
        breaks = scanned[lines.NEWLINES]
        first, last = 0, n
        while first < last and table[points[first]] & SPACE:
            first += 1
        while last > first and table[points[last - 1]] & SPACE:
            last -= 1
        segments = lines.split_runs(newlines, breaks, 0, n, 1, starts, ends)
        number, characters = duplicates(points, hashes, powers, starts, ends, segments, keys, slots, base)
        base += segments
        result[REPETITION] = _ratio(number, segments) if n else np.nan
        result[REPETITION + 2] = _ratio(characters, n)
        segments = lines.split_runs(newlines, breaks, first, last, 2, starts, ends)
        number, characters = duplicates(points, hashes, powers, starts, ends, segments, keys, slots, base)
        base += segments
        result[REPETITION + 1] = _ratio(number, segments) if n else np.nan
        result[REPETITION + 3] = _ratio(characters, n)
        segments = lines.measure_lines(points, n, newlines, breaks, table, starts, ends, measured)
        number, characters = duplicates(points, hashes, powers, starts, ends, segments, keys, slots, base)
        base += segments
        result[FINEWEB + 2] = _ratio(characters, n - breaks)

        count = split_words(points, n, table, exceptions, cuts, trie, starts, ends, counts)
        result[C4] = mark_sentences(points, starts, ends, count, table, at)
        source, source_hashes = points, hashes
        if len(rows):
            source, source_hashes = letters, letter_hashes
            count = rows[row + 1] - rows[row]
            total = 0
            to_hashed_points(words, word_offsets[rows[row]], word_offsets[rows[row + 1]], letters, letter_hashes)
            for i in range(count):
                starts[i] = total
                for j in range(word_offsets[rows[row] + i], word_offsets[rows[row] + i + 1]):
                    total += 1 if words[j] & 0xC0 != 0x80 else 0
                ends[i] = total
        vocabulary.word_classes(source, source_hashes, powers, starts, ends, count, classes, counts, keys, slots, base)
        base += count
        vocabulary.measure_words(
            source, starts, ends, count, classes, counts, table, lower, keys, normal, often, slots, base, facts
        )
        base += count
        amount = facts[vocabulary.WORDS]
        entropy = vocabulary.entropy(classes, normal, often, count, amount) if amount else np.nan
        _line_signals(n, count, scanned, result)
        _full_line_signals(measured, amount, result)
        _word_signals(facts, count, entropy, result)

        hash_words(source_hashes, powers, starts, ends, count, at, joined)
        grams[:count] = classes[:count]
        alive = repeated(grams, counts, count, live)
        for width in range(2, 5):
            alive, best = longer_grams(grams, live, alive, keys, counts, slots, base)
            base += count
            characters = 0
            if best >= 0:
                characters = counts[best] * (at[best + width] - at[best] + width - 1)
            elif count >= width:
                characters = at[width] + width - 1
            result[REPETITION + 2 + width] = _ratio(characters, n)
        alive = gram_candidates(source_hashes, powers, starts, count, at, joined, keys, live, slots, base)
        base += count
        for width in range(5, 11):
            characters = duplicate_grams(
                source, powers, starts, ends, count, width, at, joined, live, alive, keys, slots, base
            )
            base += count
            result[REPETITION + 2 + width] = _ratio(characters, n)

        count = vocabulary.normalise(starts, ends, count, classes, normal, often, at, counts)
        alive = repeated(classes, counts, count, live)
        for width in range(2, 11):
            alive, best = longer_grams(classes, live, alive, keys, counts, slots, base)
            base += count
            if width > 4:
                characters = covered(live, alive, at, width)
            else:
                characters = counts[best] * (at[best + width] - at[best]) if best >= 0 else 0
            result[REDPAJAMA + 13 + width] = _ratio(characters, at[count])
