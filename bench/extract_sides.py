"""One side of `bench/extract.py` in a process of its own: pages to text, timed from within.

Timed is the work on pages that lie in memory: not the interpreter's start, imports, what is compiled or loaded first,
nor reading the archives.
"""

from __future__ import annotations

import argparse
import json
import resource
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import psutil
import pyarrow as pa
import pyarrow.compute as pc

SECONDS_A_PAGE = 10
_WARM_PAGES = 5


class Page(NamedTuple):
    """A decoded page."""

    url: str
    html: str


Extract = Callable[[Sequence[Page]], list[str | None]]
"""The text of each page; None for one that failed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("side", help="one of SIDES, or `guarded NAME` of an extractor of ours")
    parser.add_argument("out", type=Path)
    parser.add_argument("--pages", type=int, required=True, help="of each archive, at most")
    parser.add_argument("--archives", nargs="+", metavar="NAME=WARC", required=True)
    options = parser.parse_args()
    archives = dict(given.split("=", 1) for given in options.archives)
    collections = {name: batches(Path(path), options.pages) for name, path in archives.items()}
    guarded, _, name = options.side.rpartition(" ")
    timings, texts = _through_guard(collections, name) if guarded else _alone(collections, SIDES[name]())
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "timings.jsonl").open("a") as lines:
        lines.write(json.dumps(timings) + "\n")
    (options.out / "texts.json").write_text(json.dumps(texts))


def batches(archive: Path, most: int) -> list[pa.RecordBatch]:
    """The first `most` HTML pages of a WARC file as the stage `extract` gets them."""
    from corpus.sources import SourceConfig, discover, read

    source = SourceConfig(name="pages", kind="warc", path=str(archive))
    found, left = [], most
    for piece in discover(source):
        for batch in read(piece, source, Counter()):
            pages = pc.and_(pc.is_null(batch["problem"]), pc.equal(batch["media_type"], "text/html"))
            found.append(batch.filter(pages)[:left])
            left -= len(found[-1])
    return [batch for batch in found if len(batch)]


def decoded(batches: Sequence[pa.RecordBatch]) -> list[Page]:
    from corpus.extract.decode import decode

    rows = (row for batch in batches for row in batch.select(["url", "content", "charset"]).to_pylist())
    return [Page(row["url"], decode(row["content"], row["charset"])[0]) for row in rows]


def _alone(collections: dict[str, list[pa.RecordBatch]], extract: Extract) -> tuple[dict[str, Any], dict[str, Any]]:
    """Timings and texts by collection, of the extractor's function."""
    pages = {name: decoded(found) for name, found in collections.items()}
    extract(next(iter(pages.values()))[:_WARM_PAGES])
    timings, texts = {}, {}
    for name, found in pages.items():
        timer = Timer()
        extracted = extract(found)
        timings[name] = timer.stop(len(found))
        texts[name] = [(page.url, text) for page, text in zip(found, extracted, strict=True)]
    return timings, texts


def _through_guard(
    collections: dict[str, list[pa.RecordBatch]], extractor: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Timings and texts by collection, of batches through the guard, its process included."""
    from corpus.extract.config import ExtractConfig
    from corpus.extract.guard import Guard

    timings, texts = {}, {}
    config = ExtractConfig.model_validate({"extractor": extractor, "timeout_seconds": SECONDS_A_PAGE})
    with Guard(config) as guard:
        guard.extract(next(iter(collections.values()))[0][:_WARM_PAGES])
        for name, found in collections.items():
            timer = Timer()
            extracted = [guard.extract(batch) for batch in found]
            timings[name] = timer.stop(sum(map(len, found)))
            urls = [url for batch in found for url in batch["url"].to_pylist()]
            got = [
                text if outcome == "ok" else "" if outcome == "empty" else None
                for batch in extracted
                for text, outcome in zip(batch["text"].to_pylist(), batch["outcome"].to_pylist(), strict=True)
            ]
            texts[name] = list(zip(urls, got, strict=True))
    return timings, texts


class Timer:
    """Wall-clock and processor seconds, those of child processes included, from its making."""

    def __init__(self) -> None:
        self._cpu, self._wall = self._processor(), monotonic()

    @staticmethod
    def _processor() -> float:
        mine, gone = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        living = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
        return sum(times.ru_utime + times.ru_stime for times in (mine, gone)) + sum(t.user + t.system for t in living)

    def stop(self, pages: int) -> dict[str, float]:
        wall = monotonic() - self._wall
        return {"pages": pages, "wall": wall, "cpu": self._processor() - self._cpu}


def _each(function: Callable[[Page], str | None]) -> Extract:
    def attempt(page: Page) -> str | None:
        try:
            return function(page) or ""
        except Exception:  # what a page brings about is its own loss
            return None

    return lambda pages: [attempt(page) for page in pages]


def ours() -> Extract:
    """Our default as the registry gives it: text and metadata."""
    from corpus.extract.registry import load

    extract = load("cascade")
    return _each(lambda page: extract(page.html, page.url, False).text)


def trafilatura_fast() -> Extract:
    """The settings of `corpus.extract.trafilatura_extractor`; the text alone, no metadata."""
    import logging

    import lxml_html_clean  # noqa: F401 - without it every page fails
    import trafilatura

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

    def extract(page: Page) -> str | None:
        return trafilatura.extract(page.html, fast=True, include_comments=False, include_tables=True, deduplicate=False)

    return _each(extract)


def resiliparse() -> Extract:
    """The settings of `corpus.extract.resiliparse_extractor`; the text alone, no metadata."""
    from resiliparse.extract.html2text import extract_plain_text

    return _each(lambda page: extract_plain_text(page.html, main_content=True, alt_texts=False, comments=False))


def datatrove() -> Extract:
    """datatrove's block as it comes, with its process that can be killed; of its settings only the time limit is ours.

    Each call has a fresh process: by default the block drops text that it has seen before, by a cache of its process.
    """
    import lxml_html_clean  # noqa: F401 - without it every page is lost as a timeout
    import trafilatura  # noqa: F401 - its processes are forks: so they need not import it in their first page
    from datatrove.data import Document
    from datatrove.pipeline.extractors import Trafilatura

    def extract(pages: Sequence[Page]) -> list[str | None]:
        documents = [Document(text=page.html, id=str(number)) for number, page in enumerate(pages)]
        for _ in Trafilatura(timeout=SECONDS_A_PAGE).run(iter(documents)):
            pass
        # One that timed out or failed keeps its HTML.
        found = zip(documents, pages, strict=True)
        return [None if document.text is page.html else document.text or "" for document, page in found]

    return extract


SIDES = {f.__name__: f for f in (ours, trafilatura_fast, resiliparse, datatrove)}

if __name__ == "__main__":
    main()
