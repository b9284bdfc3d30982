"""WARC to filtered, signed documents: ours against datatrove, one core each.

Both do the same: extraction, English by lid.176 at 0.65, Gopher repetition, Gopher quality, FineWeb quality, MinHash
signatures of 14 bands x 8 rows over word 5-grams, documents and signatures on disk. `ours` extracts with trafilatura
in its fast setting, as datatrove does here; `ours_default` with the extractor of our default recipe. Ours is the
command that a user types: besides, it writes ledgers of what was dropped and clusters what was signed.

The pages are those of `bench/pages.py`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BANDS, ROWS, NGRAM, LANGUAGE_SCORE, SECONDS_A_PAGE = 14, 8, 5, 0.65, 10
START_PAGES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--pages", type=int, default=1200)
    parser.add_argument("--input", type=Path, default=ROOT / "data" / "input", help="the default input; made if absent")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "bench-chain")
    parser.add_argument("--peer", nargs=2, metavar=("WARC", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        datatrove(Path(options.peer[0]), Path(options.peer[1]))
    else:
        compare(options.pairs, options.pages, options.input, options.work.absolute())


def compare(pairs: int, pages: int, given: Path, work: Path) -> None:
    """Run all sides and print the table and, last, the result as one JSON object."""
    import paired
    from pages import ABOUT, write_pages

    small, large = work / "start.warc.gz", work / "pages.warc.gz"
    write_pages(given, {small: START_PAGES, large: pages})
    names = ("ours", "ours_default", "datatrove")
    sides = [_side(name, warc, work) for warc in (small, large) for name in names]
    runs = paired.alternate(sides, pairs)

    def figures(name: str, what: str, part: str = "pages") -> list[float]:
        return [getattr(run, what) for run in runs[f"{name} {part}"]]

    def wall(name: str) -> list[float]:
        return figures(name, "seconds")

    def processor(name: str) -> list[float]:
        return figures(name, "cpu_seconds")

    def steady(name: str) -> list[float]:
        """Processor seconds for the pages beyond the first few, in which both sides start up, pair by pair."""
        return [a - b for a, b in zip(processor(name), figures(name, "cpu_seconds", "start"), strict=True)]

    found = {name: _ours(work / name) if name.startswith("ours") else _peers(work / name) for name in names}
    memory = {name: max(figures(name, "peak_rss_mb")) for name in names}
    rows = []
    for name in names:
        rate = (pages - START_PAGES) / median(steady(name))
        start = median(figures(name, "cpu_seconds", "start")) - START_PAGES / rate
        cells = [f"{cell:.1f}" for cell in (median(wall(name)), median(processor(name)), start, rate)]
        rows.append((name, *cells, len(found[name]), f"{memory[name]:.0f}"))
    head = ("side", "wall s", "cpu s", "of it start-up", "then pages a cpu s", "kept", "peak MB")
    print(f"{pages} pages, {ABOUT}; {pairs} pairs, one core; medians\n\n{paired.table(head, rows)}\n")
    ratios = {
        f"{name}_vs_datatrove{suffix}": paired.ratios(measure(name), measure("datatrove"))
        for name in names[:2]
        for suffix, measure in (("", wall), ("_cpu", processor), ("_steady", steady))
    }
    rows = [(name, *row.values()) for name, row in ratios.items()]
    print(f"{paired.table(('ratio', 'min', 'median', 'max'), rows)}\n")
    quality = {"pages": pages, "kept": {name: len(found[name]) for name in names}}
    quality |= {f"{ours}_and_datatrove": _overlap(found[ours], found["datatrove"]) for ours in names[:2]}
    packages = ("corpusmill", "datatrove", "trafilatura", "resiliparse", "spacy", "warcio", "numba", "pyarrow")
    print(paired.result("chain", pairs, ratios, quality, memory, packages))


def _side(name: str, warc: Path, work: Path) -> Any:
    """`NAME pages` or `NAME start`, by the WARC file."""
    import paired

    from corpus.language.config import LanguageConfig
    from corpus.language.model import locate

    part = warc.name.partition(".")[0]
    out = work / name / part
    if name == "datatrove":
        command = [sys.executable, __file__, "--peer", str(warc), str(out)]
        env = {
            "PYTHONPATH": str(Path(sys.prefix) / "peers"),
            "HF_ASSETS_CACHE": str(work / "assets"),
            "HF_HUB_OFFLINE": "1",
        }
        env["LID_MODEL"] = str(locate(LanguageConfig()))
    else:
        recipe = {
            "name": "chain",
            "output": str(out),
            "sources": [{"name": "pages", "kind": "warc", "path": str(warc)}],
            "extract": {"timeout_seconds": SECONDS_A_PAGE} | ({"extractor": "trafilatura"} if name == "ours" else {}),
            "language": {"keep": ["en"], "threshold": LANGUAGE_SCORE},
            "quality": {"presets": ["gopher", "fineweb"]},
            "dedup": {"ngram": NGRAM, "bands": BANDS, "rows": ROWS},
        }
        path = work / f"{name}-{part}.yaml"
        path.write_text(json.dumps(recipe))  # JSON is YAML
        command = [sys.executable, "-m", "corpus", "run", str(path), "--until", "dedup", "--workers", "1"]
        env = {}
    prepare = lambda: shutil.rmtree(out, ignore_errors=True)  # noqa: E731
    return paired.Side(f"{name} {part}", command, prepare, work / "logs" / f"{name}-{part}.log", env)


def datatrove(warc: Path, out: Path) -> None:
    """The peer's side, in a process of its own: one executor, one task, the filters in FineWeb's order.

    As documented (its FineWeb example), but for what is made equal: trafilatura in its fast setting without
    `deduplicate`, and the time limit of a page. Faster than the example: uncompressed JSONL, and the signatures
    in the same pass. The language model is put where it would be downloaded to, as the compressed lid.176.ftz.
    """
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.filters import (
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
        LanguageFilter,
    )
    from datatrove.pipeline.readers import WarcReader
    from datatrove.pipeline.writers import JsonlWriter

    _put_model()
    config = MinhashConfig(n_grams=NGRAM, num_buckets=BANDS, hashes_per_bucket=ROWS)
    pipeline = [
        WarcReader(str(warc.parent), glob_pattern=warc.name),
        Trafilatura(favour_precision=False, deduplicate=False, fast=True, timeout=SECONDS_A_PAGE),
        LanguageFilter(languages=["en"], language_threshold=LANGUAGE_SCORE),
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        FineWebQualityFilter(),
        JsonlWriter(str(out / "documents"), compression=None),
        MinhashDedupSignature(str(out / "signatures"), config=config),
    ]
    LocalPipelineExecutor(pipeline, tasks=1, workers=1, logging_dir=str(out / "logs")).run()


def _put_model() -> None:
    import os

    from datatrove.io import cached_assets_path, strip_protocol
    from datatrove.utils.lid import FT176LID

    folder = Path(cached_assets_path(library_name="datatrove", namespace="lid", subfolder=FT176LID.MODEL_SUBFOLDER))
    path = folder / strip_protocol(FT176LID.MODEL_URL).replace("/", "_")
    if not path.exists():
        shutil.copyfile(os.environ["LID_MODEL"], path)
        Path(f"{path}.completed").touch()


def _ours(folder: Path) -> dict[str, str]:
    """URL -> text of the documents that were signed."""
    import pyarrow.parquet as pq

    def read(step: str, columns: list[str]) -> Iterator[dict[str, Any]]:
        for path in sorted((folder / "pages" / step).glob("*.parquet")):
            yield from pq.read_table(path, columns=columns).to_pylist()

    signed = {row["id"] for row in read("dedup/signatures", ["id"])}
    return {row["url"]: row["text"] for row in read("extract", ["id", "url", "text"]) if row["id"] in signed}


def _peers(folder: Path) -> dict[str, str]:
    lines = (folder / "pages" / "documents" / "00000.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["metadata"]["url"]: row["text"] for row in rows}


def _overlap(ours: dict[str, str], peer: dict[str, str]) -> dict[str, float]:
    both = ours.keys() & peer.keys()
    return {
        "both": len(both),
        "jaccard": round(len(both) / len(ours.keys() | peer.keys()), 4),
        "same_text": round(sum(ours[url].strip() == peer[url].strip() for url in both) / len(both), 4),
    }


if __name__ == "__main__":
    main()
