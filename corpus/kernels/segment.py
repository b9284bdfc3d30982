"""Words of scripts that are written without spaces, as ICU finds them (UAX #29's dictionary-based word break).

Chinese and Japanese: the cheapest path over the dictionary's words, whose costs are negative log frequencies. Thai,
Lao, Khmer and Burmese: the longest word that two more words can follow. Rules and figures are those of ICU 78
(`dictbe.cpp`); each is bounded a character, so that time is linear.
"""

from __future__ import annotations

import unicodedata

import numpy as np

from corpus.kernels.jit import njit
from corpus.kernels.quality_flags import MARK, UNSPACED
from corpus.kernels.unicode import decode

_LONGEST = 20  # of a Chinese or Japanese word
_CANDIDATES = 20  # words that begin at one place
_UNKNOWN = 255  # cost of a character that is no word of the dictionary
# Cost of a run of so many katakana, which is one word more often than the dictionary knows.
_KATAKANA = np.array([8192, 984, 408, 240, 204, 252, 300, 372, 480], np.int64)
_KATAKANA_RUN = 20
_LEAST, _LEAST_THAI = 4, 5  # characters that may be two words
_SHORT = 3  # a word below this takes what follows it and is no word with it
_PAIYANNOI, _MAIYAMOK = 0x0E2F, 0x0E46
_COST_BITS = 9
_NEVER = 1 << 62
CJ, THAI, LAO, BURMESE, KHMER = range(5)


def _folds(first: int, end: int) -> np.ndarray:
    """What compatibility characters stand for (NFKC), where that is one character of the plane of the dictionary."""
    folded = [unicodedata.normalize("NFKC", chr(point)) for point in range(first, end)]
    return np.array([ord(text) if len(text) == 1 else first + i for i, text in enumerate(folded)], np.uint32)


def _voiced(mark: str) -> np.ndarray:
    composed = [unicodedata.normalize("NFC", chr(point) + mark) for point in range(0x3040, 0x3100)]
    return np.array([ord(text) if len(text) == 1 else 0 for text in composed], np.uint32)


_RADICALS, _IDEOGRAPHS, _HALFWIDTH = _folds(0x2E80, 0x2FE0), _folds(0xF900, 0xFB00), _folds(0xFF66, 0xFFA0)
_VOICED, _HALF_VOICED = _voiced("\u3099"), _voiced("\u309a")


@njit
def has_unspaced(data, table):  # type: ignore[no-untyped-def]
    """Whether UTF-8 `data` holds a character of these scripts; none is of fewer than three bytes."""
    for i in range(len(data)):
        if data[i] < 0xE0:
            continue
        if table[decode(data, i, len(data))[0]] & UNSPACED:
            return True
    return False


@njit
def _slot(key, mask):  # type: ignore[no-untyped-def]
    key = (key ^ (key >> np.uint64(17))) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(key >> np.uint64(32)) & mask


@njit
def child(trie, node, letter):  # type: ignore[no-untyped-def]
    """The node that `letter` leads to from `node` (the root is `len(trie)`), or -1.

    A node is a slot of `trie`: parent, letter (16 bits) and, below, 1 + the cost of the word that ends there or 0.
    """
    if letter > 0xFFFF:
        return -1
    mask = len(trie) - 1
    key = np.uint64(node) << np.uint64(16) | np.uint64(letter)
    slot = _slot(key, mask)
    while trie[slot] != 0:
        if trie[slot] >> np.uint64(_COST_BITS) == key:
            return slot
        slot = (slot + 1) & mask
    return -1


@njit
def _cost(trie, node):  # type: ignore[no-untyped-def]
    """Cost of the word that ends at `node`, or -1 where none does."""
    return np.int64(trie[node] & np.uint64((1 << _COST_BITS) - 1)) - 1 if node >= 0 else np.int64(-1)


