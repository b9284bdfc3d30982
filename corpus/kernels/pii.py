"""Where in a batch of texts personal data or a secret may begin: a superset of what `corpus.pii.match` accepts.

One pass over the bytes; what is looked at around a place is bounded, so time is linear whatever the text.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit
from corpus.kernels.pii_numbers import number

_NOTHING, _DIGIT, _MAIL, _DASHES, _KEY_ID, _SLACK, _JWT, _TOKEN, _HOOK, _SECRET = range(10)


def _classes() -> np.ndarray:
    table = np.zeros(256, np.uint8)
    table[48:58] = _DIGIT
    for characters, kind in (
        ("@", _MAIL),
        ("-", _DASHES),
        ("A", _KEY_ID),
        ("x", _SLACK),
        ("J", _JWT),
        ("_", _TOKEN),
        ("/", _HOOK),
        ("cC", _SECRET),
    ):
        for character in characters:
            table[ord(character)] = kind
    return table


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


_CLASSES = _classes()
_WORD = np.array([chr(c).isalnum() and c < 128 for c in range(256)])
_LABEL = _WORD | (np.arange(256) >= 128)  # of domains; letters of other alphabets are told apart later
_BEGIN, _GITHUB, _PAT, _HOOKS = _bytes("-----BEGIN"), _bytes("github"), _bytes("pat_"), _bytes("hooks.slack.com")
_SE, _RET, _APP, _OX = _bytes("se"), _bytes("ret"), _bytes("app-"), _bytes("ox")
_KIA, _SIA, _IZA = _bytes("KIA"), _bytes("SIA"), _bytes("Iza")


@njit
def _is(data, at, begin, end, what):  # type: ignore[no-untyped-def]
    if at < begin or at + len(what) > end:
        return False
    for k in range(len(what)):  # noqa: SIM110
        if data[at + k] != what[k]:
            return False
    return True


@njit
def _is_any_case(data, at, begin, end, what):  # type: ignore[no-untyped-def]
    if at < begin or at + len(what) > end:
        return False
    for k in range(len(what)):  # noqa: SIM110
        if data[at + k] | 0x20 != what[k]:
            return False
    return True


@njit
def _address(data, at, begin, end):  # type: ignore[no-untyped-def]
    """Whether something like `x@y.zz` lies around the @ at `at`."""
    if at == begin or data[at - 1] <= 32:
        return False
    previous, dotted = 46, False
    for i in range(at + 1, min(at + 256, end)):
        c = data[i]
        if _LABEL[c]:
            if previous == 46 and dotted and i + 1 < end and _LABEL[data[i + 1]]:
                return True
        elif c == 46:
            if previous == 46:
                return False
            dotted = True
        elif c != 45:
            return False
        previous = c
    return False


@njit
def _inside(data, at, begin):  # type: ignore[no-untyped-def]
    """Whether `at` is inside a word of base64, and no escape stands before it."""
    if at == begin or not (_WORD[data[at - 1]] or data[at - 1] == 45 or data[at - 1] == 95):
        return False
    for i in range(max(begin, at - 6), at):  # noqa: SIM110
        if data[i] == 92 or data[i] == 37 or data[i] == 61:  # \\ % =
            return False
    return True


@njit
def _begin_of(kind, data, at, begin, end):  # type: ignore[no-untyped-def]
    """Where the thing begins whose anchor of class `kind` is at `at`, or -1."""
    if kind == _MAIL:
        return at if _address(data, at, begin, end) else -1
    if kind == _DASHES:
        return at if _is(data, at, begin, end, _BEGIN) else -1
    if kind == _KEY_ID:
        if _is(data, at + 1, begin, end, _KIA) or _is(data, at + 1, begin, end, _SIA):
            return at
        return at if _is(data, at + 1, begin, end, _IZA) else -1
    if kind == _SLACK:
        if _is(data, at + 1, begin, end, _OX) and at + 4 < end and data[at + 4] == 45:
            return at
        return at if _is(data, at + 1, begin, end, _APP) else -1
    if kind == _JWT:
        if at - begin < 2 or data[at - 2] != 101 or data[at - 1] != 121:
            return -1
        return -1 if _inside(data, at - 2, begin) else at - 2
    if kind == _TOKEN:
        if at - begin >= 3 and data[at - 3] == 103 and data[at - 2] == 104:
            return at - 3
        if _is(data, at - 6, begin, end, _GITHUB) and _is(data, at + 1, begin, end, _PAT):
            return at - 6
        return -1
    if kind == _HOOK:
        return at - 15 if _is(data, at - 15, begin, end, _HOOKS) else -1
    if _is_any_case(data, at + 1, begin, end, _RET) and _is_any_case(data, at - 2, begin, end, _SE):
        return at - 2
    return -1


@njit
def _scan(data, offsets, classes, rows, places):  # type: ignore[no-untyped-def]
    count, room = 0, len(rows)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        i = begin
        while i < end:
            kind = classes[data[i]]
            if kind == _NOTHING:
                i += 1
                continue
            place = i
            if kind == _DIGIT:
                last = i + 1
                while last < end and classes[data[last]] == _DIGIT:
                    last += 1
                if not number(data, i, last, begin, end):
                    place = -1
                i = last
            else:
                place = _begin_of(kind, data, i, begin, end)
                i += 1
            if place >= 0:
                if count < room:
                    rows[count], places[count] = row, place - begin
                count += 1
    return count


def candidates(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(int64 row, int64 byte within the row) of every place that is worth a look, in order.

    `data` is read-only uint8, `offsets` int64[rows + 1] into it (`corpus.kernels.arrow.string_buffers`).
    """
    room = 1024
    while True:
        rows, places = np.empty(room, np.int64), np.empty(room, np.int64)
        count = _scan(data, offsets, _CLASSES, rows, places)
        if count <= room:
            order = np.lexsort((places[:count], rows[:count]))
            return rows[:count][order], places[:count][order]
        room = count
