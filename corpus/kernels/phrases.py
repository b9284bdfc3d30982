"""Phrases that C4 looks for in a line, found in one scan without regard to case."""

from __future__ import annotations

import numba
import numpy as np

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


@numba.njit(cache=True, nogil=True)
def _fold(point):  # type: ignore[no-untyped-def]
    """Lower case, as far as it makes an ASCII letter: A-Z and the Kelvin sign."""
    if 65 <= point <= 90:
        return np.uint32(point + 32)
    return np.uint32(107) if point == 0x212A else np.uint32(point)


@numba.njit(cache=True, nogil=True)
def _at(points, i, end, phrase):  # type: ignore[no-untyped-def]
    if i + len(phrase) > end:
        return False
    for j in range(1, len(phrase)):  # noqa: SIM110
        if _fold(points[i + j]) != phrase[j]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def mentions(points, start, end):  # type: ignore[no-untyped-def]
    """Bits of what `points[start:end]` holds."""
    found = 0
    for i in range(start, end):
        point = _fold(points[i])
        if point == 123:
            found |= CURLY
        elif point == 108 and not found & LOREM_IPSUM and _at(points, i, end, _LOREM):
            found |= LOREM_IPSUM
        elif point == 106 and not found & JAVASCRIPT and _at(points, i, end, _JAVASCRIPT):
            found |= JAVASCRIPT
        elif (point == 116 or point == 112 or point == 99 or point == 117) and not found & POLICY:
            for phrase in _POLICIES:
                if phrase[0] == point and _at(points, i, end, phrase):
                    found |= POLICY
    return found


@numba.njit(cache=True, nogil=True)
def has_terminal(points, start, end):  # type: ignore[no-untyped-def]
    """C4: the line ends in one of . ? ! " ' but not in three stops."""
    if end <= start:
        return False
    last = points[end - 1]
    if last == 46:
        return not (end - start > 2 and points[end - 2] == 46 and points[end - 3] == 46)
    return last == 63 or last == 33 or last == 34 or last == 39
