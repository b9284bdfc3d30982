"""Phrases that C4 looks for in a line, found in one scan without regard to case."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit

LOREM_IPSUM, JAVASCRIPT, POLICY, CURLY = 1, 2, 4, 8


def _points(text: str) -> np.ndarray:
    return np.array([ord(character) for character in text], np.uint32)


_LOREM = _points("lorem ipsum")
_JAVASCRIPT = _points("javascript")
_POLICIES = (
    _points("terms of use"),
    _points("privacy policy"),
    _points("cookie policy"),
    _points("uses cookies"),
    _points("use of cookies"),
    _points("use cookies"),
)


@njit
def _fold(point):  # type: ignore[no-untyped-def]
    """Lower case, as far as it makes an ASCII letter: A-Z and the Kelvin sign."""
    if 65 <= point <= 90:
        return np.uint32(point + 32)
    return np.uint32(107) if point == 0x212A else np.uint32(point)


@njit
def matches(points, i, end, phrase):  # type: ignore[no-untyped-def]
    """Whether `points[i:end]` begins with a phrase in lower case, without regard to case."""
    if i + len(phrase) > end:
        return False
    for j in range(len(phrase)):  # noqa: SIM110
        if _fold(points[i + j]) != phrase[j]:
            return False
    return True


@njit
def mentions(points, start, end):  # type: ignore[no-untyped-def]
    """Bits of what `points[start:end]` holds."""
    found = 0
    for i in range(start, end):
        point = _fold(points[i])
        if point == 123:
            found |= CURLY
        elif point == 108 and not found & LOREM_IPSUM and matches(points, i, end, _LOREM):
            found |= LOREM_IPSUM
        elif point == 106 and not found & JAVASCRIPT and matches(points, i, end, _JAVASCRIPT):
            found |= JAVASCRIPT
        elif (point == 116 or point == 112 or point == 99 or point == 117) and not found & POLICY:
            for phrase in _POLICIES:
                if phrase[0] == point and matches(points, i, end, phrase):
                    found |= POLICY
    return found


@njit
def _around(points, i, n, phrase, offset):  # type: ignore[no-untyped-def]
    """Whether `phrase` lies over `points[i]`, its letter at `offset`."""
    return i >= offset and matches(points, i - offset, n, phrase)


@njit
def phrase_around(points, i, n):  # type: ignore[no-untyped-def]
    """Bit of the phrase over `points[i]`, which is its rare letter (j, k, v or m), or 0."""
    point = _fold(points[i])
    if point == 106:
        return JAVASCRIPT if _around(points, i, n, _JAVASCRIPT, 0) else 0
    if point == 107:
        for phrase, offset in ((_POLICIES[2], 3), (_POLICIES[3], 8), (_POLICIES[4], 10), (_POLICIES[5], 7)):
            if _around(points, i, n, phrase, offset):
                return POLICY
    elif point == 118:
        return POLICY if _around(points, i, n, _POLICIES[1], 3) else 0
    elif point == 109:
        if _around(points, i, n, _LOREM, 4):
            return LOREM_IPSUM
        return POLICY if _around(points, i, n, _POLICIES[0], 3) else 0
    return 0


@njit
def has_terminal(points, start, end):  # type: ignore[no-untyped-def]
    """C4: the line ends in one of . ? ! " ' but not in three stops."""
    if end <= start:
        return False
    last = points[end - 1]
    if last == 46:
        return not (end - start > 2 and points[end - 2] == 46 and points[end - 3] == 46)
    return last == 63 or last == 33 or last == 34 or last == 39
