"""One pass over raw HTML that finds what makes parsers slow, before a parser sees it.

It is no parser: comments, raw text elements and quoted attribute values are stepped over, tags are counted, nothing
is built. What it misses the time limit of the guard still catches.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels import html_names as names
from corpus.kernels.html_scan import attribute_name, behind_declaration, raw_end, tag_name
from corpus.kernels.jit import njit

DEPTH, ATTRIBUTES, CELLS = 0, 1, 2
_MAX_SPAN = 1000  # HTML: a larger colspan counts as 1,000
# Their end tag is optional: many pages never close them, and parsers do.
_OPTIONAL = "p li dt dd option optgroup tr td th thead tbody tfoot rp rt html head body caption".split()
_FLAT = (names.KIND == names.VOID) | np.isin(np.array(names.NAMES), _OPTIONAL)
# Parsers take these as text too.
_RAW = (names.KIND == names.RAW) | np.isin(np.array(names.NAMES), ["xmp"])
_TR, _TD, _TH = (names.TAG[name] for name in ("tr", "td", "th"))
_SPAN = names.name_hash("colspan")


@njit
def scan(data, offsets):  # type: ignore[no-untyped-def]
    """int64[n, 3] of n pages (bytes and n + 1 offsets): greatest depth, most attributes of a tag, table cells."""
    found = np.zeros((offsets.size - 1, 3), np.int64)
    for page in range(offsets.size - 1):
        _scan_page(data[offsets[page] : offsets[page + 1]], found[page])
    return found


@njit
def _scan_page(data, found):  # type: ignore[no-untyped-def]
    size = data.size
    depth = rows = width = widest = 0
    i = 0
    while i < size:
        if data[i] != 60 or i + 1 >= size:  # <
            i += 1
            continue
        closing = data[i + 1] == 47  # /
        at = i + 2 if closing else i + 1
        if not closing and at + 2 < size and data[at] == 33 and data[at + 1] == 45 and data[at + 2] == 45:
            i = behind_declaration(data, at, size)
            continue
        if at >= size or not (65 <= data[at] <= 90 or 97 <= data[at] <= 122):
            i += 1
            continue
        name, at = tag_name(data, at, size)
        span, attributes, at = _attributes(data, at, size)
        i = at
        found[1] = max(found[1], attributes)
        if name == _TR and not closing:
            rows += 1
            width = 0
        elif name in (_TD, _TH) and not closing:
            width += span
            widest = max(widest, width)
        if _FLAT[name]:
            continue
        if closing:
            depth = max(0, depth - 1)
        elif data[at - 1] != 62 or data[at - 2] != 47:  # not />
            if _RAW[name]:
                end = raw_end(data, at, size, name)
                i = size if end < 0 else end
            else:
                depth += 1
                found[0] = max(found[0], depth)
    found[2] = rows * widest


@njit
def _attributes(data, at, size):  # type: ignore[no-untyped-def]
    """(colspan, number of attributes, position behind the `>`)."""
    span = np.int64(1)
    count = 0
    while at < size and data[at] != 62:
        if data[at] <= 32 or data[at] == 47:
            at += 1
            continue
        count += 1
        begin = at
        name, at = attribute_name(data, at, size)
        if at == begin:
            at += 1
        while at < size and data[at] <= 32:
            at += 1
        if at >= size or data[at] != 61:
            continue
        at += 1
        while at < size and data[at] <= 32:
            at += 1
        quote = np.uint8(0)
        if at < size and (data[at] == 34 or data[at] == 39):
            quote = data[at]
            at += 1
        value = np.int64(0)
        while at < size:
            byte = data[at]
            if byte == quote if quote else (byte <= 32 or byte == 62):
                break
            if name == _SPAN and 48 <= byte <= 57:
                value = min(value * 10 + byte - 48, np.int64(_MAX_SPAN))
            at += 1
        if quote and at < size:
            at += 1
        if name == _SPAN and value > 1:
            span = value
    return span, count, min(at + 1, size)
