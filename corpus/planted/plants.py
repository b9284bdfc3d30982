"""A copy of some documents, and among them others whose fate is known: near duplicates, benchmark items, personal
data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from random import Random

from corpus.dedup.config import DedupConfig
from corpus.pii.config import PiiConfig
from corpus.planted.config import PlantedConfig
from corpus.planted.items import Beat, Item, changed, draw
from corpus.planted.mutate import Pool, copy, near_duplicate, with_line
from corpus.planted.personal import KINDS, personal
from corpus.planted.result import CHANGED, EXACT, NEAR, PII, VERBATIM
from corpus.planted.words import Similarity, Words

# Of the recipe's threshold t: t + (1 - t) * share, and t * share.
_ABOVE, _BELOW = (0.75, 0.5, 0.25, 0.1), (0.9375, 0.75, 0.5)
_STAYS = 13  # words in a row that a changed item keeps, as GPT-3 looks for, whatever the recipe does
_FAILURES = 100  # documents in which a kind could not be planted, after which it is given up


@dataclass(frozen=True)
class Plant:
    """A planted document: `name` of it and of the document that it was made from, which stays in the copy unless both
    are the same; `value`: the personal data in it."""

    kind: str
    name: str
    host: str
    level: float | None = None
    value: str = ""


@dataclass
class Copy:
    """`texts` by name, the copied documents first; `wanted`: how many there should be of each (kind, level)."""

    texts: dict[str, str]
    plants: list[Plant] = field(default_factory=list)
    wanted: dict[tuple[str, float | None], int] = field(default_factory=dict)

    @property
    def clean(self) -> list[str]:
        """Names of the documents to which nothing was done."""
        hosts = {name for plant in self.plants for name in (plant.name, plant.host)}
        return [name for name in self.texts if name not in hosts]


Maker = Callable[[str, Random], tuple[str, str] | None]
"""(text, random numbers) -> (planted text, value), or None where nothing can be planted in that text."""


@dataclass
class _Group:
    """What is planted of one kind at one level.

    `instead`: in the place of the document that it is made from; `shares`: also beside documents that take part in
    something else, which a line more does not disturb.
    """

    kind: str
    level: float | None
    makers: list[Maker]
    instead: bool = False
    shares: bool = False
    failed: set[str] = field(default_factory=set)


def similarity(dedup: DedupConfig) -> Similarity:
    """What the recipe calls similar."""
    return Similarity(dedup.ngram, Words(dedup.normalise), dedup.measure == "containment")


def levels(config: PlantedConfig) -> list[float]:
    """The levels at which near duplicates are planted, the highest first."""
    dedup = config.dedup
    if dedup is None or not dedup.minhash:
        return []
    if config.selfcheck.levels is not None:
        return sorted(set(config.selfcheck.levels), reverse=True)
    t = dedup.threshold
    found = [t + (1 - t) * share for share in _ABOVE] + [t * share for share in _BELOW]
    return sorted({level for each in found if 0 < (level := round(each, 3)) < 1}, reverse=True)


def plant(documents: Mapping[str, str], config: PlantedConfig, beat: Beat = lambda rows: None) -> Copy:
    """The documents (name -> text, in an order that is theirs) with plants in or beside at most half of them.

    Each document takes part in one pair, or holds one item. Raises InputError for a benchmark that cannot be read.
    """
    made = Copy(dict(documents))
    pool = Pool.of(documents.values())
    groups = list(_groups(config, pool, beat))
    made.wanted = {(group.kind, group.level): _wanted(group, config) for group in groups}
    free = deque(islice(documents, (len(documents) + 1) // 2))
    shared = deque(reversed(free))
    # By turns, so that few documents are not used up by the first kinds.
    for number, turn in enumerate(zip_longest(*(group.makers for group in groups))):
        for group, maker in zip(groups, turn, strict=True):
            if maker is not None:
                beat(0)
                key = f"{config.selfcheck.seed} {group.kind} {group.level} {number}"
                _plant(group, maker, key, shared if group.shares else free, made)
    return made


def _plant(group: _Group, maker: Maker, key: str, hosts: deque[str], made: Copy) -> None:
    """Plant in the first of `hosts` where it can be done; that one goes to the end of the queue, or leaves it."""
    for host in hosts:
        if len(group.failed) >= _FAILURES:
            return
        if host in group.failed:
            continue
        found = maker(made.texts[host], Random(key))
        if found is None:
            group.failed.add(host)
            continue
        text, value = found
        level = "" if group.level is None else f"-{group.level:g}"
        number = sum(item.kind == group.kind and item.level == group.level for item in made.plants)
        name = host if group.instead else f"{group.kind}{level}-{number}"
        made.texts[name] = text
        made.plants.append(Plant(group.kind, name, host, group.level, value))
        hosts.remove(host)
        if group.shares:
            hosts.append(host)
        return


def _wanted(group: _Group, config: PlantedConfig) -> int:
    return config.selfcheck.items if group.kind in (VERBATIM, CHANGED) else len(group.makers)


def _groups(config: PlantedConfig, pool: Pool, beat: Beat) -> Iterator[_Group]:
    settings, dedup, pii, benchmarks = config.selfcheck, config.dedup, config.pii, config.decontaminate
    if dedup is not None:
        by = similarity(dedup)
        if dedup.exact:
            yield _Group(EXACT, None, [lambda text, rng: (copy(text, rng), "")] * settings.pairs)
        for level in levels(config):
            yield _Group(NEAR, level, [_near(level, dedup.threshold, by, pool)] * settings.pairs)
    if benchmarks is not None:
        drawn = draw(benchmarks, 2 * settings.items, settings.seed, beat)
        yield _Group(VERBATIM, None, [_verbatim(item) for item in drawn[::2]], instead=True)
        others = [_changed(item, _STAYS, pool) for item in drawn[1::2]]
        long = [make for make in others if make("", Random(0)) is not None]
        yield _Group(CHANGED, None, long, instead=True)
    if pii is not None:
        for kind in KINDS:
            if pii.policy(kind) != "off":
                yield _Group(f"{PII}{kind}", None, [_personal(kind, pii)] * settings.personal, shares=True)


def _near(level: float, threshold: float, by: Similarity, pool: Pool) -> Maker:
    def make(text: str, rng: Random) -> tuple[str, str] | None:
        made = near_duplicate(text, level, threshold, by, pool, rng)
        return None if made is None else (made, "")

    return make


def _verbatim(item: Item) -> Maker:
    return lambda text, rng: (with_line(text, item.text, rng), "")


def _changed(item: Item, ngram: int, pool: Pool) -> Maker:
    def make(text: str, rng: Random) -> tuple[str, str] | None:
        other = changed(item, ngram, pool, rng)
        return None if other is None else (with_line(text, other, rng), "")

    return make


def _personal(kind: str, config: PiiConfig) -> Maker:
    def make(text: str, rng: Random) -> tuple[str, str] | None:
        for _ in range(20):
            value, line = personal(kind, rng)
            if not any(value.lower().endswith(each.lower()) for each in config.allow):
                return with_line(text, line, rng), value
        return None

    return make
