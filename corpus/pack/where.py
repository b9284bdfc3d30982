"""From a token of a shard back to its document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from corpus.errors import InputError
from corpus.store import stored


def where(shards_dir: Path, shard: str, position: int) -> dict[str, Any]:
    """The document that token `position` of `shard` (such as `train-00000`) belongs to.

    Returns {"shard", "position", "id" (hex), "source", "first_token", "tokens", "bytes"}.
    Raises InputError when there is no such shard or position.
    """
    path = Path(shards_dir) / f"{shard}.docs.parquet"
    if not path.exists():
        known = sorted(found.name.split(".")[0] for found in path.parent.glob("*.docs.parquet"))
        raise InputError(f"{shards_dir}: no shard {shard!r}; there are {', '.join(known) or 'none'}")
    with stored(path):
        docs = pq.read_table(path, page_checksum_verification=True)
    firsts = docs.column("first_token").to_numpy()
    end = int(firsts[-1]) + docs.column("tokens")[-1].as_py()
    if not 0 <= position < end:
        raise InputError(f"{shard}: no token at position {position:,}; it has 0 to {end - 1:,}")
    row = docs.slice(int(np.searchsorted(firsts, position, side="right")) - 1, 1).to_pylist()[0]
    return {"shard": shard, "position": position, **row, "id": row["id"].hex()}
