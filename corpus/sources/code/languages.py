"""Which programming language a file is in, by its name, in the names of GitHub Linguist.

The order of Linguist's strategies, without its classifier: the whole name (`Makefile`), the longest suffix
(`.blade.php` before `.php`), and for names without a known suffix the interpreter of a `#!` line. A suffix that
several languages share is settled by patterns (`ambiguous.tsv`), most of them with a preference at the end.
"""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

from corpus.errors import InputError

_HEAD = 32 << 10
_SHEBANG = re.compile(rb"\A#![ \t]*(\S+)(?:[ \t]+(.*))?")
_VERSION = re.compile(r"\.so\.\d|\d\.\d+$")
# Handwritten schemas and queries are code for a language model, whatever Linguist's statistics make of them.
_CODE_THOUGH_DATA = frozenset(
    ["SQL", "GraphQL", "Protocol Buffer", "FlatBuffers", "Prisma", "WebAssembly Interface Type"]
)
# Catalogues, fixtures, page descriptions, JSON with images inside: no one reads them as text.
_DATA_THOUGH_NOT = frozenset(
    ["Text", "Gettext Catalog", "Jupyter Notebook", "PostScript", "Rich Text Format", "G-code"]
)


@dataclass(frozen=True)
class _Table:
    types: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    suffixes: dict[str, str] = field(default_factory=dict)
    interpreters: dict[str, str] = field(default_factory=dict)
    shared: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


@functools.cache
def _table() -> _Table:
    table = _Table()
    for name, kind, suffixes, names, interpreters in _lines("languages.tsv", 5):
        table.types[name] = kind
        table.suffixes.update(dict.fromkeys(suffixes.split(), name))
        for known in names.split():
            table.names.setdefault(known, name)
        for interpreter in interpreters.split():
            table.interpreters.setdefault(interpreter, name)
    for suffixes, name, pattern in _lines("ambiguous.tsv", 3):
        for suffix in suffixes.split():
            table.shared.setdefault(suffix, []).append((name, pattern))
    return table


@functools.cache
def _pattern(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode(), re.MULTILINE)


def _lines(name: str, columns: int) -> list[list[str]]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [(line.split("\t") + [""] * columns)[:columns] for line in lines if not line.startswith("#")]


def candidates(name: str) -> tuple[str, ...]:
    """The languages that a file of this name (the last component of its path) may be in; empty when none is known."""
    table = _table()
    if known := table.names.get(name):
        return (known,)
    suffix = _suffix(name)
    if known := table.suffixes.get(suffix):
        return (known,)
    return tuple(dict.fromkeys(language for language, _ in table.shared.get(suffix, ())))


def decide(name: str, content: bytes) -> str | None:
    """The language of a file by name and content; of the content the first 32 KB are looked at."""
    found = candidates(name)
    if len(found) == 1 and not _needs_pattern(name):
        return found[0]
    if found:
        head = content[:_HEAD]
        lines = _table().shared[_suffix(name)]
        return next((language for language, pattern in lines if _pattern(pattern).search(head)), None)
    return _interpreter(content) if may_be_script(name) else None


def may_be_script(name: str) -> bool:
    """Whether a file without a known name is worth a look for its `#!` line: names without a suffix."""
    return "." not in name.lstrip(".")


def is_code(language: str) -> bool:
    """Whether the language is written by people: Linguist's programming, markup and prose, not its data.

    SQL, GraphQL and the schema languages count as code. Plain text, translation catalogues, notebooks, PostScript,
    RTF and G-code count as data.
    """
    return language in _CODE_THOUGH_DATA or (_table().types[language] != "data" and language not in _DATA_THOUGH_NOT)


def is_known(language: str) -> bool:
    """Whether it is one of Linguist's names."""
    return language in _table().types


def require_known(languages: tuple[str, ...], where: str) -> None:
    """Raise InputError for a name that is none of Linguist's."""
    known = _table().types
    for language in languages:
        if language not in known:
            folded = {name.lower(): name for name in known}
            near = difflib.get_close_matches(language.lower(), folded, 1, 0.5)
            hint = f"did you mean `{folded[near[0]]}`?" if near else "use GitHub Linguist's names"
            raise InputError(f"{where}: `code.languages` has no language `{language}`; {hint}")


def _suffix(name: str) -> str:
    """The longest suffix that is known, lower case; empty when none is, or it is a version (`libz.so.1`, `v1.2`)."""
    table, name = _table(), name.lower()
    if _VERSION.search(name):
        return ""
    at = name.find(".")
    while at >= 0:
        if name[at:] in table.suffixes or name[at:] in table.shared:
            return name[at:]
        at = name.find(".", at + 1)
    return ""


def _needs_pattern(name: str) -> bool:
    """Whether the one language of a suffix holds only where its pattern is found."""
    return name not in _table().names and _suffix(name) in _table().shared


def _interpreter(content: bytes) -> str | None:
    """The language of a `#!` line: `#!/usr/bin/env -S python3 -u`, `#!/bin/sh`, `#!/usr/bin/perl5.30`."""
    match = _SHEBANG.match(content[:256])
    if not match:
        return None
    words = b" ".join(word for word in match.groups() if word).decode("ascii", "replace").split()
    program = words.pop(0).rpartition("/")[2]
    if program == "env":
        program = next((word.rpartition("/")[2] for word in words if word[0] != "-" and "=" not in word), "")
    known = _table().interpreters
    return known.get(program) or known.get(re.sub(r"[\d.]+$", "", program))
