"""Sources: what lies on disk or elsewhere, as pieces of work and as batches of raw records.

`discover` turns a source into pieces, `read` turns a piece into record batches. A new kind of source is one module
here with `read(files, config, skipped)`, and its name in `config.Kind` and `pieces.SUFFIXES`.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.sources.config import SourceConfig, is_remote
from corpus.sources.pieces import InputFile, Piece, discover, require_unchanged
from corpus.sources.remote import local_copies

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["InputFile", "Piece", "SourceConfig", "discover", "read"]


def read(
    piece: Piece,
    config: SourceConfig,
    skipped: Counter[str],
    work: Path | None = None,
    beat: Callable[[int], None] = lambda units: None,
) -> Iterator[pa.RecordBatch]:
    """The piece's records as batches of `corpus.documents.RAW`, in file order.

    A batch has at most 256 rows and, unless one record alone is larger, 16 MB of content. What is no document and
    no lost document either (WARC request and metadata records, blank lines, empty files) is counted in `skipped`,
    by kind. Remote files are copied below `work` first and removed behind the last batch; `beat(0)` is called while
    they come. Raises InputError for a file that cannot be read at all, and for one that is not as `discover` found it,
    before the first batch or behind the last: what was read is then not what was hashed.
    """
    require_unchanged(piece, config)
    reader = importlib.import_module(f"corpus.sources.{piece.kind}").read
    if any(is_remote(file.path) for file in piece.files):
        with local_copies(piece.files, config, work, beat) as copies:
            yield from reader(copies, config, skipped)
    else:
        yield from reader(piece.files, config, skipped)
    require_unchanged(piece, config)
