"""Passages of texts as hashes and byte spans: lines, paragraphs, runs of sentences, runs of words.

Two passages are the same when their words are: runs of letters, digits and combining marks, in lower case, each
decimal digit as 0 (not in runs of words), so that white space and punctuation only separate. Scripts without spaces
have a word a character, and hashes are 64 bits, both as in `corpus.kernels.shingles`.
"""

from __future__ import annotations

import functools

import numpy as np

from corpus.kernels import unicode
from corpus.kernels.jit import inlined, njit
from corpus.kernels.quality_flags import to_points
from corpus.kernels.sentences import mark_sentences
from corpus.kernels.shingles import ALONE, combine, fold, longest, word_hashes
from corpus.kernels.unicode import SPACE, decode
from corpus.kernels.words import split_words

LINES, PARAGRAPHS, SENTENCES, WORDS = range(4)
_DIGIT = np.uint32(ord("0"))
_NEWLINE = 10


@functools.cache
def word_table(digits: bool) -> np.ndarray:
    """uint32[0x110000]: 0 for what is in no word, else what a code point counts as; `digits`: each as itself."""
    table = fold(("case",) if digits else ("case", "digits")).copy()
    table[unicode.marks()] = unicode.marks()
    table.flags.writeable = False
    return table


@njit
def split_lines(data, lo, hi, breaks, classes, starts, ends):  # type: ignore[no-untyped-def]
    """Stretches of `data[lo:hi]` between `breaks` new lines and more with nothing but white space around them.

    Their spans, without white space at either end, go into `starts` and `ends`; how many. 1: lines; 2: blocks between
    blank lines.
    """
    count = newlines = 0
    first = last = -1
    i = lo
    while i < hi:
        point, width = np.uint32(data[i]), 1
        if point >= 0x80:
            point, width = decode(data, i, hi)
        if point == _NEWLINE:
            newlines += 1
        elif not classes[point] & SPACE:
            if first >= 0 and newlines >= breaks:
                starts[count], ends[count] = first, last
                count += 1
                first = -1
            first = i if first < 0 else first
            last = i + width
            newlines = 0
        i += width
    if first >= 0:
        starts[count], ends[count] = first, last
        count += 1
    return count


@njit
def split_spans(data, lo, hi, table, starts, ends):  # type: ignore[no-untyped-def]
    """Spans of the words that `word_hashes` hashes, in its order; how many."""
    count = 0
    first = -1
    i = lo
    while i < hi:
        point, width = np.uint32(data[i]), 1
        if point >= 0x80:
            point, width = decode(data, i, hi)
        folded = table[point]
        if folded != 0 and folded < ALONE:
            first = i if first < 0 else first
        else:
            if first >= 0:
                starts[count], ends[count] = first, i
                count += 1
                first = -1
            if folded != 0:
                starts[count], ends[count] = i, i + width
                count += 1
        i += width
    if first >= 0:
        starts[count], ends[count] = first, hi
        count += 1
    return count


@njit
def _has_letter(data, lo, hi, table):  # type: ignore[no-untyped-def]
    i = lo
    while i < hi:
        point, width = np.uint32(data[i]), 1
        if point >= 0x80:
            point, width = decode(data, i, hi)
        if table[point] != 0 and table[point] != _DIGIT:
            return True
        i += width
    return False


@njit
def find(data, offsets, kind, length, least, table, classes, flags, exceptions, cuts, trie, hashes, rows, starts, ends):  # type: ignore[no-untyped-def]
    """Every passage of `length` units of `kind` in a batch, in order: its hash, its row, its bytes within the text.

    How many; what does not fit into the outputs is only counted. Passages of fewer than `least` words are left out,
    and so are those without a letter, which say nothing once digits do not count. `flags` and the three after it are
    for SENTENCES.
    """
    size = longest(offsets) + 2
    units = size // 2 + 1
    words = np.empty(units, np.uint64)
    first, last, bounds = np.empty(units, np.int64), np.empty(units, np.int64), np.empty(units + 1, np.int64)
    lettered = np.empty(units, np.bool_)
    one = np.empty(units if kind == WORDS else 1, np.uint64)
    wide = size if kind == SENTENCES else 0
    points, at = np.empty(wide, np.uint32), np.empty(wide, np.int64)
    word_starts, word_ends = np.empty(wide, np.int64), np.empty(wide, np.int64)
    stack, marks = np.empty(wide, np.int64), np.empty(wide, np.int64)
    total = 0
    for row in range(len(offsets) - 1):
        lo, hi = offsets[row], offsets[row + 1]
        if kind == WORDS:
            count = split_spans(data, lo, hi, table, first, last)
            if count < length:
                continue
            word_hashes(data, lo, hi, table, words)
            combine(words, count, length, one)
            for k in range(count - length + 1):
                if total < len(hashes):
                    hashes[total], rows[total] = one[k], row
                    starts[total], ends[total] = first[k] - lo, last[k + length - 1] - lo
                total += 1
            continue
        if kind == SENTENCES:
            n = to_points(data, lo, hi, points, at)
            tokens = split_words(points, n, flags, exceptions, cuts, trie, word_starts, word_ends, stack)
            count = mark_sentences(points, word_starts, word_ends, tokens, flags, marks)
            for k in range(count):
                after = marks[k + 1] if k + 1 < count else tokens
                first[k], last[k] = at[word_starts[marks[k]]], at[word_ends[after - 1]]
        else:
            count = split_lines(data, lo, hi, 1 if kind == LINES else 2, classes, first, last)
        bounds[0] = 0
        for k in range(count):
            bounds[k + 1] = bounds[k] + word_hashes(data, first[k], last[k], table, words[bounds[k] :])
            lettered[k] = _has_letter(data, first[k], last[k], table)
        for k in range(count - length + 1):
            a, b = bounds[k], bounds[k + length]
            letters = False
            for j in range(k, k + length):
                letters = letters or lettered[j]
            if b - a < max(least, 1) or not letters:
                continue
            combine(words[a:b], b - a, b - a, one)
            if total < len(hashes):
                hashes[total], rows[total] = one[0], row
                starts[total], ends[total] = first[k] - lo, last[k + length - 1] - lo
            total += 1
    return total


