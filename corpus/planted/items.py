"""Items of benchmarks: read, drawn, changed, and looked for in documents, in plain Python.

What an item's passages are follows the definitions that the recipe's keys give, and none of the code that is checked;
which files a benchmark has, and their lines, is not what is checked, and the stage's own.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, pairwise, permutations
from pathlib import Path
from random import Random
from typing import Any

from corpus.decontaminate.benchmarks import files, kind, lines
from corpus.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from corpus.errors import InputError
from corpus.planted.labels import Labels
from corpus.planted.mutate import Pool, spliced
from corpus.planted.words import SPACELESS, WORD, Ngram, Words, ngrams

_FEW = 4  # fields without an order that may follow each other in any
_QUOTES = " \t\r\n\"'`“”„‘’«»()[]¿¡"
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

    Raises InputError when a file is not there or cannot be read, or a line is no JSON.
    """
    found = files(benchmark).values()
    labels: dict[str, Labels] = {}
    for file in found:
        for record in _records(file, benchmark.fields) if kind(file) == "jsonl" else ():
            for name, value in record:
                for text in _strings(value):
                    labels.setdefault(name, Labels()).add(text)
    for file in found:
        if kind(file) == "jsonl":
            for record in _records(file, benchmark.fields):
                yield _item(record, labels, bool(benchmark.fields))
        else:
            yield from _paragraphs(file)


def _records(file: Path, names: Sequence[str]) -> Iterator[list[tuple[str, Any]]]:
    """Of each line its fields, by name, that hold text."""
    for number, line in enumerate(lines(file), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file}:{number}: is no JSON ({str(error)[:100]}); mend or remove the line") from error
        values = [(name, _at(record, name)) for name in names] if names else _leaves(record)
        yield [(name, value) for name, value in values if next(_strings(value), None) is not None]


def _item(record: list[tuple[str, Any]], labels: dict[str, Labels], ordered: bool) -> Item:
    fields, lists = [], []
    for name, value in record:
        texts = tuple(_strings(value))
        bare = tuple(map(labels[name].cut, texts))
        fields.append(bare)
        # What neither has a label nor ends like a sentence must be as long as one of several.
        lists.append(isinstance(value, list) or (bare != texts and not all(map(_whole, bare))))
    text = "\n".join(part for field in fields for part in field)
    return Item(text.encode("utf-8", "replace").decode(), tuple(fields), tuple(lists), ordered)


def _at(value: Any, name: str) -> Any:
    """What lies at `choices.text`, None if nothing does; numbers as they are written."""
    head, _, rest = name.partition(".")
    if isinstance(value, dict):
        found = value[name] if name in value else _at(value.get(head), rest) if rest else None
        return str(found) if isinstance(found, int | float) else found
    return None


def _leaves(value: Any) -> list[tuple[str, Any]]:
    """Strings and lists in what is not a list, in order, by the keys that lead there."""
    found, stack = [], [("", value)]
    while stack:
        name, part = stack.pop()
        if isinstance(part, dict):
            stack += [(f"{name}.{key}", inner) for key, inner in reversed(part.items())]
        else:
            found.append((name, part))
    return found


def _strings(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict | list):
            stack += reversed(part.values() if isinstance(part, dict) else part)


def _paragraphs(file: Path) -> Iterator[Item]:
    part: list[str] = []
    for line in chain(lines(file), [b""]):
        if line.strip():
            part.append(line.decode("utf-8", "replace").strip())
        elif part:
            text = "\n".join(part)
            yield Item(text, ((text, *(part if len(part) > 1 else ())),), (True,), True)
            part = []


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


def _whole(text: str) -> bool:
    bare = text.strip(_QUOTES)
    return bare[:1].isalpha() and bare[-1] in ".!?…。！？؟।"


def _least(text: str, several: bool, config: DecontaminateConfig) -> int:
    """Words that a text must have: few where it begins with no small letter and ends with a mark, quotes aside."""
    bare = text.strip(_QUOTES)
    if not bare or bare[0].islower():
        return config.min_choice_words
    whole = _whole(text)
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
