"""Lists of domains and addresses as sorted 64-bit hashes, and addresses looked up in them.

An address is `host/path?query` in bytes, normalised by `corpus.extract.urls`. An entry that is a host names it and
all below it; one with a path names what begins with it, up to `/`, `?` or `&`. The hash is FNV-1a: that of a longer
prefix goes on from that of a shorter one. Among 5 million entries a wrong hit has a chance of 3e-13 a look-up.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import inlined, njit


@njit
def hash_lines(data):  # type: ignore[no-untyped-def]
    """The entries among the lines of `data` (uint8[n]), one a line, `#` begins a comment.

    Returns (uint64[k] hashes of the plain ones, int64[m, 2] spans of those that need normalising first, position of
    a line with white space inside or -1).
    """
    size = data.size
    lines = 1
    for i in range(size):
        lines += data[i] == 10
    hashes = np.empty(lines, np.uint64)
    others = np.empty((lines, 2), np.int64)
    plain = other = at = 0
    while at < size:
        end = at
        while end < size and data[end] != 10:
            end += 1
        begin, stop, bad = _trim(data, at, end)
        if bad:
            return hashes[:plain], others[:other], at
        if stop > begin:
            value, is_plain = _hash_plain(data, begin, stop)
            if is_plain:
                hashes[plain] = value
                plain += 1
            else:
                others[other] = begin, stop
                other += 1
        at = end + 1
    return hashes[:plain], others[:other], -1


@njit
def _trim(data, at, end):  # type: ignore[no-untyped-def]
    """(begin, end, whether white space is inside) of the line without outer space and comment."""
    while at < end and data[at] <= 32:
        at += 1
    stop = at
    while stop < end and data[stop] > 32:
        stop += 1
    if at < stop and data[at] == 35:  # a comment
        return at, at, False
    i = stop
    while i < end and data[i] <= 32:
        i += 1
    return at, stop, i < end and data[i] != 35


@njit
def _hash_plain(data, at, end):  # type: ignore[no-untyped-def]
    """(hash, True) of an entry that is `host` or `host/path` in ASCII as it stands; else (0, False)."""
    host = at
    while host < end and data[host] != 47:
        byte = data[host]
        if not (48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 45 or byte == 46 or byte == 95):
            return np.uint64(0), False
        host += 1
    if host == at or data[at] == 46 or data[host - 1] == 46:
        return np.uint64(0), False
    for i in range(host, end):
        if data[i] <= 32 or data[i] >= 127 or data[i] == 35 or data[i] == 92:  # space, not ASCII, # or backslash
            return np.uint64(0), False
    while end > host and data[end - 1] == 47:
        end -= 1
    value = np.uint64(0xCBF29CE484222325)
    for i in range(at, end):
        byte = data[i]
        if i < host and 65 <= byte <= 90:
            byte += np.uint8(32)
        value = _step(value, byte)
    return value, True


@njit
def hash_entry(data):  # type: ignore[no-untyped-def]
    """The hash of one normalised entry, uint8[n]."""
    value = np.uint64(0xCBF29CE484222325)
    for byte in data:
        value = _step(value, byte)
    return value


@inlined
def _step(value, byte):  # type: ignore[no-untyped-def]
    return (value ^ np.uint64(byte)) * np.uint64(0x100000001B3)


@njit
def _has(table, value):  # type: ignore[no-untyped-def]
    at = np.searchsorted(table, value)
    return at < table.size and table[at] == value


@njit
def find(data, spans, table):  # type: ignore[no-untyped-def]
    """The entry of `table` (uint64[k], sorted) that each address matches: int64[n, 2], its span in `data`, or -1.

    `spans` int64[n, 3]: begin, end of the host, end of the address. The host comes before its parent domains, a short
    path before a longer one.
    """
    found = np.full((len(spans), 2), -1, np.int64)
    for i in range(len(spans)):
        at, host, end = spans[i]
        begin = at
        while begin < host and table.size:
            stop = _longest(data, begin, host, end, table)
            if stop >= 0:
                found[i] = begin, stop
                break
            while begin < host and data[begin] != 46:
                begin += 1
            begin += 1
    return found


@njit
def _longest(data, begin, host, end, table):  # type: ignore[no-untyped-def]
    """End of the first prefix of `data[begin:end]`, no shorter than the host, that the table has; or -1."""
    value = np.uint64(0xCBF29CE484222325)
    for i in range(begin, end):
        boundary = i == host or (i > host and (data[i] == 47 or data[i] == 63 or data[i] == 38))  # / ? &
        if boundary and _has(table, value):
            return i
        value = _step(value, data[i])
    return end if _has(table, value) else -1
