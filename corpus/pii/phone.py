"""Telephone numbers: international ones (E.164), national ones whose shape tells, and others after a word that does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from corpus.pii import words
from corpus.pii.numbers import Hit, before, left, named_otherwise, right

# Digits after a calling code (ITU-T E.164 and national numbering plans), without the trunk 0; others: 7 to 11.
_LENGTHS = {
    **{1: (10, 10), 7: (10, 10), 20: (8, 10), 27: (9, 9), 30: (10, 10), 31: (9, 9), 32: (8, 9), 33: (9, 9), 34: (9, 9)},
    **{36: (8, 9), 39: (8, 11), 40: (9, 9), 41: (9, 9), 43: (7, 12), 44: (9, 10), 45: (8, 8), 46: (7, 10), 47: (8, 8)},
    **{48: (9, 9), 49: (7, 12), 51: (8, 9), 52: (10, 11), 53: (6, 8), 54: (10, 11), 55: (10, 11), 56: (9, 9)},
    **{57: (8, 10), 58: (10, 10), 60: (8, 10), 61: (9, 9), 62: (8, 12), 63: (8, 10), 64: (8, 10), 65: (8, 8)},
    **{66: (8, 9), 81: (9, 10), 82: (8, 11), 84: (9, 10), 86: (10, 11), 90: (10, 10), 91: (10, 10), 92: (9, 10)},
    **{93: (9, 9), 94: (9, 9), 95: (7, 10), 98: (10, 10)},
}
_THREE = frozenset((21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99))
_CLOCK = re.compile(rb"[0-9]:$")  # 00:00:00 2013
_DATE = re.compile(rb"(?:1[5-9]|20)\d\d[-/. ]\d?\d[-/. ]\d?\d(?!\d)|\d?\d[-/. ]\d?\d[-/. ](?:19|20)\d\d(?!\d)")
_YEAR = re.compile("1[0-9]{3}|20[0-9]{2}")
_GROUP = re.compile(rb"(\()?(\d{1,15})(\))?")
_GAP = re.compile(rb"(?: ?(?:[/-]|\xe2\x80[\x90-\x95]) ?|[ .]|)(?=[(\d])|(?:\xc2\xa0|\xe2\x80\xaf)(?=[(\d])")
_CONTINUED = re.compile(rb"[0-9] $")
_JOINED = re.compile(rb"\(|\d{1,5}(?:[-./]|\xe2\x80[\x90-\x95])")
_POSTCODE = re.compile(rb"(?:^|[^0-9])[0-9]{5} $")
# More pairs after the five of a French number make a dump of bytes, unless they are another number.
_PAIRS = re.compile(rb"(?! \d\d(?!\d))|(?= 0[1-9](?: \d\d){4}(?!\d| \d))")
_SERIES = frozenset("".join(f"{first + at:02}" for at in range(5)) for first in range(95))  # 01 02 03 04 05
_SINGLES = re.compile(rb"\d[ ./-]\d(?!\d)")  # `1 2 3`: no plan has two groups of a digit in front
_EXTENSION = re.compile(rb",? ?(?:x|ext\.?|extension) ?\d{1,5}(?!\d)|/\d{2,4}(?![0-9/.-])")
_DECIMAL = re.compile(rb"\d+\.\d")
_FACTOR = re.compile(rb" ?[*^]{1,2} ?[A-Za-z0-9(]|[eE][+-]?\d")  # a number that is reckoned with


@dataclass(frozen=True, slots=True)
class _Group:
    digits: str
    end: int
    gap: bytes
    closed: bool
    """In brackets."""


Rule = Callable[[bytes, int, list[_Group]], bool]


def _digits(groups: list[_Group]) -> str:
    return "".join(group.digits for group in groups)


def _groups(data: bytes, at: int) -> list[_Group]:
    """Up to 8 groups of digits from `at` on, and what stands before each."""
    found: list[_Group] = []
    total, gap = 0, b""
    while len(found) < 8 and (group := _GROUP.match(data, at)):
        total += len(group[2])
        if total > 17 or (group[1] is not None and group[3] is None):
            break
        closed = group[1] is not None
        end = group.end() if closed else group.end(2)
        found.append(_Group(group[2].decode(), end, gap, closed))
        between = _GAP.match(data, end)
        if not between or (not between.group() and not (closed or data[end : end + 1] == b"(")):
            break
        at, gap = between.end(), between.group()
    return found


def phone(data: bytes, at: int, floor: int, follows: bool = False) -> Hit | None:
    """A number whose first digit is at `at`; a plus sign and a bracket before it belong to it. It `follows` another,
    if that ends at `floor`."""
    ahead = data[at - 1 : at] if at > floor else b""
    if ahead == b"+":
        if at - 1 > floor and data[at - 2 : at - 1] == b"(" and (close := data.find(b")", at, at + 5)) > 0:
            return _bracketed(data, at - 2, at, close)
        return _longest(data, at - 1, _groups(data, at), _abroad) if left(data, at - 1) else None
    # A bracket may be around the first group, or the whole.
    return (_plain(data, at - 1, floor, follows) if ahead == b"(" else None) or _plain(data, at, floor, follows)


def _plain(data: bytes, start: int, floor: int, follows: bool) -> Hit | None:
    """A number without a plus sign."""
    if _SINGLES.match(data, start) or not left(data, start) or _CLOCK.match(data, max(0, start - 2), start):
        return None
    # What follows digits and a space is part of a longer number, unless its own form or a postcode says otherwise.
    continued = _CONTINUED.match(data, max(floor, start - 2), start) is not None
    if continued and not _JOINED.match(data, start) and not _POSTCODE.search(before(data, start, 7)):
        return None
    groups = _groups(data, start)
    if sum(len(group.digits) for group in groups) < 8 or _DATE.match(data, start) or named_otherwise(data, start):
        return None
    if hit := _longest(data, start, groups, _alone):
        return hit
    named = not continued and _named(data, start, floor, follows)
    return _longest(data, start, groups, _told if named else _told_after)


def _named(data: bytes, start: int, floor: int, follows: bool) -> bool:
    """Whether a word in front says that a number is a telephone's; or it comes next in a list that begins with one."""
    if follows and not _DECIMAL.match(data, start) and words.PHONE_LIST.fullmatch(data, floor, start):
        return True
    return words.names_phone(before(data, start, words.PHONE_REACH))


