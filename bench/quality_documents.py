"""What `bench/quality.py` measures on: documents of the default input, and ten times as many made from them."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

LANGUAGE_SCORE = 0.65
START, TIMES = 20, 10
QUALITY = {"presets": ["gopher", "c4", "fineweb"], "line_rules": ["c4"]}


def documents(given: Path, work: Path) -> pa.Table:
    """text, english (bool) of every document of the default input in `given`, made if absent.

    Extracted and labelled by our defaults; real pages and generated ones in turn while there are real ones, each by
    hash of the URL.
    """
    from corpus.fetch.quickstart import build

    build(given)
    parts = {"real": "formasaurus-*", "made": "intros-*"}
    recipe = {
        "name": "quality",
        "output": str(work / "documents"),
        "sources": [{"name": n, "kind": "warc", "path": str(given / p)} for n, p in parts.items()],
        "language": {},
    }
    _corpus(work / "documents.yaml", recipe, "language")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in parts}
    for path in sorted((work / "documents" / "extract").glob("*.parquet")):
        table = pq.read_table(path, columns=["id", "source", "url", "text"])
        scores = pq.read_table(work / "documents" / "language" / "scores" / path.name)
        assert scores.column("id").equals(table.column("id"))
        known = pc.greater_equal(scores.column("language_score"), pa.scalar(LANGUAGE_SCORE, pa.float32()))
        table = table.append_column("english", pc.and_(pc.equal(scores.column("language"), "en"), known))
        for row in table.drop_columns(["id"]).to_pylist():
            rows[row["source"]].append(row)
    for found in rows.values():
        found.sort(key=lambda row: hashlib.sha256(row["url"].encode()).digest())
    real, made = rows.values()
    mixed = [row for pair in zip(real, made, strict=False) for row in pair] + made[len(real) :]
    return pa.Table.from_pylist(mixed, pa.schema([("text", pa.large_string()), ("english", pa.bool_())]))


def english(table: pa.Table) -> pa.Array:
    return table.filter(table.column("english")).column("text").combine_chunks()


def shuffled(texts: pa.Array, seed: int = 1) -> Iterator[str]:
    """All texts as they are, then, without end, with their paragraphs (of one: its sentences) in another order."""
    draw = random.Random(seed)
    for copy in count():
        for text in texts.to_pylist():
            mark = "\n" if "\n" in text else ". "
            pieces = text.split(mark)
            if copy:
                draw.shuffle(pieces)
            yield mark.join(pieces)


def linear(texts: pa.Array, size: int, pairs: int, work: Path) -> dict[str, Any]:
    """How time and memory of `corpus run --until quality` grow from `size` stored documents to ten times as many.

    With one worker. `ratio`: processor seconds for ten times the documents over those for one time, both without what
    START documents take; `peak_mb`: of driver and worker together.
    """
    import paired

    counts = {"start": START, "one": size, "ten": TIMES * size}
    sides = [_stored(name, texts, rows, work) for name, rows in counts.items()]
    runs = paired.alternate(sides, pairs)
    spent = {name: [run.cpu_seconds for run in found] for name, found in runs.items()}
    grown = [(ten - start) / (one - start) for start, one, ten in zip(*spent.values(), strict=True)]
    return {
        "documents": counts,
        "cpu_seconds": {name: round(median(found), 2) for name, found in spent.items()},
        "ratio": {"min": round(min(grown), 2), "median": round(median(grown), 2), "max": round(max(grown), 2)},
        "peak_mb": {name: round(max(run.peak_rss_mb for run in found)) for name, found in runs.items()},
    }


def _stored(name: str, texts: pa.Array, size: int, work: Path) -> Any:
    """Stores so many documents, and gives the side that measures their quality."""
    import paired

    work.mkdir(parents=True, exist_ok=True)
    rows, out = work / f"{name}.jsonl", work / name
    _write(rows, islice(shuffled(texts), size))
    source = {"name": "rows", "kind": "jsonl", "path": str(rows)}
    recipe = {"name": name, "output": str(out), "sources": [source], "quality": QUALITY}
    _corpus(work / f"{name}.yaml", recipe, "extract")
    command = [sys.executable, "-m", "corpus", "run", str(out), "--until", "quality", "--workers", "1"]
    prepare = lambda: shutil.rmtree(out / "quality", ignore_errors=True)  # noqa: E731
    return paired.Side(name, command, prepare, work / f"{name}.log")


def models(table: pa.Table, work: Path) -> None:
    """Train, with our defaults, an n-gram model and a classifier on the documents, for their speed alone; write
    `models.json`, the recipe sections that use them."""
    parts = {"english": table.column("english"), "foreign": pc.invert(table.column("english"))}
    for name, chosen in parts.items():
        with (work / f"{name}.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(
                json.dumps({"text": text}) + "\n" for text in table.filter(chosen).column("text").to_pylist()
            )
    good, bad = (str(work / f"{name}.jsonl") for name in parts)
    section: dict[str, Any] = {}
    for name, given in (("perplexity", ["--reference", good]), ("train", ["--positive", good, "--negative", bad])):
        command = [
            sys.executable,
            "-m",
            "corpus",
            "quality",
            name,
            *given,
            "--out",
            str(work / "models" / name),
            "--force",
        ]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        section |= yaml.safe_load(done.stdout)["quality"]
    (work / "models.json").write_text(json.dumps(section))


def _write(path: Path, texts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": text}) + "\n" for text in texts)


def _corpus(path: Path, recipe: dict[str, Any], until: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(recipe))  # JSON is YAML
    command = [sys.executable, "-m", "corpus", "run", str(path), "--until", until]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
