"""Items of benchmarks: read, drawn, changed, and looked for in documents, in plain Python.

What an item's passages are follows the definitions that the recipe's keys give, and none of the code that is checked.
"""

from __future__ import annotations

import glob
import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise, permutations
from pathlib import Path
from random import Random
from typing import Any

from corpus.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from corpus.errors import InputError
from corpus.planted.mutate import Pool, spliced
from corpus.planted.words import SPACELESS, WORD, Ngram, Words, ngrams

_JSONL, _TEXT = (".jsonl", ".ndjson", ".json"), (".txt", ".md")
_FEW = 4  # fields without an order that may follow each other in any
_WORDS = Words()


@dataclass(frozen=True)
class Item:
    """`text` is what is planted; `fields`: its texts, of which `lists` are choices, or the parts of a paragraph."""

    text: str
    fields: tuple[tuple[str, ...], ...]
    lists: tuple[bool, ...]
    ordered: bool


def items(benchmark: BenchmarkConfig) -> Iterator[Item]:
    """The items of a benchmark: lines of JSON, or paragraphs.

    Raises InputError when a file is not there or a line is no JSON.
    """
    files = [file for file in _files(benchmark.path) if file.is_file() and _kinds(file)]
    if not files:
        raise InputError(f"benchmark {benchmark.name}: {benchmark.path}: no such file; correct its `path`")
    for file in files:
        yield from _records(file, benchmark.fields) if _kinds(file) & {*_JSONL} else _paragraphs(file)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(path.rglob("*"))
    return [path] if path.is_file() else sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207


def _kinds(file: Path) -> set[str]:
    return set(file.suffixes[-2:]) & {*_JSONL, *_TEXT}


def _open(file: Path) -> Iterator[str]:
    from corpus.sources.compressed import open_stream

    with open_stream(str(file)) as stream:
        for line in stream:
            yield line.decode("utf-8-sig", "replace")


