"""Megatron's index of a token file (`MMIDIDX`), as `megatron/core/datasets/indexed_dataset.py` reads it."""

from __future__ import annotations

import struct

import numpy as np

from corpus.errors import CorpusError

HEADER = b"MMIDIDX\x00\x00"
VERSION = 1
# Megatron has no code for uint32; ids below 2**31 are the same bits as int32.
CODES = {"uint16": 8, "uint32": 4}


def index_bytes(lengths: np.ndarray, dtype: np.dtype) -> bytes:
    """The `.idx` file for documents of `lengths` tokens int64[n] in a `.bin` of `dtype` (uint16 or uint32).

    Each document is one sequence. Raises CorpusError for a document of 2**31 tokens or more.
    """
    if len(lengths) and lengths.max() >= 2**31:
        raise CorpusError(
            "pack: a document has 2**31 tokens or more, which Megatron's index cannot hold; split it at the "
            "source or drop it by quality.max_words"
        )
    pointers = np.zeros(len(lengths), np.int64)
    np.cumsum(lengths[:-1] * dtype.itemsize, out=pointers[1:])
    head = HEADER + struct.pack("<QBQQ", VERSION, CODES[dtype.name], len(lengths), len(lengths) + 1)
    documents = np.arange(len(lengths) + 1, dtype="<i8")
    return head + lengths.astype("<i4").tobytes() + pointers.astype("<i8").tobytes() + documents.tobytes()
