"""The dominant script of each text, and where its first so many characters end, in one pass over the UTF-8 bytes."""

from __future__ import annotations

import numpy as np

from corpus.kernels.jit import njit
from corpus.kernels.unicode import decode

_COMMON = 1


@njit
def dominant_scripts(data, offsets, most, table, ends, found):  # type: ignore[no-untyped-def]
    """`found`: uint8 index in `table` of the script that most letters of a text have, of equals the lower one.

    0 where there is no letter, 1 where all are common to scripts. Looked at are the first `most` characters, which end
    at the byte `ends` (int64).
    """
    counts = np.zeros(256, np.int64)
    for t in range(len(offsets) - 1):
        counts[:] = 0
        i, end = offsets[t], offsets[t + 1]
        seen = 0
        while i < end and seen < most:
            if data[i] < 0x80:
                counts[table[data[i]]] += 1
                i += 1
            else:
                point, width = decode(data, i, end)
                counts[table[point]] += 1
                i += width
            seen += 1
        ends[t] = i
        best = np.uint8(_COMMON) if counts[_COMMON] else np.uint8(0)
        most_letters = 0
        for script in range(_COMMON + 1, 256):
            if counts[script] > most_letters:
                best, most_letters = np.uint8(script), counts[script]
        found[t] = best
