"""The decorator of all kernels: compiled at first use, kept on disk, without the interpreter's lock.

numba does not notice that an imported kernel has changed: after editing one, delete the `__pycache__` of those that
call it.
"""

from __future__ import annotations

import time
from typing import Any

import numba
from numba.core import event

from corpus.kernels import compiling


class _Clock(event.Listener):
    """Counts the outermost of nested compilations; loading from disk is none."""

    def __init__(self) -> None:
        self.depth, self.began = 0, 0.0

    def on_start(self, event: Any) -> None:
        if self.depth == 0:
            self.began = time.monotonic()
        self.depth += 1

    def on_end(self, event: Any) -> None:
        self.depth -= 1
        if self.depth == 0:
            compiling.add(time.monotonic() - self.began)


event.register("numba:compile", _Clock())
njit = numba.njit(cache=True, nogil=True)
# For what is called once a character or byte: its code is put in place of the call.
inlined = numba.njit(cache=True, inline="always")
