"""Words as byte-exact spans: white space, then affixes, exceptions and infixes, after spaCy's English tokenizer.

A piece between white space is peeled from both ends (quotes, brackets, punctuation, currency, units after digits,
`'s`) until nothing more comes off or what is left is an exception (`don't` -> `do` `n't`, `e.g.`, `:)`); the rest is
kept whole when it looks like a URL or an address, and is otherwise cut at infixes (a hyphen between letters, runs
of stops, ...). A run of a script that is written without spaces ends a piece, and its words are those of a dictionary.
"""

from __future__ import annotations

import functools

import numpy as np

from corpus.kernels.jit import inlined, njit
from corpus.kernels.quality_flags import (
    ALPHA,
    BEFORE_STOP,
    CURRENCY,
    DECIMAL,
    PREFIX,
    QUOTE,
    SINGLE,
    SPACE,
    SUFFIX,
    UNSPACED,
    UPPER,
)
from corpus.kernels.segment import script, segment

_LONGEST = 15  # of an exception, in characters: a cut is a bit of a uint16
_SLOTS = 8192
_ZERO_WIDTH_SPACE = 0x200B
# Set in the cuts of an entry of the table that is a unit of measure, not an exception.
_UNIT = 1 << 15


@functools.cache
def exceptions() -> tuple[np.ndarray, np.ndarray]:
    """The table of exceptions and units: (uint64[slots] hashes, 0 = free; uint16[slots] bit p = cut before p)."""
    from corpus.kernels.english import contractions, units

    keys, cuts = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.uint16)
    entries = [(unit, _UNIT) for unit in units()]
    for text, parts in contractions().items():
        bits, at = 0, 0
        for part in parts[:-1]:
            at += len(part)
            bits |= 1 << at
        entries.append((text, bits))
    for text, bits in entries:
        points = np.array([ord(character) for character in text], np.uint32)
        key = _hash(points, 0, len(points), bits == _UNIT)
        slot = int(key) % _SLOTS
        while keys[slot] not in (0, key):
            slot = (slot + 1) % _SLOTS
        keys[slot], cuts[slot] = key, bits
    return keys, cuts


@inlined
def _hash(points, start, end, unit):  # type: ignore[no-untyped-def]
    key = np.uint64(0x9E3779B97F4A7C15) if unit else np.uint64(0xCBF29CE484222325)
    for i in range(start, end):
        key = (key ^ np.uint64(points[i])) * np.uint64(0x100000001B3)
        key ^= key >> np.uint64(29)
    return key | np.uint64(1)


@njit
def _find(points, start, end, unit, keys, cuts):  # type: ignore[no-untyped-def]
    """Cuts of the exception `points[start:end]`, or -1."""
    if end <= start or end - start > _LONGEST:
        return -1
    key = _hash(points, start, end, unit)
    slot = np.int64(key & np.uint64(_SLOTS - 1))
    while keys[slot] != 0:
        if keys[slot] == key:
            return np.int64(cuts[slot])
        slot = (slot + 1) & (_SLOTS - 1)
    return -1


@inlined
def _is_digit(point):  # type: ignore[no-untyped-def]
    return 48 <= point <= 57


@njit
def _prefix(points, lo, hi, table):  # type: ignore[no-untyped-def]
    """Length of the prefix to peel from `points[lo:hi]`, or 0."""
    first = points[lo]
    if first == 46:  # two stops and more
        end = lo
        while end < hi and points[end] == 46:
            end += 1
        return end - lo if end - lo > 1 else 0
    if first == 43:  # +, but not +1
        return 0 if lo + 1 < hi and _is_digit(points[lo + 1]) else 1
    if first == 85 and hi - lo > 2 and points[lo + 1] == 83 and points[lo + 2] == 36:  # US$
        return 3
    if (first == 65 or first == 67) and hi - lo > 1 and points[lo + 1] == 36:  # A$, C$
        return 2
    return 1 if table[first] & PREFIX else 0


