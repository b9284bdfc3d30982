"""The decorator of all kernels: compiled at first use, kept on disk (`cache`), without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core import event
from numba.core.dispatcher import Dispatcher

from corpus.kernels import compiling
from corpus.kernels.cache import KernelCache


class _Clock(event.Listener):
    """Counts the outermost of nested compilations; loading from disk is none."""

    def on_start(self, event: Any) -> None:
        compiling.begin()

    def on_end(self, event: Any) -> None:
        compiling.end()


event.register("numba:compile", _Clock())


def _kept(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    made = numba.njit(**options)

    def decorate(function: Callable[..., Any]) -> Any:
        kernel = made(function)
        # With NUMBA_DISABLE_JIT it is the function itself.
        if isinstance(kernel, Dispatcher):
            setattr(kernel, "_cache", KernelCache(function))  # noqa: B010
        return kernel

    return decorate


njit = _kept(nogil=True)
# For what is called once a character or byte: its code is put in place of the call.
inlined = _kept(inline="always")
