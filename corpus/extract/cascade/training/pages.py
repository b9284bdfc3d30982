"""The pages that the classifier learns from, and the third of the labelled ones that it never sees."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from corpus.errors import InputError
from corpus.extract.cascade.training.manuals import manuals
from corpus.extract.decode import decode
from corpus.fetch.packages import wheel
from corpus.kernels import html as h
from corpus.sources import SourceConfig, discover, read

# File of pages -> file of what their text is; the htmldate pages have none.
LABELLED = {"adbar": "adbar.gold.jsonl", "readability": "readability.gold.jsonl"}
UNLABELLED = ("htmldate",)
FOLDS = 3


@dataclass(frozen=True)
class TrainingPage:
    """A parsed page and what is known of it; `gold` is its line in the file of labels."""

    collection: str
    url: str
    html: str
    gold: dict[str, Any] | None
    text: np.ndarray
    blocks: np.ndarray
    nodes: np.ndarray
    tokens: np.ndarray

    @property
    def host(self) -> str:
        return urlsplit(self.url if "//" in self.url else f"//{self.url}").netloc.removeprefix("www.")

    @property
    def fold(self) -> int:
        """0 to FOLDS - 1, by host: no site is in two folds."""
        return int.from_bytes(hashlib.blake2b(self.host.encode(), digest_size=4).digest()) % FOLDS

    @property
    def kept_out(self) -> bool:
        """One page in three, by the sha256 of its URL, is never trained or tuned on."""
        return int(hashlib.sha256(self.url.encode()).hexdigest()[:8], 16) % 3 == 0

    @property
    def texts(self) -> list[str]:
        """The blocks' texts."""
        raw = self.text.tobytes()
        return [raw[row[h.START] : row[h.END]].decode("utf-8", "replace") for row in self.blocks]


def pages(kit: Path, packages: Path) -> Iterator[TrainingPage]:
    """The labelled pages of the kit, its unlabelled ones, formasaurus' 954 pages of all kinds, and pages of manuals.

    Raises InputError when the kit or a package is not there.
    """
    for collection in (*LABELLED, *UNLABELLED):
        gold = _gold(kit / LABELLED[collection]) if collection in LABELLED else {}
        for url, html in _archive(kit / f"{collection}.warc.gz"):
            yield _page(collection, url, html, gold.get(url))
    with zipfile.ZipFile(wheel("formasaurus")) as archive:
        for name, entry in json.loads(archive.read("formasaurus/data/index.json")).items():
            html, _ = decode(archive.read(f"formasaurus/data/{name}"))
            yield _page("formasaurus", entry["url"], html, None)
    for url, html, text in manuals(packages):
        yield _page("manuals", url, html, {"text": text})


def _page(collection: str, url: str, html: str, gold: dict[str, Any] | None) -> TrainingPage:
    parsed = h.parse(np.frombuffer(html.encode("utf-8", "replace"), np.uint8))
    return TrainingPage(collection, url, html, gold, *parsed[:4])


def _archive(path: Path) -> Iterator[tuple[str, str]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the folder of the labelled pages")
    source = SourceConfig(name="kit", kind="warc", path=str(path))
    for piece in discover(source):
        for batch in read(piece, source, Counter()):
            for row in batch.to_pylist():
                if row["content"] is not None:
                    yield row["url"], decode(row["content"], row["charset"])[0]


def _gold(path: Path) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["url"]: row for row in rows}
