"""Reading a dataset: the base table, what later steps dropped, the columns they added and the edits they made.

Text is written once. Each later step holds, in the base table's order, the ids of its documents and its own columns;
a reader merges them as streams, by id, so nothing is positional and memory stays flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.documents import DOCUMENT
from corpus.errors import CorpusError, StoredError
from corpus.store import StepFolder, read_table, table_name

EDITED_BYTES = "edited_bytes"
"""Can be read like a column: UTF-8 bytes of the text with every edit applied, reckoned from the spans alone."""


@dataclass(frozen=True)
class Layer:
    """A step over the base table: `step` names its folder; `columns` are those that it adds.

    With `filters`, only the ids in its table are alive after it; with `edits`, it changed spans of the text.
    """

    step: str
    columns: tuple[str, ...] = ()
    filters: bool = False
    edits: bool = False


class Cursor:
    """A layer's table, read forward in step with the base table."""

    def __init__(self, path: Path, columns: list[str], once: bool = True) -> None:
        """`once`: no id has two rows."""
        self._path, self._batches, self._once = path, read_table(path, ["id", *columns]), once
        self._rest: pa.Table | None = None

    def match(self, ids: pa.Array) -> tuple[np.ndarray, pa.Table | None]:
        """(int64 positions in `ids`, the rows that belong to them); rows of later ids stay for the next call."""
        positions: list[np.ndarray] = []
        rows: list[pa.Table] = []
        while True:
            if self._rest is None or self._rest.num_rows == 0:
                batch = next(self._batches, None)
                if batch is None:
                    break
                self._rest = pa.Table.from_batches([batch])
                continue
            here = self._rest.column("id").combine_chunks()
            if self._once and not rows and here.slice(0, len(ids)).equals(ids):
                # Nothing was dropped before: no id has to be looked up.
                table, self._rest = self._rest.slice(0, len(ids)), self._rest.slice(len(ids))
                return np.arange(len(ids)), table
            found = pc.index_in(here, value_set=ids)
            taken = len(found) - found.null_count
            positions.append(self._ascending(found.slice(0, taken)))
            rows.append(self._rest.slice(0, taken))
            self._rest = self._rest.slice(taken)
            if self._rest.num_rows:
                break
        if not rows:
            return np.zeros(0, np.int64), None
        return np.concatenate(positions), pa.concat_tables(rows)

    def _ascending(self, found: pa.Array) -> np.ndarray:
        if not found.null_count:
            positions = found.to_numpy(zero_copy_only=False).astype(np.int64)
            if (np.diff(positions) >= 0).all():
                return positions
        raise self._foreign()

    def finish(self) -> None:
        if (self._rest is not None and self._rest.num_rows) or next(self._batches, None) is not None:
            raise self._foreign()

    def _foreign(self) -> CorpusError:
        return StoredError(
            f"{self._path}: holds ids that the base table lacks or in another order; remove its folder", self._path
        )


