"""CSV and TSV, plain or compressed: the first row names the columns, each other row is one document.

Not by Python's reader: behind a field over its limit it takes the middle of a record for the next one. Not by
pyarrow's: one record that does not fit a block, or a quote that is not closed, ends the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from corpus.errors import InputError
from corpus.kernels.csv_records import ILL_QUOTED, OPEN, QUOTED, START, WHOLE
from corpus.sources.charset import Utf8Stream
from corpus.sources.columns import METADATA, no_column
from corpus.sources.compressed import DAMAGE, open_stream
from corpus.sources.config import SourceConfig
from corpus.sources.csv_dialect import Dialect, Records, find_dialect
from corpus.sources.pieces import InputFile
from corpus.sources.rows import Row, batches

_STEP = 1 << 20
_SAMPLE = 1 << 18
_CAPACITY = 4096


def read(files: tuple[InputFile, ...], config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The rows of each file; the locator is `file#row`, from 1 behind the header (`file#row:id` where `id` is mapped).

    RFC 4180 and what `find_dialect` tells from it; any charset that `Utf8Stream` knows. Problems: `bad_csv` (another
    number of fields than the header, a quote that is not doubled or never closed), `too_large` (a record),
    `damaged`. Skipped: `blank_line`, `empty_file`. Raises InputError for a file that cannot be read, and for one
    whose header lacks a mapped column or has it twice.
    """
    return batches(row for file in files for row in _rows(file, config, skipped))


def _rows(file: InputFile, config: SourceConfig, skipped: Counter[str]) -> Iterator[Row]:
    where = f"source {config.name}: {file.path}"
    number = 0
    try:
        with open_stream(file.path) as stream:
            for row in _all_rows(Utf8Stream(stream), file.relative, config, where, skipped):
                number += 1
                yield row
    except DAMAGE as error:
        yield Row(f"{file.relative}#{number + 1}", problem="damaged", detail=f"compressed data: {error}")
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror or error}); restore the file") from error


def _all_rows(
    source: Utf8Stream, relative: str, config: SourceConfig, where: str, skipped: Counter[str]
) -> Iterator[Row]:
    """One for each record behind the header, but for blank lines."""
    begin = source.read(_STEP)
    if not begin.strip(b"\r\n"):
        skipped["empty_file"] += 1
        return
    final = source.ended and len(begin) <= _SAMPLE
    tabs = relative.lower().endswith((".tsv", ".tsv.gz", ".tsv.zst", ".tsv.bz2"))
    dialect, names = find_dialect(begin[:_SAMPLE], final, tabs, set(config.columns.values()))
    if not names and len(begin) < _SAMPLE:
        source.read(_STEP)  # raises what cut the header
    _check_header(names, config, where)
    wanted = sorted({names.index(name) for name in config.columns.values()})
    places = {ours: wanted.index(names.index(theirs)) for ours, theirs in config.columns.items()}
    text, key = places["text"], places.get("id")
    metadata = [(name, places[name]) for name in METADATA if name in places]
    records, columns, limit = Records(wanted, _CAPACITY), len(names), config.max_record_bytes
    number = -1  # so that the header is 0
    for data, gone in _blocks(begin, source, records, dialect, limit):
        start = -gone
        arrays = (records.ends, records.widths, records.marks, records.spans)
        for end, width, mark, spans in zip(*(array[: records.count].tolist() for array in arrays), strict=True):
            size, first = end - start, start
            start = end
            if width == 1 and first >= 0 and not data[first:end].strip(b" \r\n"):
                skipped["blank_line"] += 1
                continue
            number += 1
            if not number:
                continue
            locator = f"{relative}#{number}"
            if mark or width != columns or size > limit:
                problem, detail = _problem(size, width, mark, columns, limit)
                yield Row(locator, problem=problem, detail=detail)
                continue
            fields = [dialect.field(data[i:j]) if coded else data[i:j] for i, j, coded in spans]
            if key is not None and fields[key]:
                locator = f"{locator}:{fields[key].decode()}"
            strings: dict[str, Any] = {name: fields[place].decode() or None for name, place in metadata}
            yield Row(locator, content=fields[text], media_type="text/plain", charset=source.charset, **strings)
    if number < 1:
        skipped["empty_file"] += 1


def _problem(size: int, width: int, mark: int, columns: int, limit: int) -> tuple[str, str]:
    if mark == OPEN:
        return "bad_csv", f"a quote that is never closed takes the rest of the file, {size} bytes"
    if size > limit:
        return "too_large", f"more than {limit} bytes"
    if mark == ILL_QUOTED:
        return "bad_csv", "a quote inside a quoted field that is not doubled"
    return "bad_csv", f"{width} fields, the header has {columns}"


def _check_header(names: list[str], config: SourceConfig, where: str) -> None:
    if not names:
        raise InputError(f"{where}: no header in its first {_SAMPLE} bytes; the first row must name the columns")
    for ours, theirs in config.columns.items():
        if theirs not in names:
            raise InputError(f"{where}: {no_column(ours, theirs, names)}")
        if names.count(theirs) > 1:
            raise InputError(f"{where}: more than one column `{theirs}`; rename all but one, or map another")


def _blocks(
    data: bytes, source: Utf8Stream, records: Records, dialect: Dialect, limit: int
) -> Iterator[tuple[bytes, int]]:
    """(bytes, how many bytes of their first record went before them), `records` being split from them."""
    gone, state = 0, START
    while True:
        records.split(data, dialect, source.ended, state)
        if records.count:
            yield data, gone
            data, gone, state = data[records.ends[records.count - 1] :], 0, START
            if records.count == _CAPACITY:
                continue
        elif gone + len(data) > limit:
            # What it holds is let go; only its end is still looked for.
            gone, data, state = gone + records.stop, data[records.stop :], records.state
        if source.ended:
            break
        # Twice as much each time: a long record is scanned again from where it begins.
        data += source.read(max(_STEP, min(len(data), limit)))
    if gone:
        records.count = 1
        records.ends[0], records.widths[0], records.marks[0] = 0, 0, OPEN if state == QUOTED else WHOLE
        yield b"", gone
