"""The texts that a model is trained on: files, or an output folder, as a sample of bounded size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.kernels.arrow import string_buffers
from corpus.quality.references import by_line, sources
from corpus.recipe import NAME
from corpus.sources import discover, read

_HELD_OUT = 50


def texts(references: Sequence[str], column: str, skipped: Counter[str], lines: bool = False) -> Iterator[pa.Array]:
    """Batches of texts (large_string, no nulls): a document each; with `lines`, of a plain text file a line each.

    A reference is a file, a folder or glob of files, or an output folder (its documents alive at the end). What
    cannot be read is counted in `skipped`, by reason. Raises InputError for a reference that is none of these.
    """
    for reference in references:
        if (Path(reference) / NAME).is_file():
            yield from _alive(Path(reference))
        else:
            yield from _files(reference, column, skipped, lines)


def _alive(folder: Path) -> Iterator[pa.Array]:
    from corpus.report.outputs import Outputs

    view = Outputs.open(folder).view()
    for partition in view.partitions():
        for batch in view.batches(partition, ["text"]):
            yield batch.column("text")


def _files(reference: str, column: str, skipped: Counter[str], lines: bool) -> Iterator[pa.Array]:
    for source in sources(reference, {"text": column}):
        for piece in discover(source):
            for batch in read(piece, source, skipped):
                skipped.update(batch.column("problem").drop_null().to_pylist())
                content = batch.column("content").filter(batch.column("problem").is_null())
                found = content.drop_null().cast(pa.large_string())
                found = by_line(found) if lines and source.kind == "text" else found
                yield found.filter(pc.greater(pc.binary_length(found), 0))


class Sample:
    """The texts with the smallest hashes that fit into `limit` bytes: in whatever order and batches they come.

    One text of 50 is held out, by its hash too, so a copy of it is not trained on either.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.documents = self.bytes = self.cropped = 0
        self._parts: list[tuple[np.ndarray, pa.Array]] = []
        self._held = 0
        self._cut = np.uint64(0xFFFFFFFFFFFFFFFF)

    def add(self, found: pa.Array) -> None:
        """`found`: string or large_string, no nulls. Of a text of over a 16th of the limit only so much is taken."""
        from corpus.kernels.ngrams import hash_documents

        found, share = found.cast(pa.large_string()), self.limit // 16
        sizes = pc.binary_length(found)
        self.documents += len(found)
        self.bytes += pc.sum(sizes).as_py() or 0
        long = pc.greater(sizes, share)
        if pc.any(long).as_py():
            self.cropped += pc.sum(long).as_py()
            cut = [text.encode()[:share].decode(errors="ignore") for text in found.filter(long).to_pylist()]
            found = pc.replace_with_mask(found, long, pa.array(cut, pa.large_string()))
        data, offsets = string_buffers(found)
        data.flags.writeable = False
        hashes = np.empty(len(found), np.uint64)
        hash_documents(data, offsets, hashes)
        near = hashes < self._cut
        if near.any():
            kept = found.filter(pa.array(near))
            self._parts.append((hashes[near], kept))
            self._held += pc.sum(pc.binary_length(kept)).as_py()
            if self._held > 2 * self.limit:
                self._compact()

    def _compact(self) -> None:
        """Keep what fits, in the order of the hash."""
        if not self._parts:
            return
        hashes = np.concatenate([part[0] for part in self._parts])
        found = pa.chunked_array([part[1] for part in self._parts], pa.large_string())
        order = np.argsort(hashes, kind="stable")
        sizes = np.cumsum(pc.binary_length(found).to_numpy()[order])
        fitting = int(np.searchsorted(sizes, self.limit, side="right"))
        if fitting < len(order):
            self._cut = min(self._cut, hashes[order[fitting]])
        order = order[:fitting]
        self._held = int(sizes[fitting - 1]) if fitting else 0
        self._parts = [(hashes[order], found.take(pa.array(order)).combine_chunks())] if fitting else []

    def finish(self) -> tuple[pa.Array, pa.Array]:
        """(texts to train on, texts held out): large_string, in the order of the hash."""
        self._compact()
        if not self._parts:
            return pa.array([], pa.large_string()), pa.array([], pa.large_string())
        hashes, found = self._parts[0]
        held_out = hashes % np.uint64(_HELD_OUT) == 0
        return found.filter(pa.array(~held_out)), found.filter(pa.array(held_out))
