"""Documents to survivors: ours against rensa, datasketch and datatrove, the same two cores for each.

`ours` is the stage as a user runs it, on a folder of extracted documents: signatures, keys, clusters and decisions
committed to disk, every near pair verified. `ours_in_memory` is what it does from arrays to arrays, as libraries do.
Each side runs as a command, from the interpreter's start to the ids of the survivors on disk, and reads Parquet; what
each does is told in `bench/dedup_sides.py`, what is compared in `bench/dedup_documents.py`. datatrove runs once: it
takes minutes. Then signatures alone, on one core, and how the stage's time grows from the shorter documents to ten
times as many.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from dedup_documents import Kind
    from paired import Run, Side

ROOT = Path(__file__).resolve().parent.parent
THRESHOLD = 0.8
LONG = (97, 0.6, 30)
SHORT = (30, 0.3, 8)
"""Words of a document and of the runs that it is made of: see `Kind`."""
CORES = 2
TIMES = 10
MEMORY = "2GB"
MOST_GROWTH_PAIRS = 3
OURS = ("ours", "ours_in_memory")
PEERS = ("rensa", "rensa_careful", "rensa_rho", "datasketch")
SIGNED = ("signatures_ours", "signatures_rensa", "signatures_rensa_split", "signatures_rensa_rho")

Pairs = Sequence[tuple[float, str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument(
        "--short", type=int, default=200_000, help="ten times as many are measured against them; 0: none"
    )
    parser.add_argument("--without-datatrove", action="store_true")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "bench-dedup")
    options = parser.parse_args()
    compare(options.pairs, options.documents, options.short, not options.without_datatrove, options.work.absolute())


def compare(pairs: int, count: int, short: int, datatrove: bool, work: Path) -> None:
    """Run all sides and print the tables and, last, the result as one JSON object."""
    import paired
    from dedup_documents import Kind, make

    documents = make(work / "documents", Kind(count, *LONG)) / "documents.parquet"
    sides = [_stage("ours", documents, work), *(_peer(name, documents, work) for name in (*OURS[1:], *PEERS, *SIGNED))]
    for name in SIGNED:
        (work / name / "timings.jsonl").unlink(missing_ok=True)
    runs = paired.alternate(sides, pairs)
    if datatrove:
        runs["datatrove"] = [_peer("datatrove", documents, work).run(_cores()[0])]

    truth = read_pairs(documents.with_name("pairs.tsv"))
    ids = pq.read_table(documents, columns=["id"]).column("id").to_pylist()
    decided = [name for name in runs if name not in SIGNED]
    quality = {name: judged(truth, ids, _kept(work / name)) for name in decided}
    measures = {
        suffix: {name: [getattr(run, what) for run in found] for name, found in runs.items()}
        for suffix, what in (("", "seconds"), ("_cpu", "cpu_seconds"))
    }
    ratios = {
        f"{ours}_vs_{peer}{suffix}": paired.ratios(spent[ours], spent[peer])
        for ours in OURS
        for peer in PEERS
        for suffix, spent in measures.items()
    }
    if datatrove:
        ratios |= {
            f"ours_vs_datatrove{suffix}": paired.ratios([median(spent["ours"])], spent["datatrove"])
            for suffix, spent in measures.items()
        }
    signed = {name: _signed(work / name) for name in SIGNED}
    for peer in SIGNED[1:]:
        ratios[f"signatures_ours_vs_{peer.removeprefix('signatures_')}"] = paired.ratios(
            [run["cpu"] for run in signed[SIGNED[0]]], [run["cpu"] for run in signed[peer]]
        )
    memory = {name: max(run.peak_rss_mb for run in found) for name, found in runs.items()}
    facts: dict[str, Any] = {"documents": count, "bytes": int(signed[SIGNED[0]][0]["bytes"]), "sides": quality}

    print(f"{count:,} documents, {facts['bytes'] / 1e6:.0f} MB; {pairs} pairs, {len(_cores())} cores; medians\n")
    rows = [_row(name, runs[name], memory[name], quality[name]) for name in decided]
    head = ("side", "wall s", "cpu s", "peak MB", "removed", "recall", "precision")
    print(f"{paired.table(head, rows)}\n")
    print(f"{paired.table(('signatures', 'MB a cpu s'), [(name, _rate(found)) for name, found in signed.items()])}\n")
    if short:
        growth = _growth(Kind(short, *SHORT), min(pairs, MOST_GROWTH_PAIRS), work / "short")
        memory |= {f"short_{name}": mb for name, mb in growth.pop("peak_mb").items()}
        facts["growth"] = growth
        print(f"growth: {json.dumps(growth)}\n")
    print(
        f"{paired.table(('ratio', 'min', 'median', 'max'), [(name, *row.values()) for name, row in ratios.items()])}\n"
    )
    packages = ("corpusmill", "rensa", "datasketch", "datatrove", "numba", "numpy", "pyarrow")
    print(paired.result("dedup", pairs, ratios, facts, memory, packages))


def read_pairs(path: Path) -> Pairs:
    """(Jaccard index, two ids) of all pairs that are alike."""
    rows = (line.split("\t") for line in path.read_text().splitlines())
    return [(float(jaccard), a, b) for jaccard, a, b in rows]


def judged(pairs: Pairs, ids: Iterable[str], kept: Iterable[str]) -> dict[str, float]:
    """Of the pairs at J >= .8 the share of which not both stay; of the removed the share with a partner at J >= .8."""
    stay = set(kept)
    removed = set(ids) - stay
    near = [(a, b) for jaccard, a, b in pairs if jaccard >= THRESHOLD]
    partnered = {name for pair in near for name in pair}
    missed = sum(a in stay and b in stay for a, b in near)
    return {
        "removed": len(removed),
        "pairs": len(near),
        "recall": round(1 - missed / len(near), 4),
        "precision": round(len(removed & partnered) / max(len(removed), 1), 4),
    }


def _cores() -> list[int]:
    """Those that every side may use."""
    return sorted(os.sched_getaffinity(0))[:CORES]


def _peer(name: str, documents: Path, work: Path) -> Side:
    import paired

    out = work / name
    command = [sys.executable, str(Path(__file__).with_name("dedup_sides.py")), name, str(documents), str(out)]
    path = [str(Path(sys.prefix) / "peers"), os.environ.get("PYTHONPATH", "")]
    env = {"PYTHONPATH": os.pathsep.join(filter(None, path)), "HF_HUB_OFFLINE": "1"} if "ours" not in name else {}
    prepare = lambda: None if name in SIGNED else shutil.rmtree(out, ignore_errors=True)  # noqa: E731
    cores = () if name in SIGNED else _cores()
    return paired.Side(name, command, prepare, work / "logs" / f"{name}.log", env, cores)


def _stage(name: str, documents: Path, work: Path, *options: str) -> Side:
    """`corpus dedup` on a folder into which the documents are extracted here, untimed."""
    import paired

    out = work / name
    source = {"name": "texts", "kind": "parquet", "path": str(documents), "columns": {"id": "id"}}
    recipe = work / f"{name}.yaml"
    recipe.write_text(json.dumps({"name": name, "output": str(out), "sources": [source]}))  # JSON is YAML
    corpus = [sys.executable, "-m", "corpus"]
    subprocess.run([*corpus, "run", str(recipe), "--until", "extract"], check=True, stdout=subprocess.DEVNULL)
    command = [*corpus, "dedup", str(out), *options]
    prepare = lambda: shutil.rmtree(out / "dedup", ignore_errors=True)  # noqa: E731
    return paired.Side(name, command, prepare, work / "logs" / f"{name}.log", cores=_cores())


def _kept(folder: Path) -> list[str]:
    """Ids of the survivors that a side left in its folder."""
    if (folder / "kept.parquet").exists():
        return pq.read_table(folder / "kept.parquet").column("id").to_pylist()
    given = pq.read_table(folder / "extract", columns=["id", "locator"])
    stay = pq.read_table(folder / "dedup" / "decision", columns=["id"])
    # The locator ends in `#row:id`.
    names = dict(zip(given.column("id").to_pylist(), given.column("locator").to_pylist(), strict=True))
    return [names[key].rpartition(":")[2] for key in stay.column("id").to_pylist()]


def _signed(folder: Path) -> list[dict[str, float]]:
    """Of each round, without the warm-up."""
    return [json.loads(line) for line in (folder / "timings.jsonl").read_text().splitlines()[1:]]


def _rate(runs: Sequence[Mapping[str, float]]) -> str:
    return f"{median(run['bytes'] / run['cpu'] for run in runs) / 1e6:.1f}"


def _row(name: str, runs: Sequence[Run], memory: float, quality: Mapping[str, float]) -> tuple[object, ...]:
    wall, cpu = (median(getattr(run, what) for run in runs) for what in ("seconds", "cpu_seconds"))
    shares = (f"{quality[what]:.4f}" for what in ("recall", "precision"))
    return (name, f"{wall:.1f}", f"{cpu:.1f}", f"{memory:.0f}", f"{quality['removed']:,}", *shares)


def _growth(kind: Kind, pairs: int, work: Path) -> dict[str, Any]:
    """Wall seconds of the stage within MEMORY for so many documents and ten times as many; peak of all processes."""
    import paired
    from dedup_documents import identify, make

    counts = {"one": kind.documents, "ten": TIMES * kind.documents}
    made = {name: make(work / f"{name}-documents", kind._replace(documents=count)) for name, count in counts.items()}
    sides = [_stage(name, made[name] / "documents.parquet", work, "--memory", MEMORY) for name in counts]
    runs = paired.alternate(sides, pairs)
    grown = [ten.seconds / one.seconds for one, ten in zip(runs["one"], runs["ten"], strict=True)]
    return {
        "documents": counts,
        "memory": MEMORY,
        "seconds": {name: round(median(run.seconds for run in found), 1) for name, found in runs.items()},
        "ratio": {"min": round(min(grown), 2), "median": round(median(grown), 2), "max": round(max(grown), 2)},
        "quality": {
            name: judged(read_pairs(made[name] / "pairs.tsv"), map(identify, range(count)), _kept(work / name))
            for name, count in counts.items()
        },
        "peak_mb": {name: max(run.peak_rss_mb for run in found) for name, found in runs.items()},
    }


if __name__ == "__main__":
    main()
