"""Arrow string arrays as (bytes, offsets) for the kernels, without a copy."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def string_buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(uint8[total], int64[n + 1]) of a large_string or string array without nulls; offsets index into the bytes.

    Raises TypeError for another type and ValueError for nulls.
    """
    if pa.types.is_string(array.type) or pa.types.is_binary(array.type):
        width: type = np.int32
    elif pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type):
        width = np.int64
    else:
        raise TypeError(f"not a string array: {array.type}")
    if array.null_count:
        raise ValueError("string_buffers: nulls have no bytes")
    _, offsets, data = array.buffers()
    if len(array) == 0 or offsets is None:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    view = np.frombuffer(offsets, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    return (np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)), view
