"""Files that are either whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

_SUFFIX = ".tmp"


def write(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write `path` through `fill(file)`. Raises OSError, with nothing left behind."""
    temporary = path.with_name(f".{path.name}{_SUFFIX}")
    try:
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, value: Any) -> None:
    data = (json.dumps(value, indent=1) + "\n").encode()
    write(path, lambda file: file.write(data))


def remove_temporaries(folder: Path) -> None:
    """Files that a killed process was writing."""
    for path in folder.glob(f".*{_SUFFIX}"):
        path.unlink()
