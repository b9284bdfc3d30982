"""A labelled sample: a tab-separated file with a column of language codes and one of texts."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from corpus.errors import InputError

LONGEST = 16 << 20  # bytes of a row
_ROWS = 4096


class Sample:
    """Rows in batches; what cannot be used is counted in `bad` by reason.

    A column is a number from 1 or, of the first line, a name. Raises InputError for a file or a column that is not
    there.
    """

    def __init__(self, path: Path, language: str = "1", text: str = "2", header: bool = False) -> None:
        self.bad: Counter[str] = Counter()
        self._path = path
        self._header = header or not (language.isdigit() and text.isdigit())
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); give a tab-separated file") from error
        if self._file.peek(3)[:3] == codecs.BOM_UTF8:
            self._file.read(3)
        names = self._line().rstrip(b"\r\n").decode("utf-8", "replace").split("\t") if self._header else []
        self._language, self._text = (self._column(name, names) for name in (language, text))

    def _line(self) -> bytes:
        """The next line; of one that is too long, its beginning."""
        line = self._file.readline(LONGEST)
        while len(line) >= LONGEST and not line.endswith(b"\n"):
            more = self._file.readline(LONGEST)
            if not more or more.endswith(b"\n"):
                break
        return line

    def _column(self, name: str, names: list[str]) -> int:
        if name in names:
            return names.index(name)
        if name.isdigit() and int(name) > 0 and (not names or int(name) <= len(names)):
            return int(name) - 1
        there = ", ".join(names) if names else "numbers from 1"
        raise InputError(f"{self._path}: no column {name!r}; there are: {there}")

    def batches(self) -> Iterator[tuple[list[str], list[str]]]:
        """(codes, texts) of up to 4,096 rows."""
        codes: list[str] = []
        texts: list[str] = []
        with self._file:
            while line := self._line():
                row = self._row(line)
                if row is not None:
                    codes.append(row[0])
                    texts.append(row[1])
                if len(codes) == _ROWS:
                    yield codes, texts
                    codes, texts = [], []
        if codes:
            yield codes, texts

    def _row(self, line: bytes) -> tuple[str, str] | None:
        if len(line) >= LONGEST:
            self.bad[f"over {LONGEST >> 20} MB"] += 1
            return None
        try:
            cells = line.decode("utf-8").rstrip("\r\n").split("\t")
        except UnicodeDecodeError:
            self.bad["not UTF-8"] += 1
            return None
        if cells == [""]:
            self.bad["blank"] += 1
        elif len(cells) <= max(self._language, self._text):
            self.bad["too few columns"] += 1
        elif not cells[self._language].strip():
            self.bad["no language"] += 1
        elif not cells[self._text].strip():
            self.bad["no text"] += 1
        else:
            return cells[self._language].strip(), cells[self._text]
        return None
