"""Sources: what lies on disk, as pieces of work and as batches of raw records.

`discover` turns a source into pieces, `read` turns a piece into record batches. A new kind of source is one module
here with `read(files, config, skipped)`, and its name in `config.Kind` and `pieces.SUFFIXES`.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from corpus.sources.config import SourceConfig
from corpus.sources.pieces import InputFile, Piece, discover, require_unchanged

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["InputFile", "Piece", "SourceConfig", "discover", "read"]


def read(piece: Piece, config: SourceConfig, skipped: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The piece's records as batches of `corpus.documents.RAW`, in file order.

    A batch has at most 256 rows and, unless one record alone is larger, 16 MB of content. What is no document and
    no lost document either (WARC request and metadata records, blank lines, empty files) is counted in `skipped`,
    by kind. Raises InputError for a file that cannot be read at all, and for one that is not as `discover` found it,
    before the first batch or behind the last: what was read is then not what was hashed.
    """
    require_unchanged(piece)
    yield from importlib.import_module(f"corpus.sources.{piece.kind}").read(piece.files, config, skipped)
    require_unchanged(piece)
