"""Signals of the lines of one document, in two scans: C4's and Gopher's lines, FineWeb's and RedPajama's."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit
from corpus.kernels.phrases import CURLY, JAVASCRIPT, LOREM_IPSUM, POLICY, has_terminal, phrase_around
from corpus.kernels.quality_flags import BREAK, LOOK, NUMERIC, SPACE, TERMINAL, UPPER, WORD

_SHORT_LINE = 30
# RedPajama-v2's bullet points; Gopher's are • and -.
_BULLETS = np.array([0x2022, 0x2023, 0x25B6, 0x25C0, 0x25E6, 0x25A0, 0x25A1, 0x25AA, 0x25AB, 0x2013], np.uint32)

# What `scan` fills, in this order. Lines are those of `str.splitlines`, blank ones included.
HASHES, ELLIPSES, BRACES, SENTENCES, NEWLINES, LINES, BULLETS, ELLIPSIS_LINES, UNPUNCTUATED = range(9)
LOREM_LINES, CURLY_LINES, JAVASCRIPT_LINES, POLICY_LINES = range(9, 13)
SCANNED = 13
# What `measure_lines` fills. Lines stand between new lines and are not blank.
FULL_LINES, TERMINAL_LINES, SHORT_LINES, MARKED_LINES, POINTED_LINES, UPPER_SHARE, NUMERIC_SHARE = range(7)
MEASURED = 7


@njit
def _end_line(points, start, end, found, table, facts):  # type: ignore[no-untyped-def]
    facts[LINES] += 1
    if found:
        facts[LOREM_LINES] += 1 if found & LOREM_IPSUM else 0
        facts[CURLY_LINES] += 1 if found & CURLY else 0
        facts[JAVASCRIPT_LINES] += 1 if found & JAVASCRIPT else 0
        facts[POLICY_LINES] += 1 if found & POLICY else 0
    first, last = start, end
    while first < last and table[points[first]] & SPACE:
        first += 1
    while last > first and table[points[last - 1]] & SPACE:
        last -= 1
    if first < last:
        facts[BULLETS] += 1 if points[first] == 0x2022 or points[first] == 45 else 0
        stops = last - first > 2 and points[last - 1] == 46 and points[last - 2] == 46 and points[last - 3] == 46
        facts[ELLIPSIS_LINES] += 1 if stops or points[last - 1] == 0x2026 else 0
    facts[UNPUNCTUATED] += 0 if has_terminal(points, first, last) else 1


@njit
def _has_word(points, start, end, table):  # type: ignore[no-untyped-def]
    for i in range(end - 1, start - 1, -1):  # noqa: SIM110
        if table[points[i]] & WORD:
            return True
    return False


@njit
def scan(points, n, table, newlines, facts):  # type: ignore[no-untyped-def]
    """Fill `facts` (int64[SCANNED]) and the places of new lines (`newlines`).

    A sentence here is RedPajama-v2's: what stands between marks `.`, `!` and `?` and holds a letter or digit.
    """
    facts[:] = 0
    start = piece = found = stops = 0
    last_stop = -2
    for i in range(n):
        point = points[i]
        bits = table[point]
        if not bits & LOOK:
            continue
        if bits & BREAK:
            if point == 10:
                newlines[facts[NEWLINES]] = i
                facts[NEWLINES] += 1
            if point != 10 or i == 0 or points[i - 1] != 13:
                _end_line(points, start, i, found, table, facts)
                found = 0
            start = i + 1
        elif point == 46 or point == 33 or point == 63:
            if piece < i and _has_word(points, piece, i, table):
                facts[SENTENCES] += 1
            piece = i + 1
            if point == 46:
                stops = stops + 1 if last_stop == i - 1 else 1
                last_stop = i
                if stops == 3:
                    facts[ELLIPSES] += 1
                    stops = 0
        elif point == 35:
            facts[HASHES] += 1
        elif point == 0x2026:
            facts[ELLIPSES] += 1
        elif point == 123:
            facts[BRACES] += 1
            found |= CURLY
        elif point == 125:
            facts[BRACES] += 1
        else:
            found |= phrase_around(points, i, n)
    if start < n:
        _end_line(points, start, n, found, table, facts)
    if _has_word(points, piece, n, table):
        facts[SENTENCES] += 1


@njit
def split_runs(newlines, count, start, end, least, starts, ends):  # type: ignore[no-untyped-def]
    """Segments of points `start` to `end` between runs of `least` and more new lines, as `re.split` has them."""
    segments = 0
    first = start
    i = 0
    while i < count:
        run = i + 1
        while run < count and newlines[run] == newlines[run - 1] + 1:
            run += 1
        if run - i >= least and newlines[i] >= start and newlines[i] < end:
            starts[segments], ends[segments] = first, newlines[i]
            segments += 1
            first = newlines[run - 1] + 1
        i = run
    starts[segments], ends[segments] = first, end
    return segments + 1


@njit
def measure_lines(points, n, newlines, count, table, starts, ends, facts):  # type: ignore[no-untyped-def]
    """Fill `facts` (float64[MEASURED]), and the spans of the lines that are not blank into `starts` and `ends`."""
    facts[:] = 0
    lines = 0
    start = 0
    for line in range(count + 1):
        end = newlines[line] if line < count else n
        first, last = start, end
        while first < last and table[points[first]] & SPACE:
            first += 1
        if first < last:
            starts[lines], ends[lines] = start, end
            lines += 1
            size = end - start
            upper = numeric = 0
            for i in range(first, end):
                bits = table[points[i]]
                upper += 1 if bits & UPPER else 0
                numeric += 1 if bits & NUMERIC else 0
            facts[UPPER_SHARE] += upper / size
            facts[NUMERIC_SHARE] += numeric / size
            facts[TERMINAL_LINES] += 1 if table[points[end - 1]] & TERMINAL else 0
            facts[SHORT_LINES] += 1 if size <= _SHORT_LINE else 0
            while table[points[last - 1]] & SPACE:
                last -= 1
            mark = points[last - 1]
            facts[MARKED_LINES] += 1 if mark == 46 or mark == 33 or mark == 63 or mark == 0x201D else 0
            for bullet in _BULLETS:
                facts[POINTED_LINES] += 1 if points[first] == bullet else 0
        start = end + 1
    facts[FULL_LINES] = lines
    return lines
