"""Kept blocks to text, or to Markdown with headings, lists, tables, code and quotations."""

from __future__ import annotations

import re
from collections import Counter

import numba
import numpy as np

from corpus.kernels import html as h
from corpus.kernels import html_names as names

_T = names.TAG
# Columns of `inherited`: heading level, nearest list item, depth of lists, whether the list is ordered, preformatted,
# depth of quotations, nearest table, row and cell.
HEADING, ITEM, LISTS, ORDERED, CODE, QUOTES, TABLE, ROW, CELL = range(9)
_UL, _OL, _DIR, _MENU, _LI, _QUOTE = (_T[name] for name in ("ul", "ol", "dir", "menu", "li", "blockquote"))
_TABLE, _TR, _TD, _TH, _H1, _H6 = (_T[name] for name in ("table", "tr", "td", "th", "h1", "h6"))
_PRE, _LISTING, _XMP, _PLAIN, _DT, _DD = (_T[name] for name in ("pre", "listing", "xmp", "plaintext", "dt", "dd"))
# Longer cells are how old pages are laid out, not data.
_MAX_CELL = 200
_LINE_START = re.compile(r"^(#{1,6}\s|[-+*]\s|\d{1,9}[.)]\s|>|```|~~~|={3,}$|-{3,}$)")


@numba.njit(cache=True, nogil=True)
def inherited(nodes):  # type: ignore[no-untyped-def]
    """int32[nodes, 9]: what each element inherits from those around it; -1 for none of the nearest, 0 else."""
    out = np.zeros((nodes.shape[0], 9), np.int32)
    for k in range(nodes.shape[0]):
        parent, tag = nodes[k, h.PARENT], nodes[k, h.TAG]
        row = out[k]
        if parent >= 0:
            row[:] = out[parent]
        else:
            row[ITEM] = row[TABLE] = row[ROW] = row[CELL] = -1
        if _H1 <= tag <= _H6:
            row[HEADING] = tag - _H1 + 1
        elif tag in (_UL, _OL, _DIR, _MENU):
            row[LISTS] += 1
            row[ORDERED], row[ITEM] = tag == _OL, -1
        elif tag == _LI:
            row[ITEM] = k
        elif tag == _QUOTE:
            row[QUOTES] += 1
        elif tag == _TABLE:
            row[TABLE], row[ROW], row[CELL] = k, -1, -1
            row[LISTS], row[ITEM] = 0, -1
        elif tag == _TR:
            row[ROW], row[CELL] = k, -1
        elif tag in (_TD, _TH):
            row[CELL] = k
        elif tag in (_PRE, _LISTING, _XMP, _PLAIN):
            row[CODE] = 1
    return out


def write(text: np.ndarray, blocks: np.ndarray, nodes: np.ndarray, kept: np.ndarray, markdown: bool) -> str:
    """The text of the blocks whose numbers are `kept`, in their order.

    Paragraphs are parted by an empty line, list items and table rows by a line end. Without `markdown` items begin
    with `- ` and cells are parted by ` | `; structure is not marked otherwise.
    """
    raw = text.tobytes()
    context = inherited(nodes)
    rows = context[blocks[kept, h.NODE]].tolist()
    holders = blocks[kept, h.NODE].tolist()
    spans = blocks[kept][:, [h.START, h.END]].tolist()
    data_tables = _data_tables(rows, spans)
    parts: list[str] = []
    previous: list[int] | None = None
    items: Counter[int] = Counter()
    started: set[int] = set()
    column = 0
    for row, holder, (start, end) in zip(rows, holders, spans, strict=True):
        piece = raw[start:end].decode("utf-8", "replace")
        if row[TABLE] in data_tables and row[ROW] >= 0:
            piece = " ".join(piece.split())
            if markdown:
                piece = piece.replace("|", "\\|")
            if previous and previous[ROW] == row[ROW]:
                same = previous[CELL] == row[CELL]
                parts += [" " if same else " | ", piece]
                column += not same
            else:
                if markdown and previous and previous[TABLE] == row[TABLE]:
                    _end_row(parts, previous[TABLE], started, column)
                elif previous:
                    parts.append("\n" if previous[TABLE] == row[TABLE] else "\n\n")
                parts += ["| ", piece] if markdown else [piece]
                column = 1
            previous = row
            continue
        if markdown and previous and previous[TABLE] in data_tables and previous[ROW] >= 0:
            _end_row(parts, previous[TABLE], started, column)
            parts.append("\n")
        elif previous:
            close = row[ITEM] >= 0 and previous[ITEM] >= 0
            parts.append("\n" if close else "\n\n")
        parts.append(_block(piece, row, nodes[holder, h.TAG], previous, items, markdown))
        previous = row
    if markdown and previous and previous[TABLE] in data_tables and previous[ROW] >= 0:
        _end_row(parts, previous[TABLE], started, column)
    return "".join(parts)


def _block(
    piece: str, row: list[int], tag: int, previous: list[int] | None, items: Counter[int], markdown: bool
) -> str:
    """One block that is no cell of a data table."""
    indent = ""
    if row[ITEM] >= 0:
        indent = "  " * (row[LISTS] - 1) if markdown or row[LISTS] > 1 else ""
        if not items[row[ITEM]]:
            items[row[ITEM]] = 1
            mark = "- "
            if markdown and row[ORDERED]:
                items[-row[LISTS]] = items[-row[LISTS]] + 1 if previous and previous[ITEM] >= 0 else 1
                mark = f"{items[-row[LISTS]]}. "
            piece = f"{indent}{mark}{piece}" if row[CODE] else f"{indent}{mark}" + piece.replace("\n", f"\n{indent}  ")
            return piece
        indent += "  "
    if not markdown:
        return f"{indent}{piece}"
    if row[CODE]:
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", piece)), default=0))
        piece = f"{fence}\n{piece}\n{fence}"
    elif row[HEADING]:
        piece = "#" * row[HEADING] + " " + " ".join(piece.split())
    else:
        piece = "\n".join(_LINE_START.sub(r"\\\1", line) for line in piece.split("\n"))
        if tag == _DD:
            piece = ": " + piece
    prefix = "> " * row[QUOTES] + indent
    return prefix + piece.replace("\n", "\n" + prefix) if prefix else piece


def _end_row(parts: list[str], table: int, started: set[int], columns: int) -> None:
    parts.append(" |\n")
    if table not in started:
        started.add(table)
        parts.append("|" + " --- |" * columns + "\n")
    parts.append("")


def _data_tables(rows: list[list[int]], spans: list[list[int]]) -> set[int]:
    """Tables with two rows or more, two cells in one of them, and short cells."""
    cells: dict[int, Counter[int]] = {}
    counted: dict[int, set[tuple[int, int]]] = {}
    for row, (start, end) in zip(rows, spans, strict=True):
        table, cell = row[TABLE], row[CELL]
        if table >= 0 and cell >= 0:
            if table not in cells:
                cells[table], counted[table] = Counter(), set()
            cells[table][cell] += end - start
            counted[table].add((row[ROW], cell))
    found = set()
    for table, sizes in cells.items():
        per_row = Counter(row for row, _ in counted[table])
        if len(per_row) > 1 and max(per_row.values()) > 1 and sum(sizes.values()) <= _MAX_CELL * len(sizes):
            found.add(table)
    return found
