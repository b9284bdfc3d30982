"""Stage `extract`: source records to the base table of documents; what gives no document goes to the ledger."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from corpus.documents import DOCUMENT, ID, LEDGER, document_id
from corpus.extract.admission import Admission, Refusals
from corpus.extract.config import ExtractConfig
from corpus.extract.pdf import PDF, pdf_label
from corpus.ledger import judge
from corpus.plan import FOLDER, Step, Task
from corpus.sources.remote import is_weak
from corpus.store import Writer

if TYPE_CHECKING:
    from corpus.recipe import Recipe

_FAILURE = pa.schema(
    [("row", pa.int64()), *((name, LEDGER.field(name).type) for name in ("rule", "value", "threshold", "detail"))]
)


def steps(recipe: Recipe) -> list[Step]:
    from corpus.extract import extractor_label

    config = recipe.extract
    version = f"3, {extractor_label(config)}"
    if any(source.kind == "pdf" for source in recipe.sources):
        version += f", {pdf_label()}"
    return [Step("extract", "corpus.extract.stage:extract", version, config, inputs=_lists(config))]


def _lists(config: ExtractConfig) -> tuple[tuple[str, str], ...]:
    """Digests of the lists of URLs that are named. Raises RecipeError and InputError where a rule means nothing."""
    if config.urls is None:
        return ()
    from corpus.extract.url_lists import list_digests
    from corpus.extract.urls import UrlRules

    UrlRules(config.urls, {})
    return tuple(list_digests(config.urls).items())


def extract(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """One partition of a source.

    Ledger rules: what the source found wrong with a record, what refused it (`url_blocked`, `url_not_allowed`,
    `opt_out_*`), or the page's outcome.
    """
    from corpus.extract import extractor_label
    from corpus.extract.guard import lasting_guard
    from corpus.sources import read

    assert task.piece is not None
    assert task.source is not None
    documents, ledger = out.table(DOCUMENT), out.table(LEDGER, "ledger")
    skipped: Counter[str] = Counter()
    label = extractor_label(task.step.config)
    admission = Admission(task.step.config, task.inputs)
    with lasting_guard(task.step.config) as guard:
        for batch in read(task.piece, task.source, skipped, task.work, beat):
            locators = batch.column("locator").to_pylist()
            ids = pa.array([document_id(task.piece.source, locator) for locator in locators], ID)
            refused = admission.judge(batch)
            pages = guard.extract(admission.marked(batch, refused))
            failures = _failures(pages, refused)
            verdict = judge(ids, failures, {name: batch.column(name) for name in ("url", "locator")})
            ledger.write(verdict.ledger)
            kept = _documents(task.piece.source, label, ids, batch, pages).filter(pa.array(verdict.keep))
            documents.write(kept)
            out.count(len(ids), kept.num_rows, verdict.dropped, verdict.failed)
            beat(len(ids))
    if admission.opted_out:
        out.facts["opt_out"] = dict(sorted(admission.opted_out.items()))
    if skipped:
        out.facts["skipped"] = dict(sorted(skipped.items()))
    out.facts["warnings"] = _warnings(task, out, skipped)


def _failures(pages: pa.RecordBatch, refused: Refusals) -> pa.Table:
    """One row for each rule that refused a record, else one for its outcome."""
    failed: list[tuple[int, str, float | None, float | None, str | None]] = []
    rows = zip(*(pages.column(name).to_pylist() for name in ("outcome", "value", "threshold", "detail")), strict=True)
    for row, (outcome, value, threshold, detail) in enumerate(rows):
        if row in refused:
            failed += [(row, rule, None, None, where) for rule, where in refused[row]]
        elif outcome != "ok":
            failed.append((row, outcome, value, threshold, detail))
    columns = zip(*failed, strict=True) if failed else ((),) * len(_FAILURE)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, _FAILURE, strict=True)], schema=_FAILURE
    )


def _documents(source: str, label: str, ids: pa.Array, batch: pa.RecordBatch, pages: pa.RecordBatch) -> pa.RecordBatch:
    rows = len(ids)
    text = pc.coalesce(pages.column("text").cast(pa.large_string()), pa.scalar("", pa.large_string()))
    shas = [hashlib.sha256(value.as_buffer() if value.is_valid else b"").digest() for value in text]
    media_type = pc.fill_null(batch.column("media_type"), "text/html")
    if pc.any(pc.equal(media_type, PDF)).as_py():
        label = pc.if_else(pc.equal(media_type, PDF), pdf_label(), label)
    columns = {
        "id": ids,
        "text": text,
        "source": pa.repeat(pa.scalar(source), rows),
        "content_sha": pa.array(shas, pa.binary(32)),
        "bytes": pc.binary_length(text).cast(pa.int64()),
        "extractor": pc.if_else(pc.equal(media_type, "text/plain"), "none", label),
        "url": batch.column("url"),
        "locator": batch.column("locator"),
    }
    # What the page says of itself comes before what its record says; the guard has put them together.
    for name in ("date", "title", "author", "declared_language", "canonical_url"):
        columns[name] = pages.column(name)
    columns["license"] = batch.column("license")
    language = batch.column("programming_language")
    # An empty cell of a table names no language.
    columns["programming_language"] = pc.if_else(pc.equal(language, ""), pa.scalar(None, language.type), language)
    return pa.RecordBatch.from_arrays(
        [columns[schema_field.name].cast(schema_field.type) for schema_field in DOCUMENT], schema=DOCUMENT
    )


def _warnings(task: Task, out: Writer, skipped: Counter[str]) -> list[str]:
    """One line each for what a person should hear of while the run goes on."""
    assert task.piece is not None
    names = ", ".join(file.relative for file in task.piece.files[:3])
    found = []
    if weak := [file.relative for file in task.piece.files if is_weak(file)]:
        found.append(
            f"{task.piece.source}: {', '.join(weak[:3])}: the server names no version of it; "
            "one of the same size would not be noticed"
        )
    if empty := skipped.get("empty_file"):
        found.append(f"{task.piece.source}: {names}: {empty} empty file(s), no record inside")
    if damaged := out.dropped.get("damaged"):
        found.append(
            f"{task.piece.source}: {names}: {damaged} damaged record(s) or range(s) left out; "
            f"`corpus sample {FOLDER} --dropped damaged` shows where"
        )
    if out.rows_in and out.dropped.get("no_text") == out.rows_in:
        column = (task.source.columns if task.source else {}).get("text", "text")
        found.append(
            f"{task.piece.source}: {names}: no record has text in `{column}`; name the column that has it: "
            "`columns: {text: NAME}` in the recipe, --text-column NAME on the command line"
        )
    return found
