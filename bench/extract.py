"""Pages to text: ours against trafilatura in its fast setting, resiliparse, and datatrove's block, one core each.

Timed is the function of each over decoded pages in memory (`bench/extract_sides.py`). Ours makes text and metadata;
trafilatura and resiliparse are called for the text alone; datatrove's block comes with the process that it keeps for
each page's time limit. Then our three extractors through the guard that the stage uses, and the stage itself, WARC to
documents, with one worker and with two.

The pages: formasaurus' real ones and, where the labelled kits are beside the checkout or CORPUSMILL_KITS names their
folder, those of adbar and readability. Quality is measured on the third of the labelled pages that training never sees.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("trafilatura_fast", "resiliparse", "datatrove")
GUARDED = ("cascade", "trafilatura", "resiliparse")
Timings = list[dict[str, dict[str, float]]]
"""Of each round: collection -> pages, seconds by the wall clock (`wall`) and of the processor (`cpu`)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--pages", type=int, default=1000, help="of each collection, and of each file of the stage")
    parser.add_argument("--input", type=Path, default=ROOT / "data" / "input", help="the default input; made if absent")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "bench-extract")
    options = parser.parse_args()
    compare(options.pairs, options.pages, options.input, options.work.absolute())


def compare(pairs: int, pages: int, given: Path, work: Path) -> None:
    """Run all sides and print the tables and, last, the result as one JSON object."""
    import paired
    from extract_stage import workers

    kits = Path(os.environ.get("CORPUSMILL_KITS", ROOT.parent / "shared" / "kits")) / "extraction"
    archives = _archives(given, kits)
    names = ("ours", *PEERS, *(f"guarded {name}" for name in GUARDED))
    for name in names:
        shutil.rmtree(work / name, ignore_errors=True)
    runs = paired.alternate([_side(name, archives, pages, work) for name in names], pairs)
    timings = {name: _timings(work / name) for name in names}
    memory = {name: max(run.peak_rss_mb for run in found) for name, found in runs.items()}
    ratios: dict[str, dict[str, float]] = {}
    quality: dict[str, Any] = {"collections": {name: part["pages"] for name, part in timings["ours"][0].items()}}

    print(f"{pairs} pairs, one core, pages a second of processor time; medians\n")
    print(f"{_rates(timings, names[:4], memory)}\n\nOurs through the guard, which the stage uses\n")
    print(f"{_rates(timings, names[4:], memory)}\n")
    for name, ours, peers in (("ours", "ours", PEERS), ("guarded", "guarded cascade", GUARDED[1:])):
        for peer in peers:
            theirs = timings[peer if name == "ours" else f"guarded {peer}"]
            for suffix, what, part in _measures(archives):
                seconds = (_seconds(timings[ours], what, part), _seconds(theirs, what, part))
                ratios[f"{name}_vs_{peer}{suffix}"] = paired.ratios(*seconds)
    quality |= _texts(names, kits, work)
    found, facts = workers(pages, pairs, given, work / "stage")
    ratios |= found
    quality["stage"] = facts
    rows = [(name, *row.values()) for name, row in ratios.items()]
    print(f"{paired.table(('ratio', 'min', 'median', 'max'), rows)}\n")
    packages = ("corpusmill", "trafilatura", "resiliparse", "datatrove", "lxml", "numba", "pyarrow")
    print(paired.result("extract", pairs, ratios, quality, memory, packages))


def _archives(given: Path, kits: Path) -> dict[str, Path]:
    """Collection -> WARC file."""
    from corpus.fetch.quickstart import REAL, build

    build(given)
    labelled = {name: kits / f"{name}.warc.gz" for name in ("adbar", "readability")}
    return {"formasaurus": given / REAL} | {name: path for name, path in labelled.items() if path.is_file()}


def _side(name: str, archives: dict[str, Path], pages: int, work: Path) -> Any:
    import paired

    command = [sys.executable, str(Path(__file__).with_name("extract_sides.py")), name, str(work / name)]
    command += ["--pages", str(pages), "--archives", *(f"{part}={path}" for part, path in archives.items())]
    return paired.Side(name, command, lambda: None, work / "logs" / f"{name}.log")


def _timings(folder: Path) -> Timings:
    """Without the warm-up."""
    return [json.loads(line) for line in (folder / "timings.jsonl").read_text().splitlines()[1:]]


def _measures(archives: Iterable[str]) -> Iterator[tuple[str, str, str | None]]:
    """(suffix of the ratio's name, clock, collection or None for all)."""
    yield "", "cpu", None
    yield "_wall", "wall", None
    yield from ((f"_{part}", "cpu", part) for part in archives)


def _seconds(timings: Timings, what: str, part: str | None = None) -> list[float]:
    """Of each round, over all collections or one."""
    return [sum(found[what] for name, found in run.items() if part in (None, name)) for run in timings]


def _rate(timings: Timings, what: str, part: str | None) -> float:
    """Pages a second, the median of the rounds."""
    return _seconds(timings, "pages", part)[0] / median(_seconds(timings, what, part))


def _rates(timings: dict[str, Timings], names: Sequence[str], memory: dict[str, float]) -> str:
    import paired

    parts = list(timings[names[0]][0])
    rows = []
    for name in names:
        found = [_rate(timings[name], "cpu", part) for part in (*parts, None)] + [_rate(timings[name], "wall", None)]
        rows.append((name, *(f"{rate:.0f}" for rate in found), f"{memory[name]:.0f}"))
    return paired.table(("side", *parts, "all", "all, by the wall clock", "peak MB"), rows)


def _texts(names: Sequence[str], kits: Path, work: Path) -> dict[str, Any]:
    """What each side got: characters, empty and failed pages, and, on labelled pages kept out, how good."""
    import metrics
    import paired

    rows, facts = [], {}
    for name in names:
        texts = json.loads((work / name / "texts.json").read_text())
        got = [text for rows in texts.values() for _, text in rows]
        fact: dict[str, Any] = {
            "characters": sum(len(text or "") for text in got),
            "empty": sum(text is not None and not text.strip() for text in got),
            "failed": got.count(None),
        }
        for part, score in (("adbar", _adbar), ("readability", _readability)):
            if part in texts:
                found = {url: text or "" for url, text in texts[part] if kept_out(url)}
                scores = score(metrics, kits / f"{part}.gold.jsonl", found)
                fact[part] = {key: round(value, 4) for key, value in scores._asdict().items()}
        facts[name] = fact
        shown = (_shown(value) if isinstance(value, dict) else value for value in fact.values())
        rows.append((name, *shown))
    head = ["side", "characters", "empty", "failed", *(f"{part}, kept out, P / R / F1" for part in list(fact)[3:])]
    print(f"{paired.table(head, rows)}\n")
    return facts


def _shown(scores: dict[str, float]) -> str:
    return " / ".join(f"{score:.3f}" for score in scores.values())


def kept_out(url: str) -> bool:
    """One labelled page in three is never trained or tuned on."""
    return int(hashlib.sha256(url.encode()).hexdigest()[:8], 16) % 3 == 0


def _gold(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())


def _adbar(metrics: Any, gold: Path, texts: dict[str, str]) -> Any:
    rows = [row for row in _gold(gold) if row["url"] in texts]
    return metrics.segments((texts[row["url"]], row["with"], row["without"]) for row in rows)


def _readability(metrics: Any, gold: Path, texts: dict[str, str]) -> Any:
    return metrics.full_text((row["text"], texts[row["url"]]) for row in _gold(gold) if row["url"] in texts)


if __name__ == "__main__":
    main()
