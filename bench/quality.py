"""Documents to signals and verdicts, and to languages: ours against datatrove, one core each.

Timed are functions over documents in memory (`bench/quality_sides.py`). Ours is what the stage does: C4's edits, all
signals, the rules of C4, Gopher and FineWeb, every one of them told. datatrove's four filters run as a pipeline, where
a document that one drops goes no further, and, as another side, each on every document. Then the language of documents
in many languages, what else we measure a document by, and how the stage's time and memory grow with ten times the
documents.

The documents are those of the default input: English ones, half from real pages, half from generated ones; for
languages, all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
SIDES = ("ours", "datatrove", "datatrove_all", "language_ours", "language_datatrove")
PEERS = (*SIDES[1:3], SIDES[4])
PASSES = 5
"""Of ours, which is done with all documents in a fraction of a second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--documents", type=int, default=900)
    parser.add_argument(
        "--linear", type=int, default=8000, help="documents; ten times as many are measured against them"
    )
    parser.add_argument("--input", type=Path, default=ROOT / "data" / "input", help="the default input; made if absent")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "bench-quality")
    options = parser.parse_args()
    compare(options.pairs, options.documents, options.linear, options.input, options.work.absolute())


def compare(pairs: int, count: int, grown: int, given: Path, work: Path) -> None:
    """Run all sides and print the tables and, last, the result as one JSON object."""
    import paired
    import quality_documents
    from quality_sides import EXTRAS

    table = quality_documents.documents(given, work)
    english = quality_documents.english(table)
    sets = {"english": english[:count], "all": table.column("text").combine_chunks()[: 2 * count]}
    for name, texts in sets.items():
        _write(work / f"{name}.arrow", texts)
    quality_documents.models(table, work)
    names = [*SIDES, *EXTRAS]
    for folder in (*names, "kernels"):
        shutil.rmtree(work / folder, ignore_errors=True)
    runs = paired.alternate([_side(name, work) for name in names], pairs)
    timings = {name: _timings(work / name) for name in names}
    memory = {name: max(run.peak_rss_mb for run in found) for name, found in runs.items()}

    def seconds(name: str) -> list[float]:
        return [run["cpu"] for run in timings[name][1:]]

    ratios = {f"ours_vs_{peer}": paired.ratios(seconds("ours"), seconds(peer)) for peer in SIDES[1:3]}
    ratios["language_ours_vs_datatrove"] = paired.ratios(seconds("language_ours"), seconds("language_datatrove"))
    quality: dict[str, Any] = {name: _size(texts) for name, texts in sets.items()}
    quality |= _agreement(work, len(sets["english"]))
    quality["compile_seconds"] = {name: round(timings[name][0]["compiled"], 1) for name in names if name not in PEERS}
    quality["linear"] = quality_documents.linear(english, grown, pairs, work / "linear")
    memory |= {f"linear_{name}": mb for name, mb in quality["linear"].pop("peak_mb").items()}

    rows = [_row(name, timings[name], memory[name]) for name in names]
    print(f"{pairs} pairs, one core; medians\n")
    print(f"{paired.table(('side', 'documents', 'a cpu second', 'MB a cpu second', 'peak MB'), rows)}\n")
    print(
        f"{paired.table(('ratio', 'min', 'median', 'max'), [(name, *row.values()) for name, row in ratios.items()])}\n"
    )
    print("\n".join(f"{name}: {json.dumps(value)}" for name, value in quality.items()) + "\n")
    packages = ("corpusmill", "datatrove", "spacy", "numba", "pyarrow")
    print(paired.result("quality", pairs, ratios, quality, memory, packages))


def _write(path: Path, texts: pa.Array) -> None:
    table = pa.table({"text": texts})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _side(name: str, work: Path) -> Any:
    import paired

    from corpus.language.config import LanguageConfig
    from corpus.language.model import locate

    documents = work / ("all.arrow" if name.startswith("language") else "english.arrow")
    command = [
        sys.executable,
        str(Path(__file__).with_name("quality_sides.py")),
        name,
        str(documents),
        str(work / name),
    ]
    if "datatrove" in name:
        path = [str(Path(sys.prefix) / "peers"), os.environ.get("PYTHONPATH", "")]
        env = {"PYTHONPATH": os.pathsep.join(filter(None, path)), "LID_MODEL": str(locate(LanguageConfig()))}
        env |= {"HF_ASSETS_CACHE": str(work / "assets"), "HF_HUB_OFFLINE": "1"}
    else:
        command += ["--passes", str(PASSES)]
        env = {"NUMBA_CACHE_DIR": str(work / "kernels")}  # empty before the warm-up, so that this one compiles
    return paired.Side(name, command, lambda: None, work / "logs" / f"{name}.log", env)


def _timings(folder: Path) -> list[dict[str, float]]:
    """Of each run, the warm-up first."""
    return [json.loads(line) for line in (folder / "timings.jsonl").read_text().splitlines()]


def _row(name: str, timings: Sequence[dict[str, float]], memory: float) -> tuple[object, ...]:
    spent = median(run["cpu"] for run in timings[1:])
    count, size = int(timings[0]["documents"]), timings[0]["bytes"]
    return (name, f"{count:,}", f"{count / spent:,.0f}", f"{size / spent / 1e6:.2f}", f"{memory:.0f}")


def _size(texts: pa.Array) -> dict[str, int]:
    return {"documents": len(texts), "bytes": sum(len(text.encode()) for text in texts.to_pylist())}


def _agreement(work: Path, count: int) -> dict[str, Any]:
    """Shares of documents of equal verdict, by filter on the text as it came; what passes all four, after C4's edits,
    and how many of those texts are equal; share of equal languages."""
    ours, pipeline, each = (_found(work, name) for name in SIDES[:3])
    unequal = {name: set(rows) ^ set(each["failed"][name]) for name, rows in ours["failed"].items()}
    both = ours["kept"].keys() & pipeline["kept"].keys()
    labels = [_found(work, name) for name in SIDES[3:]]
    return {
        "verdicts_equal": {name: round(1 - len(rows) / count, 4) for name, rows in unequal.items()},
        "kept": {
            "ours": len(ours["kept"]),
            "datatrove": len(pipeline["kept"]),
            "both": len(both),
            "same_text": sum(ours["kept"][row] == pipeline["kept"][row] for row in both),
        },
        "language_labels_equal": round(sum(a == b for a, b in zip(*labels, strict=True)) / len(labels[0]), 4),
    }


def _found(work: Path, name: str) -> Any:
    return json.loads((work / name / "found.json").read_text())


if __name__ == "__main__":
    main()