@njit
def plant(shared, rest, cost, letters, trie):  # type: ignore[no-untyped-def]
    """Fill `trie` (zeros, a power of two and larger than the nodes) with words in order; see `dictionaries.dump`."""
    mask = len(trie) - 1
    path = np.empty(512, np.int64)
    path[0] = len(trie)
    at = 0
    for word in range(len(shared)):
        depth = int(shared[word])
        for _ in range(rest[word]):
            key = np.uint64(path[depth]) << np.uint64(16) | np.uint64(letters[at])
            slot = _slot(key, mask)
            while trie[slot] != 0:
                slot = (slot + 1) & mask
            trie[slot] = key << np.uint64(_COST_BITS)
            depth += 1
            path[depth] = slot
            at += 1
        trie[path[depth]] |= np.uint64(cost[word]) + np.uint64(1)


@njit
def script(point):  # type: ignore[no-untyped-def]
    """Which of the five an UNSPACED character belongs to."""
    if point < 0x0E80:
        return THAI
    if point < 0x1000:
        return LAO
    if point < 0x1780 or 0xA9E0 <= point < 0xAA80:
        return BURMESE
    return KHMER if point < 0x1800 else CJ


@njit
def _letter(points, i, end, table):  # type: ignore[no-untyped-def]
    """The character at `i` as the dictionary spells it, and how many of `points[i:end]` it is with its marks."""
    letter = points[i]
    if 0xFF66 <= letter < 0xFFA0:
        letter = _HALFWIDTH[letter - 0xFF66]
    elif 0x2E80 <= letter < 0x2FE0:
        letter = _RADICALS[letter - 0x2E80]
    elif 0xF900 <= letter < 0xFB00:
        letter = _IDEOGRAPHS[letter - 0xF900]
    width = 1
    if i + 1 < end and 0x3040 <= letter < 0x3100:
        mark = points[i + 1]
        composed = np.uint32(0)
        if mark == 0xFF9E or mark == 0x3099:
            composed = _VOICED[letter - 0x3040]
        elif mark == 0xFF9F or mark == 0x309A:
            composed = _HALF_VOICED[letter - 0x3040]
        if composed:
            letter = composed
            width = 2
    while i + width < end and table[points[i + width]] & MARK:
        width += 1
    return letter, width


@njit
def _is_katakana(point):  # type: ignore[no-untyped-def]
    return 0x30A1 <= point <= 0x30FE and point != 0x30FB


@njit
def _cheapest(points, start, end, table, trie, costs, previous):  # type: ignore[no-untyped-def]
    """Into `previous` (scratch of end - start + 1, like `costs`) the next boundary after each, from 0 on."""
    n = end - start
    costs[0] = 0
    costs[1 : n + 1] = _NEVER
    katakana_before = False
    for k in range(n):
        here = costs[k]
        if here == _NEVER:
            continue
        first, width = _letter(points, start + k, end, table)
        node = child(trie, len(trie), first)
        to = k + width
        cost = _cost(trie, node)
        if here + (cost if cost >= 0 else _UNKNOWN) < costs[to]:
            costs[to] = here + (cost if cost >= 0 else _UNKNOWN)
            previous[to] = k
        letters = 1
        while node >= 0 and to < n and letters < _LONGEST:
            letter, step = _letter(points, start + to, end, table)
            node = child(trie, node, letter)
            to += step
            letters += 1
            cost = _cost(trie, node)
            if cost >= 0 and here + cost < costs[to]:
                costs[to] = here + cost
                previous[to] = k
        katakana = _is_katakana(first)
        if katakana and not katakana_before:
            run = 1
            to = k + width
            while to < n and run < _KATAKANA_RUN:
                letter, step = _letter(points, start + to, end, table)
                if not _is_katakana(letter):
                    break
                to += step
                run += 1
            cost = _KATAKANA[run if run < len(_KATAKANA) else 0]
            if run < _KATAKANA_RUN and here + cost < costs[to]:
                costs[to] = here + cost
                previous[to] = k
        katakana_before = katakana
    after = 0
    k = n
    while k > 0:
        before = previous[k]
        previous[k] = after
        after = k
        k = before
    previous[0] = after