def _longest(data: bytes, start: int, groups: list[_Group], rule: Rule) -> Hit | None:
    """As many of the groups as a rule takes, and an extension."""
    for count in range(len(groups), 0, -1):
        end = groups[count - 1].end
        more = _EXTENSION.match(data, end)
        if (more or right(data, end)) and rule(data, start, groups[:count]):
            return "phone", (start, more.end() if more and right(data, more.end()) else end)
    return None


def _bracketed(data: bytes, start: int, at: int, close: int) -> Hit | None:
    """`(+44) 20 7946 0958`"""
    gap = _GAP.match(data, close + 1)
    code, rest = data[at:close], _groups(data, gap.end()) if gap else []
    if not code.isdigit() or not left(data, start):
        return None
    for count in range(len(rest), 0, -1):
        some = [_Group(code.decode(), close, b"", False), *rest[:count]]
        if right(data, some[-1].end) and _international(some):
            return "phone", (start, some[-1].end)
    return None


def _abroad(data: bytes, start: int, groups: list[_Group]) -> bool:
    return _international(groups)


def _international(groups: list[_Group]) -> bool:
    """Whether the digits after a plus sign are a calling code and as many digits as its plan has."""
    gaps = {group.gap for group in groups[1:]}
    if b"." in gaps and gaps != {b"."}:  # coordinates, decimal numbers
        return False
    digits = "".join(group.digits for group in groups if not (group.closed and group.digits == "0"))
    if len(digits) < 8 or digits[0] == "0":
        return False
    if digits[0] in "17":
        code, rest = int(digits[0]), digits[1:]
    elif int(digits[:2]) in _THREE:
        code, rest = int(digits[:3]), digits[3:]
    else:
        code, rest = int(digits[:2]), digits[2:]
    rest = rest if code in (1, 7, 39) else rest.removeprefix("0")
    least, most = _LENGTHS.get(code, (7, 11))
    return least <= len(rest) <= most and len(set(rest)) > 2 and (code != 1 or _nanp(rest))


