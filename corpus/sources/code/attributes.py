"""What `.gitattributes` say of a file: `linguist-generated`, `linguist-vendored`, `linguist-language`.

Patterns are gitignore's (gitattributes(5)): without a slash they match the name in any folder below the file's own,
with one the path from there; `*` stops at a slash, `**` does not. The nearest file wins, in it the last line.
"""

from __future__ import annotations

import fnmatch
import re
from typing import NamedTuple

NAME = ".gitattributes"
_ASKED = ("linguist-generated", "linguist-vendored", "linguist-language")
# One expression for each component of a path; None is `**`, any number of them.
_Pattern = tuple[re.Pattern[str] | None, ...]
_MAX_LINES, _MAX_PATTERN = 1000, 200


class Said(NamedTuple):
    """What is said of a file; None where nothing is."""

    generated: bool | None = None
    vendored: bool | None = None
    language: str | None = None


class Attributes:
    """The `.gitattributes` of one repository; at most 1,000 lines of each are looked at."""

    def __init__(self) -> None:
        self._rules: dict[str, list[tuple[_Pattern, dict[str, str]]]] = {}

    def add(self, path: str, content: bytes) -> None:
        """Takes the file at `path`."""
        rules = [rule for line in content.decode("utf-8", "replace").splitlines()[:_MAX_LINES] if (rule := _rule(line))]
        self._rules[path.rpartition("/")[0]] = rules

    def of(self, path: str) -> Said:
        """What they say of the file at `path`."""
        if not self._rules:
            return Said()
        values: dict[str, str] = {}
        parts = path.split("/")
        for depth in range(len(parts)):
            for pattern, stated in self._rules.get("/".join(parts[:depth]), ()):
                if _fits(pattern, parts[depth:]):
                    values |= stated
        flags = {"true": True, "false": False}
        generated, vendored = (flags.get(values.get(name, "")) for name in _ASKED[:2])
        return Said(generated, vendored, values.get("linguist-language") or None)


def _rule(line: str) -> tuple[_Pattern, dict[str, str]] | None:
    pattern, *attributes = line.split() or [""]
    stated = {}
    for attribute in attributes:
        name, equals, value = attribute.lstrip("-!").partition("=")
        if name in _ASKED:
            default = {"-": "false", "!": ""}.get(attribute[0], "true")
            stated[name] = (value if name == _ASKED[2] else value.lower()) if equals else default
    if not stated or pattern.startswith("#") or len(pattern) > _MAX_PATTERN:
        return None
    return _pattern(pattern), stated


def _pattern(pattern: str) -> _Pattern:
    parts = pattern.strip("/").split("/") if "/" in pattern.rstrip("/") else ["**", pattern]
    return tuple(None if part == "**" else re.compile(fnmatch.translate(part)) for part in parts)


def _fits(pattern: _Pattern, parts: list[str]) -> bool:
    """Whether the pattern matches the whole path; takes time in proportion to both lengths."""
    places = _reached(pattern, {0})
    for part in parts:
        stay = {place for place in places if place < len(pattern) and pattern[place] is None}
        ahead = {
            place + 1
            for place in places - stay
            if place < len(pattern) and (expression := pattern[place]) and expression.match(part)
        }
        places = _reached(pattern, stay | ahead)
    return len(pattern) in places


def _reached(pattern: _Pattern, places: set[int]) -> set[int]:
    """The places, and those behind a `**` that stands for nothing."""
    pending = list(places)
    while pending:
        place = pending.pop()
        if place < len(pattern) and pattern[place] is None and place + 1 not in places:
            places.add(place + 1)
            pending.append(place + 1)
    return places
