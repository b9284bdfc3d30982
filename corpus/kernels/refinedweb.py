"""RefinedWeb's rules for one line (Penedo et al. 2023, arXiv:2306.01116, appendix G.2).

The paper gives examples where these have lists: what counts as a counter, and the patterns of short lines.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit
from corpus.kernels.phrases import matches
from corpus.kernels.quality_flags import DECIMAL, SPACE, UPPER, WORD

SHORT = 10  # words of a line in which patterns are looked for


def _points(text: str) -> np.ndarray:
    return np.array([ord(character) for character in text], np.uint32)


_COUNTED = tuple(
    _points(noun)
    for noun in """like likes share shares comment comments reply replies view views vote votes upvote upvotes downvote
    downvotes follower followers subscriber subscribers retweet retweets repost reposts quote quotes bookmark bookmarks
    download downloads review reviews rating ratings reaction reactions""".split()
)
_AT_START, _AT_END, _ANYWHERE = _points("sign-in"), _points("read more"), _points("items in cart")
_DOTS, _ELLIPSIS = _points("..."), 0x2026


@njit
def mainly_upper(points, start, end, table):  # type: ignore[no-untyped-def]
    """More than half of the characters are capitals."""
    capitals = 0
    for i in range(start, end):
        capitals += 1 if table[points[i]] & UPPER else 0
    return 2 * capitals > end - start


@njit
def only_digits(points, start, end, table):  # type: ignore[no-untyped-def]
    for i in range(start, end):
        if not table[points[i]] & DECIMAL:
            return False
    return end > start


@njit
def is_counter(points, start, end, table):  # type: ignore[no-untyped-def]
    """A number (`3`, `1,024`, `2.5k`) and what is counted (`likes`), with nothing but marks around."""
    while start < end and not table[points[start]] & WORD:
        start += 1
    while end > start and not table[points[end - 1]] & WORD:
        end -= 1
    i = start
    while i < end and (table[points[i]] & DECIMAL or (i > start and (points[i] == 44 or points[i] == 46))):
        i += 1
    if i == start:
        return False
    if i < end:
        letter = points[i] | 32  # k, m, b
        i += 1 if letter == 107 or letter == 109 or letter == 98 else 0
    blank = i
    while i < end and table[points[i]] & SPACE:
        i += 1
    if i == blank:
        return False
    for noun in _COUNTED:  # noqa: SIM110
        if end - i == len(noun) and matches(points, i, end, noun):
            return True
    return False


@njit
def may_begin(point, table):  # type: ignore[no-untyped-def]
    """Whether a pattern could begin with it: s, r and i, and a space before them."""
    letter = point | np.uint32(32)
    return letter == 115 or letter == 114 or letter == 105 or table[point] & SPACE != 0


@njit
def pattern_at(points, i, start, end, table):  # type: ignore[no-untyped-def]
    """Length of the pattern at `i` of a stripped line of at most `SHORT` words, or 0.

    `sign-in` at the line's beginning, `read more...` at its end or as the whole of it, `items in cart` anywhere, in any
    case, with a space beside it.
    """
    if i == start and matches(points, i, end, _AT_START):
        to = i + len(_AT_START)
        return to - i + (1 if to < end and table[points[to]] & SPACE else 0)
    at = i + 1 if table[points[i]] & SPACE else i
    if matches(points, at, end, _ANYWHERE):
        return at + len(_ANYWHERE) - i
    if matches(points, at, end, _AT_END):
        to = at + len(_AT_END)
        dots = (to + 1 == end and points[to] == _ELLIPSIS) or (to + 3 == end and matches(points, to, end, _DOTS))
        if dots or (to == end and at == start):
            return end - i
    return 0
