"""What lies at a place in the bytes of a page: names, attributes, character references, ends. No state."""

from __future__ import annotations

import numpy as np

from corpus.kernels import html_names as names
from corpus.kernels.jit import njit

_TAG_KEYS, _TAG_VALUES = names.TAG_KEYS, names.TAG_VALUES
_REF_KEYS, _REF_VALUES, _REF_ENDS, _REF_BYTES = (
    names.REFERENCE_KEYS, names.REFERENCE_VALUES, names.REFERENCE_ENDS, names.REFERENCE_BYTES,
)  # fmt: skip
_WINDOWS_1252 = names.WINDOWS_1252
_LONGEST, _LEGACY = names.LONGEST_REFERENCE, names.LONGEST_LEGACY
_CUSTOM = names.CUSTOM

# Rows of `found`: begin and end of an attribute's value; for the last two, whether it was there (HIDES: bits).
CLASS, ID, ROLE, PROP, ALT, TYPE, HIDES, HREF = range(8)
HIDDEN, ARIA_HIDDEN = 1, 2
(
    _A_CLASS, _A_ID, _A_ROLE, _A_PROP, _A_HIDDEN, _A_STYLE, _A_ARIA, _A_HREF, _A_ALT, _A_TYPE, _A_ENCODING,
) = (
    names.ATTRIBUTES[name]
    for name in (
        "class", "id", "role", "itemprop", "hidden", "style", "aria-hidden", "href", "alttext", "type", "encoding",
    )
)  # fmt: skip
_DISPLAY_NONE = np.frombuffer(b"display:none", np.uint8)
_XHTML, _XML = (np.frombuffer(mark, np.uint8) for mark in (b"www.w3.org/1999/xhtml", b"<?xml"))
_INVISIBLE = np.frombuffer(b"visibility:hidden", np.uint8)


@njit
def tag_name(data, at, size):  # type: ignore[no-untyped-def]
    """(number of the element's name, position behind it)."""
    value = np.int64(0)
    hyphen = False
    begin = at
    while at < size:
        byte = np.int64(data[at])
        if byte <= 32 or byte == 47 or byte == 62:  # white space / >
            break
        if 65 <= byte <= 90:
            byte += 32
        if byte == 45:
            hyphen = True
        if at - begin < 32:
            value = (value * 131 + byte) & 0xFFFFFFFF
        at += 1
    slot = value & (_TAG_KEYS.size - 1)
    while _TAG_KEYS[slot] >= 0:
        if _TAG_KEYS[slot] == value:
            return _TAG_VALUES[slot], at
        slot = (slot + 1) & (_TAG_KEYS.size - 1)
    return np.int32(_CUSTOM if hyphen else 0), at


@njit
def attribute_name(data, at, size):  # type: ignore[no-untyped-def]
    """(hash of the attribute's name, position behind it)."""
    name = np.int64(0)
    while at < size:
        letter = np.int64(data[at])
        if letter <= 32 or letter == 61 or letter == 62 or letter == 47:  # white space = > /
            break
        if 65 <= letter <= 90:
            letter += 32
        name = (name * 131 + letter) & 0xFFFFFFFF
        at += 1
    return name, at


@njit
def attributes(data, at, size, found, quotes):  # type: ignore[no-untyped-def]
    """Position behind the tag's `>`; fills `found`. `quotes`: where the page's last `"` and last `'` are.

    A quoted value that never ends, ends at the next `>`.
    """
    found[:] = 0
    while at < size and data[at] != 62:
        byte = data[at]
        if byte <= 32 or byte == 47:
            at += 1
            continue
        name, at = attribute_name(data, at, size)
        while at < size and data[at] <= 32:
            at += 1
        begin = end = at
        if at < size and data[at] == 61:
            at += 1
            while at < size and data[at] <= 32:
                at += 1
            quote = data[at] if at < size else np.uint8(0)
            if (quote == 34 and quotes[0] > at) or (quote == 39 and quotes[1] > at):
                begin = at + 1
                end = find_byte(data, begin, size, quote)
                at = end + 1
            else:
                begin = at
                while at < size and data[at] > 32 and data[at] != 62:
                    at += 1
                end = at
        _note(data, name, begin, end, found)
    return min(at + 1, size)


