"""A few documents out of many: rows by id, documents by id, URL or locator, and their text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dataset import View
from corpus.documents import ID
from corpus.errors import CorpusError
from corpus.pii.hide import hidden, hide
from corpus.report.outputs import BASE, Outputs
from corpus.store import read_table, stored, table_name

ROWS, _FEW = 65_536, 1024
_HEX = re.compile(r"[0-9a-fA-F]{8,32}")
_NAMED = re.compile(r"(.+?#\d+):(.+)", re.DOTALL)  # the locator of a row that has an id of its own


@dataclass(frozen=True)
class Found:
    """A document: its id, its partition, its URL, and whether the base table has it (else the ledger of `extract`)."""

    id: bytes
    partition: str
    url: str | None
    extracted: bool


def fetch(path: Path, ids: Iterable[bytes], columns: list[str], *, bare: bool = False) -> pa.Table:
    """The rows of `ids` with `id` and `columns`, in the table's order; to be shown: personal data in the columns of
    `corpus.pii.hide.WORDS` is hidden, unless `bare`.

    Of row groups that hold none of the ids, only the ids are read, and the others up to the last of them. Raises
    StoredError when the file cannot be read.
    """
    wanted = pa.array(sorted(ids), ID)
    parts = []
    with stored(path), pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in ["id", *columns]])
        for group in range(file.num_row_groups):
            here = file.read_row_group(group, columns=["id"], use_threads=False).column("id")
            hits = pc.indices_nonzero(pc.is_in(here, value_set=wanted))
            if len(hits):
                parts.append(_rows(file, group, ["id", *columns], hits))
    found = pa.concat_tables([schema.empty_table(), *parts]).select(["id", *columns])
    return found if bare else hide(found)


def _rows(file: pq.ParquetFile, group: int, columns: list[str], hits: pa.Array) -> pa.Table:
    """The rows `hits` (ascending) of a row group."""
    parts, start, last = [], 0, hits[-1].as_py()
    for batch in file.iter_batches(_FEW, row_groups=[group], columns=columns, use_threads=False):
        here = hits.filter(pc.and_(pc.greater_equal(hits, start), pc.less(hits, start + len(batch))))
        parts.append(pa.Table.from_batches([batch]).take(pc.subtract(here, start)))
        start += len(batch)
        if start > last:
            break
    return pa.concat_tables(parts)


def texts(view: View, partition: str, ids: Iterable[bytes]) -> dict[bytes, str]:
    """Text of some documents of a partition as it stands in `view`, edits applied; to be shown: personal data in it
    is hidden."""
    return {id_: hidden(text) for id_, text in bare_texts(view, partition, ids).items()}


def bare_texts(view: View, partition: str, ids: Iterable[bytes]) -> dict[bytes, str]:
    """The same with nothing hidden, for reckoning alone."""
    wanted = list(ids)
    rows = fetch(view.root / view.base / f"{partition}.parquet", wanted, ["text"], bare=True)
    found = dict(zip(rows.column("id").to_pylist(), rows.column("text").to_pylist(), strict=True))
    for layer in view.layers:
        if layer.edits:
            for id_, spans in edits(view.root / layer.step / table_name(partition, "edits"), wanted).items():
                found[id_] = spliced(found[id_], spans)
    return found


def edits(path: Path, ids: Iterable[bytes]) -> dict[bytes, list[dict[str, Any]]]:
    """id -> its spans (`start`, `end`, `replacement`, `rule`), in order."""
    found: dict[bytes, list[dict[str, Any]]] = {}
    for row in fetch(path, ids, ["start", "end", "replacement", "rule"]).to_pylist():
        found.setdefault(row.pop("id"), []).append(row)
    return found


def spliced(text: str, spans: list[dict[str, Any]]) -> str:
    """`text` with its spans (UTF-8 bytes, sorted, disjoint) replaced."""
    data, parts, at = text.encode(), [], 0
    for span in spans:
        parts += [data[at : span["start"]], span["replacement"].encode()]
        at = span["end"]
    return b"".join([*parts, data[at:]]).decode("utf-8", "replace")


def scan(outputs: Outputs) -> Iterator[tuple[str, bool, pa.RecordBatch]]:
    """(partition, whether extracted, batch of id, url and locator) of every document that was ever read."""
    for partition in outputs.partitions:
        for extracted, kind in ((True, ""), (False, "ledger")):
            for batch in read_table(outputs.table(BASE, partition, kind), ["id", "url", "locator"], ROWS):
                yield partition, extracted, batch


def find(outputs: Outputs, query: str) -> list[Found]:
    """The documents whose id begins with `query` (8 to 32 hexadecimal digits), or whose URL or locator it is; else the
    one whose locator (`FILE#ROW:ID`) has it as `ID`, or as `FILE#ROW`.

    Several documents may share a URL. Raises CorpusError when there is none, when several ids begin so, or when
    several locators have it.
    """
    prefix = query.lower() if _HEX.fullmatch(query) else None
    by_id: list[Found] = []
    by_name: list[Found] = []
    by_row: dict[str, list[Found]] = {}
    for partition, extracted, batch in scan(outputs):
        named = pc.or_kleene(pc.equal(batch.column("url"), query), pc.equal(batch.column("locator"), query))
        by_name += _found(batch.filter(pc.fill_null(named, False)), partition, extracted)
        for locator, rows in _rows_called(batch, query):
            by_row.setdefault(locator, []).extend(_found(rows, partition, extracted))
        if prefix is not None:
            whole = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
            near = batch.filter(pc.starts_with(batch.column("id").cast(pa.binary()), pattern=whole))
            by_id += [item for item in _found(near, partition, extracted) if item.id.hex().startswith(prefix)]
    if len({item.id for item in by_id}) > 1:
        some = ", ".join(item.id.hex() for item in by_id[:3])
        raise CorpusError(f"{query}: {len(by_id)} ids begin so ({some}, ...); give more digits")
    if not by_id and not by_name:
        if len(by_row) > 1:
            more = ", ..." if len(by_row) > 3 else ""
            raise CorpusError(
                f"{query}: {len(by_row)} documents are called so ({', '.join(list(by_row)[:3])}{more}); "
                "give the whole locator"
            )
        by_name = [item for same in by_row.values() for item in same]
    if not by_id and not by_name:
        raise CorpusError(
            f"{query}: no document of {outputs.root} has this id, URL or locator; `corpus sample` shows some that are"
        )
    return list({item.id: item for item in [*by_id, *by_name]}.values())


def _rows_called(batch: pa.RecordBatch, query: str) -> Iterator[tuple[str, pa.RecordBatch]]:
    """(locator, its row) of the rows whose locator is `query` but for the id behind it, or has `query` as that id."""
    locators = batch.column("locator")
    near = pc.or_(pc.ends_with(locators, pattern=f":{query}"), pc.starts_with(locators, pattern=f"{query}:"))
    for row in pc.indices_nonzero(pc.fill_null(near, False)).to_pylist():
        parts = _NAMED.fullmatch(locators[row].as_py())
        if parts and query in parts.groups():
            yield parts[0], batch.slice(row, 1)


def urls(outputs: Outputs, ids: Iterable[bytes]) -> dict[bytes, str | None]:
    """id -> URL (or else locator) of documents of any partition."""
    wanted = pa.array(sorted(set(ids)), ID)
    found: dict[bytes, str | None] = {}
    if len(wanted):
        for _, _, batch in scan(outputs):
            rows = batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
            names = pc.coalesce(rows.column("url"), rows.column("locator"))
            found |= dict(zip(rows.column("id").to_pylist(), names.to_pylist(), strict=True))
    return found


def named(folder: Path, id_: bytes) -> tuple[str | None, str | None]:
    """(URL, locator) of a document of any output folder; (None, None) where it, or the folder, is gone."""
    for path in sorted((folder / BASE).glob("*.parquet")):
        for row in fetch(path, [id_], ["url", "locator"]).to_pylist():
            return row["url"], row["locator"]
    return None, None


def _found(rows: pa.RecordBatch, partition: str, extracted: bool) -> list[Found]:
    pairs = zip(rows.column("id").to_pylist(), rows.column("url").to_pylist(), strict=True)
    return [Found(id_, partition, url, extracted) for id_, url in pairs]
