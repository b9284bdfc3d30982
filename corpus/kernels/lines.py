"""C4's line rules over a batch: which bytes go, and by which rule."""

from __future__ import annotations

import numba
import numpy as np

from corpus.kernels.phrases import CURLY, JAVASCRIPT, LOREM_IPSUM, POLICY, has_terminal, mentions
from corpus.kernels.quality_flags import BREAK, DECIMAL, SPACE, to_points

# Bits of the rules that are on, and `rule` of an edit; in the order of `corpus.quality.rules.LINE_RULES`.
LONG_WORDS, CITATIONS, TERMINAL, SHORT_LINES, JAVASCRIPTS, POLICIES, WHITESPACE = range(7)
_LONGEST_WORD = 1000
_FEWEST_WORDS = 3
_EDIT = np.array([ord(character) for character in "[edit]"], np.uint32)
_CITATION_NEEDED = np.array([ord(character) for character in "[citation needed]"], np.uint32)


@numba.njit(cache=True, nogil=True)
def _is(points, i, end, phrase):  # type: ignore[no-untyped-def]
    if i + len(phrase) > end:
        return False
    for j in range(len(phrase)):  # noqa: SIM110
        if points[i + j] != phrase[j]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _citation(points, i, end, table):  # type: ignore[no-untyped-def]
    r"""Length of what `\[\d*]|\[edit]|\[citation needed]` matches at `i`, or 0."""
    if points[i] != 91:
        return 0
    j = i + 1
    while j < end and table[points[j]] & DECIMAL:
        j += 1
    if j < end and points[j] == 93:
        return j + 1 - i
    if _is(points, i, end, _EDIT):
        return len(_EDIT)
    return len(_CITATION_NEEDED) if _is(points, i, end, _CITATION_NEEDED) else 0


@numba.njit(cache=True, nogil=True)
def _words(points, start, end, table):  # type: ignore[no-untyped-def]
    """(number, longest) of the words between white space."""
    words = longest = length = 0
    for i in range(start, end):
        if table[points[i]] & SPACE:
            length = 0
        else:
            words += 1 if length == 0 else 0
            length += 1
            longest = max(longest, length)
    return words, longest


@numba.njit(cache=True, nogil=True)
def _verdict(points, start, end, clean, size, rules, table):  # type: ignore[no-untyped-def]
    """The rule that drops the stripped line `points[start:end]` (`clean[:size]` without citations), or -1.

    A line with "lorem ipsum" or a curly bracket stays where the original filter drops the document, for the document
    rules to find.
    """
    words, longest = _words(points, start, end, table)
    if rules >> LONG_WORDS & 1 and longest > _LONGEST_WORD:
        return LONG_WORDS
    if rules >> TERMINAL & 1 and not has_terminal(clean, 0, size):
        return TERMINAL
    if rules >> SHORT_LINES & 1 and words < _FEWEST_WORDS:
        return SHORT_LINES
    found = mentions(clean, 0, size)
    if found & LOREM_IPSUM:
        return -1
    if rules >> JAVASCRIPTS & 1 and found & JAVASCRIPT:
        return JAVASCRIPTS
    if found & CURLY:
        return -1
    return POLICIES if rules >> POLICIES & 1 and found & POLICY else -1


@numba.njit(cache=True, nogil=True)
def _clean(points, start, end, leading, rules, table, clean, cuts):  # type: ignore[no-untyped-def]
    """Copy a stripped line without its citations into `clean`; the spans left out into `cuts`: (size, cuts).

    White space that a citation leaves at the end of the line is left out with it, in `cuts` only; with `leading`
    also at its beginning.
    """
    size = count = 0
    i = start
    while i < end:
        width = _citation(points, i, end, table) if rules >> CITATIONS & 1 else 0
        if width == 0 and leading and size == 0 and table[points[i]] & SPACE:
            width = 1
        if width:
            if count and cuts[2 * count - 1] == i:
                cuts[2 * count - 1] = i + width
            else:
                cuts[2 * count], cuts[2 * count + 1] = i, i + width
                count += 1
            i += width
        else:
            clean[size] = points[i]
            size += 1
            i += 1
    last = end
    while count and cuts[2 * count - 1] == last:
        last = cuts[2 * count - 2]
        while last > start and table[points[last - 1]] & SPACE:
            last -= 1
        if count > 1 and cuts[2 * count - 3] >= last:
            count -= 1
            cuts[2 * count - 1] = end
            last = end
        else:
            cuts[2 * count - 2] = last
            break
    return size, count


@numba.njit(cache=True, nogil=True)
def line_edits(data, offsets, rules, table, rows, starts, ends, kinds, newline):  # type: ignore[no-untyped-def]
    """Edits of a batch into the last five, in order; how many there are, which may be more than fit.

    `starts` and `ends` are bytes from the text's beginning; `newline` says that the replacement is a new line rather
    than nothing.
    """
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    points, clean = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.uint32)
    at, cuts = np.empty(longest + 1, np.int64), np.empty(2 * longest + 2, np.int64)
    count = 0
    room = len(rows)
    for row in range(len(offsets) - 1):
        n = to_points(data, offsets[row], offsets[row + 1], points, at)
        origin = offsets[row]
        kept = -1  # where the edit of the last kept line's terminator lies
        start = 0
        while start < n:
            end = start
            while end < n and not table[points[end]] & BREAK:
                end += 1
            after = min(end + 1, n)
            if end + 1 < n and points[end] == 13 and points[end + 1] == 10:
                after += 1
            first, last = start, end
            while first < last and table[points[first]] & SPACE:
                first += 1
            while last > first and table[points[last - 1]] & SPACE:
                last -= 1
            size, spans = _clean(points, first, last, kept < 0, rules, table, clean, cuts)
            kind = _verdict(points, first, last, clean, size, rules, table)
            if kind >= 0:
                if count < room:
                    rows[count], starts[count], ends[count] = row, at[start] - origin, at[after] - origin
                    kinds[count], newline[count] = kind, False
                count += 1
            else:
                if first > start:
                    if count < room:
                        rows[count], starts[count], ends[count] = row, at[start] - origin, at[first] - origin
                        kinds[count], newline[count] = WHITESPACE, False
                    count += 1
                for k in range(spans):
                    if count < room:
                        rows[count] = row
                        starts[count], ends[count] = at[cuts[2 * k]] - origin, at[cuts[2 * k + 1]] - origin
                        kinds[count], newline[count] = CITATIONS, False
                    count += 1
                kept = count
                if count < room:
                    rows[count], starts[count], ends[count] = row, at[last] - origin, at[after] - origin
                    kinds[count], newline[count] = WHITESPACE, True
                count += 1
            start = after
        if 0 <= kept < room:
            newline[kept] = False
    return count
