"""A labelled sample: a file with a column of language codes and one of texts, its kind known by the suffix."""

from __future__ import annotations

import codecs
import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from corpus.errors import InputError
from corpus.report.text import excerpt

LONGEST = 16 << 20  # bytes of a line, characters of a field of CSV
LONGEST_CODE, MOST_CODES = 64, 10_000  # BCP 47 asks for room for 35 characters; GlotLID knows 2,100 languages
_ROWS, _CHARS = 4096, 4 << 20
_SHOWN = 80  # characters of the columns' names in a message


class Sample:
    """Rows in batches; what cannot be used is counted in `bad` by reason.

    `.csv` holds RFC 4180, `.jsonl` and `.ndjson` an object a line, anything else columns divided by tabs. A column is a
    number from 1 (by default 1 and 2) or, of the first line, a name; of an object a key (by default `language` and
    `text`). Of a text the first `max_chars` characters are kept. Raises InputError for a file or a column that is not
    there.
    """

    def __init__(
        self,
        path: Path,
        language: str | None = None,
        text: str | None = None,
        header: bool = False,
        max_chars: int | None = None,
    ) -> None:
        self.bad: Counter[str] = Counter()
        self._path, self._max_chars = path, max_chars
        self._line = 0
        self._codes: dict[str, str] = {}
        self._names: list[str] = []
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); give a .tsv, .csv or .jsonl file") from error
        if self._file.peek(3)[:3] == codecs.BOM_UTF8:
            self._file.read(3)
        suffix = path.suffix.lower()
        self._records: Iterator[list[str]]
        if suffix in (".jsonl", ".ndjson"):
            self._records = self._objects(language or "language", text or "text")
            self._language, self._text = 0, 1
            return
        language, text = language or "1", text or "2"
        self._records = self._csv() if suffix == ".csv" else (line.rstrip("\r\n").split("\t") for line in self._lines())
        if header or not (language.isdecimal() and text.isdecimal()):
            self._names = next(self._records, [])
        self._language, self._text = self._column(language), self._column(text)

    def faults(self) -> str:
        """`3 blank, 1 no text`: what `bad` counts."""
        return ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.bad.items()))

    def way_out(self) -> str:
        """What to look at where no row could be used."""
        has = f"it has the columns {self._shown()}; " if self._names else ""
        return f"{has}see --language-column, --text-column and --header"

    def batches(self) -> Iterator[tuple[list[str], list[str]]]:
        """(codes, texts) of up to 4,096 rows or some 4 million characters.

        Raises InputError, with the line, for codes so long or so many that the column can hold none.
        """
        codes: list[str] = []
        texts: list[str] = []
        room = _CHARS
        with self._file:
            for record in self._records:
                row = self._row(record)
                if row is not None:
                    codes.append(self._code(row[0]))
                    texts.append(row[1])
                    room -= len(row[1])
                if len(codes) == _ROWS or room < 0:
                    yield codes, texts
                    codes, texts, room = [], [], _CHARS
        if codes:
            yield codes, texts

    def _code(self, code: str) -> str:
        """The one string that stands for it."""
        if code not in self._codes:
            odd = f"{len(code):,} characters" if len(code) > LONGEST_CODE else ""
            odd = odd or (f"{MOST_CODES + 1:,} different ones" if len(self._codes) >= MOST_CODES else "")
            if odd:
                raise InputError(
                    f"{self._path}:{self._line}: {excerpt(code, 20)!r} is no language code ({odd}); {self.way_out()}"
                )
        return self._codes.setdefault(code, code)

    def _shown(self) -> str:
        return excerpt(", ".join(self._names), _SHOWN)

    def _column(self, name: str) -> int:
        names = self._names
        if name in names:
            return names.index(name)
        if name.isdecimal() and int(name) > 0 and (not names or int(name) <= len(names)):
            return int(name) - 1
        there = self._shown() if names else "numbers from 1"
        alone = " (one column: a .tsv is divided by tabs, a .csv by commas)" if len(names) == 1 else ""
        raise InputError(f"{self._path}: no column {name!r}; there are: {there}{alone}")

    def _lines(self) -> Iterator[str]:
        """With their ends; bytes that are not UTF-8 as lone surrogates."""
        while line := self._file.readline(LONGEST):
            self._line += 1
            if len(line) < LONGEST:
                yield line.decode("utf-8", "surrogateescape")
                continue
            self.bad[f"over {LONGEST >> 20} MB"] += 1
            while line and not line.endswith(b"\n"):
                line = self._file.readline(LONGEST)

    def _csv(self) -> Iterator[list[str]]:
        csv.field_size_limit(LONGEST)
        records = csv.reader(self._lines(), strict=True)
        while True:
            try:
                yield next(records)
            except csv.Error:
                self.bad["not CSV"] += 1
            except StopIteration:
                return

    def _objects(self, *keys: str) -> Iterator[list[str]]:
        for line in self._lines():
            if not line.strip():
                yield []
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, dict):
                self._names = self._names or list(found)
                yield [value if isinstance(value := found.get(key), str) else "" for key in keys]
            else:
                self.bad["not a JSON object"] += 1

    def _row(self, record: list[str]) -> tuple[str, str] | None:
        if record in ([], [""]):
            self.bad["blank"] += 1
            return None
        if len(record) <= max(self._language, self._text):
            self.bad["too few columns"] += 1
            return None
        language, text = record[self._language].strip(), record[self._text]
        # Blank or not is judged of the whole text, all else of what the model looks at.
        blank = not text.strip()
        text = text[: self._max_chars]
        try:
            f"{language}{text}".encode()
        except UnicodeEncodeError:
            self.bad["not UTF-8"] += 1
            return None
        if not language:
            self.bad["no language"] += 1
        elif blank:
            self.bad["no text"] += 1
        else:
            return language, text
        return None
