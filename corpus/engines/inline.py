"""Every job in this process, one after the other: for tests, and for a debugger. Nothing is watched or tried again."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from corpus.engines import Job
from corpus.kernels import compiling


class InlineEngine:
    """See `corpus.engines.Engine`; the first error of a job is raised as it is."""

    compiling_seconds = 0.0

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(self, *error: object) -> None: ...

    def close(self) -> None: ...

    def map(
        self,
        jobs: Sequence[Job],
        on_done: Callable[[Job, Any], None],
        on_progress: Callable[[Job, int], None] | None = None,
    ) -> None:
        """Run every job in order."""
        compiling.take()
        for job in jobs:
            module, _, name = job.function.partition(":")

            def beat(units: int, job: Job = job) -> None:
                if on_progress is not None:
                    on_progress(job, units)

            on_done(job, getattr(importlib.import_module(module), name)(job.argument, beat))
        self.compiling_seconds = compiling.take()