@njit
def _suffix(points, lo, hi, table, keys, cuts):  # type: ignore[no-untyped-def]
    """Length of the suffix to peel from `points[lo:hi]`, or 0; what stands before `lo` is not seen."""
    if hi <= lo:
        return 0
    last = points[hi - 1]
    bits = table[last]
    before = points[hi - 2] if hi - lo > 1 else np.uint32(0)
    if last == 46:
        start = hi
        while start > lo and points[start - 1] == 46:
            start -= 1
        if hi - start > 1:
            return hi - start
        if hi - lo < 2:
            return 0
        kind = table[before]
        if _is_digit(before) or kind & BEFORE_STOP or (kind & ALPHA and not kind & UPPER):
            return 1
        return 1 if kind & UPPER and hi - lo > 2 and table[points[hi - 3]] & UPPER else 0
    if bits & SUFFIX:
        return 1
    if (last == 115 or last == 83) and (before == 39 or before == 0x2019):  # 's
        return 2
    if last == 43 or bits & CURRENCY:
        return 1 if _is_digit(before) else 0
    start = hi
    while start > lo and hi - start <= _LONGEST and not _is_digit(points[start - 1]):
        start -= 1
    if start > lo and start < hi and _find(points, start, hi, True, keys, cuts) >= 0:
        return hi - start
    return 0


@njit
def _is_url(points, lo, hi, table):  # type: ignore[no-untyped-def]
    """A host with a dot and a lower-case last label, perhaps after `scheme://` or `user@`, perhaps with a path."""
    start = lo
    for i in range(lo, hi - 2):
        if points[i] == 58 and points[i + 1] == 47 and points[i + 2] == 47:
            start = i + 3
            break
    for i in range(start, hi):
        if points[i] == 64:
            start = i + 1
    end = start
    dot = -1
    while end < hi:
        point = points[end]
        if point == 47 or point == 58 or point == 63 or point == 35:
            break
        if point == 46:
            if end == start or points[end - 1] == 46 or points[end - 1] == 45:
                return False
            dot = end
        elif not (table[point] & (ALPHA | DECIMAL) or point == 45 or point == 95):
            return False
        end += 1
    if dot < 0 or end - dot < 3:
        return False
    for i in range(dot + 1, end):
        if not table[points[i]] & ALPHA or table[points[i]] & UPPER:
            return False
    if end < hi and points[end] == 58:
        port = end + 1
        while port < hi and _is_digit(points[port]):
            port += 1
        return port - end > 2 and (port == hi or points[port] == 47)
    return True


@njit
def _infix(points, i, lo, hi, table):  # type: ignore[no-untyped-def]
    """Length of the infix at `i` of `points[lo:hi]`, or 0."""
    point = points[i]
    bits = table[point]
    if bits & SINGLE:
        return 1
    if bits & ALPHA or i == lo or i + 1 >= hi:
        return 0
    if point == 46 and points[i + 1] == 46:
        end = i + 2
        while end < hi and points[end] == 46:
            end += 1
        return end - i
    before, after = table[points[i - 1]], table[points[i + 1]]
    digit = _is_digit(points[i - 1])
    word = digit or before & ALPHA
    operator = point == 43 or point == 45 or point == 42 or point == 94
    if digit and operator and (_is_digit(points[i + 1]) or points[i + 1] == 45):
        return 1
    if point == 46:
        lower = before & QUOTE or (before & ALPHA and not before & UPPER)
        return 1 if lower and after & (UPPER | QUOTE) else 0
    if point == 44:
        return 1 if before & ALPHA and after & ALPHA else 0
    if word and (point == 45 or point == 0x2013 or point == 0x2014 or point == 126):
        end = i
        while end < hi and points[end] == point and point != 126 and end - i < 3:
            end += 1
        return end - i if end < hi and table[points[end]] & ALPHA else 0
    if word and after & ALPHA and (point == 58 or point == 60 or point == 62 or point == 61 or point == 47):
        return 1
    return 0


