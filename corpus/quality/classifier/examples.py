"""Texts to train on or to test with: files of several kinds, or folders that `corpus` wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import InputError
from corpus.quality.classifier.config import NEGATIVE, POSITIVE
from corpus.quality.references import KINDS, by_line, sources
from corpus.recipe import NAME
from corpus.sources import SourceConfig, discover, read
from corpus.store import fingerprint, sha256_file

GOOD = ("1", "good", "hq", "high", "positive", "true", POSITIVE)
BAD = ("0", "bad", "lq", "low", "negative", "false", NEGATIVE)


@dataclass
class Input:
    """What was given, and what was read of it."""

    path: str
    sha256: str = ""
    """Of the file; of several, of their digests in order; of a folder of ours, of what its documents are made of."""
    documents: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    """Rows that gave no text, by the rule that says why."""


def texts(given: Input, text_column: str = "text", lines: bool = False) -> Iterator[pa.Array]:
    """The texts of one path in batches, counted into `given`; of a folder that `corpus` wrote, of living documents.

    JSON lines (plain or compressed), Parquet, CSV, Arrow, and plain text, a text a file or, with `lines`, a line; a
    folder or glob of these. Raises InputError.
    """
    folder = Path(given.path)
    if (folder / NAME).is_file():
        for batch in _documents(folder, given):
            given.documents += len(batch)
            yield batch
        return
    for kind, batch in _rows(given, sources(given.path, {"text": text_column})):
        found = batch.column("content").cast(pa.large_string())
        found = by_line(found) if lines and kind == "text" else found
        given.documents += len(found)
        yield found


def labelled(given: Input, text_column: str, label_column: str, good: str, bad: str) -> Iterator[pa.RecordBatch]:
    """Batches of `text` and `good` (bool) of a path whose rows have a label; files as for `texts`, but no plain text.

    `good` and `bad` name the labels; where empty, `GOOD` and `BAD` in any case. Raises InputError for a label that is
    neither.
    """
    names = ((good,) if good else GOOD, (bad,) if bad else BAD)
    # A source's rows have no column for a label; the title takes it.
    columns = {"text": text_column, "title": label_column}
    kinds = tuple(kind for kind in KINDS if kind != "text")
    for batch in _labelled_rows(given, sources(given.path, columns, kinds), label_column):
        given.documents += len(batch)
        label = batch.column("title")
        folded = label if good or bad else pc.utf8_lower(label)
        is_good, is_bad = (pc.is_in(folded, pa.array(values, label.type)) for values in names)
        odd = pc.filter(label, pc.invert(pc.or_(is_good, is_bad)))
        if len(odd):
            raise InputError(
                f"{given.path}: column `{label_column}` has the label {odd[0].as_py()!r}, which is neither good nor "
                "bad; name both with --good-label and --bad-label, their column with --label-column"
            )
        yield pa.record_batch({"text": batch.column("content").cast(pa.large_string()), "good": is_good})


def _labelled_rows(given: Input, found: list[SourceConfig], label_column: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from (batch for _, batch in _rows(given, found))
    except InputError as error:
        # A table's reader names the option of the column that a source has, not ours.
        if f"no column `{label_column}`" not in str(error):
            raise
        raise InputError(f"{given.path}: no column `{label_column}`; --label-column names the labels'") from error


def _rows(given: Input, found: list[SourceConfig]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """(kind, batch) of all rows that have a text; the others are counted in `given`."""
    pieces = [(source, piece) for source in found for piece in discover(source)]
    digests = [file.identity or sha256_file(Path(file.path)) for _, piece in pieces for file in piece.files]
    given.sha256 = digests[0] if len(digests) == 1 else fingerprint(digests)
    skipped: Counter[str] = Counter()
    for source, piece in pieces:
        for batch in read(piece, source, skipped):
            given.problems.update(pc.drop_null(batch.column("problem")).to_pylist())
            yield source.kind, batch.filter(pc.is_null(batch.column("problem")))


def _documents(folder: Path, given: Input) -> Iterator[pa.Array]:
    from corpus.report.outputs import Outputs

    view = Outputs.open(folder).view()
    partitions = view.partitions()
    given.sha256 = fingerprint([view.inputs(partition, ["id", "text"]) for partition in partitions])
    for partition in partitions:
        for batch in view.batches(partition, ["text"]):
            yield batch.column("text")