@njit
def count_words(data, offsets, table, out):  # type: ignore[no-untyped-def]
    """Words of each text of a batch, into `out`."""
    words = np.empty(longest(offsets) // 2 + 1, np.uint64)
    for row in range(len(offsets) - 1):
        out[row] = word_hashes(data, offsets[row], offsets[row + 1], table, words)


@inlined
def _back(data, lo, i):  # type: ignore[no-untyped-def]
    """Where the character before `i` begins."""
    i -= 1
    while i > lo and data[i] & 0xC0 == 0x80:
        i -= 1
    return i


@njit
def _wordless(data, lo, hi, table):  # type: ignore[no-untyped-def]
    i = lo
    while i < hi:
        point, width = decode(data, i, hi)
        if table[point] != 0:
            return False
        i += width
    return True


@njit
def _left(data, lo, i, table, classes):  # type: ignore[no-untyped-def]
    """(where white space ends before `i`, where the line's new line does), over what is in no word; -1: a word is in
    the way."""
    space = -1
    while i > lo:
        before = _back(data, lo, i)
        point, _ = decode(data, before, i)
        if table[point] != 0:
            return space, -1
        if classes[point] & SPACE:
            space = i if space < 0 else space
            if point == _NEWLINE:
                return space, i
        i = before
    return (i if space < 0 else space), i


@njit
def _right(data, i, hi, table, classes):  # type: ignore[no-untyped-def]
    """As `_left`, behind `i`."""
    space = -1
    while i < hi:
        point, width = decode(data, i, hi)
        if table[point] != 0:
            return space, -1
        if classes[point] & SPACE:
            space = i if space < 0 else space
            if point == _NEWLINE:
                return space, i
        i += width
    return (i if space < 0 else space), i


@njit
def _joined(data, lo, hi, a, b, classes):  # type: ignore[no-untyped-def]
    """The span to cut so that of the white space before `a` and behind `b` the one with more new lines stays.

    None stays at the beginning of a text that has something else before the cut, and of one that ends with it the
    white space at its end.
    """
    before, after = a, b
    newlines, line = 0, -1
    while before > lo:
        i = _back(data, lo, before)
        point, _ = decode(data, i, before)
        if not classes[point] & SPACE:
            break
        if point == _NEWLINE:
            line = before if line < 0 else line
            newlines += 1
        before = i
    behind, next_line = 0, -1
    while after < hi:
        point, width = decode(data, after, hi)
        if not classes[point] & SPACE:
            break
        after += width
        if point == _NEWLINE:
            next_line = after
            behind += 1
    if before == lo and after == hi:
        return lo, hi
    if after == hi:
        return before, b
    if before == lo:
        return lo, next_line if behind else after
    if behind > newlines or before == a:
        return before, b
    if newlines and behind:
        return line, next_line
    return a, after


@njit
def cut(data, offsets, rows, starts, ends, table, classes, out_rows, out_starts, out_ends):  # type: ignore[no-untyped-def]
    """The spans to remove for passages (in order of row and start; they may overlap), disjoint and in order; how many.

    What stands between two passages and is in no word goes with them; so does punctuation between a passage and white
    space, and what is in no word where it would be left alone on its line.
    """
    count = 0
    k = 0
    while k < len(rows):
        row = rows[k]
        lo, hi = offsets[row], offsets[row + 1]
        a, b = lo + starts[k], lo + ends[k]
        k += 1
        while k < len(rows) and rows[k] == row and (lo + starts[k] <= b or _wordless(data, b, lo + starts[k], table)):
            b = max(b, lo + ends[k])
            k += 1
        left, line = _left(data, lo, a, table, classes)
        right, line_end = _right(data, b, hi, table, classes)
        if line >= 0 and line_end >= 0:
            a, b = line, line_end
        else:
            a, b = (left if left >= 0 else a), (right if right >= 0 else b)
        a, b = _joined(data, lo, hi, a, b, classes)
        out_rows[count], out_starts[count], out_ends[count] = row, a - lo, b - lo
        count += 1
    return count
