"""Signals of source files in one native pass: lines, classes of characters, comments by the language's syntax."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit
from corpus.kernels.quality_flags import ALPHA, BREAK, DECIMAL, SPACE, to_points
from corpus.kernels.unicode import WORD

LINES, LONGEST_LINE, MEAN_LINE, ALPHANUMERIC, ALPHABETIC, DIGITS, NON_ASCII, LONGEST_RUN, COMMENTS, COLUMNS = range(10)
# Bits of a syntax.
SPACE_BEFORE, TRIPLE, DOCSTRINGS, BLOCKS_AT_LINE_START, NO_ESCAPES, QUOTES_IN_NAMES = 1, 2, 4, 8, 16, 32
MARKERS, WIDTH = 3, 8


@njit
def _at(points, i, n, marker):  # type: ignore[no-untyped-def]
    """Length of the marker (zeros behind it) when it stands at `i`, or 0."""
    length = 0
    while length < len(marker) and marker[length]:
        if i + length >= n or points[i + length] != marker[length]:
            return 0
        length += 1
    return length


@njit
def _end(points, i, n, marker):  # type: ignore[no-untyped-def]
    """Where the first such marker from `i` ends, or `n`."""
    while i < n:
        length = _at(points, i, n, marker)
        if length:
            return i + length
        i += 1
    return n


@njit
def _string_end(points, i, n, quote, many_lines, escapes):  # type: ignore[no-untyped-def]
    """Where the string that `quote` opened before `i` ends, or -1 when its line ends first."""
    while i < n:
        if points[i] == 92 and escapes:
            i += 2
        elif points[i] == quote:
            return i + 1
        elif points[i] == 10 and not many_lines:
            return -1
        else:
            i += 1
    return n if many_lines else -1


@njit
def _triple_end(points, i, n, quote):  # type: ignore[no-untyped-def]
    """Where the string that three quotes opened before `i` ends, or `n`."""
    while i + 2 < n:
        if points[i] == 92:
            i += 2
        elif points[i] == quote and points[i + 1] == quote and points[i + 2] == quote:
            return i + 3
        else:
            i += 1
    return n


@njit
def comments(points, n, table, line, opening, closing, quotes, long_quotes, flags):  # type: ignore[no-untyped-def]
    """Characters of comments, their marks included, line ends after line comments not.

    `line`, `opening`, `closing` uint32[MARKERS, WIDTH] of code points, zeros behind; `quotes` and `long_quotes`
    uint32[MARKERS]: what opens strings of one line and of several. A block comment is not nested. A quote that its line
    does not close is none.
    """
    total = 0
    fresh = True  # nothing but white space on the line so far
    i = 0
    while i < n:
        point = points[i]
        if point == 10:
            fresh = True
            i += 1
            continue
        if table[point] & SPACE:
            i += 1
            continue
        if point == 92:  # an escaped character opens nothing
            fresh = False
            i += 2
            continue
        first, fresh = fresh, False
        found = 0
        for k in range(MARKERS):
            starts_line = i == 0 or points[i - 1] == 10
            if opening[k, 0] and (starts_line or not flags & BLOCKS_AT_LINE_START):
                found = _at(points, i, n, opening[k])
            if found:
                end = _end(points, i + found, n, closing[k])
                total += end - i
                i = end
                break
        if found:
            continue
        if not flags & SPACE_BEFORE or i == 0 or table[points[i - 1]] & SPACE:
            for k in range(MARKERS):
                if line[k, 0]:
                    found = max(found, _at(points, i, n, line[k]))
        if found:
            end = i
            while end < n and not table[points[end]] & BREAK:
                end += 1
            total += end - i
            i = end
            continue
        end = -1
        for k in range(MARKERS):
            if quotes[k] == point and point:
                triple = flags & TRIPLE and i + 2 < n and points[i + 1] == point and points[i + 2] == point
                if triple:
                    end = _triple_end(points, i + 3, n, point)
                    total += end - i if first and flags & DOCSTRINGS else 0
                # Haskell's x', Ada's X'First, MATLAB's A', C++'s 1'000: no string begins right behind a name.
                elif (
                    not flags & QUOTES_IN_NAMES or point != 39 or i == 0 or not table[points[i - 1]] & (ALPHA | DECIMAL)
                ):
                    end = _string_end(points, i + 1, n, point, False, not flags & NO_ESCAPES)
            elif long_quotes[k] == point and point:
                end = _string_end(points, i + 1, n, point, True, not flags & NO_ESCAPES)
        i = end if end > i else i + 1
    return total


@njit
def measure(data, offsets, table, classes, syntax, lines, openings, closings, quotes, long_quotes, flags, out):  # type: ignore[no-untyped-def]
    """Fill `out` (float64[documents, COLUMNS]) from the documents `data[offsets[i]:offsets[i + 1]]`.

    `syntax` int64[documents]: a row of the six tables of syntaxes, -1 where none is known (COMMENTS is NaN then).
    Lines are those of `str.splitlines`. A ratio of nothing to nothing is NaN.
    """
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    points, at = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.int64)
    for row in range(len(offsets) - 1):
        n = to_points(data, offsets[row], offsets[row + 1], points, at)
        count = longest_line = in_lines = length = 0
        alphanumeric = alphabetic = digits = wide = run = longest_run = 0
        for i in range(n):
            bits = table[points[i]]
            alphabetic += 1 if bits & ALPHA else 0
            digits += 1 if bits & DECIMAL else 0
            alphanumeric += 1 if classes[points[i]] & WORD and points[i] != 95 else 0
            wide += 1 if points[i] > 127 else 0
            run = 0 if bits & SPACE else run + 1
            longest_run = max(longest_run, run)
            if bits & BREAK:
                if points[i] == 10 and i and points[i - 1] == 13:
                    continue
                count += 1
                in_lines += length
                longest_line = max(longest_line, length)
                length = 0
            else:
                length += 1
        if length:
            count += 1
            in_lines += length
            longest_line = max(longest_line, length)
        result = out[row]
        result[LINES] = count
        result[LONGEST_LINE] = longest_line if count else np.nan
        result[MEAN_LINE] = in_lines / count if count else np.nan
        result[ALPHANUMERIC] = alphanumeric / n if n else np.nan
        result[ALPHABETIC] = alphabetic / n if n else np.nan
        result[DIGITS] = digits / n if n else np.nan
        result[NON_ASCII] = wide / n if n else np.nan
        result[LONGEST_RUN] = longest_run
        result[COMMENTS] = np.nan
        which = syntax[row]
        if n and which >= 0:
            found = comments(
                points,
                n,
                table,
                lines[which],
                openings[which],
                closings[which],
                quotes[which],
                long_quotes[which],
                flags[which],
            )
            result[COMMENTS] = found / n