@njit
def _candidates(points, i, end, trie, lengths):  # type: ignore[no-untyped-def]
    """Lengths of the dictionary's words that begin at `i`, as many as `lengths` holds, and characters looked at."""
    node = len(trie)
    found = 0
    seen = 0
    while i + seen < end and found < len(lengths):
        node = child(trie, node, points[i + seen])
        seen += 1
        if node < 0:
            break
        if _cost(trie, node) >= 0:
            lengths[found] = seen
            found += 1
    return found, seen


@njit
def _can_end(point):  # type: ignore[no-untyped-def]
    vowel_before = 0x0E40 <= point <= 0x0E44 or 0x0EC0 <= point <= 0x0EC4
    return not (vowel_before or point == 0x0E31 or point == 0x17D2)


@njit
def _can_begin(point):  # type: ignore[no-untyped-def]
    if point < 0x1000:
        thai = 0x0E01 <= point <= 0x0E2E or 0x0E40 <= point <= 0x0E44
        return thai or 0x0E81 <= point <= 0x0EAE or 0x0EC0 <= point <= 0x0EC4 or 0x0EDC <= point <= 0x0EDD
    return point <= 0x102A or 0x1780 <= point <= 0x17B3


@njit
def _followed(points, i, end, trie, first, second, one):  # type: ignore[no-untyped-def]
    """Length of the longest word at `i` that two words can follow, else of the shortest that one can, else longest."""
    found, _ = _candidates(points, i, end, trie, first)
    if found == 0:
        return 0
    best = first[found - 1]
    if found == 1 or i + best >= end:
        return best
    for j in range(found - 1, -1, -1):
        at = i + first[j]
        more, _ = _candidates(points, at, end, trie, second)
        if more == 0:
            continue
        best = first[j]
        if at + second[more - 1] >= end:
            return best
        for k in range(more - 1, -1, -1):
            if _candidates(points, at + second[k], end, trie, one)[0]:
                return best
    return best


@njit
def _longest(points, i, end, table, trie, first, second, one):  # type: ignore[no-untyped-def]
    """Length of the word at `i` < end."""
    to = i + _followed(points, i, end, trie, first, second, one)
    if to < end and to - i < _SHORT:
        found, seen = _candidates(points, to, end, trie, one)
        if found == 0 and (to == i or seen < _SHORT):
            to += 1
            while to < end:
                edge = _can_end(points[to - 1]) and _can_begin(points[to])
                if edge and _candidates(points, to, end, trie, one)[0]:
                    break
                to += 1
    while to < end and table[points[to]] & MARK:
        to += 1
    if to < end and (points[to] == _PAIYANNOI or points[to] == _MAIYAMOK):
        before = points[to - 1]
        if _candidates(points, to, end, trie, one)[0] == 0:
            if points[to] == _PAIYANNOI and before != _PAIYANNOI and before != _MAIYAMOK:
                to += 1
            if to < end and points[to] == _MAIYAMOK and points[to - 1] != _MAIYAMOK:
                to += 1
    return to - i


@njit
def segment(points, start, end, table, trie, starts, ends, count, scratch):  # type: ignore[no-untyped-def]
    """Add the words of the run `points[start:end]` of one script to `starts` and `ends`, of which `count` are taken.

    `scratch` (int64) and what is free of `ends` must hold end - start + 1. Returns the new count.
    """
    kind = script(points[start])
    if kind == CJ:
        _cheapest(points, start, end, table, trie, ends[count:], scratch)
        k = 0
        while k < end - start:
            starts[count], ends[count] = start + k, start + scratch[k]
            count += 1
            k = scratch[k]
        return count
    i = start
    while i < end and table[points[i]] & MARK:
        i += 1
    if i > start:
        starts[count], ends[count] = start, i
        count += 1
    if i < end and end - i < (_LEAST_THAI if kind == THAI else _LEAST):
        starts[count], ends[count] = i, end
        return count + 1
    first, second, one = np.empty(_CANDIDATES, np.int64), np.empty(_CANDIDATES, np.int64), np.empty(1, np.int64)
    while i < end:
        to = i + _longest(points, i, end, table, trie, first, second, one)
        starts[count], ends[count] = i, to
        count += 1
        i = to
    return count
