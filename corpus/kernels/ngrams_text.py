"""Text as an n-gram model sees it: normalised UTF-8, then tokens as hashes and spans.

A token is a run of letters, digits and marks; a letter of a script written without spaces; or a run of one and the
same other character ("-----" is "-"). Hashes are 64 bits, fixed by this file; two words of a vocabulary of 10^6
share one with probability 3 in 10^8.
"""

from __future__ import annotations

import functools

import numpy as np

from corpus.kernels import unicode
from corpus.kernels.jit import inlined, njit
from corpus.kernels.shingles import SPACELESS, mix

SEPARATOR, LETTER, ALONE, MARK = 0, 1, 2, 3
END = np.uint64(0)
"""The hash that stands for the end of a sentence; no token has it."""
_SEED = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
_DROP = np.uint32(0xFFFFFFFF)
_SEVERAL = np.uint32(0x80000000)  # position << 3 | length in the expansions
# What the CCNet pipeline (Wenzek et al. 2020, arXiv:1911.00359) makes of punctuation.
_PUNCTUATION = str.maketrans(
    dict(zip("，。、∶：？！（）；．～", ",.,::?!();.~", strict=True))
    | dict.fromkeys("„”“«»」「《》", '"')
    | dict.fromkeys("´’", "'")
    | dict.fromkeys("–━►", "-")
    | dict(zip("〈〉【】％", "<>[]%", strict=True))
    | {"—": " - ", "…": "...", "．": ". "}
)
# Neither has case or a decomposition: ideographs, and what is unassigned or private.
_PLAIN = (
    (0x3400, 0x9FFF),
    (0xE000, 0xF8FF),
    (0x18000, 0x18CFF),
    (0x20000, 0x2F7FF),
    (0x2FA20, 0xDFFFF),
    (0xE1000, 0x10FFFF),
)


@functools.cache
def ccnet() -> tuple[np.ndarray, np.ndarray]:
    """(uint32[0x110000], uint32[k] expansions): what each code point becomes.

    Lower case, no accents (canonical decomposition without non-spacing marks), digits as 0, ASCII punctuation, no
    control characters. Code point by code point: a final Σ is σ, and marks are not put in another order. Tabs and
    other white space among the controls become spaces, where CCNet would join the words beside them.
    """
    import unicodedata

    table = np.arange(0x110000, dtype=np.uint32)
    expansions: list[int] = []
    plain = np.zeros(0x110000, bool)
    for first, last in _PLAIN:
        plain[first : last + 1] = True
    plain[0xD800:0xE000] = True
    for point in np.flatnonzero(~plain).tolist():
        char = chr(point)
        low = unicodedata.normalize("NFD", char.lower())
        text = "".join(c for c in low if unicodedata.category(c) != "Mn")
        text = "".join("0" if unicodedata.category(c) == "Nd" else c for c in text).translate(_PUNCTUATION)
        if point < 32 or 127 <= point < 160:
            text = "\n" if char == "\n" else " " if char.isspace() else ""
        if len(text) == 1:
            table[point] = ord(text)
        elif not text:
            table[point] = _DROP
        else:
            table[point] = int(_SEVERAL) | len(expansions) << 3 | len(text)
            expansions += map(ord, text)
    table.flags.writeable = False
    return table, np.array(expansions, np.uint32)


@functools.cache
def word_classes() -> np.ndarray:
    """uint8[0x110000]: SEPARATOR (white space, controls, invisible characters), LETTER, ALONE or MARK."""
    import unicodedata

    bits = unicode.classes()
    table = np.where(bits & unicode.WORD, LETTER, np.where(bits & unicode.PUNCTUATION, MARK, SEPARATOR))
    for point in [*range(0x0300, 0x3400), *range(0xA000, 0xAC00), *range(0xFE00, 0xFE30), *range(0x10A00, 0x1E900)]:
        if unicodedata.category(chr(point))[0] == "M":
            table[point] = LETTER
    for first, last in SPACELESS:
        block = table[first : last + 1]
        block[block == LETTER] = ALONE
    table = table.astype(np.uint8)
    table.flags.writeable = False
    return table


@functools.cache
def space_classes() -> np.ndarray:
    """uint8[0x110000]: SEPARATOR for white space, LETTER for all else."""
    table = np.where(unicode.classes() & unicode.SPACE, SEPARATOR, LETTER).astype(np.uint8)
    table.flags.writeable = False
    return table


