"""Texts to train on or to test with: files of several kinds, or folders that `corpus` wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from corpus.errors import InputError
from corpus.quality.classifier.config import NEGATIVE, POSITIVE
from corpus.recipe import NAME
from corpus.sources import SourceConfig, discover, read
from corpus.sources.config import Kind
from corpus.sources.pieces import kind_by_name
from corpus.store import fingerprint, sha256_file

_KINDS: tuple[Kind, ...] = ("jsonl", "parquet", "csv", "text")
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


def texts(given: Input, text_column: str = "text") -> Iterator[pa.Array]:
    """The texts of one path in batches, counted into `given`; of a folder that `corpus` wrote, of living documents.

    JSON lines (plain or compressed), Parquet, CSV, and plain text, a document a file; a folder or glob of these.
    Raises InputError.
    """
    folder = Path(given.path)
    if (folder / NAME).is_file():
        for batch in _documents(folder, given):
            given.documents += len(batch)
            yield batch
        return
    for batch in _rows(given, text_column):
        yield batch.column("content").cast(pa.large_string())


def labelled(given: Input, text_column: str, label_column: str, good: str, bad: str) -> Iterator[pa.RecordBatch]:
    """Batches of `text` and `good` (bool) of a path whose rows have a label; files as for `texts`, but no plain text.

    `good` and `bad` name the labels; where empty, `GOOD` and `BAD` in any case. Raises InputError for a label that is
    neither.
    """
    names = ((good,) if good else GOOD, (bad,) if bad else BAD)
    # A source's rows have no column for a label; the title takes it.
    for batch in _rows(given, text_column, {"title": label_column}):
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


def _rows(given: Input, text_column: str, more: dict[str, str] | None = None) -> Iterator[pa.RecordBatch]:
    source = _source(given.path, text_column, more or {})
    pieces = discover(source)
    digests = [file.identity or sha256_file(Path(file.path)) for piece in pieces for file in piece.files]
    given.sha256 = digests[0] if len(digests) == 1 else fingerprint(digests)
    skipped: Counter[str] = Counter()
    for piece in pieces:
        for batch in read(piece, source, skipped):
            found = pc.is_null(batch.column("problem"))
            given.problems.update(pc.drop_null(batch.column("problem")).to_pylist())
            batch = batch.filter(found)
            given.documents += len(batch)
            yield batch


def _source(path: str, text_column: str, more: dict[str, str]) -> SourceConfig:
    """A source of the kind that the path's name tells, or of that which a folder's or a glob's files have."""
    place = Path(path).expanduser()
    if place.is_file():
        kind = kind_by_name(place.name)
        kinds: Sequence[Kind] = (kind,) if kind in _KINDS else ()
    else:
        kinds = _KINDS
    faults = []
    for kind in kinds:
        columns = {"text": text_column, **more} if kind != "text" else {"text": "text"}
        try:
            source = SourceConfig.model_validate({"name": "examples", "kind": kind, "path": path, "columns": columns})
            discover(source)
        except InputError as error:
            faults.append(error)
            continue
        except ValidationError as error:
            raise InputError(f"{path}: {error.errors()[0]['msg']}") from error
        if more and kind == "text":
            break
        return source
    if faults and "no such file" in str(faults[0]):
        raise InputError(f"{path}: no such file or folder; correct the path")
    raise InputError(
        f"{path}: holds no texts that can be read as they are; give .jsonl, .parquet, .csv"
        f"{'' if more else ', .txt'}, or a folder that `corpus extract` wrote"
    )


def _documents(folder: Path, given: Input) -> Iterator[pa.Array]:
    from corpus.report.outputs import Outputs

    view = Outputs.open(folder).view()
    partitions = view.partitions()
    given.sha256 = fingerprint([view.inputs(partition, ["id", "text"]) for partition in partitions])
    for partition in partitions:
        for batch in view.batches(partition, ["text"]):
            yield batch.column("text")
