"""How a CSV file is written, found from how it begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from corpus.kernels.csv_records import NO_BYTE, START, WHOLE, split_records

_TAB, _QUOTE, _BACKSLASH = ord("\t"), ord('"'), ord("\\")
_DELIMITERS = (ord(","), ord(";"), _TAB, ord("|"))
_PROTECTED = re.compile(rb'""|\\(["\\])')


@dataclass(frozen=True)
class Dialect:
    """Delimiter, quote and what protects a quote besides another one, as bytes; the last two may be `NO_BYTE`.

    `bare_cr`: a CR alone ends a record.
    """

    delimiter: int
    quote: int = _QUOTE
    escape: int = NO_BYTE
    bare_cr: bool = False

    def field(self, data: bytes) -> bytes:
        """The value of a field between whose quotes `data` stands."""
        if self.escape == NO_BYTE:
            return data.replace(b'""', b'"')
        return _PROTECTED.sub(lambda found: found[1] or b'"', data)


class Records:
    """The records that `split` found; the arrays are those of `split_records`, valid for the first `count`."""

    def __init__(self, wanted: Sequence[int], capacity: int) -> None:
        """`wanted`: which fields get a place in `spans`, in this order. `capacity`: the most records at once."""
        self._slots = np.full(max(wanted, default=-1) + 1, -1, np.int32)
        self._slots[list(wanted)] = np.arange(len(wanted))
        self.ends = np.empty(capacity, np.int64)
        self.widths = np.empty(capacity, np.int32)
        self.marks = np.empty(capacity, np.uint8)
        self.spans = np.empty((capacity, len(wanted), 3), np.int64)
        self.count, self.stop, self.state = 0, 0, START

    def split(self, data: bytes, dialect: Dialect, final: bool, state: int = START) -> None:
        how = (dialect.delimiter, dialect.quote, dialect.escape, dialect.bare_cr)
        arrays = (self._slots, self.ends, self.widths, self.marks, self.spans)
        self.count, self.stop, self.state = split_records(np.frombuffer(data, np.uint8), state, final, *how, *arrays)


def find_dialect(data: bytes, final: bool, tabs: bool, wanted: set[str]) -> tuple[Dialect, list[str]]:
    """(dialect, names in the header) of a file that begins with `data` (`final`: and ends with it).

    It is the one of `,` `;` tab `|`, only tab where `tabs` says so, with which the header has the `wanted` names and
    most bytes are in records like the header. The plain rules of RFC 4180 win unless backslashes that protect quotes,
    or with tabs (text/tab-separated-values knows no quotes) no quotes at all, explain more. CR alone ends a record
    where there is no LF. Names are [] where the first record does not end in `data`.
    """
    data = data.lstrip(b"\r\n")
    bare_cr = b"\n" not in data
    best: tuple[tuple[bool, int, int], Dialect, list[str]] | None = None
    for delimiter in (_TAB,) if tabs else _DELIMITERS:
        dialects = [Dialect(delimiter, bare_cr=bare_cr), Dialect(delimiter, escape=_BACKSLASH, bare_cr=bare_cr)]
        if delimiter == _TAB:
            dialects.append(Dialect(delimiter, NO_BYTE, bare_cr=bare_cr))
        for dialect in dialects:
            names = _header(data, final, dialect)
            if dialect.quote == NO_BYTE and len(names) < 2:
                continue
            rank = (wanted <= set(names), _explained(data, final, dialect, len(names)), len(names))
            if best is None or rank > best[0]:
                best = rank, dialect, names
    assert best is not None
    return best[1:]


def _header(data: bytes, final: bool, dialect: Dialect) -> list[str]:
    """The fields of the first record."""
    records = Records((), 1)
    records.split(data, dialect, final)
    if not records.count or records.marks[0] != WHOLE:
        return []
    records = Records(range(records.widths[0]), 1)
    records.split(data, dialect, final)
    fields = [(data[begin:end], coded) for begin, end, coded in records.spans[0].tolist()]
    return [(dialect.field(field) if coded else field).decode() for field, coded in fields]


def _explained(data: bytes, final: bool, dialect: Dialect, width: int) -> int:
    """Bytes in whole records of that many fields."""
    records = Records((), len(data) + 1)
    records.split(data, dialect, final)
    good = (records.marks == WHOLE) & (records.widths == width)
    sizes = np.diff(records.ends, prepend=0)
    return int(sizes[: records.count][good[: records.count]].sum())
