"""Where words go: results on stdout, progress and warnings on stderr."""

from __future__ import annotations

import io
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from corpus.plan import FOLDER, Stale, Step
from corpus.store import Entry

# rich itself honours NO_COLOR and drops styles where the stream is no terminal.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
_WIDEST = 1 << 16


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def table(*columns: str, title: str | None = None) -> Table:
    """A plain table: the first column left, the others right."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        made.add_column(column, justify="left" if position == 0 else "right", overflow="fold")
    return made


def show(made: Table) -> None:
    """Print a table; where there is no terminal at its full width, with nothing cut and no padding behind a line."""
    if out.is_terminal:
        out.print(made)
        return
    text = io.StringIO()
    Console(file=text, width=_WIDEST, highlight=False).print(made)
    for line in text.getvalue().splitlines():
        print(line.rstrip())


class Watch:
    """Draws a run: on a terminal a bar a step with rate and ETA, elsewhere a line a step and one every ten seconds."""

    def __init__(self, root: Path) -> None:
        self._folder = shlex.quote(os.path.relpath(root))
        self._dropped: Counter[str] = Counter()
        self._progress: Progress | None = None
        self._start = self._said = self._begin = 0.0
        self._rows = self._first = self._tasks = self._done = self._rows_in = self._rows_out = 0

    def begin(self, step: Step, tasks: int, stale: Sequence[Stale]) -> None:
        reasons = list(dict.fromkeys(reason for item in stale for reason in item.reasons))
        inputs = [reason for reason in reasons if reason.startswith("input ")]
        if len(inputs) > 1:
            reasons = [*(reason for reason in reasons if reason not in inputs), f"{len(inputs)} inputs changed"]
        if reasons == ["not done yet"] and len(stale) == tasks:
            what = f"{tasks} {'task' if tasks == 1 else 'tasks'}"
        else:
            more = f" (+{len(reasons) - 3} more)" if len(reasons) > 3 else ""
            what = f"{len(stale)} of {tasks} tasks: {'; '.join(reasons[:3])}{more}"
        err.print(f"{step.name}: {what}", markup=False)
        self._start = self._said = time.monotonic()
        self._begin = 0.0
        self._rows = self._done = self._rows_in = self._rows_out = 0
        self._dropped.clear()
        self._tasks, self._all_anew = len(stale), len(stale) == tasks
        if err.is_terminal and step.limited:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=err,
                transient=True,
            )
            self._progress.start()
            self._bar = self._progress.add_task(step.name, total=len(stale), rate="")

    def progress(self, step: Step, rows: int) -> None:
        self._rows += rows
        if not self._begin:
            # Before the first rows workers start and kernels are compiled: no part of the rate.
            self._begin, self._first = time.monotonic(), self._rows
            return
        seconds = max(time.monotonic() - self._begin, 1e-3)
        rate = f"{self._rows:,} rows, {(self._rows - self._first) / seconds:,.0f}/s"
        if self._progress is not None:
            self._progress.update(self._bar, rate=rate)
        elif step.limited and time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            left = f", about {seconds / self._done * (self._tasks - self._done):.0f} s left" if self._done else ""
            err.print(f"{step.name}: {self._done} of {self._tasks} tasks, {rate}{left}", markup=False)

    def committed(self, step: Step, entry: Entry) -> None:
        self._done += 1
        self._rows_in += entry.rows_in
        self._rows_out += entry.rows_out
        self._dropped.update(entry.dropped)
        if self._progress is not None:
            self._progress.update(self._bar, advance=1)
        for line in entry.facts.get("warnings", ()):
            self._warn(line)

    def end(self, step: Step, compiling: float) -> None:
        self.close()
        seconds = time.monotonic() - self._start
        rate = f", {self._rows:,} rows" if self._rows else ""
        once = f" ({compiling:.1f} s of it compiling kernels, once on this machine)" if compiling >= 0.05 else ""
        err.print(f"{step.name}: done in {seconds:.1f} s{once}{rate}", markup=False)
        if step.name == "extract" and self._all_anew and not self._rows_out:
            self._warn(self._no_documents())

    def _no_documents(self) -> str:
        if not self._dropped:
            return "the sources gave no document: their files hold no record"
        rule, count = min(self._dropped.items(), key=lambda item: (-item[1], item[0]))
        return (
            f"the sources gave no document: `{rule}` dropped {count:,} of {self._rows_in:,} records; "
            f"`corpus sample {FOLDER} --dropped {rule}` shows some"
        )

    def _warn(self, line: str) -> None:
        err.print(f"warning: {line.replace(FOLDER, self._folder)}", markup=False)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def number(value: Any) -> str:
    """`1,234`, `0.123`, or nothing for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