@njit
def _note(data, name, begin, end, found):  # type: ignore[no-untyped-def]
    if name == _A_CLASS:
        found[CLASS, 0], found[CLASS, 1] = begin, end
    elif name == _A_ID:
        found[ID, 0], found[ID, 1] = begin, end
    elif name == _A_HREF:
        found[HREF, 0] = 1
    elif name == _A_STYLE:
        if has(data, begin, end, _DISPLAY_NONE) or has(data, begin, end, _INVISIBLE):
            found[HIDES, 0] |= HIDDEN
    elif name == _A_ROLE:
        found[ROLE, 0], found[ROLE, 1] = begin, end
    elif name == _A_PROP:
        found[PROP, 0], found[PROP, 1] = begin, end
    elif name == _A_HIDDEN:
        found[HIDES, 0] |= HIDDEN
    elif name == _A_ARIA:
        if end - begin == 4:  # true
            found[HIDES, 0] |= ARIA_HIDDEN
    elif name == _A_ALT:
        found[ALT, 0], found[ALT, 1] = begin, end
    elif name in (_A_TYPE, _A_ENCODING):
        found[TYPE, 0], found[TYPE, 1] = begin, end


@njit
def has(data, begin, end, wanted):  # type: ignore[no-untyped-def]
    """Whether `wanted` (lower case) stands in the range, spaces apart and in any case."""
    at = begin
    while at < end:
        matched = 0
        here = at
        while here < end and matched < wanted.size and here - at < 256:
            byte = data[here]
            if 65 <= byte <= 90:
                byte += 32
            if byte == wanted[matched]:
                matched += 1
            elif byte > 32 or matched == 0:
                break
            here += 1
        if matched == wanted.size:
            return True
        at += 1
    return False


@njit
def find_byte(data, at, size, byte):  # type: ignore[no-untyped-def]
    """Position of the next `byte`, or `size`."""
    while at < size and data[at] != byte:
        at += 1
    return at


@njit
def find(data, at, size, wanted):  # type: ignore[no-untyped-def]
    """Position of the next `wanted` (lower case) in any case, or -1."""
    first = wanted[0]
    while at + wanted.size <= size:
        if data[at] == first:
            matched = 1
            while matched < wanted.size:
                byte = data[at + matched]
                if 65 <= byte <= 90:
                    byte += 32
                if byte != wanted[matched]:
                    break
                matched += 1
            if matched == wanted.size:
                return at
        at += 1
    return -1


@njit
def is_xhtml(data, size):  # type: ignore[no-untyped-def]
    """Whether the page begins as XHTML does: there `<script/>` is closed."""
    size = min(size, 1024)
    return find(data, 0, size, _XHTML) >= 0 or find(data, 0, size, _XML) >= 0


@njit
def last_quotes(data, size):  # type: ignore[no-untyped-def]
    """Where the last `"` and the last `'` are; -1 for none."""
    quotes = np.full(2, -1, np.int64)
    at = size - 1
    while at >= 0 and (quotes[0] < 0 or quotes[1] < 0):
        if data[at] == 34 and quotes[0] < 0:
            quotes[0] = at
        elif data[at] == 39 and quotes[1] < 0:
            quotes[1] = at
        at -= 1
    return quotes


@njit
def raw_end(data, at, size, tag):  # type: ignore[no-untyped-def]
    """Position of the `<` of the end tag of a raw text element, or -1."""
    while at + 2 < size:
        if data[at] == 60 and data[at + 1] == 47 and tag_name(data, at + 2, size)[0] == tag:
            return at
        at += 1
    return -1


@njit
def behind_declaration(data, at, size):  # type: ignore[no-untyped-def]
    """Position behind a comment, a doctype or a processing instruction, whose `!` or `?` is at `at`."""
    if at + 2 < size and data[at] == 33 and data[at + 1] == 45 and data[at + 2] == 45:
        behind = at + 3
        at += 1
        while at + 2 < size:
            if data[at] == 45 and data[at + 1] == 45 and (
                data[at + 2] == 62 or (at >= behind and data[at + 2] == 33 and at + 3 < size and data[at + 3] == 62)
            ):  # fmt: skip
                return at + (3 if data[at + 2] == 62 else 4)
            at += 1
        return size
    return find_byte(data, at, size, 62) + 1


