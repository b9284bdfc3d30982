"""Draws downloads: a bar with rate and time left on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import threading
import time

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from corpus.cli.console import err, warn


class Bar:
    """An observer of `corpus.fetch`; a context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files = 0
        self._total: int | None = None
        self._known: dict[str, tuple[int, int | None]] = {}
        self._came = 0  # bytes since the last line
        self._said = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
        )
        self._task = self._progress.add_task("asking", total=None)

    def __enter__(self) -> Bar:
        if err.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if err.is_terminal:
            self._progress.stop()

    def expect(self, files: int, total: int | None) -> None:
        with self._lock:
            self._files, self._total = files, total

    def update(self, name: str, done: int, total: int | None) -> None:
        with self._lock:
            before, _ = self._known.get(name, (done, total))
            self._came += max(0, done - before)
            self._known[name] = (done, total)
            have = sum(part for part, _ in self._known.values())
            whole = sum(part == size for part, size in self._known.values())
            total = self._total if self._total is not None else self._guess()
            what = f"{whole} of {self._files} files"
            self._progress.update(self._task, description=what, completed=have, total=total)
            now = time.monotonic()
            if not err.is_terminal and now - self._said > 10:
                rate = self._came / (now - self._said)
                left = f", about {(total - have) / rate:.0f} s left" if total and rate > 0 and total > have else ""
                err.print(f"fetch: {what}, {have / 1e6:,.1f} MB, {rate / 1e6:,.1f} MB/s{left}", markup=False)
                self._said, self._came = now, 0

    def warn(self, message: str) -> None:
        warn(message)

    def _guess(self) -> int | None:
        """All bytes, if the other files are like those that are known."""
        sizes = [size for _, size in self._known.values() if size is not None]
        return round(sum(sizes) / len(sizes) * self._files) if sizes else None
