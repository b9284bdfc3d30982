"""Kept blocks to text, or to Markdown (CommonMark, tables of GFM): headings, lists, tables, code, quotations."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby, takewhile

import numpy as np

from corpus.kernels import html as h
from corpus.kernels import html_names as names
from corpus.kernels.jit import njit

_T = names.TAG
# Columns of `inherited`: heading level; nearest pre; nearest list item or quotation and how many there are; nearest
# list, table, row and cell; which cell of its row that is.
HEADING, CODE, HOLDER, DEPTH, LIST, TABLE, ROW, CELL, COLUMN = range(9)
_UL, _OL, _DIR, _MENU, _LI, _QUOTE = (_T[name] for name in ("ul", "ol", "dir", "menu", "li", "blockquote"))
_TABLE, _TR, _TD, _TH, _H1, _H6 = (_T[name] for name in ("table", "tr", "td", "th", "h1", "h6"))
_PRE, _LISTING, _XMP, _PLAIN, _DD = (_T[name] for name in ("pre", "listing", "xmp", "plaintext", "dd"))
# Each level indents all lines in it: without a limit the output is quadratic in the page.
_MAX_DEPTH = 8
# Longer cells are how old pages are laid out, not data.
_MAX_CELL = 200
# What would begin a heading, an item, a quotation, code, a rule, a table, HTML or the target of a link.
_LINE_START = re.compile(
    r"^(?=#{1,6}(?:\s|$)|[-+*](?:\s|$)|>|```|~~~|=+\s*$|[:| ]*-[-:| ]*$|(?:\*\s*){3,}$|(?:_\s*){3,}$"
    r"|<[A-Za-z/!?]|\[[^\]]{1,200}\]:)"
)
_NUMBER = re.compile(r"^(\d{1,9})(?=[.)](?:\s|$))")
_CLOSING = re.compile(r" (#+)$")
# What would end a cell, and a backslash that would protect the mark behind it.
_CELL_MARK = re.compile(r"\||\\(?=\||$)")
_INLINE_CODE = re.compile(f"{chr(h.CODE_BEGIN)}([^{chr(h.CODE_END)}]*){chr(h.CODE_END)}")


@njit
def inherited(nodes):  # type: ignore[no-untyped-def]
    """int32[nodes, 9]: what each element inherits from those around it; -1 for none of the nearest, 0 else."""
    out = np.zeros((nodes.shape[0], 9), np.int32)
    cells = np.zeros(nodes.shape[0], np.int32)
    for k in range(nodes.shape[0]):
        parent, tag = nodes[k, h.PARENT], nodes[k, h.TAG]
        row = out[k]
        if parent >= 0:
            row[:] = out[parent]
        else:
            row[CODE] = row[HOLDER] = row[LIST] = row[TABLE] = row[ROW] = row[CELL] = -1
        if _H1 <= tag <= _H6:
            row[HEADING] = tag - _H1 + 1
        elif tag in (_UL, _OL, _DIR, _MENU):
            row[LIST] = k
        elif tag in (_LI, _QUOTE) and row[DEPTH] < _MAX_DEPTH:
            row[HOLDER] = k
            row[DEPTH] += 1
        elif tag == _TABLE:
            row[TABLE], row[ROW], row[CELL], row[LIST] = k, -1, -1, -1
        elif tag == _TR:
            row[ROW], row[CELL] = k, -1
        elif tag in (_TD, _TH) and row[ROW] >= 0:
            row[CELL], row[COLUMN] = k, cells[row[ROW]]
            cells[row[ROW]] += 1
        elif tag in (_PRE, _LISTING, _XMP, _PLAIN):
            row[CODE] = k
    return out


def write(text: np.ndarray, blocks: np.ndarray, nodes: np.ndarray, kept: np.ndarray, markdown: bool) -> str:
    """The text of the blocks whose numbers are `kept`, in their order.

    Paragraphs are parted by an empty line, list items and table rows by a line end. Without `markdown` items begin
    with `- ` and cells are parted by ` | `; structure is not marked otherwise.
    """
    raw = text.tobytes()
    holders = blocks[kept, h.NODE]
    context = inherited(nodes)
    rows = context[holders].tolist()
    pieces = [raw[start:end].decode("utf-8", "replace") for start, end in blocks[kept][:, [h.START, h.END]].tolist()]
    tables = _data_tables(rows, pieces, nodes, context)
    tags = nodes[holders, h.TAG].tolist()
    places = _Places(nodes, context, markdown)
    parts: list[str] = []
    at, end = 0, len(rows)
    while at < end:
        row, first = rows[at], at
        at += 1
        # A table and a piece of code may have many blocks; every other block stands alone.
        if row[CELL] >= 0 and row[TABLE] in tables:
            while at < end and rows[at][TABLE] == row[TABLE] and rows[at][CELL] >= 0:
                at += 1
            body = _table(list(zip(rows[first:at], pieces[first:at], strict=True)), markdown)
            holder = int(context[row[TABLE], HOLDER])
        elif row[CODE] >= 0:
            while at < end and rows[at][CODE] == row[CODE]:
                at += 1
            body, holder = _code("\n".join(pieces[first:at]), markdown), int(context[row[CODE], HOLDER])
        else:
            body, holder = pieces[first], row[HOLDER]
            if markdown:
                body = _paragraph(body, row[HEADING], tags[first])
        places.put(body, holder, parts)
    return "".join(parts)


class _Places:
    """Where the next piece of a text goes: behind which marks of items and quotations, after which empty line."""

    def __init__(self, nodes: np.ndarray, context: np.ndarray, markdown: bool) -> None:
        self.nodes, self.context, self.markdown = nodes, context, markdown
        self.chains: dict[int, tuple[int, ...]] = {-1: ()}
        self.items: set[int] = set()
        self.marks: dict[int, str] = {}
        self.numbers: Counter[int] = Counter()
        self.above: tuple[int, ...] = ()

    def put(self, body: str, holder: int, parts: list[str]) -> None:
        """Append `body`, whose nearest item or quotation is `holder`, to `parts`."""
        chain, above = self._chain(holder), self.above
        self.above = chain
        if not chain and not above:
            parts += ("\n\n", body) if parts else (body,)
            return
        if parts:
            parts.append("\n")
            listed = not self.items.isdisjoint(chain) and not self.items.isdisjoint(above)
            begins = any(node in self.items and node not in self.marks for node in chain)
            shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(chain, above, strict=False)))
            quoted = not self.items.issuperset(chain[shared : shared + 1] + above[shared : shared + 1])
            if not listed or (self.markdown and (quoted or not begins)):
                parts.append(self._prefix(chain[:shared]).rstrip() + "\n")
        first = "".join(self._begin(node, node == holder) for node in chain)
        lines = body.split("\n")
        parts.append(first + lines[0])
        if len(lines) > 1:
            rest = self._prefix(chain)
            parts += ("\n" + (rest + line if line else rest.rstrip()) for line in lines[1:])

    def _chain(self, holder: int) -> tuple[int, ...]:
        """The items and quotations around, outermost first."""
        chain = self.chains.get(holder)
        if chain is None:
            chain = (*self._chain(int(self.context[self.nodes[holder, h.PARENT], HOLDER])), holder)
            self.chains[holder] = chain
            if self.nodes[holder, h.TAG] == _LI:
                self.items.add(holder)
        return chain

    def _begin(self, node: int, last: bool) -> str:
        """What stands before the first line: an item's mark, once."""
        if node in self.items and node not in self.marks and (last or self.markdown):
            around = int(self.context[node, LIST])
            if self.markdown and around >= 0 and self.nodes[around, h.TAG] == _OL:
                self.numbers[around] += 1
                self.marks[node] = f"{self.numbers[around]}. "
            else:
                self.marks[node] = "- "
            return self.marks[node]
        return self._prefix((node,))

    def _prefix(self, chain: tuple[int, ...]) -> str:
        """What stands before the lines that follow."""
        quote = "> " if self.markdown else ""
        return "".join(" " * len(self.marks.get(node, "- ")) if node in self.items else quote for node in chain)


