"""Which runs of digits may be a card, an account, a person's number, an address or a telephone's."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit

_REACH = 64  # bytes that are looked at after the first digit
_GAP = 8  # bytes between two groups of digits
_BACK = 50  # bytes before the number in which a word is looked for
_IPV6_LONGEST = 46  # bytes


def _separators() -> np.ndarray:
    table = np.zeros(256, np.bool_)
    for character in " .-/()\u00a0\u202f\u2010\u2011\u2012\u2013\u2014\u2015":
        table[list(character.encode())] = True
    return table


_SEPARATOR = _separators()


@njit
def _digit(c):  # type: ignore[no-untyped-def]
    return 48 <= c <= 57


@njit
def _hex(c):  # type: ignore[no-untyped-def]
    return 48 <= c <= 57 or 65 <= c <= 70 or 97 <= c <= 102


@njit
def _colons(data, at, last, begin, end):  # type: ignore[no-untyped-def]
    """Whether hexadecimal groups around the digits `data[at:last]` have two colons in a row, or as many as an address
    (and one before and after), and are no longer than one."""
    colons, double = 0, False
    first = at
    while first > begin and at - first <= _IPV6_LONGEST and (_hex(data[first - 1]) or data[first - 1] == 58):
        first -= 1
        if data[first] == 58:
            colons += 1
            double |= data[first + 1] == 58
    after = last
    while after < end and after - last <= _IPV6_LONGEST and (_hex(data[after]) or data[after] == 58):
        if data[after] == 58:
            colons += 1
            double |= data[after - 1] == 58
        after += 1
    if at - first > _IPV6_LONGEST or after - last > _IPV6_LONGEST:
        return False
    return double or 6 <= colons <= 9


@njit
def _year(data, at, end):  # type: ignore[no-untyped-def]
    """Whether four digits from 1000 to 2099 begin at `at`."""
    return at + 1 < end and (data[at] == 49 or (data[at] == 50 and data[at + 1] == 48))


@njit
def _calendar(data, at, end, first, second, third):  # type: ignore[no-untyped-def]
    """Whether groups of digits, eight in all, are a span of years (2007-2015) or a date, its year in front or last."""
    if first == 4 and _year(data, at, end):
        return second < 4 or _year(data, at + 5, end)
    last = at + first + second + 2
    if (
        third != 4
        or first > 2
        or second > 2
        or last + 1 >= end
        or _digit(data[last - 1])
        or not _digit(data[at + first + 1])
    ):
        return False
    return (data[last] == 49 and data[last + 1] == 57) or (data[last] == 50 and data[last + 1] == 48)


@njit
def _upper(c):  # type: ignore[no-untyped-def]
    return 65 <= c <= 90


@njit
def _letter(c):  # type: ignore[no-untyped-def]
    return 65 <= c <= 90 or 97 <= c <= 122


@njit
def _word_before(data, at, begin, listed):  # type: ignore[no-untyped-def]
    """Whether a word stands before `at`, with no digit between; or, if `listed`, what joins the members of a list."""
    for i in range(at - 1, max(begin, at - _BACK) - 1, -1):
        c = data[i]
        if _digit(c):
            return False
        if c >= 128 or _letter(c):
            return True
        if listed and (c == 44 or c == 59 or c == 47 or c == 124 or c == 38):  # , ; / | &
            return True
    return False


@njit
def _security_before(data, at, begin):  # type: ignore[no-untyped-def]
    """Whether `SS`, `social` or `taxpayer` may stand before `at`, digits or not between."""
    for i in range(at - 1, max(begin + 1, at - _BACK) - 1, -1):
        c, before = data[i] | 0x20, data[i - 1] | 0x20
        if (before == 115 and (c == 115 or c == 111)) or (before == 97 and c == 120):  # ss so ax
            return True
    return False


@njit
def _quad(data, at, end):  # type: ignore[no-untyped-def]
    """Whether four numbers with dots between begin at `at`."""
    dots = size = 0
    for i in range(at, min(at + 16, end)):
        c = data[i]
        if _digit(c):
            size += 1
            if dots == 3:
                return True
            if size > 3:
                return False
        elif c == 46 and size:
            dots, size = dots + 1, 0
        else:
            return False
    return False


@njit
def _free(data, at, begin):  # type: ignore[no-untyped-def]
    """Whether a number may begin at `at`: not inside a word or a longer number."""
    if at == begin:
        return True
    before, earlier = data[at - 1], data[at - 2] if at - 2 >= begin else np.uint8(10)
    if _letter(before) or before == 95 or before == 64 or before == 36 or before == 35:
        return False
    if (45 <= before <= 47) and _digit(earlier):
        return False
    return before != 45 or not _letter(earlier)


@njit
def number(data, at, last, begin, end):  # type: ignore[no-untyped-def]
    """Whether the run of digits `data[at:last]` may begin one of the kinds. `begin` and `end`: its text."""
    run = last - at
    if run >= 2 and at - begin >= 2 and _upper(data[at - 1]) and _upper(data[at - 2]):
        return True  # IBAN
    if run <= 4 and _colons(data, at, last, begin, end):
        return True  # IPv6
    if run <= 3 and last < end and data[last] == 46 and _quad(data, at, end):
        return at - begin < 2 or not (45 <= data[at - 1] <= 47 and _digit(data[at - 2]))
    if run > 19 or not _free(data, at, begin):
        return False
    # How many groups, how long are the first three, what stands between them.
    first = second = third = 0
    gap_one = gap_two = np.uint8(0)
    groups, digits, size, gap = 1, 0, 0, 0
    i, stop, opened = at, min(end, at + _REACH), False
    while i <= stop:
        c = data[i] if i < stop else np.uint8(10)
        if _digit(c):
            if gap:
                groups, size, gap = groups + 1, 0, 0
            size += 1
            digits += 1
            if groups == 1:
                first = size
            elif groups == 2:
                second = size
            elif groups == 3:
                third = size
        elif _SEPARATOR[c] and gap < _GAP and not (c == 40 and opened):
            opened = c == 40 or (opened and c != 41)
            if groups == 1 and (gap == 0 or c > 32):
                gap_one = c
            elif groups == 2 and (gap == 0 or c > 32):
                gap_two = c
            gap += 1
        else:
            break
        i += 1
    if digits < 8:
        return False
    lead = data[at]
    grouped = first == 4 and (second == 4 or second == 6) and third >= 4
    if digits >= 12 and (first >= 12 or grouped) and 50 <= lead <= 54 and (lead != 50 or 49 <= data[at + 1] <= 55):
        return True  # payment card
    if first == 15 and lead == 49:
        return True
    if first == 3 and second == 2 and third >= 4 and gap_one == gap_two:
        return True  # US SSN
    before = data[at - 1] if at > begin else np.uint8(10)
    if before == 43 or before == 40:
        return True  # + or (
    if digits == 8 and groups <= 3 and _calendar(data, at, end, first, second, third):
        return False
    if lead == 48 and run > 1:
        return True
    if first == 3 and second == 3 and third >= 4 and gap_one >= 45 and gap_two >= 45:
        return True  # 212-555-0123
    if first == 1 and lead == 49 and gap_one and second == 3 and third == 3:
        return True  # 1-800-555-0123
    if first == 9 and _security_before(data, at, begin):
        return True
    if i < end and i < stop and gap and data[i - 1] == 40 and _letter(data[i]):
        return True  # (phone)
    decimal = last + 1 < end and data[last] == 46 and _digit(data[last + 1])
    return _word_before(data, at, begin, not decimal)