@dataclass(frozen=True)
class View:
    """The documents of an output folder as they stand after `layers` (the first is the base table)."""

    root: Path
    layers: tuple[Layer, ...]
    base: str = "extract"

    @property
    def columns(self) -> set[str]:
        """Every column that can be read."""
        return set(DOCUMENT.names).union(*(layer.columns for layer in self.layers))

    def _path(self, step: str, partition: str, kind: str = "") -> Path:
        return self.root / step / table_name(partition, kind)

    def partitions(self) -> list[str]:
        return list(StepFolder(self.root / self.base).entries())

    def _needed(self, columns: list[str]) -> list[Layer]:
        columns, edited = list(map(_whole, columns)), _edited(columns)
        return [
            layer
            for layer in self.layers
            if layer.filters or set(layer.columns) & set(columns) or (layer.edits and edited)
        ]

    def inputs(self, partition: str, columns: list[str]) -> dict[str, str]:
        """name -> sha256 of exactly the committed files that `batches(partition, columns)` reads."""
        found: dict[str, str] = {}
        for layer in [Layer(self.base), *self._needed(columns)]:
            entry = StepFolder(self.root / layer.step).entry(partition)
            if entry is None:
                step = self.root / layer.step
                raise StoredError(f"{step}: partition {partition} is not committed; run it first", step)
            wanted = {f"{partition}.parquet"}
            if layer.edits and _edited(columns):
                wanted.add(table_name(partition, "edits"))
            found |= {f"{layer.step}/{f.path}": f.sha256 for f in entry.files if f.path in wanted}
        return found

    def batches(self, partition: str, columns: list[str], rows: int = 4096) -> Iterator[pa.RecordBatch]:
        """Living documents of a partition, in base order: `columns` as asked, text with every edit applied.

        `signals.words` reads one field of a struct alone; the column is then a struct of the fields that were asked
        for. Raises CorpusError for a column that no step adds, or that the stored files lack.
        """
        if unknown := [name for name in columns if _whole(name) not in self.columns | {EDITED_BYTES}]:
            raise CorpusError(f"no column {', '.join(unknown)}; there are: {', '.join(sorted(self.columns))}")
        wanted = dict.fromkeys(map(_whole, columns)).keys()
        base_columns = [name for name in DOCUMENT.names if name in columns and name != "id"]
        if sized := EDITED_BYTES in columns:
            base_columns = [*dict.fromkeys([*base_columns, "bytes"])]
        layers = self._needed(columns)
        cursors = [
            Cursor(self._path(layer.step, partition), [c for c in columns if _whole(c) in layer.columns])
            for layer in layers
        ]
        editors = [
            Cursor(self._path(layer.step, partition, "edits"), ["start", "end", "replacement"], once=False)
            if layer.edits and _edited(columns)
            else None
            for layer in layers
        ]
        for batch in read_table(self._path(self.base, partition), ["id", *base_columns], rows):
            table = pa.Table.from_batches([batch])
            if sized:
                table = table.append_column(EDITED_BYTES, table.column("bytes"))
            for layer, cursor, editor in zip(layers, cursors, editors, strict=True):
                table = _merge(table, layer, cursor, self.root)
                if editor is not None:
                    table = _edit(table, editor)
            if table.num_rows:
                if lacking := wanted - set(table.column_names):
                    raise CorpusError(
                        f"{partition}: stored by another version, without {', '.join(sorted(lacking))}; run again"
                    )
                yield table.select(list(wanted)).combine_chunks().to_batches()[0]
        for cursor in [*cursors, *(e for e in editors if e is not None)]:
            cursor.finish()


@dataclass(frozen=True)
class Delivery(View):
    """The documents of an earlier delivery's folder, of several that a task reads.

    `before[k]` is the number, among these, of the delivery that this one calls `k`: it was made with them.
    """

    before: tuple[int, ...] = ()


def _whole(column: str) -> str:
    """The column of which `signals.words` names a field."""
    return column.partition(".")[0]


def _edited(columns: list[str]) -> bool:
    return "text" in columns or EDITED_BYTES in columns


def _merge(table: pa.Table, layer: Layer, cursor: Cursor, root: Path) -> pa.Table:
    """`table` restricted to the layer's documents if it filters, with the layer's columns added."""
    positions, rows = cursor.match(table.column("id").combine_chunks())
    if not layer.filters and len(positions) != table.num_rows:
        path = root / layer.step
        raise StoredError(f"{path}: holds {len(positions)} of {table.num_rows} documents; remove its folder", path)
    if len(positions) != table.num_rows:
        table = table.take(pa.array(positions))
    if rows is not None:
        for name in rows.column_names[1:]:
            table = table.append_column(name, rows.column(name))
    elif layer.filters:
        # An empty match has no table to take the types of its columns from, and no row to put them in.
        table = table.slice(0, 0)
    return table


def _edit(table: pa.Table, editor: Cursor) -> pa.Table:
    """`table` with what there is of `text` and EDITED_BYTES as after the edits."""
    positions, rows = editor.match(table.column("id").combine_chunks())
    if rows is None:
        return table
    names = table.column_names
    if EDITED_BYTES in names:
        size = table.column(EDITED_BYTES).to_numpy().copy()
        cut = rows.column("end").to_numpy() - rows.column("start").to_numpy()
        np.add.at(size, positions, pc.binary_length(rows.column("replacement")).to_numpy() - cut)
        table = table.set_column(names.index(EDITED_BYTES), EDITED_BYTES, pa.array(size))
    if "text" in names:
        from corpus.kernels.edits import apply_edits

        edits = rows.drop_columns(["id"]).append_column("row", pa.array(positions))
        text = apply_edits(table.column("text").combine_chunks(), edits)
        table = table.set_column(names.index("text"), "text", text)
    return table
