"""The lines of an ARPA file: a log10 probability, the words, a back-off weight that may be missing."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import inlined, njit
from corpus.kernels.ngrams_text import hash_bytes


@inlined
def _blank(b):  # type: ignore[no-untyped-def]
    return b == 32 or b == 9 or b == 13


@njit
def _number(data, start, end):  # type: ignore[no-untyped-def]
    """The decimal number in `data[start:end]`, NaN when it is none."""
    i = start
    negative = i < end and data[i] == 45
    if i < end and (data[i] == 45 or data[i] == 43):
        i += 1
    mantissa, digits, scale = 0.0, 0, 0
    point = False
    while i < end:
        b = data[i]
        if 48 <= b <= 57:
            if digits < 17:
                mantissa = mantissa * 10.0 + (b - 48)
                scale -= point
            else:
                scale += not point
            digits += 1
        elif b == 46 and not point:
            point = True
        else:
            break
        i += 1
    if digits == 0:
        return np.nan
    if i < end and (data[i] == 101 or data[i] == 69):
        i += 1
        down = i < end and data[i] == 45
        if i < end and (data[i] == 45 or data[i] == 43):
            i += 1
        power = 0
        some = False
        while i < end and 48 <= data[i] <= 57:
            power = min(power * 10 + (data[i] - 48), 9999)
            some = True
            i += 1
        if not some:
            return np.nan
        scale += -power if down else power
    if i != end:
        return np.nan
    # One division rounds once; a product with 10**-k would round twice.
    value = mantissa / 10.0**-scale if scale < 0 else mantissa * 10.0**scale
    return -value if negative else value


@njit
def parse_lines(data, order, hashes, spans, probability, backoff):  # type: ignore[no-untyped-def]
    """Read up to `len(hashes)` n-grams from whole lines, until a blank one; (n-grams, position behind, a bad line).

    `hashes[i, k]` is that of word k of n-gram i; `spans[i]` where its first word begins and ends in `data`. At a bad
    line, the position is where it begins.
    """
    i = 0
    at = 0
    while i < len(data) and at < len(hashes):
        line = i
        stop = i
        while stop < len(data) and data[stop] != 10:
            stop += 1
        fields = 0
        while True:
            while i < stop and _blank(data[i]):
                i += 1
            if i == stop:
                break
            begin = i
            while i < stop and not _blank(data[i]):
                i += 1
            if fields == 0:
                probability[at] = _number(data, begin, i)
                backoff[at] = 0.0
            elif fields <= order:
                hashes[at, fields - 1] = hash_bytes(data, begin, i)
                if fields == 1:
                    spans[at, 0] = begin
                    spans[at, 1] = i
            elif fields == order + 1:
                backoff[at] = _number(data, begin, i)
            fields += 1
        if fields == 0:
            return at, line, False
        sound = fields == order + 1 or fields == order + 2
        if not sound or not (probability[at] <= 0.0) or not np.isfinite(backoff[at]):
            return at, line, True
        at += 1
        i = min(stop + 1, len(data))
    return at, i, False
