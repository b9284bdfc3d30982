"""WARC to filtered, signed documents: ours against datatrove, one core each.

Both do the same: extraction, English by lid.176 at 0.65, Gopher repetition, Gopher quality, FineWeb quality, MinHash
signatures of 14 bands x 8 rows over word 5-grams, documents and signatures on disk. `ours` extracts with trafilatura
in its fast setting, as datatrove does here; `ours_default` with the extractor of our default recipe. Ours is the
command that a user types: besides, it writes ledgers of what was dropped and clusters what was signed.

The pages are chosen from the default input by hash of their URL, half of them real, half generated, among HTML
responses of status 200 whose URL occurs once: datatrove does not look at the HTTP status. They get
WARC-Identified-Payload-Type, without which datatrove guesses the type and loses pages.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

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

    small, large = work / "start.warc.gz", work / "pages.warc.gz"
    facts = write_pages(given, {small: START_PAGES, large: pages})
    names = ("ours", "ours_default", "datatrove")
    sides = [_side(name, warc, work) for warc in (small, large) for name in names]
    runs = paired.alternate(sides, pairs)

    def seconds(name: str, what: str = "seconds") -> list[float]:
        return [getattr(run, what) for run in runs[f"{name} pages"]]

    def steady(name: str) -> list[float]:
        """Seconds for the pages beyond the first few, in which both start up, pair by pair."""
        return [a - b.seconds for a, b in zip(seconds(name), runs[f"{name} start"], strict=True)]

    found = {name: _ours(work / name) if name.startswith("ours") else _peers(work / name) for name in names}
    memory = {name: max(seconds(name, "peak_rss_mb")) for name in names}
    rows = []
    for name in names:
        rate = (pages - START_PAGES) / statistics.median(steady(name))
        started = statistics.median(run.seconds for run in runs[f"{name} start"]) - START_PAGES / rate
        cells = (statistics.median(seconds(name)), statistics.median(seconds(name, "cpu_seconds")), started, rate)
        rows.append((name, *(f"{cell:.1f}" for cell in cells), len(found[name]), f"{memory[name]:.0f}"))
    head = ("side", "wall s", "cpu s", "start s", "pages/s after it", "kept", "peak MB")
    print(f"{pages} pages ({facts}), {pairs} pairs, one core\n\n{paired.table(head, rows)}\n")
    ratios = {}
    for ours in names[:2]:
        ratios[f"{ours}_vs_datatrove"] = paired.ratios(seconds(ours), seconds("datatrove"))
        ratios[f"{ours}_vs_datatrove_steady"] = paired.ratios(steady(ours), steady("datatrove"))
        ratios[f"{ours}_vs_datatrove_cpu"] = paired.ratios(
            seconds(ours, "cpu_seconds"), seconds("datatrove", "cpu_seconds")
        )
    print(
        paired.table(("ratio", "min", "median", "max"), [(name, *row.values()) for name, row in ratios.items()]) + "\n"
    )
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


def write_pages(given: Path, files: dict[Path, int]) -> str:
    """Write to each file its number of pages, in order of a hash of their URLs; returns what they are, in words."""
    from warcio.warcwriter import WARCWriter

    from corpus.fetch.quickstart import build

    build(given)
    real, made = (_candidates(sorted(given.glob(pattern))) for pattern in ("formasaurus-*", "intros-*"))
    mixed = [page for pair in zip(real, made, strict=False) for page in pair]
    for path, count in files.items():
        if count > len(mixed):
            raise SystemExit(f"{given} has {len(mixed)} such pages, not {count}: choose fewer by --pages")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            writer = WARCWriter(stream, gzip=True)
            for page in mixed[:count]:
                headers = {name: page.headers.get_header(name) for name in ("WARC-Record-ID", "WARC-Date")}
                headers["WARC-Identified-Payload-Type"] = "text/html"
                record = writer.create_warc_record(
                    page.url,
                    "response",
                    payload=BytesIO(page.body),
                    length=len(page.body),
                    warc_headers_dict=headers,
                    http_headers=page.http_headers,
                )
                writer.write_record(record)
    return "half of them real, from formasaurus, half generated from Wikipedia intros"


class _Page(NamedTuple):
    url: str
    headers: Any
    http_headers: Any
    body: bytes


def _candidates(paths: list[Path]) -> list[_Page]:
    """The pages of WARC files that both sides take for one, by hash of the URL."""
    from warcio.archiveiterator import ArchiveIterator

    found, seen = [], Counter[str]()
    for path in paths:
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                if record.rec_type != "response":
                    continue
                url = record.rec_headers.get_header("WARC-Target-URI")
                seen[url] += 1
                html = (record.http_headers.get_header("Content-Type") or "").startswith("text/html")
                if record.http_headers.get_statuscode() == "200" and html:
                    found.append(_Page(url, record.rec_headers, record.http_headers, record.content_stream().read()))
    once = [page for page in found if seen[page.url] == 1]
    return sorted(once, key=lambda page: hashlib.sha256(page.url.encode()).digest())


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