@njit
def reference(data, at, size, into):  # type: ignore[no-untyped-def]
    """(bytes written to `into`, position behind) of the character reference whose `&` is at `at`; 0 when it is none."""
    begin = at + 1
    if begin < size and data[begin] == 35:
        return _numeric(data, begin + 1, size, into)
    value = np.int64(0)
    number = -1
    behind = at
    end = min(size, begin + _LONGEST)
    here = begin
    while here < end:
        byte = np.int64(data[here])
        value = (value * 16777619 + byte) & 0xFFFFFFFF
        here += 1
        if byte == 59:
            slot = _lookup(value)
            if slot >= 0:
                number, behind = slot, here
            break
        if not (48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122):
            break
        if here - begin <= _LEGACY and here - begin >= 2:
            slot = _lookup(value)
            if slot >= 0:
                number, behind = slot, here
    if number < 0:
        return 0, at
    start = 0 if number == 0 else _REF_ENDS[number]
    length = _REF_ENDS[number + 1] - start
    for k in range(length):
        into[k] = _REF_BYTES[start + k]
    return length, behind


@njit
def _lookup(value):  # type: ignore[no-untyped-def]
    slot = value & (_REF_KEYS.size - 1)
    while _REF_KEYS[slot] >= 0:
        if _REF_KEYS[slot] == value:
            return _REF_VALUES[slot]
        slot = (slot + 1) & (_REF_KEYS.size - 1)
    return np.int32(-1)


@njit
def _numeric(data, at, size, into):  # type: ignore[no-untyped-def]
    start = at - 2
    hexadecimal = at < size and (data[at] == 120 or data[at] == 88)
    if hexadecimal:
        at += 1
    point = np.int64(0)
    digits = 0
    while at < size:
        byte = np.int64(data[at])
        if 48 <= byte <= 57:
            digit = byte - 48
        elif hexadecimal and 97 <= (byte | 32) <= 102:
            digit = (byte | 32) - 87
        else:
            break
        point = min(point * (16 if hexadecimal else 10) + digit, np.int64(0x110000))
        digits += 1
        at += 1
    if digits == 0:
        return 0, start
    if at < size and data[at] == 59:
        at += 1
    if 128 <= point < 160:
        point = _WINDOWS_1252[point - 128]
    if point == 0 or point > 0x10FFFF or 0xD800 <= point < 0xE000:
        point = np.int64(0xFFFD)
    return encode(point, into), at


@njit
def encode(point, into):  # type: ignore[no-untyped-def]
    """Bytes of the UTF-8 form of a code point, written to `into`."""
    if point < 0x80:
        into[0] = point
        return 1
    if point < 0x800:
        into[0], into[1] = 0xC0 | point >> 6, 0x80 | point & 0x3F
        return 2
    if point < 0x10000:
        into[0], into[1], into[2] = 0xE0 | point >> 12, 0x80 | point >> 6 & 0x3F, 0x80 | point & 0x3F
        return 3
    into[0], into[1] = 0xF0 | point >> 18, 0x80 | point >> 12 & 0x3F
    into[2], into[3] = 0x80 | point >> 6 & 0x3F, 0x80 | point & 0x3F
    return 4


@njit
def token_hashes(data, found, tokens, at, limit):  # type: ignore[no-untyped-def]
    """Writes the hashes of the words in class, id, role and itemprop from `at` on; returns the next free place.

    A word is a run of letters, cut where camel case begins another; digits and marks part words. The attribute does
    not count: `class=nav` and `id=nav` are one token.
    """
    stop = min(at + limit, tokens.size)
    for attribute in range(4):
        value = np.uint32(2166136261)
        length = 0
        before = np.uint8(0)
        for i in range(found[attribute, 0], min(found[attribute, 1], found[attribute, 0] + 512)):
            byte = data[i]
            upper = 65 <= byte <= 90
            letter = upper or 97 <= byte <= 122
            if length and (not letter or (upper and 97 <= before <= 122)):
                if length > 1 and at < stop:
                    tokens[at] = value
                    at += 1
                value, length = np.uint32(2166136261), 0
            if letter:
                value = np.uint32((value ^ np.uint32(byte | 32)) * np.uint32(16777619))
                length += 1
            before = byte
        if length > 1 and at < stop:
            tokens[at] = value
            at += 1
    return at
