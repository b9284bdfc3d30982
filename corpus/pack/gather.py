"""Random reads of documents from the partitions' token files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from corpus.errors import CorpusError
from corpus.kernels.jit import njit


class TokenFiles:
    """The token files of all partitions, seen as one list of documents.

    `lengths` int64[n]: tokens of each document, in the order of the files.
    """

    def __init__(self, paths: Sequence[Path], documents: Sequence[int], lengths: np.ndarray, dtype: np.dtype) -> None:
        """`documents[i]` of the n documents lie in `paths[i]`.

        Raises CorpusError for a file that has not the size which the lengths ask for.
        """
        self.dtype = dtype
        self.lengths = lengths
        starts = np.cumsum(lengths) - lengths
        bounds = np.concatenate([[0], np.cumsum(documents)])
        self._file = np.repeat(np.arange(len(paths)), documents)
        self._start = np.empty_like(lengths)  # within the file
        self._maps = []
        for number, path in enumerate(paths):
            part = slice(bounds[number], bounds[number + 1])
            total = int(lengths[part].sum())
            if path.stat().st_size != total * dtype.itemsize:
                raise CorpusError(
                    f"{path}: {path.stat().st_size:,} bytes, but its index counts {total:,} tokens of "
                    f"{dtype.name}; it was cut or comes from another tokenizer: encode again"
                )
            self._start[part] = starts[part] - (starts[bounds[number]] if documents[number] else 0)
            # An empty file cannot be mapped.
            self._maps.append(np.asarray(np.memmap(path, dtype, "r")) if total else np.zeros(0, dtype))

    def gather(self, rows: np.ndarray, chunk: int) -> Iterator[np.ndarray]:
        """Tokens of the documents `rows` in this order, in arrays of about `chunk` tokens, of whole
        documents.

        Within a chunk the files are read in ascending order, which a disk does fastest.
        """
        ends = np.cumsum(self.lengths[rows])
        first = 0
        while first < len(rows):
            before = int(ends[first - 1]) if first else 0
            last = min(int(np.searchsorted(ends, before + chunk)) + 1, len(rows))
            part = rows[first:last]
            sizes = self.lengths[part]
            targets = np.cumsum(sizes) - sizes
            out = np.empty(int(sizes.sum()), self.dtype)
            by_place = np.lexsort((self._start[part], self._file[part]))
            files = self._file[part][by_place]
            for file in np.unique(files):
                here = by_place[slice(*np.searchsorted(files, [file, file + 1]))]
                _copy(self._maps[file], self._start[part[here]], targets[here], sizes[here], out)
            yield out
            first = last


@njit
def _copy(source, starts, targets, sizes, out):  # type: ignore[no-untyped-def]
    """out[targets[i] : targets[i] + sizes[i]] = source[starts[i] : starts[i] + sizes[i]] for each i."""
    for i in range(len(starts)):
        start, target = starts[i], targets[i]
        for k in range(sizes[i]):
            out[target + k] = source[start + k]