@inlined
def _split_piece(points, lo, hi, found, table, keys, cuts, starts, ends, count, stack):  # type: ignore[no-untyped-def]
    """Add the words of the piece `points[lo:hi]`, of which `_find` says `found`; returns the new count."""
    depth = 0
    while found < 0 and lo < hi:
        pre = _prefix(points, lo, hi, table)
        if pre and lo + pre < hi and _find(points, lo + pre, hi, False, keys, cuts) >= 0:
            starts[count], ends[count] = lo, lo + pre
            count += 1
            lo += pre
            break
        suf = _suffix(points, lo + pre, hi, table, keys, cuts)
        if suf and _find(points, lo, hi - suf, False, keys, cuts) >= 0:
            hi -= suf
            stack[depth] = suf
            depth += 1
            break
        if pre == 0 and suf == 0:
            break
        if pre:
            starts[count], ends[count] = lo, lo + pre
            count += 1
            lo += pre
        if suf:
            hi -= suf
            stack[depth] = suf
            depth += 1
        found = _find(points, lo, hi, False, keys, cuts)
    if found < 0:
        found = _find(points, lo, hi, False, keys, cuts)
    whole = found < 0 and _is_url(points, lo, hi, table)
    start = lo
    for j in range(lo, hi):
        if found > 0 and (found >> (j - lo)) & 1:
            starts[count], ends[count] = start, j
            count += 1
            start = j
        elif found < 0 and not whole and j >= start:
            width = _infix(points, j, lo, hi, table)
            if width:
                if j > start:
                    starts[count], ends[count] = start, j
                    count += 1
                starts[count], ends[count] = j, j + width
                count += 1
                start = j + width
    if start < hi:
        starts[count], ends[count] = start, hi
        count += 1
    for k in range(depth - 1, -1, -1):
        starts[count], ends[count] = hi, hi + stack[k]
        count += 1
        hi += stack[k]
    return count


@njit
def _split_mixed(points, lo, hi, table, keys, cuts, trie, starts, ends, count, stack):  # type: ignore[no-untyped-def]
    """Add the words of `points[lo:hi]`, in which runs without spaces end pieces; returns the new count."""
    while lo < hi:
        end = lo + 1
        if table[points[lo]] & UNSPACED:
            kind = script(points[lo])
            while end < hi and table[points[end]] & UNSPACED and script(points[end]) == kind:
                end += 1
            count = segment(points, lo, end, table, trie, starts, ends, count, stack)
        elif points[lo] != _ZERO_WIDTH_SPACE:
            while end < hi and not table[points[end]] & UNSPACED and points[end] != _ZERO_WIDTH_SPACE:
                end += 1
            found = _find(points, lo, end, False, keys, cuts)
            count = _split_piece(points, lo, end, found, table, keys, cuts, starts, ends, count, stack)
        lo = end
    return count


@njit
def split_words(points, n, table, keys, cuts, trie, starts, ends, stack):  # type: ignore[no-untyped-def]
    """Words of `points[:n]` into `starts` and `ends` (in points); how many.

    `trie` is that of `corpus.kernels.dictionaries`, `stack` is scratch; it, `starts` and `ends` hold n + 1.
    """
    count = 0
    i = 0
    while i < n:
        if table[points[i]] & SPACE:
            i += 1
            continue
        lo = i
        common, seen = table[points[i]], table[points[i]]
        while i < n and not table[points[i]] & SPACE:
            common &= table[points[i]]
            seen |= table[points[i]]
            i += 1
        found = _find(points, lo, i, False, keys, cuts)
        if found <= 0 and common & ALPHA and not seen & (SINGLE | UNSPACED):
            starts[count], ends[count] = lo, i
            count += 1
        elif found < 0 and seen & UNSPACED:
            count = _split_mixed(points, lo, i, table, keys, cuts, trie, starts, ends, count, stack)
        else:
            count = _split_piece(points, lo, i, found, table, keys, cuts, starts, ends, count, stack)
    return count
