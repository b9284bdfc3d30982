"""Stage `extract`: source records to the base table of documents; what gives no document goes to the ledger."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.documents import DOCUMENT, ID, LEDGER, document_id
from corpus.ledger import judge
from corpus.plan import Step, Task
from corpus.recipe import Recipe
from corpus.store import Writer


def steps(recipe: Recipe) -> list[Step]:
    from corpus.extract import extractor_label

    version = f"1, {extractor_label(recipe.extract)}"
    return [Step("extract", "corpus.extract.stage:extract", version, recipe.extract)]


def extract(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """One partition of a source. Ledger rules: what the source found wrong with a record, or the page's outcome."""
    from corpus.extract import extractor_label
    from corpus.extract.guard import Guard
    from corpus.sources import read

    assert task.piece is not None
    assert task.source is not None
    documents, ledger = out.table(DOCUMENT), out.table(LEDGER, "ledger")
    skipped: Counter[str] = Counter()
    label = extractor_label(task.step.config)
    with Guard(task.step.config) as guard:
        for batch in read(task.piece, task.source, skipped):
            locators = batch.column("locator").to_pylist()
            ids = pa.array([document_id(task.piece.source, locator) for locator in locators], ID)
            pages = guard.extract(batch)
            outcome = pages.column("outcome")
            failed = np.flatnonzero(pc.not_equal(outcome, "ok").to_numpy(zero_copy_only=False))
            taken = pa.array(failed)
            failures = pa.table(
                {
                    "row": failed.astype(np.int64),
                    "rule": outcome.take(taken),
                    "value": pages.column("value").take(taken),
                    "threshold": pages.column("threshold").take(taken),
                    "detail": pages.column("detail").take(taken),
                }
            )
            verdict = judge(ids, failures, {name: batch.column(name) for name in ("url", "locator")})
            ledger.write(verdict.ledger)
            kept = _documents(task.piece.source, label, ids, batch, pages).filter(pa.array(verdict.keep))
            documents.write(kept)
            out.count(len(ids), kept.num_rows, verdict.dropped)
            beat(len(ids))
    if skipped:
        out.facts["skipped"] = dict(sorted(skipped.items()))
    out.facts["warnings"] = _warnings(task, out, skipped)


def _documents(source: str, label: str, ids: pa.Array, batch: pa.RecordBatch, pages: pa.RecordBatch) -> pa.RecordBatch:
    rows = len(ids)
    text = pc.coalesce(pages.column("text").cast(pa.large_string()), pa.scalar("", pa.large_string()))
    shas = [hashlib.sha256(value.as_buffer() if value.is_valid else b"").digest() for value in text]
    plain = pc.equal(batch.column("media_type"), "text/plain")
    columns = {
        "id": ids,
        "text": text,
        "source": pa.repeat(pa.scalar(source), rows),
        "content_sha": pa.array(shas, pa.binary(32)),
        "bytes": pc.binary_length(text).cast(pa.int64()),
        "extractor": pc.if_else(pc.coalesce(plain, pa.scalar(False)), "none", label),
        "url": batch.column("url"),
        "locator": batch.column("locator"),
    }
    # What the page says of itself comes before what its record says; the guard has put them together.
    for name in ("date", "title", "author", "declared_language"):
        columns[name] = pages.column(name)
    return pa.RecordBatch.from_arrays(
        [columns[schema_field.name].cast(schema_field.type) for schema_field in DOCUMENT], schema=DOCUMENT
    )


def _warnings(task: Task, out: Writer, skipped: Counter[str]) -> list[str]:
    """One line each for what a person should hear of while the run goes on."""
    assert task.piece is not None
    names = ", ".join(file.relative for file in task.piece.files[:3])
    found = []
    if empty := skipped.get("empty_file"):
        found.append(f"{task.piece.source}: {names}: {empty} empty file(s), no record inside")
    if damaged := out.dropped.get("damaged"):
        found.append(
            f"{task.piece.source}: {names}: {damaged} damaged record(s) or range(s) left out; "
            f"`corpus sample {task.root.name} --dropped damaged` shows where"
        )
    if out.rows_in and out.dropped.get("no_text") == out.rows_in:
        column = (task.source.columns if task.source else {}).get("text", "text")
        found.append(
            f"{task.piece.source}: {names}: no record has text in `{column}`; name the column that has it: "
            "`columns: {text: NAME}` in the recipe, --text-column NAME on the command line"
        )
    return found
