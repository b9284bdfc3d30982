"""Records and fields of delimited text, found in bytes: RFC 4180, and its two relatives in use.

A quote opens a field only as its first byte; inside, a doubled quote is one, and a backslash may protect a quote
(Spark, MySQL) where the caller says so. A record ends at LF or CR LF outside quotes, at CR alone where there is no LF.
"""

from __future__ import annotations

from corpus.kernels.jit import njit

START, PLAIN, QUOTED, CLOSED, BROKEN = 0, 1, 2, 3, 4
"""Where the scan stands: before a field, in one, in quotes, behind the closing quote, behind what broke the rules."""

WHOLE, ILL_QUOTED, OPEN = 0, 1, 2
"""What a record is: well formed; with something behind a closing quote; with a quote that the data does not close."""

NO_BYTE = 256
"""A quote or a protecting byte that never comes."""


@njit
def split_records(data, state, final, delimiter, quote, escape, bare_cr, slots, ends, widths, marks, spans):  # type: ignore[no-untyped-def]
    """Split `data` (uint8[n]), which begins in `state`, into at most len(ends) records; `final`: nothing follows it.
    `bare_cr`: CR alone ends a record; else it is a letter like any other.

    For each record: `ends` (int64), where the next one begins; `widths` (int32), the number of its fields; `marks`
    (uint8), `WHOLE`, `ILL_QUOTED` or `OPEN`. `slots` (int32[columns]) says which fields are wanted: field i goes to
    spans[record, slots[i]] (int64[records, wanted, 3]: first byte, end, 1 if something inside the quotes is
    protected), -1 goes nowhere; what is not there keeps an end of -1.
    Returns (records, where the scan stopped, its state there).
    """
    n = data.size
    i = record = field = begin = 0
    coded, mark = 0, WHOLE
    spans[:, :, 1] = -1
    while i < n and record < ends.size:
        byte = data[i]
        if state == QUOTED:
            while i < n and data[i] != quote and data[i] != escape:
                i += 1
            if i == n:
                break
            if data[i] == quote:
                state = CLOSED
                i += 1
            elif i + 1 == n and not final:
                break
            else:
                coded = 1
                i = min(i + 2, n)
            continue
        if byte == quote and state == START:
            state = QUOTED
            begin = i + 1
            i += 1
            continue
        if byte == quote and state == CLOSED:
            state = QUOTED
            coded = 1
            i += 1
            continue
        if byte == 13 and i + 1 == n and not final:
            break
        ended = byte == 10 or (byte == 13 and (bare_cr or i + 1 == n or data[i + 1] == 10))
        if ended or (byte == delimiter and state != BROKEN):
            _put(spans, slots, record, field, i if state == START else begin, i - (state == CLOSED), coded)
            field += 1
            i += 1
            state, coded = START, 0
            if ended:
                if byte == 13 and i < n and data[i] == 10:
                    i += 1
                ends[record], widths[record], marks[record] = i, field, mark
                record += 1
                field, mark = 0, WHOLE
            continue
        if state == CLOSED:
            state, mark = BROKEN, ILL_QUOTED
        elif state == START:
            state, begin = PLAIN, i
        i += 1
        while i < n and data[i] != 10 and data[i] != 13 and (data[i] != delimiter or state == BROKEN):
            i += 1
    if final and i == n and record < ends.size and n > (ends[record - 1] if record else 0):
        _put(spans, slots, record, field, n if state == START else begin, n - (state == CLOSED), coded)
        ends[record], widths[record] = n, field + 1
        marks[record] = OPEN if state == QUOTED else mark
        record += 1
        state = START
    return record, i, state


@njit
def _put(spans, slots, record, field, begin, end, coded):  # type: ignore[no-untyped-def]
    if field < slots.size and slots[field] >= 0:
        spans[record, slots[field], 0] = begin
        spans[record, slots[field], 1] = end
        spans[record, slots[field], 2] = coded
