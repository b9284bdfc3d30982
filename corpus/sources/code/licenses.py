"""The licence of each file of a repository, as an SPDX expression.

In this order, the first that states one:

1. `SPDX-License-Identifier:` lines in the first 4 KB of the file itself (several are joined by AND).
2. The nearest folder, from the file's own upward, that says anything. There, a licence file whose text is known; else
   the `license` of package metadata; else `LicenseRef-unknown` when there is a licence file of unknown text.
3. None: the repository states no licence.

A text is known when all its distinctive phrases are there (`licenses.tsv`). Several texts, in one file or in several,
are joined by AND, and so is `LicenseRef-unknown` where many words belong to no known text. Where metadata names the
same licences (`MIT OR Apache-2.0`, `GPL-3.0-or-later`), its expression stands: a text alone cannot say OR, or "or
later".
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from corpus.sources.code.package_metadata import from_metadata
from corpus.sources.code.spdx import UNKNOWN, join, plain, spdx_line

_FILE = re.compile(
    r"(?i)(?:[\w.]+[-_])?(?:un)?licen[cs]e(?:[-_. ][\w.+-]*)?|copying(?:[-_.][\w.+-]*)?|copyright(?:\.\w+)?"
)
# Lines that state or name a holder: `Copyright 2020 A. Person`, `Ada Lovelace`.
_HOLDER = re.compile(r"\W*(?i:copyright\b|\(c\)|©|all rights reserved|portions )|\W*(?:[A-Z][\w.'-]*\s*){1,5}$")
# A page that includes the text, or sends the reader to it.
_POINTER = re.compile(r"(?i)\.\./(?:un)?licen[cs]e|\.\./copying|(?:literal)?include::")
_OF_OTHERS = re.compile(r"(?i)third.?part|3rd.?part|bundled|header|template")
_TEXT_SUFFIX = re.compile(r"(?i)\.(txt|text|md|markdown|mkd|rst|adoc|html?)$")
_OTHER_SUFFIX = re.compile(r"(?i)\.(?!\d|lesser|gpl|lgpl|agpl|mit|bsd|apache|isc|mpl|cc)[a-z]\w*$")


def is_license_file(name: str) -> bool:
    """Whether a file of this name holds the text of a licence: `LICENSE`, `COPYING.LESSER`, `LICENSE-MIT.txt`."""
    if not _FILE.fullmatch(name) or _OF_OTHERS.search(name):
        return False
    return bool(_TEXT_SUFFIX.search(name)) or not _OTHER_SUFFIX.search(name)


def recognise(text: str) -> tuple[str, ...]:
    """The licences in the text, sorted SPDX ids; `LicenseRef-unknown` among them for a rest that is no known text."""
    lines = [line for line in text.splitlines() if not _HOLDER.match(line)]
    words_only, rest = plain(text), len(plain("\n".join(lines)).split())
    total = len(words_only.split())
    found: dict[str, int] = {}
    covered: set[str] = set()
    for name, words, covers, phrases in _texts():
        if total * 2 >= words and all(phrase in words_only for phrase in phrases):
            found[name] = max(found.get(name, 0), words)
            covered |= covers
    known = sum(words for name, words in found.items() if name not in covered)
    names = set(found) - covered
    if rest > known * 1.1 + 50:
        names.add(UNKNOWN)
    return tuple(sorted(names))


@functools.cache
def _texts() -> list[tuple[str, int, frozenset[str], tuple[str, ...]]]:
    lines = Path(__file__).with_name("licenses.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [
        (name, int(words), frozenset(covers.split()), tuple(phrases.split(" | ")))
        for name, words, covers, phrases in rows
    ]


class Licenses:
    """What the folders of one repository state; folders are `/` separated paths, the root is empty."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, tuple[str, ...]]] = {}
        self._metadata: dict[str, dict[str, str]] = {}
        self._known: dict[str, str | None] = {}

    def add_text(self, path: str, content: bytes) -> None:
        """Takes the licence file at `path`; it states nothing when blank, a pointer, or an unknown COPYRIGHT."""
        text = content.decode("utf-8", "replace")
        found = recognise(text) or (UNKNOWN,)
        is_notice = path.rpartition("/")[2].lower().startswith("copyright")
        says_nothing = UNKNOWN in found and (is_notice or (len(content) < 500 and _POINTER.search(text)))
        if content.strip() and not says_nothing:
            self._texts.setdefault(_folder(path), {})[path] = found

    def add_metadata(self, path: str, content: bytes) -> None:
        """Takes the package metadata at `path`; where a folder has several, the first in order of path counts."""
        if stated := from_metadata(path.rpartition("/")[2], content):
            self._metadata.setdefault(_folder(path), {})[path] = stated

    def of(self, path: str, content: bytes) -> str | None:
        """The licence of the file at `path`."""
        return spdx_line(content) or self._nearest(path.rpartition("/")[0])

    def _nearest(self, folder: str) -> str | None:
        if folder not in self._known:
            above, stated = folder, self._stated(folder)
            while above and not stated:
                above = above.rpartition("/")[0]
                stated = self._stated(above)
            self._known[folder] = stated
        return self._known[folder]

    def _stated(self, folder: str) -> str | None:
        texts = {name for found in self._texts.get(folder, {}).values() for name in found}
        if "LGPL-3.0-only" in texts:
            # It is written as permissions on top of the GPL, whose text lies beside it.
            texts.discard("GPL-3.0-only")
        metadata = min(self._metadata.get(folder, {}).items(), default=("", None))[1]
        known = texts - {UNKNOWN}
        if metadata and metadata != UNKNOWN:
            # One id says nothing of what stands beside its text; `Apache-2.0 OR MIT` explains a text of its own.
            same = _family(metadata) == _family(" ".join(known))
            if not known or (same and (known == texts or len(known) > 1)):
                return metadata
        return join(sorted(texts)) or metadata


def _folder(path: str) -> str:
    """The folder that a licence file speaks for: Python's metadata folders speak for the one that they are in."""
    folder = path.rpartition("/")[0]
    return re.sub(r"(^|/)[^/]+\.(dist|egg)-info(/licenses)?$", "", folder)


def _family(stated: str) -> set[str]:
    """The ids of an expression, whatever joins them and whether later versions are allowed."""
    words = re.sub(r"-(only|or-later)\b|\+", "", stated).replace("(", " ").replace(")", " ").split()
    return set(words) - {"AND", "OR", "WITH"}