def _nanp(digits: str) -> bool:
    """Area code and exchange of the North American plan."""
    return len(digits) == 10 and digits[0] in "23456789" and digits[3] in "23456789" and digits[1:3] != "11"


def _told(data: bytes, start: int, groups: list[_Group]) -> bool:
    """Whether it may be a number of some plan, after a word such as `Tel.`."""
    digits = _digits(groups)
    if len(groups) == 1 and len(digits) == 8 and digits[:2] in ("19", "20"):  # 20231231
        return False
    gaps = {group.gap for group in groups[1:]}
    odd = any(len(group.digits) == 1 for group in groups[1:]) or (
        b"." in gaps and (len(groups) < 3 or (len(gaps) > 1 and digits[0] != "0"))
    )
    if odd or not 8 <= len(digits) <= 13 or all(_YEAR.fullmatch(group.digits) for group in groups):
        return False
    if set(digits) <= {"0", "1"} or _FACTOR.match(data, groups[-1].end):
        return False
    return len(digits) > 8 or digits[0] == "0" or groups[0].closed or len(groups) in (1, 2, 4)


def _told_after(data: bytes, start: int, groups: list[_Group]) -> bool:
    """The word comes after: `713 798 1626 (phone)`."""
    return words.PHONE_AFTER.match(data, groups[-1].end) is not None and _told(data, start, groups)


def _alone(data: bytes, start: int, groups: list[_Group]) -> bool:
    """Whether the number needs no word: by its plan, or as one of North America in brackets, (212 555 0143)."""
    end = groups[-1].end
    pairs = all(len(group.digits) == 2 and group.gap in (b"", b" ") for group in groups)
    if _national(groups):
        return not pairs or _PAIRS.match(data, end) is not None
    within = data[start - 1 : start] == b"(" and data[end : end + 1] == b")"
    within = within and all(group.gap in (b" ", b"-") for group in groups[1:])  # years: (800/962-1806)
    return within and [len(group.digits) for group in groups] == [3, 3, 4] and _nanp(_digits(groups))


def _national(groups: list[_Group]) -> bool:
    """Whether grouping and first digits are those of a national plan, or of a call abroad (00), alone."""
    digits = _digits(groups)
    if groups[0].digits.startswith("00"):
        rest = [_Group(groups[0].digits[2:], 0, b"", False), *groups[1:]]
        decimal = len(groups) == 2 and groups[1].gap == b"."
        return len(groups) > 1 and not decimal and _international(rest[not rest[0].digits :])
    sizes = tuple(len(group.digits) for group in groups)
    gaps = [group.gap for group in groups[1:]]
    return _tells(digits, sizes, gaps, groups[0].closed)


def _tells(digits: str, sizes: tuple[int, ...], gaps: list[bytes], closed: bool) -> bool:
    """Whether grouping and first digits are those of a national plan alone."""
    even = len(set(gaps)) == 1
    dashed = all(gap.strip(b" ") in (b"-", b".", b"\xe2\x80\x91") for gap in gaps)
    if b"." in gaps and not even:  # decimal numbers: 1.648 777 2536
        return False
    if sizes == (1, 3, 3, 4) and digits[0] == "1":
        return _nanp(digits[1:])
    if sizes == (3, 3, 4) and _nanp(digits):
        return closed or (even and dashed)
    if closed and digits[0] == "0":
        return len(sizes) > 1 and 9 <= len(digits) <= 12
    if closed and sizes in ((2, 5, 4), (2, 4, 4)):  # Brazil
        return gaps[1] == b"-"
    if not even or len(digits) < 2 or digits[0] != "0" or digits[1] == "0" or len(set(digits)) < 4:
        return False
    return (
        (sizes == (2, 2, 2, 2, 2) and gaps[0] != b"/" and digits not in _SERIES)  # France
        or (sizes in ((5, 6), (5, 3, 3)) and digits[1] in "17" and gaps[0] == b" ")  # United Kingdom
        or (sizes == (3, 4, 4) and digits[1] == "2" and gaps[0] == b" ")
        or (sizes == (3, 4, 4) and digits[2] == "0" and gaps[0] == b"-")  # Japan, mobile
        or (sizes == (4, 3, 3) and digits[1] == "4" and gaps[0] == b" ")  # Australia, mobile
    )