def _paragraph(piece: str, heading: int, tag: int) -> str:
    if heading:
        return _spans(_CLOSING.sub(r" \\\1", "#" * heading + " " + " ".join(piece.split())))
    lines = [_NUMBER.sub(r"\1\\", _LINE_START.sub(r"\\", line)) for line in piece.split("\n")]
    return (": " if tag == _DD else "") + _spans("\n".join(lines))


def _spans(piece: str) -> str:
    """Inline code in backquotes, more of them than any run inside it."""

    def quoted(found: re.Match[str]) -> str:
        code = found[1]
        fence = "`" * (1 + _longest_run(code))
        pad = " " if code[:1] == "`" or code[-1:] == "`" else ""
        return f"{fence}{pad}{code}{pad}{fence}"

    return _INLINE_CODE.sub(quoted, piece)


def _code(piece: str, markdown: bool) -> str:
    fence = "`" * max(3, 1 + _longest_run(piece))
    return f"{fence}\n{piece}\n{fence}" if markdown else piece


def _longest_run(piece: str) -> int:
    return max(map(len, re.findall("`+", piece)), default=0)


def _table(cells: list[tuple[list[int], str]], markdown: bool) -> str:
    """Rows of cells; columns without any text are left out."""
    used = {column: number for number, column in enumerate(sorted({row[COLUMN] for row, _ in cells}))}
    lines = []
    for _, group in groupby(cells, lambda cell: cell[0][ROW]):
        line: dict[int, str] = {}
        for row, piece in group:
            number = used[row[COLUMN]]
            line[number] = " ".join((line.get(number, ""), *piece.split())).strip()
        lines.append(line)
    if not markdown:
        return "\n".join(" | ".join(line.values()) for line in lines)
    written: list[str] = []
    for line in lines:
        width = max(line) + 1 if written else len(used)
        texts = [_CELL_MARK.sub(r"\\\g<0>", _spans(line.get(number, ""))) for number in range(width)]
        written.append(f"| {' | '.join(texts)} |")
        if len(written) == 1:
            written.append("|" + " --- |" * width)
    return "\n".join(written)


def _data_tables(rows: list[list[int]], pieces: list[str], nodes: np.ndarray, context: np.ndarray) -> set[int]:
    """Tables with two rows or more, two cells in one of them, short cells, and no table in them."""
    counted: dict[int, dict[int, set[int]]] = {}
    chars: Counter[int] = Counter()
    for row, piece in zip(rows, pieces, strict=True):
        if row[CELL] >= 0:
            counted.setdefault(row[TABLE], {}).setdefault(row[ROW], set()).add(row[CELL])
            chars[row[TABLE]] += len(piece)
    if not counted:
        return set()
    outer = set(context[nodes[nodes[:, h.TAG] == _TABLE, h.PARENT], TABLE].tolist())
    return {
        table
        for table, cells in counted.items()
        if table not in outer
        and len(cells) > 1
        and max(map(len, cells.values())) > 1
        and chars[table] <= _MAX_CELL * sum(map(len, cells.values()))
    }
