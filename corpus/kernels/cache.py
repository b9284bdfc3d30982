"""numba's cache on disk, made safe for what it does not look at: other functions, and other processes.

numba keeps a function's machine code until the file that defines it changes. But a kernel holds those that it calls,
and the constants that it reads, whichever file they come from: after an update that touches only these, it would go on
computing what it did before. Here the code is kept under a digest of the bytecode and constants of all that it reaches.

And numba reads, changes and writes its index without a lock, index first: of two processes that compile variants of a
function at the same time one may load the other's machine code (numba issue 10128). Here one process compiles a
function, and whoever wants it waits and loads.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher

from corpus.kernels import compiling

WAIT_SECONDS = 300.0
"""Longer than any kernel takes: then the other process is stopped, or its compiler failed; this one compiles, too."""
_TICK_SECONDS = 0.02


class KernelCache(FunctionCache):
    """The cache of one function; `load_overload` and `save_overload` are called by its dispatcher, in this order."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._function = function
        self._known = False
        self._lock: int | None = None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        if not self._known:
            # Not before: a function may be called that is defined below this one.
            self._cache_file._source_stamp = digest(self._function)
            self._known = True
        self._hold()
        found = super().load_overload(sig, target_context)
        if found is not None:
            self._release()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            with self._guard_against_spurious_io_errors():
                if not self._cache_file._load_index():
                    # The index is written first: were this process killed then, it would name the machine code of
                    # another version.
                    for old in Path(self.cache_path).glob(f"{self._impl.filename_base}.*.nbc"):
                        old.unlink()
            super().save_overload(sig, data)
        finally:
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _hold(self) -> None:
        """Wait for the function's lock; go on without it where there can be none."""
        if self._lock is not None:
            return
        with contextlib.suppress(OSError):
            self._impl.locator.ensure_cache_path()
            path = Path(self.cache_path) / f"{self._impl.filename_base}.lock"
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            if not _taken(self._lock):
                until = time.monotonic() + WAIT_SECONDS
                with compiling.clock():
                    while time.monotonic() < until and not _taken(self._lock):
                        time.sleep(_TICK_SECONDS)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def digest(function: Any) -> str:
    """sha256 in hex of what `function` computes: its bytecode, and the kernels and constants that it reaches.

    Python and numba, and the processor, have places of their own in the cache.
    """
    settings: Any = numba.config
    told = hashlib.sha256(repr((settings.BOUNDSCHECK, settings.OPT)).encode())
    for part in _reached(function, set()):
        told.update(len(part).to_bytes(8, "little") + part)
    return told.hexdigest()


def _reached(function: Any, seen: set[Any]) -> Iterator[bytes]:
    if function in seen:
        return
    seen.add(function)
    known = dict(function.__globals__)
    cells = function.__closure__ or ()
    known |= dict(zip(function.__code__.co_freevars, (cell.cell_contents for cell in cells), strict=True))
    for code in _codes(function.__code__):
        yield code.co_code
        for constant in code.co_consts:
            # A set's order is another one in each process.
            told = sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant
            yield b"" if isinstance(constant, CodeType) else repr(told).encode()
        for name in (*code.co_names, *code.co_varnames, *code.co_freevars):
            yield name.encode()
        for name in (*code.co_names, *code.co_freevars):
            yield from _value(known.get(name), seen)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _value(value: Any, seen: set[Any]) -> Iterator[bytes]:
    if isinstance(value, Dispatcher):
        yield repr(sorted(value.targetoptions.items())).encode()
        yield from _reached(value.py_func, seen)
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype.str} {value.shape}".encode()
        yield value.tobytes()
    elif isinstance(value, int | float | str | bytes | tuple | np.generic):
        yield repr(value).encode()
