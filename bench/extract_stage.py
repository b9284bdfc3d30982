"""WARC to documents by the stage `extract`: two workers against one, both with two cores to themselves."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from statistics import median
from typing import Any

# Copies of one archive: both workers have the same to do, and enough of it for the start-up not to count.
FILES, START_PAGES, MOST_PAIRS = 48, 20, 3


def workers(pages: int, pairs: int, given: Path, work: Path) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """(ratio `workers_2_vs_1`, facts) of 48 files of so many pages each; prints the table. Empty with one core.

    At most 3 pairs: each takes minutes.
    """
    import paired
    from pages import ABOUT, write_pages

    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        print("The stage with two workers needs two cores: left out\n")
        return {}, {}
    write_pages(given, {work / "start" / "0.warc.gz": START_PAGES, work / "pages" / "0.warc.gz": pages})
    for number in range(1, FILES):
        shutil.copyfile(work / "pages" / "0.warc.gz", work / "pages" / f"{number}.warc.gz")
    shutil.copyfile(work / "start" / "0.warc.gz", work / "start" / "1.warc.gz")
    parts = {"start": 2 * START_PAGES, "pages": FILES * pages}
    sides = [_side(number, part, work, cores) for part in parts for number in (1, 2)]
    runs = paired.alternate(sides, min(pairs, MOST_PAIRS))
    rows = []
    for number in (1, 2):
        wall, cpu, start = (
            median(getattr(run, what) for run in runs[f"{number} {part}"])
            for what, part in (("seconds", "pages"), ("cpu_seconds", "pages"), ("seconds", "start"))
        )
        memory = max(run.peak_rss_mb for run in runs[f"{number} pages"])
        rows.append(
            (number, f"{wall:.1f}", f"{cpu:.1f}", f"{start:.1f}", f"{parts['pages'] / wall:.0f}", f"{memory:.0f}")
        )
    head = ("workers", "wall s", "cpu s", f"wall s of {parts['start']} pages", "pages a wall s", "peak MB")
    print(f"The stage, WARC to documents: {FILES} files of {pages} pages, {ABOUT}; two cores\n")
    print(f"{paired.table(head, rows)}\n")
    seconds = {number: [run.seconds for run in runs[f"{number} pages"]] for number in (1, 2)}
    facts = {
        "pages": parts["pages"],
        "pairs": min(pairs, MOST_PAIRS),
        "start_up_share": {f"{row[0]}": round(float(row[3]) / float(row[1]), 3) for row in rows},
        "same_bytes": _digest(work, 1) == _digest(work, 2),
    }
    return {"workers_2_vs_1": paired.ratios(seconds[2], seconds[1])}, facts


def _side(number: int, part: str, work: Path, cores: list[int]) -> Any:
    import paired

    name = f"{number} {part}"
    out = work / "out" / name
    command = [sys.executable, "-m", "corpus", "extract", str(work / part), str(out), "--workers", str(number)]
    prepare = lambda: shutil.rmtree(out, ignore_errors=True)  # noqa: E731
    return paired.Side(name, command, prepare, work / "logs" / f"{name}.log", cores=cores)


def _digest(work: Path, number: int) -> str:
    """Of the names and bytes of the documents."""
    found = hashlib.sha256()
    for path in sorted((work / "out" / f"{number} pages" / "extract").rglob("*.parquet")):
        found.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
