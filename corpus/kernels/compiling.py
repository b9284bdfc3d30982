"""How long this process has compiled kernels: told apart from the work, because it happens once on a machine."""

from __future__ import annotations

_seconds = 0.0


def add(seconds: float) -> None:
    """Count what was compiled here, or in a child process."""
    global _seconds
    _seconds += seconds


def take() -> float:
    """Seconds since the last call."""
    global _seconds
    taken, _seconds = _seconds, 0.0
    return taken
