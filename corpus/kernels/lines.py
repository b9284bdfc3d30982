"""Line rules over a batch, C4's and RefinedWeb's: which bytes go, and by which rule."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit
from corpus.kernels.phrases import CURLY, JAVASCRIPT, LOREM_IPSUM, POLICY, has_terminal, mentions
from corpus.kernels.quality_flags import BREAK, DECIMAL, SPACE, to_points
from corpus.kernels.refinedweb import SHORT, is_counter, mainly_upper, may_begin, only_digits, pattern_at

# Bits of the rules that are on, and `rule` of an edit; in the order of `corpus.quality.rules.LINE_RULES`.
LONG_WORDS, CITATIONS, TERMINAL, SHORT_LINES, JAVASCRIPTS, POLICIES = range(6)
UPPERCASE, NUMERIC, COUNTERS, ONE_WORD, PATTERNS, WHITESPACE = range(6, 12)
_C4 = (1 << UPPERCASE) - 1
_LONGEST_WORD = 1000
_FEWEST_WORDS = 3
_EDIT = np.array([ord(character) for character in "[edit]"], np.uint32)
_CITATION_NEEDED = np.array([ord(character) for character in "[citation needed]"], np.uint32)


@njit
def _is(points, i, end, phrase):  # type: ignore[no-untyped-def]
    if i + len(phrase) > end:
        return False
    for j in range(len(phrase)):  # noqa: SIM110
        if points[i + j] != phrase[j]:
            return False
    return True


@njit
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


@njit
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


@njit
def _verdict(points, start, end, words, longest, clean, size, rules, table):  # type: ignore[no-untyped-def]
    """The rule that drops the stripped line `points[start:end]` (`clean[:size]` after the edits inside it), or -1.

    Of C4's: a line with "lorem ipsum" or a curly bracket stays where the original filter drops the document, for the
    document rules to find.
    """
    if rules >> LONG_WORDS & 1 and longest > _LONGEST_WORD:
        return LONG_WORDS
    if rules >> TERMINAL & 1 and not has_terminal(clean, 0, size):
        return TERMINAL
    if rules >> SHORT_LINES & 1 and words < _FEWEST_WORDS:
        return SHORT_LINES
    if rules >> JAVASCRIPTS & 3:
        found = mentions(clean, 0, size)
        if rules >> JAVASCRIPTS & 1 and found & JAVASCRIPT and not found & LOREM_IPSUM:
            return JAVASCRIPTS
        if rules >> POLICIES & 1 and found & POLICY and not found & (LOREM_IPSUM | CURLY):
            return POLICIES
    if rules >> UPPERCASE & 1 and mainly_upper(points, start, end, table):
        return UPPERCASE
    if rules >> NUMERIC & 1 and only_digits(points, start, end, table):
        return NUMERIC
    if rules >> COUNTERS & 1 and is_counter(points, start, end, table):
        return COUNTERS
    return ONE_WORD if rules >> ONE_WORD & 1 and words == 1 else -1


@njit
def _clean(points, start, end, leading, words, rules, table, clean, cuts, why):  # type: ignore[no-untyped-def]
    """Copy a stripped line without its citations and patterns into `clean`: (size, cuts).

    The spans left out are in `cuts`, their rules in `why`. White space that one leaves at the end of the line is left
    out with it, in `cuts` only; with `leading` also at its beginning.
    """
    size = count = 0
    short = rules >> PATTERNS & 1 and words <= SHORT
    i = start
    while i < end:
        kind = CITATIONS
        width = _citation(points, i, end, table) if points[i] == 91 and rules >> CITATIONS & 1 else 0
        if width == 0 and short and may_begin(points[i], table):
            width = pattern_at(points, i, start, end, table)
            kind = PATTERNS if width else CITATIONS
        if width == 0 and leading and size == 0 and table[points[i]] & SPACE:
            width = 1
        if width:
            if count and cuts[2 * count - 1] == i:
                cuts[2 * count - 1] = i + width
                why[count - 1] = max(why[count - 1], kind)
            else:
                cuts[2 * count], cuts[2 * count + 1] = i, i + width
                why[count] = kind
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
            why[count - 1] = max(why[count - 1], why[count])
            last = end
        else:
            cuts[2 * count - 2] = last
            break
    return size, count


@njit
def _put(count, row, start, end, kind, line_end, rows, starts, ends, kinds, newline):  # type: ignore[no-untyped-def]
    """Add an edit where there is room; returns the new count."""
    if count < len(rows):
        rows[count], starts[count], ends[count], kinds[count], newline[count] = row, start, end, kind, line_end
    return count + 1


@njit
def line_edits(data, offsets, rules, table, rows, starts, ends, kinds, newline, removed):  # type: ignore[no-untyped-def]
    """Edits of a batch into `rows` to `newline`, in order; how many there are, which may be more than fit.

    `starts` and `ends` are bytes from the text's beginning; `newline` says that the replacement is a new line rather
    than nothing. `removed` (float64[texts, 3]) becomes the share of lines that go, of words in them, and of words in
    lines that RefinedWeb's rules drop or edit. C4's rules also strip the lines that stay; RefinedWeb's alone do not.
    """
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    points, clean = np.empty(longest + 1, np.uint32), np.empty(longest + 1, np.uint32)
    at, cuts = np.empty(longest + 1, np.int64), np.empty(2 * longest + 2, np.int64)
    why = np.empty(longest + 1, np.int8)
    strips = rules & _C4
    count = 0
    room = len(rows)
    for row in range(len(offsets) - 1):
        n = to_points(data, offsets[row], offsets[row + 1], points, at)
        origin = offsets[row]
        kept = -1  # where the edit of the last kept line's terminator lies
        kept_end = 0  # and where the line's characters end
        tail = count  # the first edit after it
        full = all_words = gone = gone_words = refined = 0
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
            words, widest = _words(points, first, last, table)
            size, spans = _clean(points, first, last, strips != 0 and kept < 0, words, rules, table, clean, cuts, why)
            kind = _verdict(points, first, last, words, widest, clean, size, rules, table)
            edited = False
            for k in range(spans):
                edited = edited or why[k] == PATTERNS
            if kind < 0 and edited and _words(clean, 0, size, table)[0] == 0:
                kind = PATTERNS
            full += 1 if words else 0
            all_words += words
            if kind >= 0:
                gone += 1 if words else 0
                gone_words += words
                count = _put(
                    count, row, at[start] - origin, at[after] - origin, kind, False, rows, starts, ends, kinds, newline
                )
            if edited or kind >= UPPERCASE:
                refined += words
            if kind < 0 and (strips or words):
                if strips and first > start:
                    begin, to = at[start] - origin, at[first] - origin
                    count = _put(count, row, begin, to, WHITESPACE, False, rows, starts, ends, kinds, newline)
                for k in range(spans):
                    begin, to = at[cuts[2 * k]] - origin, at[cuts[2 * k + 1]] - origin
                    count = _put(count, row, begin, to, why[k], False, rows, starts, ends, kinds, newline)
                kept, kept_end = count, last
                if strips:
                    begin, to = at[last] - origin, at[after] - origin
                    count = _put(count, row, begin, to, WHITESPACE, True, rows, starts, ends, kinds, newline)
                tail = count
            elif kind < 0 and kept < 0 and tail < count <= room:
                ends[count - 1] = at[after] - origin  # a blank line that would now be the first
            start = after
        if strips:
            if 0 <= kept < room:
                newline[kept] = False
        elif kept >= 0:  # what stood between the lines that went and the last that stays
            begin = at[kept_end] - origin
            for k in range(tail, min(count, room)):
                starts[k] = begin
                begin = ends[k]
        removed[row, 0] = gone / full if full else 0.0
        removed[row, 1] = gone_words / all_words if all_words else 0.0
        removed[row, 2] = refined / all_words if all_words else 0.0
    return count
