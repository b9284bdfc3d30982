"""What the tests of sources share: all rows of a source, checked batch by batch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from corpus.documents import RAW
from corpus.sources import SourceConfig, discover, read


def rows(path: Path | str, kind: str, **options: Any) -> tuple[list[dict[str, Any]], Counter[str]]:
    """(all rows of a source, what was skipped)"""
    source = SourceConfig.model_validate({"name": "s", "kind": kind, "path": str(path), **options})
    skipped: Counter[str] = Counter()
    found: list[dict[str, Any]] = []
    for piece in discover(source):
        for batch in read(piece, source, skipped):
            assert batch.schema == RAW
            batch.validate(full=True)
            assert batch.num_rows <= 256
            found += batch.to_pylist()
    return found, skipped
