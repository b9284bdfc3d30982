"""Sides of a benchmark as commands, run in turn on one core, measured from outside."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

import psutil

LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Run:
    """One command: wall-clock and processor seconds, and its processes' peak memory, shared pages counted once."""

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float


@dataclass(frozen=True)
class Side:
    """A command that does the whole work; `prepare` removes what an earlier run left, untimed."""

    name: str
    command: Sequence[str]
    prepare: Callable[[], object]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    # More than the one that all sides share, where that is what is measured.
    cores: Sequence[int] = ()

    def run(self, core: int) -> Run:
        """Raises RuntimeError naming the log when the command fails."""
        self.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            start = monotonic()
            process = subprocess.Popen(
                self.command,
                env=os.environ | self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cores or {core}),
            )
            peak = _Peak(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        memory = peak.stop()
        if process.returncode:
            raise RuntimeError(f"{self.name}: exit status {process.returncode}; see {self.log}")
        return Run(seconds, usage.ru_utime + usage.ru_stime, memory)


class _Peak:
    """Watches the proportional set size of a process and all its descendants."""

    def __init__(self, pid: int) -> None:
        self._peak, self._end = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid,), daemon=True)
        self._thread.start()

    def _watch(self, pid: int) -> None:
        while not self._end.wait(LOOK_SECONDS):
            try:
                root = psutil.Process(pid)
                total = sum(_pss(process.pid) for process in [root, *root.children(recursive=True)])
            except psutil.Error:
                continue
            self._peak = max(self._peak, total)

    def stop(self) -> float:
        """Peak in MB."""
        self._end.set()
        self._thread.join()
        return self._peak / 1024


def _pss(pid: int) -> int:
    """kB; 0 for a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def alternate(sides: Sequence[Side], pairs: int, core: int | None = None) -> dict[str, list[Run]]:
    """Side -> its runs: all sides once in each of `pairs` rounds, every other round in reverse, after a warm-up.

    The warm-up, which no figure holds, compiles kernels and byte code and fills the page cache.
    """
    core = max(os.sched_getaffinity(0)) if core is None else core
    runs: dict[str, list[Run]] = {side.name: [] for side in sides}
    for number in range(-1, pairs):
        for side in sides if number % 2 == 0 else reversed(sides):
            run = side.run(core)
            print(
                f"{'warm-up' if number < 0 else number + 1}: {side.name} {run.seconds:.1f} s",
                file=sys.stderr,
                flush=True,
            )
            if number >= 0:
                runs[side.name].append(run)
    return runs


def ratios(ours: Sequence[float], peer: Sequence[float]) -> dict[str, float]:
    """Speeds of `ours` over the peer's, pair by pair, from seconds: above 1, ours is faster."""
    found = [p / o for o, p in zip(ours, peer, strict=True)]
    figures = {"min": min(found), "median": statistics.median(found), "max": max(found)}
    return {name: round(value, 3) for name, value in figures.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, columns as wide as they must be."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def result(
    bench: str,
    pairs: int,
    ratios: Mapping[str, Mapping[str, float]],
    quality: Mapping[str, Any],
    peak_rss_mb: Mapping[str, float],
    packages: Sequence[str],
) -> str:
    """The last line that a benchmark prints."""
    versions = {name: version(name) for name in packages}
    facts = {
        "bench": bench,
        "pairs": pairs,
        "ratios": ratios,
        "quality": quality,
        "peak_rss_mb": {name: round(value) for name, value in peak_rss_mb.items()},
        "versions": {"python": sys.version.split()[0], **versions},
    }
    return json.dumps(facts)
