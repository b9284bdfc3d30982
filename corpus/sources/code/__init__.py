"""Code repositories: checkouts and archives. One source file is one document.

A repository is looked at twice: first for what it says of itself (licence files, package metadata, `.gitattributes`,
the members of an archive), then file by file. Nothing of an archive is written to disk.

A file that is no code by its name (images, data, configuration) is only counted; one that is code and still no
document is a row with a `problem`.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from corpus.sources.code.archive import ArchiveDamagedError
from corpus.sources.code.languages import candidates, decide, is_code, is_known, may_be_script, require_known
from corpus.sources.code.left_out import generated_mark, is_generated_name, is_vendored
from corpus.sources.code.licenses import is_license_file
from corpus.sources.code.repository import Entry, Repository, open_repository
from corpus.sources.config import CodeOptions, SourceConfig
from corpus.sources.inputs import InputFile
from corpus.sources.rows import Row, batches, valid
from corpus.sources.text import to_utf8

_BLANK = re.compile(rb"\s*\Z")


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The source files of one repository: a checkout's files, or one archive.

    The locator is the path (`REPO/src/a.py`), in an archive `archive#member`; `url` is the path in the repository.
    Problems: `vendored`, `generated`, `language` (a known one that the recipe does not take), `too_large`, `binary`,
    `unreadable`; of archives `encrypted`, `unsafe_path`, and `damaged` for a member, or for all behind it.
    Skipped: `data`, `no_code`, `license` (the licence texts themselves), `blank`, `link`, `special`, `replaced` (an
    archive's earlier member of the same name), `empty_file`.
    Raises InputError for a language that Linguist does not know.
    """
    options = config.code or CodeOptions()
    require_known(options.languages, f"source {config.name}")
    reader = _Reader(open_repository(files), options, config.max_record_bytes, skipped)
    return batches(reader.rows())


class _Reader:
    def __init__(self, repository: Repository, options: CodeOptions, limit: int, skipped: Counter[str]) -> None:
        self._repository = repository
        self._languages = frozenset(options.languages)
        self._limit = min(options.max_file_kb << 10, limit)
        self._skipped = skipped

    def rows(self) -> Iterator[Row]:
        try:
            for entry in self._repository.entries(self._skipped):
                row = entry if isinstance(entry, Row) else self._row(entry)
                if isinstance(row, Row):
                    yield row
                else:
                    self._skipped[row] += 1
        except ArchiveDamagedError as error:
            yield Row(self._repository.locator, problem="damaged", detail=valid(str(error))[:200])

    def _row(self, entry: Entry) -> Row | str:
        """The file's row, or as what it is skipped. What its name tells is settled before it is read."""
        name = entry.path.rpartition("/")[2]
        said = self._repository.attributes.of(entry.name)
        stated = said.language if said.language and is_known(said.language) else None
        possible = (stated,) if stated else candidates(name)
        if is_license_file(name):
            return "license"
        if possible and not any(self._wanted_kind(language) for language in possible):
            return "data"
        if not possible and (entry.size > self._limit or not may_be_script(name)):
            return "no_code"
        if possible:
            if problem := self._problem_of_path(entry, said.vendored, said.generated):
                return entry.row(problem)
            if self._languages.isdisjoint(possible) and self._languages:
                return entry.row("language", " or ".join(possible))
            if entry.size > self._limit:
                return entry.row("too_large", f"{entry.size} bytes, more than {self._limit}")
        content = entry.read(self._limit)
        if isinstance(content, Row):
            return content
        language = stated or decide(name, content)
        if not language or not self._wanted_kind(language):
            return "data" if language else "no_code"
        if not possible and (problem := self._problem_of_path(entry, said.vendored, said.generated)):
            return entry.row(problem)
        if self._languages and language not in self._languages:
            return entry.row("language", language)
        return self._document(entry, content, language, said.generated)

    def _document(self, entry: Entry, content: bytes, language: str, generated: bool | None) -> Row | str:
        if _BLANK.match(content):
            return "blank"
        if b"\0" in content and not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return entry.row("binary", "a NUL byte")
        text, charset = to_utf8(content)
        if b"\0" in text or (charset != "utf-8" and text.count(b"\xef\xbf\xbd") * 100 > len(text)):
            return entry.row("binary", f"not {charset}")
        if generated is None and (mark := generated_mark(text, language)):
            return entry.row("generated", mark)
        return entry.row()._replace(
            content=text,
            media_type="text/plain",
            charset=charset,
            license=self._repository.licenses.of(entry.name, text),
            programming_language=language,
        )

    def _problem_of_path(self, entry: Entry, vendored: bool | None, generated: bool | None) -> str | None:
        """`.gitattributes` come before what the path looks like."""
        if is_vendored(entry.path) if vendored is None else vendored:
            return "vendored"
        if is_generated_name(entry.path) if generated is None else generated:
            return "generated"
        return None

    def _wanted_kind(self, language: str) -> bool:
        return language in self._languages or is_code(language)
