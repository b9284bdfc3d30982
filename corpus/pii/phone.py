"""Telephone numbers: international ones (E.164), national ones whose shape tells, and others after a word that does."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
_WORDS = re.compile(
    rb"(?i)(?:\b(?:t(?:e|\xc3\xa9)l(?:(?:e|\xc3\xa9)(?:ph|f)o\w{0,6}|efax)?|phones?|(?:tele)?fax|mob(?:ile?)?|cell(?:ular|phone)?|"
    rb"handy|m(?:o|\xc3\xb3)vil|celular|portable|call|dial|ring|whatsapp|sms|text|contact(?:s|ez)?|reach|hotline|helpline|"
    rb"appele[rz]|ll(?:a|\xc3\xa1)m\w{1,6}|anruf\w{0,3}|rufen|numbers?)\b|\b[tpmf] ?[:.]|\xe2\x98\x8e|\xf0\x9f\x93\x9e|"
    rb"\xe7\x94\xb5\xe8\xaf\x9d|\xe9\x9b\xbb\xe8\xa9\xb1)[^0-9]{0,28}$"
)
_DATE = re.compile(rb"(?:19|20)\d\d[-/. ]\d?\d[-/. ]\d?\d(?!\d)|\d?\d[-/. ]\d?\d[-/. ](?:19|20)\d\d(?!\d)")
_YEAR = re.compile("1[0-9]{3}|20[0-9]{2}")
_GROUP = re.compile(rb"(\()?(\d{1,15})(\))?")
_GAP = re.compile(rb"(?: ?(?:[/-]|\xe2\x80[\x90-\x95]) ?|[ .]|)(?=[(\d])|(?:\xc2\xa0|\xe2\x80\xaf)(?=[(\d])")
_CONTINUED = re.compile(rb"[0-9] $")  # what begins after a space in a longer number
_EXTENSION = re.compile(rb",? ?(?:x|ext\.?|extension) ?\d{1,5}(?!\d)")


@dataclass(frozen=True, slots=True)
class _Group:
    digits: str
    end: int
    gap: bytes
    closed: bool
    """In brackets."""


def _groups(data: bytes, at: int) -> list[_Group]:
    """Up to 8 groups of digits from `at` on, and what stands before each."""
    found: list[_Group] = []
    total, gap = 0, b""
    while len(found) < 8 and (group := _GROUP.match(data, at)):
        total += len(group[2])
        if total > 17 or (group[1] is None) != (group[3] is None):
            break
        found.append(_Group(group[2].decode(), group.end(), gap, group[1] is not None))
        between = _GAP.match(data, group.end())
        if not between or (
            not between.group() and not (found[-1].closed or data[between.end() : between.end() + 1] == b"(")
        ):
            break
        at, gap = between.end(), between.group()
    return found


def phone(data: bytes, at: int, floor: int) -> Hit | None:
    """A number whose first digit is at `at`; a plus sign and a bracket before it belong to it."""
    start = at
    if data[start - 1 : start] == b"(" and start > floor:
        start -= 1
    plus = data[start - 1 : start] == b"+" and start > floor
    start -= plus
    if plus and start < at - 1:  # +(44
        return None
    if plus and data[start - 1 : start] == b"(" and start > floor and (close := data.find(b")", at, at + 5)) > 0:
        return _bracketed(data, start - 1, at, close)
    if not plus and _CONTINUED.search(before(data, start, 2)):
        return None
    if not left(data, start):
        return None
    groups = _groups(data, start + plus)
    if sum(len(group.digits) for group in groups) < 8:
        return None
    if not plus and (_DATE.match(data, start) or named_otherwise(data, start)):
        return None
    rules = [_international] if plus else [_national]
    if not plus and _WORDS.search(before(data, start, 48)):
        rules.append(_told)
    for rule in rules:
        for count in range(len(groups), 0, -1):
            end = groups[count - 1].end
            more = _EXTENSION.match(data, end)
            if (more or right(data, end)) and rule(groups[:count]):
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


def _told(groups: list[_Group]) -> bool:
    """Whether it may be a number of some plan, after a word such as `Tel.`."""
    digits = "".join(group.digits for group in groups)
    if len(groups) == 1 and len(digits) == 8 and digits[:2] in ("19", "20"):  # 20231231
        return False
    odd = any(len(group.digits) == 1 or (group.gap == b"." and len(groups) < 3) for group in groups[1:])
    if odd or not 8 <= len(digits) <= 13 or all(_YEAR.fullmatch(group.digits) for group in groups):
        return False
    return len(digits) > 8 or digits[0] == "0" or groups[0].closed or len(groups) in (1, 2, 4)


def _national(groups: list[_Group]) -> bool:
    """Whether grouping and first digits are those of a national plan, or of a call abroad (00), alone."""
    digits = "".join(group.digits for group in groups)
    if digits.startswith("00"):
        rest = [_Group(groups[0].digits[2:], 0, b"", False), *groups[1:]]
        return len(groups) > 1 and _international(rest[not rest[0].digits :])
    sizes = tuple(len(group.digits) for group in groups)
    gaps = [group.gap for group in groups[1:]]
    return _tells(digits, sizes, gaps, groups[0].closed)


def _tells(digits: str, sizes: tuple[int, ...], gaps: list[bytes], closed: bool) -> bool:
    """Whether grouping and first digits are those of a national plan alone."""
    even = len(set(gaps)) == 1
    dashed = all(gap.strip(b" ") in (b"-", b".", b"\xe2\x80\x91") for gap in gaps)
    if sizes == (1, 3, 3, 4) and digits[0] == "1":
        return _nanp(digits[1:])
    if sizes == (3, 3, 4) and _nanp(digits):
        return closed or (even and dashed)
    if closed and digits[0] == "0":
        return 9 <= len(digits) <= 12
    if closed and sizes in ((2, 5, 4), (2, 4, 4)):  # Brazil
        return gaps[1] == b"-"
    if digits[0] != "0" or digits[1] == "0" or not even or len(set(digits)) < 4:
        return False
    return (
        (sizes == (2, 2, 2, 2, 2) and gaps[0] != b"/")  # France
        or (sizes in ((5, 6), (5, 3, 3)) and digits[1] in "17" and gaps[0] == b" ")  # United Kingdom
        or (sizes == (3, 4, 4) and digits[1] == "2" and gaps[0] == b" ")
        or (sizes == (3, 4, 4) and digits[2] == "0" and gaps[0] == b"-")  # Japan, mobile
        or (sizes == (4, 3, 3) and digits[1] == "4" and gaps[0] == b" ")  # Australia, mobile
    )
