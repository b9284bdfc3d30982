"""Engines run the tasks of a stage. They launch and watch; what is done is said by the manifest alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self


@dataclass(frozen=True)
class Job:
    """One picklable task.

    `function` is the dotted name `package.module:function` of a callable that a worker process can import;
    it is called as ``function(argument, beat)``. ``beat(n)`` reports `n` units of progress and shows that the
    job lives.
    """

    function: str
    name: str
    argument: Any


class Engine(Protocol):
    """What every engine offers: the same jobs give the same results, whichever engine runs them."""

    @property
    def compiling_seconds(self) -> float:
        """Of the last `map`, how long kernels were compiled: once on a machine, and never the same twice."""
        ...

    def map(
        self,
        jobs: Sequence[Job],
        on_done: Callable[[Job, Any], None],
        on_progress: Callable[[Job, int], None] | None = None,
    ) -> None:
        """Run every job; call `on_done(job, result)` in the driver as each one ends, in no fixed order.

        Raises, after all other jobs have ended, the `CorpusError`s that jobs raised (in the order of the jobs, a line
        each) or `TaskError` (one line) when jobs failed on every try.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None: ...

    def close(self) -> None:
        """End all worker processes."""
