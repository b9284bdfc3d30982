"""Folders for a while, which go even when their process was killed: the next one that works there removes them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corpus.store import TEMPORARY


@contextlib.contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """A new folder `.tmp-NAME-*` in `parent`, which is made where it lacks.

    Its process holds a lock on it, so those of the same name without one are of dead processes and are removed. Raises
    OSError.
    """
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{TEMPORARY}{name}-"
    with _opened(parent) as guard:
        # Nobody looks while a folder is made and not locked yet.
        with contextlib.suppress(OSError):
            fcntl.flock(guard, fcntl.LOCK_EX)
        for old in sorted(parent.glob(f"{prefix}*")):
            _remove_dead(old)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        held = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _remove_dead(path: Path) -> None:
    # What is no folder, is held, or lies where there are no locks, stays.
    with contextlib.suppress(OSError):
        if not path.is_symlink() and path.is_dir():
            with _opened(path) as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