@inlined
def _encode(point, out, at):  # type: ignore[no-untyped-def]
    """Write `point` as UTF-8 at `out[at]` where it fits; the position behind it."""
    width = 1 if point < 0x80 else 2 if point < 0x800 else 3 if point < 0x10000 else 4
    if at + width <= len(out):
        if width == 1:
            out[at] = point
        elif width == 2:
            out[at] = 0xC0 | (point >> 6)
            out[at + 1] = 0x80 | (point & 0x3F)
        elif width == 3:
            out[at] = 0xE0 | (point >> 12)
            out[at + 1] = 0x80 | ((point >> 6) & 0x3F)
            out[at + 2] = 0x80 | (point & 0x3F)
        else:
            out[at] = 0xF0 | (point >> 18)
            out[at + 1] = 0x80 | ((point >> 12) & 0x3F)
            out[at + 2] = 0x80 | ((point >> 6) & 0x3F)
            out[at + 3] = 0x80 | (point & 0x3F)
    return at + width


@njit
def normalise(data, offsets, table, expansions, out, ends):  # type: ignore[no-untyped-def]
    """Each document's normalised bytes behind each other in `out`, their ends in `ends[1:]`; the room that it takes.

    What does not fit into `out` is not written: then call again with so much room.
    """
    at = 0
    ends[0] = 0
    for d in range(len(offsets) - 1):
        i = offsets[d]
        end = offsets[d + 1]
        while i < end:
            b = data[i]
            if b < 0x80:
                target = table[b]
                i += 1
                if target < 0x80:
                    if at < len(out):
                        out[at] = target
                    at += 1
                continue  # ASCII becomes ASCII or nothing
            point, width = unicode.decode(data, i, end)
            i += width
            target = table[point]
            if target < _SEVERAL:
                at = _encode(target, out, at)
            elif target != _DROP:
                first = (target & ~_SEVERAL) >> np.uint32(3)
                for k in range(first, first + (target & np.uint32(7))):
                    at = _encode(expansions[k], out, at)
        ends[d + 1] = at
    return at


@inlined
def hash_bytes(data, start, stop):  # type: ignore[no-untyped-def]
    """A token's hash, never END: eight bytes a round."""
    h = _SEED + np.uint64(stop - start)
    part = np.uint64(0)
    for k in range(start, stop):
        at = np.uint64((k - start) & 7)
        part |= np.uint64(data[k]) << (at << np.uint64(3))
        if at == 7:
            h = (h ^ part) * _MULTIPLIER
            h ^= h >> np.uint64(32)
            part = np.uint64(0)
    h = mix((h ^ part) * _MULTIPLIER)
    return h if h != END else _SEED


@njit
def split(data, offsets, classes, by_line, hashes, starts, stops, ends):  # type: ignore[no-untyped-def]
    """The tokens of each document: hashes and byte spans, END behind the last of a sentence; returns their number.

    A sentence is a line (`by_line`) or the whole document; those without tokens are none. Document d is
    `hashes[ends[d]:ends[d + 1]]`. Room for one entry a byte and document suffices.
    """
    count = 0
    ends[0] = 0
    for d in range(len(offsets) - 1):
        i = offsets[d]
        end = offsets[d + 1]
        begun = False
        while i < end:
            point, width = unicode.decode(data, i, end)
            kind = classes[point]
            if kind == SEPARATOR:
                if point == 10 and by_line and begun:
                    hashes[count] = END
                    count += 1
                    begun = False
                i += width
                continue
            start = i
            i += width
            stop = i
            if kind != ALONE:
                mark = point
                while i < end:
                    point, width = unicode.decode(data, i, end)
                    if kind == MARK:
                        if point != mark:
                            break
                    elif classes[point] != LETTER:
                        break
                    else:
                        stop = i + width
                    i += width
            starts[count] = start
            stops[count] = stop
            hashes[count] = hash_bytes(data, start, stop)
            count += 1
            begun = True
        if begun:
            hashes[count] = END
            count += 1
        ends[d + 1] = count
    return count


@njit
def hash_words(data, offsets, out):  # type: ignore[no-untyped-def]
    """The hash that `split` gives to each whole string."""
    for d in range(len(offsets) - 1):
        out[d] = hash_bytes(data, offsets[d], offsets[d + 1])


@njit
def join(data, hashes, starts, stops, count, out):  # type: ignore[no-untyped-def]
    """The tokens' bytes with a space behind each and a new line behind each sentence; how many bytes that makes."""
    at = 0
    for k in range(count):
        if hashes[k] == END:
            out[at - 1] = 10
            continue
        for i in range(starts[k], stops[k]):
            out[at] = data[i]
            at += 1
        out[at] = 32
        at += 1
    return at
