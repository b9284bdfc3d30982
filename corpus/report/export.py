"""A plain, self-contained table of the documents that are alive, for others."""

from __future__ import annotations

import json
import math
import os
import tempfile
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
from corpus.store import TEMPORARY, Table, fsync

Format = Literal["parquet", "jsonl"]
PII = "pii"
# What dedup works with; of no use outside.
_WORKING = ("text_bytes", "exact_key", "signature")


def export(
    outputs: Outputs,
    out: Path,
    form: Format,
    *,
    stage: str | None = None,
    force: bool = False,
    beat: Callable[[int], None] = lambda rows: None,
) -> int:
    """Write the documents alive after `stage` (None: after all) to the file `out`; returns how many.

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
    temporary: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=out.parent)
        os.close(handle)
        temporary = Path(name)
        write = _write_parquet if form == "parquet" else _write_jsonl
        rows = write(view, temporary, _masked(outputs, view), beat)
        fsync(temporary)
        temporary.chmod(0o644)
        temporary.replace(out)
        fsync(out.parent)
        temporary = None
    except OSError as error:
        raise CorpusError(f"{out}: cannot be written ({error.strerror or error}); nothing was left there") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
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
        stored = pq.read_schema(view.root / layer.step / f"{partition}.parquet")
        fields += [stored.field(name).remove_metadata() for name in layer.columns if name not in _WORKING]
    return pa.schema(fields)


def batches(view: View, wanted: pa.Schema, mask: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
    """Living documents, in the order of partitions, of schema `wanted`; the kinds of personal data `mask` are hidden
    in titles and authors, as the text's edits hide them there."""
    import hashlib

    edited = any(layer.edits for layer in view.layers)
    for partition in view.partitions():
        for batch in view.batches(partition, wanted.names):
            if edited:
                text = batch.column("text")
                shas = [hashlib.sha256(value.as_buffer()).digest() for value in text]
                batch = batch.set_column(wanted.names.index("bytes"), "bytes", pc.binary_length(text))
                batch = batch.set_column(wanted.names.index("content_sha"), "content_sha", pa.array(shas))
            table = pa.Table.from_batches([batch]).cast(wanted)
            yield hide(table, ("title", "author"), mask).combine_chunks().to_batches()[0]


def _write_parquet(view: View, path: Path, mask: Collection[str], beat: Callable[[int], None]) -> int:
    wanted = schema(view)
    table = Table(path, wanted)
    try:
        for batch in batches(view, wanted, mask):
            table.write(batch)
            beat(len(batch))
    finally:
        table.close()
    return table.rows


def _write_jsonl(view: View, path: Path, mask: Collection[str], beat: Callable[[int], None]) -> int:
    rows = 0
    with path.open("w", encoding="utf-8") as out:
        for batch in batches(view, schema(view), mask):
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