def _records(file: Path, names: Sequence[str]) -> Iterator[Item]:
    for number, line in enumerate(_open(file), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InputError(f"{file}:{number}: is no JSON ({error}); mend or remove the line") from error
        values = [_at(record, name) for name in names] if names else _leaves(record)
        values = [value for value in values if next(_strings(value), None) is not None]
        fields = tuple(tuple(_strings(value)) for value in values)
        lists = tuple(isinstance(value, list) for value in values)
        text = "\n".join(part for field in fields for part in field)
        yield Item(text.encode("utf-8", "replace").decode(), fields, lists, bool(names))


def _at(value: Any, name: str) -> Any:
    """What lies at `choices.text`, None if nothing does; numbers as they are written."""
    head, _, rest = name.partition(".")
    if isinstance(value, dict):
        found = value[name] if name in value else _at(value.get(head), rest) if rest else None
        return str(found) if isinstance(found, int | float) else found
    return None


def _leaves(value: Any) -> list[Any]:
    """Strings and lists in what is not a list, in order."""
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    return [value]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def _paragraphs(file: Path) -> Iterator[Item]:
    lines: list[str] = []
    for line in (*_open(file), ""):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            text = "\n".join(lines)
            yield Item(text, ((text, *(lines if len(lines) > 1 else ())),), (True,), True)
            lines = []


Beat = Callable[[int], object]


def _silent(rows: int) -> None: ...


def draw(config: DecontaminateConfig, count: int, seed: int, beat: Beat = _silent) -> list[Item]:
    """`count` of the items that are looked for, by a hash of seed, benchmark and place."""

    def keyed() -> Iterator[tuple[bytes, str, int, Item]]:
        for benchmark in config.benchmarks:
            for number, item in enumerate(items(benchmark)):
                beat(0)
                if next(_passages(item, config), None) is not None:
                    key = f"{seed}\0{benchmark.name}\0{number}".encode()
                    yield blake2b(key, digest_size=8).digest(), benchmark.name, number, item

    return [item for *_, item in heapq.nsmallest(count, keyed(), key=lambda row: row[:3])]


def changed(item: Item, ngram: int, pool: Pool, rng: Random) -> str | None:
    """The item with one word in ten replaced outside a window of words that stays, in its longest text; None where no
    text is so long, or nothing lies outside."""
    start, longest = max(
        ((item.text.find(text), text) for field in item.fields for text in field), key=lambda found: len(found[1])
    )
    spans = list(WORD.finditer(item.text))
    inside = [at for at, span in enumerate(spans) if start <= span.start() and span.end() <= start + len(longest)]
    window = ngram * _unit([spans[at].group() for at in inside])
    if start < 0 or len(inside) < window or len(spans) == window:
        return None
    first = inside[rng.randint(0, len(inside) - window)]
    outside = [at for at in range(len(spans)) if not first <= at < first + window]
    chosen = sorted(rng.sample(outside, max(1, len(outside) // 10)))
    drawn = [(spans[at].span(), pool.other(spans[at].group(), rng)) for at in chosen]
    parts = [(span, word) for span, word in drawn if word is not None]
    return spliced(item.text, parts) if parts else None


def holding(texts: Sequence[str], config: DecontaminateConfig, beat: Beat = _silent) -> list[bool]:
    """Which texts hold a passage of an item. Memory is that of the texts' n-grams; the items pass by."""
    words = [_WORDS.of(text) for text in texts]
    places: dict[int, dict[Ngram, list[int]]] = {}
    found = [False] * len(texts)
    for benchmark in config.benchmarks if texts else ():
        for item in items(benchmark):
            beat(0)
            for passage in _passages(item, config):
                if len(passage) not in places:
                    places[len(passage)] = _places(words, len(passage))
                for place in places[len(passage)].get(passage, ()):
                    found[place] = True
    return found


def _places(texts: Sequence[Sequence[str]], size: int) -> dict[Ngram, list[int]]:
    """n-gram -> the texts of at least `size` words that hold it."""
    found: dict[Ngram, list[int]] = {}
    for place, words in enumerate(texts):
        for gram in ngrams(words, size) if len(words) >= size else ():
            found.setdefault(gram, []).append(place)
    return found


def _passages(item: Item, config: DecontaminateConfig) -> Iterator[Ngram]:
    """The runs of words that give an item away: windows of its texts and over the border of two of them that follow
    each other, or all of what is shorter."""
    fields = [[_WORDS.of(text) for text in field] for field in item.fields]
    for field, texts, several in zip(fields, item.fields, item.lists, strict=True):
        for words, text in zip(field, texts, strict=True):
            yield from _windows(words, config, _least(text, several, config))
    few = not item.ordered and len(fields) <= _FEW
    for one, other in permutations(fields, 2) if few else pairwise(fields):
        for left in one:
            for right in other:
                if left and right:
                    reach = config.ngram * _unit([*left, *right]) - 1
                    yield from _windows([*left[-reach:], *right[:reach]], config, config.min_words)


def _least(text: str, several: bool, config: DecontaminateConfig) -> int:
    """Words that a text must have: few where it begins with no small letter and ends with a mark, quotes aside."""
    bare = text.strip(" \t\r\n\"'`“”„‘’«»()[]¿¡")
    if not bare or bare[0].islower():
        return config.min_choice_words
    whole = bare[0].isalpha() and bare[-1] in ".!?…。！？؟।"
    if whole and not several:
        return config.min_words
    return config.min_fragment_words if whole or not several else config.min_choice_words


def _windows(words: Sequence[str], config: DecontaminateConfig, least: int) -> Iterator[Ngram]:
    unit = _unit(words)
    window = config.ngram * unit
    if len(words) >= min(least * unit, window):
        yield from ngrams(words, window)


def _unit(words: Sequence[str]) -> int:
    """2 where most words are characters of a script without spaces, which say half as much as a word."""
    return 2 if 2 * sum(SPACELESS.match(word) is not None for word in words) > len(words) else 1
