"""How long this process has compiled kernels: told apart from the work, because it happens once on a machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

_seconds = 0.0
_depth = 0
_began = 0.0


def begin() -> None:
    """Compiling begins, or waiting for a process that does; inside another such time it is a part of that."""
    global _depth, _began
    if _depth == 0:
        _began = time.monotonic()
    _depth += 1


def end() -> None:
    """What `begin` began has ended."""
    global _depth
    _depth -= 1
    if _depth == 0:
        add(time.monotonic() - _began)


@contextlib.contextmanager
def clock() -> Iterator[None]:
    """`begin` and `end`."""
    begin()
    try:
        yield
    finally:
        end()


def add(seconds: float) -> None:
    """Count what was compiled in a child process."""
    global _seconds
    _seconds += seconds


def take() -> float:
    """Seconds since the last call."""
    global _seconds
    taken, _seconds = _seconds, 0.0
    return taken
