"""The lines of a page from which templates, links and tags are gone: headings, lists, paragraphs."""

from __future__ import annotations

import re
from typing import NamedTuple

GONE = "\x00"
"""Stands where something was dropped, so that what it leaves behind (brackets, spaces, lines) can go too."""

_SPACE = r"\s,;:，、；：\x00"
_OPEN_LEFT = re.compile(rf"([(（])([{_SPACE}]*+)([)）]?)")
_CLOSE_LEFT = re.compile(rf"(?<![{_SPACE}])([{_SPACE}]++)([)）])")
_LEFT = re.compile(r"(?<![ \x00])([ \x00]++)([.,;:!?)\]，、；：。）]|\Z)?")
_QUOTES = re.compile("'{2,}")
_ITEM = re.compile(r"[*#:;]+")
_RULE = re.compile("-{4,}")
_SPACES = re.compile(" {2,}")


class _Block(NamedTuple):
    """A line; `level` is a heading's 1 to 6, 0 for text, -1 for a blank line."""

    level: int
    text: str


def layout(text: str) -> str:
    """Headings and paragraphs between blank lines, list items on lines of their own; no heading without a text."""
    blocks: list[_Block] = []
    numbers: dict[int, int] = {}
    for raw in text.split("\n"):
        line = _tidy(raw) if GONE in raw else raw
        line = _SPACES.sub(" ", _unquote(line) if "''" in line else line).strip()
        item = _ITEM.match(line)
        if item is None or "#" not in item[0]:
            numbers.clear()
        if item is not None:
            body = line[item.end() :].strip()
            line = _marker(item[0], numbers) + body if body else ""
            if not line:
                continue
        elif line.startswith("=") and (heading := _heading(line)):
            blocks.append(heading)
            continue
        elif line.startswith("----"):
            line = _RULE.sub("", line, count=1).strip()
        if line:
            blocks.append(_Block(0, line))
        elif GONE not in raw:
            blocks.append(_Block(-1, ""))
    return _join(_with_text(blocks))


def _heading(line: str) -> _Block | None:
    begin, end = len(line) - len(line.lstrip("=")), len(line) - len(line.rstrip("="))
    level = min(begin, end, 6)
    title = line[level : len(line) - level].strip()
    return _Block(level, title) if level and title.strip("=") else None


def _marker(prefix: str, numbers: dict[int, int]) -> str:
    """`- ` or `3. `, indented by two spaces a level; nothing for `;` and `:`, which only move the text."""
    depth = len(prefix)
    indent = "  " * (depth - 1)
    if prefix[-1] == "#":
        for deeper in [key for key in numbers if key > depth]:
            del numbers[deeper]
        numbers[depth] = numbers.get(depth, 0) + 1
        return f"{indent}{numbers[depth]}. "
    return f"{indent}- " if prefix[-1] == "*" else ""


def _with_text(blocks: list[_Block]) -> list[_Block]:
    """Without headings that nothing follows before the next heading of their level or above."""
    found: list[_Block] = []
    following = 1  # the end closes every level
    for block in reversed(blocks):
        if block.level > 0 and 0 < following <= block.level:
            continue
        found.append(block)
        if block.level >= 0:
            following = block.level
    return found[::-1]


def _join(blocks: list[_Block]) -> str:
    parts: list[str] = []
    apart = False
    for block in blocks:
        if block.level == -1:
            apart = True
            continue
        if parts:
            parts.append("\n\n" if apart or block.level else "\n")
        parts.append(block.text)
        apart = block.level > 0
    return "".join(parts)


def _tidy(line: str) -> str:
    """Without what a dropped thing leaves: `( )`, `(; 1900)`, a space before a comma, two spaces."""
    line = _CLOSE_LEFT.sub(lambda match: match[2] if GONE in match[1] else match[0], _OPEN_LEFT.sub(_bracket, line))
    return _LEFT.sub(_gap, line)


def _bracket(match: re.Match[str]) -> str:
    if GONE not in match[2]:
        return match[0]
    return GONE if match[3] else match[1]


def _gap(match: re.Match[str]) -> str:
    run, mark = match[1], match[2]
    if GONE not in run:
        return match[0]
    return mark if mark is not None else " " if " " in run else ""


def _unquote(line: str) -> str:
    """Without the quotes of bold and italic; which quotes are apostrophes is decided as MediaWiki does (`doQuotes`)."""
    runs = list(_QUOTES.finditer(line))
    sizes = [{4: 3}.get(len(run[0]), min(len(run[0]), 5)) for run in runs]
    if sum(size in (3, 5) for size in sizes) % 2 and sum(size in (2, 5) for size in sizes) % 2:
        bold = [i for i, size in enumerate(sizes) if size == 3]
        before = {i: line[max(0, runs[i].start() - 2) : runs[i].start()] for i in bold}
        word = [i for i in bold if not before[i].endswith(" ")]
        letter = [i for i in word if before[i].startswith(" ")]
        for i in (letter or word or bold)[:1]:
            sizes[i] = 2
    parts, at = [], 0
    for run, size in zip(runs, sizes, strict=True):
        parts += [line[at : run.start()], "'" * (len(run[0]) - size)]
        at = run.end()
    return "".join([*parts, line[at:]])
