"""The tokens of one partition: a flat file and an index.

Partitions are encoded in parallel; corpus.pack.shards then shuffles all of them as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.documents import ID
from corpus.kernels.arrow import string_buffers
from corpus.tokenizer.encode import Encoder

# A row a document, in the order of the tokens file. `tokens` counts the end-of-text token too, `bytes` is the
# raw UTF-8 text.
INDEX = pa.schema(
    [
        pa.field("id", ID, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
# Bounds the memory of encoding, whatever the size of the batches that come in.
_ENCODE_BYTES = 4_000_000


def write_tokens(
    batches: Iterable[pa.RecordBatch], encoder: Encoder, bin_path: Path, index_path: Path
) -> dict[str, int]:
    """Encode columns `id`, `source`, `text`: token ids to `bin_path`, rows of INDEX to `index_path`
    (Parquet).

    The token ids are flat and of `encoder.dtype`. No batches at all give two files without rows. Returns the
    sums {"documents", "tokens", "bytes"}.
    """
    totals = {"documents": 0, "tokens": 0, "bytes": 0}
    with (
        Path(bin_path).open("wb") as out,
        pq.ParquetWriter(
            index_path, INDEX, compression="zstd", use_dictionary=["source"], write_page_checksum=True
        ) as index,
    ):
        for batch in batches:
            _, ends = string_buffers(batch.column("text"))
            for start, stop in _runs(ends):
                part = batch.slice(start, stop - start)
                tokens, offsets = encoder.encode(part.column("text"))
                lengths, sizes = np.diff(offsets), np.diff(ends[start : stop + 1])
                out.write(tokens.data)
                columns = [
                    part.column("id"),
                    part.column("source").cast(pa.string()),
                    pa.array(lengths),
                    pa.array(sizes),
                ]
                index.write_batch(pa.RecordBatch.from_arrays(columns, schema=INDEX))
                totals["documents"] += len(part)
                totals["tokens"] += len(tokens)
                totals["bytes"] += int(sizes.sum())
    return totals


def _runs(ends: np.ndarray) -> Iterable[tuple[int, int]]:
    """Rows (start, stop) of at most _ENCODE_BYTES, or of one document that is longer."""
    start, rows = 0, len(ends) - 1
    while start < rows:
        stop = int(np.searchsorted(ends, ends[start] + _ENCODE_BYTES, side="right")) - 1
        stop = min(max(stop, start + 1), rows)
        yield start, stop
        start = stop
