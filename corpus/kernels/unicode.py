"""Tables of Unicode classes and lower case, and a UTF-8 decoder, for the numba kernels.

The tables come from this Python's own Unicode database, so `\\w` here is `\\w` in `re`.
"""

from __future__ import annotations

import functools

import numpy as np

from corpus.kernels.jit import inlined

WORD, SPACE, DIGIT, ALPHA, UPPER, PUNCTUATION = 1, 2, 4, 8, 16, 32
_LIMIT = 0x110000


@functools.cache
def classes() -> np.ndarray:
    """uint8[0x110000]: bits WORD (`\\w`), SPACE (`str.isspace`), DIGIT, ALPHA, UPPER, PUNCTUATION (P* and S*)."""
    import unicodedata

    table = np.zeros(_LIMIT, np.uint8)
    for point in range(_LIMIT):
        if 0x323B0 <= point < 0xE0000 or point >= 0xE1000:  # unassigned and private: no class
            continue
        char = chr(point)
        bits = 0
        if char.isalnum() or char == "_":
            bits |= WORD
        if char.isspace():
            bits |= SPACE
        if char.isdigit():
            bits |= DIGIT
        if char.isalpha():
            bits |= ALPHA
        if char.isupper():
            bits |= UPPER
        if unicodedata.category(char)[0] in "PS":
            bits |= PUNCTUATION
        table[point] = bits
    return table


@functools.cache
def lower() -> np.ndarray:
    """uint32[0x110000]: the lower-case code point (code points whose lower case is several keep themselves)."""
    table = np.arange(_LIMIT, dtype=np.uint32)
    for point in range(0x20000):
        low = chr(point).lower()
        if len(low) == 1:
            table[point] = ord(low)
    return table


@functools.cache
def base() -> np.ndarray:
    """uint32[0x110000]: the first code point of the canonical decomposition (NFD), if the rest are combining marks."""
    import unicodedata

    table = np.arange(_LIMIT, dtype=np.uint32)
    for point in range(0x323B0):  # nothing beyond has a decomposition
        char = chr(point)
        if unicodedata.decomposition(char)[:1] not in ("", "<"):
            parts = unicodedata.normalize("NFD", char)
            if all(unicodedata.category(mark)[0] == "M" for mark in parts[1:]):
                table[point] = ord(parts[0])
    return table


@functools.cache
def marks() -> np.ndarray:
    """int64[m]: the combining marks, spacing and enclosing ones too."""
    import unicodedata

    found = [p for p in range(_LIMIT) if not 0x323B0 <= p < 0xE0000 and unicodedata.category(chr(p))[0] == "M"]
    return np.array(found, np.int64)


@inlined
def decode(data, i, n):  # type: ignore[no-untyped-def]
    """(code point, width in bytes) of the UTF-8 character at `data[i]`, i < n; Arrow strings are valid UTF-8."""
    b = np.uint32(data[i])
    if b < 0x80:
        return b, 1
    if b < 0xE0 and i + 1 < n:
        return ((b & np.uint32(0x1F)) << np.uint32(6)) | (np.uint32(data[i + 1]) & np.uint32(0x3F)), 2
    if b < 0xF0 and i + 2 < n:
        return (
            ((b & np.uint32(0x0F)) << np.uint32(12))
            | ((np.uint32(data[i + 1]) & np.uint32(0x3F)) << np.uint32(6))
            | (np.uint32(data[i + 2]) & np.uint32(0x3F))
        ), 3
    if i + 3 < n:
        return (
            ((b & np.uint32(0x07)) << np.uint32(18))
            | ((np.uint32(data[i + 1]) & np.uint32(0x3F)) << np.uint32(12))
            | ((np.uint32(data[i + 2]) & np.uint32(0x3F)) << np.uint32(6))
            | (np.uint32(data[i + 3]) & np.uint32(0x3F))
        ), 4
    return np.uint32(0xFFFD), 1
