"""A plain, self-contained table of the documents that are alive, for others."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dataset import View
from corpus.documents import DOCUMENT
from corpus.errors import CorpusError
from corpus.pii.hide import hide
from corpus.pii.stage import DECISION
from corpus.plan import Step
from corpus.report.outputs import Outputs, changes, lateness
from corpus.store import Table, published, stored

Format = Literal["parquet", "jsonl"]
PII = "pii"
# What dedup works with; of no use outside.
_WORKING = ("text_bytes", "url_key", "exact_key", "signature")


def export(
    outputs: Outputs,
    out: Path,
    form: Format,
    *,
    stage: str | None = None,
    columns: Sequence[str] = (),
    force: bool = False,
    beat: Callable[[int], None] = lambda rows: None,
) -> int:
    """Write the documents alive after `stage` (None: after all) to the file `out`; returns how many.

    With `columns` these alone, in their order.

    Text has every edit applied; `bytes` and `content_sha` are those of the text as written. In JSONL ids and digests
    are hexadecimal, and what is not a number is null. The file appears whole or not at all. Raises CorpusError when
    `stage` (None: any that adds, filters or edits documents) is not up to date, when the file is there already and
    `force` is not given, or when it cannot be written.
    """
    if stage is not None:
        outputs.require(stage)
    elif behind := [step for step in outputs.behind if changes(step)]:
        raise CorpusError(_unsettled(outputs, behind))
    view = outputs.view(outputs.last_of(stage))
    if out.is_dir():
        raise CorpusError(f"{out}: is a folder; name a file")
    if out.exists() and not force:
        raise CorpusError(f"{out}: is there already; choose another name, or add --force to replace it")
    wanted = chosen(schema(view), columns) if columns else schema(view)
    with published(out) as temporary:
        write = _write_parquet if form == "parquet" else _write_jsonl
        rows = write(view, wanted, temporary, _masked(outputs, view), beat)
    return rows


def _unsettled(outputs: Outputs, behind: Sequence[Step]) -> str:
    late = outputs.late()
    done = [step.stage for step in outputs.done if step.stage not in late]
    more = f", or add `--stage {done[-1]}` for the documents as that stage left them" if done else ""
    return (
        f"{outputs.root}: {lateness({step.name: late[step.stage] for step in behind})}; "
        f"`corpus run {outputs.root}` brings all up to date{more}"
    )


def unmasked(outputs: Outputs, stage: str | None) -> bool:
    """Whether what the recipe masks or drops as personal data still stands in the documents after `stage`."""
    config = outputs.recipe.pii
    stages = [step.stage for step in outputs.steps]
    if config is None or stage is None or stages.index(stage) >= stages.index(PII):
        return False
    return bool(config.kinds("mask") or config.kinds("drop"))


def _masked(outputs: Outputs, view: View) -> Collection[str]:
    """The kinds of personal data that the recipe masks, once that was done."""
    config = outputs.recipe.pii
    done = config is not None and any(layer.step == DECISION for layer in view.layers)
    return config.kinds("mask") if config is not None and done else ()


def schema(view: View) -> pa.Schema:
    """The columns of the documents and of every layer, but for dedup's working columns."""
    fields = list(DOCUMENT)
    partition = view.partitions()[0]
    for layer in view.layers:
        path = view.root / layer.step / f"{partition}.parquet"
        with stored(path):
            found = pq.read_schema(path)
        fields += [found.field(name).remove_metadata() for name in layer.columns if name not in _WORKING]
    return pa.schema(fields)


def chosen(all_: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    """The `columns` of a schema, in their order. Raises CorpusError for one that it lacks, or that is there twice."""
    for name in columns:
        if name not in all_.names:
            near = difflib.get_close_matches(name, all_.names, n=1)
            more = f"did you mean {near[0]}?" if near else f"there are {', '.join(all_.names)}"
            raise CorpusError(f"--columns: no column {name!r}; {more}")
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise CorpusError(f"--columns: {twice[0]} is there twice")
    return pa.schema([all_.field(name) for name in columns])


def batches(view: View, wanted: pa.Schema, mask: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
    """Living documents, in the order of partitions, of schema `wanted`; the kinds of personal data `mask` are hidden
    in titles and authors, as the text's edits hide them there."""
    import hashlib

    edited = any(layer.edits for layer in view.layers)
    of_text = [name for name in ("bytes", "content_sha") if edited and name in wanted.names]
    extra = ["text"] if of_text and "text" not in wanted.names else []
    for partition in view.partitions():
        for batch in view.batches(partition, [*wanted.names, *extra]):
            for name in of_text:
                text = batch.column("text")
                shas = (hashlib.sha256(value.as_buffer()).digest() for value in text)
                now = pc.binary_length(text) if name == "bytes" else pa.array(shas, pa.binary())
                batch = batch.set_column(batch.schema.get_field_index(name), name, now)
            table = pa.Table.from_batches([batch]).select(wanted.names).cast(wanted)
            yield hide(table, ("title", "author"), mask).combine_chunks().to_batches()[0]


def _write_parquet(
    view: View, wanted: pa.Schema, path: Path, mask: Collection[str], beat: Callable[[int], None]
) -> int:
    table = Table(path, wanted)
    try:
        for batch in batches(view, wanted, mask):
            table.write(batch)
            beat(len(batch))
    finally:
        table.close()
    return table.rows


def _write_jsonl(view: View, wanted: pa.Schema, path: Path, mask: Collection[str], beat: Callable[[int], None]) -> int:
    rows = 0
    with path.open("w", encoding="utf-8") as out:
        for batch in batches(view, wanted, mask):
            for row in batch.to_pylist():
                out.write(json.dumps(jsonable(row), ensure_ascii=False) + "\n")
            rows += len(batch)
            beat(len(batch))
    return rows


def jsonable(value: Any) -> Any:
    """Bytes as hexadecimal, NaN and infinities as None."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
