"""Records put together by the number of their bucket: one step of a counting sort."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit


@njit
def _scatter(numbers, records, places, out):  # type: ignore[no-untyped-def]
    for k in range(len(numbers)):
        at = places[numbers[k]]
        places[numbers[k]] = at + 1
        for column in range(records.shape[1]):
            out[at, column] = records[k, column]


def scatter(numbers: np.ndarray, records: np.ndarray, places: np.ndarray, out: np.ndarray) -> None:
    """Put `records` uint64[n, width] into `out`: each at the place of its bucket, `places[numbers[k]]`, which moves on.

    `numbers` int32[n]; `places` int64[buckets].
    """
    _scatter(numbers, records, places, out)
