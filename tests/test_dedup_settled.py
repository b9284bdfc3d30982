"""Earlier deliveries in bounded memory: what they are asked for is there, whatever fits."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpus.dedup import lsh
from corpus.dedup.clusters import Clusters
from corpus.dedup.config import DedupConfig
from corpus.dedup.deduplicate import Documents, _Texts, deduplicate, key_pairs
from corpus.dedup.delivery import NOTHING_SETTLED, Settled
from corpus.dedup.exact import exact_keys
from corpus.dedup.keep import sort_keys
from corpus.dedup.room import Room


def clusters(texts: list[str], config: DedupConfig, memory: int, settled: Settled = NOTHING_SETTLED) -> Clusters:
    ids = pa.array([hashlib.blake2b(f"{k}".encode(), digest_size=16).digest() for k in range(len(texts))])
    given = pa.array(texts, pa.large_string())
    sizes = np.array([len(text) for text in texts])
    preferred = sort_keys(config.keep, pa.record_batch([ids], ["id"]), sizes)
    documents = Documents(ids.cast(pa.binary(16)), preferred, key_pairs(exact_keys(given)), settled=settled)
    return deduplicate(documents, _Texts(given, config), config, Room(Path("/tmp"), memory))


def delivered(old: list[str], config: DedupConfig) -> Settled:
    """`old`, deduplicated, as an earlier delivery."""
    rows = clusters(old, config, 4 << 30).table(0, len(old)).to_pylist()
    row = {found["id"]: k for k, found in enumerate(rows)}
    stayed = np.array([found["rule"] is None for found in rows])
    links = [[row[found["cluster"]], k] for k, found in enumerate(rows) if found["rule"] is not None]
    n = len(old)
    return Settled(np.zeros(n, np.int32), 1.0 - stayed, np.array(links, np.int64).reshape(-1, 2), np.zeros(n, bool))


def chains(count: int) -> tuple[list[str], list[str]]:
    """Earlier documents, each near the next, and new ones that are near the last alone."""
    old, new = [], []
    for c in range(count):
        words = [f"d{c}_{i:03}" for i in range(200)]
        old += [" ".join(words[12 * i : 12 * i + 120 + (i == 0)]) for i in range(4)]
        new += [" ".join(words[at : at + 120]) for at in (48, 60)]
    return old, new


def template(families: int) -> tuple[list[str], list[str]]:
    """Pages of one template: of each family three earlier, some far from the others, and some new ones."""
    rng = np.random.default_rng(3)
    common = [f"c{k}" for k in range(250)]

    def page(family: int, changes: int) -> str:
        words = common + [f"f{family}_{k}" for k in range(50)]
        for at in rng.integers(0, len(words), changes):
            words[at] = f"u{rng.integers(10**9)}"
        return " ".join(words)

    old = [page(family, int(rng.integers(0, 4))) for family in range(families) for _ in range(3)]
    return old, [page(int(rng.integers(families)), int(rng.integers(0, 6))) for _ in range(30)]


@pytest.mark.parametrize(
    ("documents", "options"),
    [(chains(10), {"verify": False}), (chains(10), {}), (template(25), {}), (template(25), {"permutations": 256})],
    ids=["chains, by bands", "chains", "long runs", "long runs, long signatures"],
)
def test_against_earlier_deliveries_the_result_does_not_depend_on_memory(
    documents: tuple[list[str], list[str]], options: dict[str, Any]
) -> None:
    old, new = documents
    config = DedupConfig.model_validate(options)
    settled = delivered(old, config)
    expected, *others = (
        clusters(old + new, config, memory, settled).table(len(old), len(old + new)).to_pylist()
        for memory in (4 << 30, 100_000, 1000)
    )
    assert sum(row["cluster_in"] == 0 for row in expected) > len(new) // 4
    assert others == [expected] * 2


def test_a_long_signature_is_looked_at_again_by_its_first_values(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = lsh.second_look

    def look(*arguments: Any) -> np.ndarray:
        asked.append(arguments[-2])
        return real(*arguments)

    monkeypatch.setattr(lsh, "second_look", look)
    _, new = template(25)
    for permutations, looked in ((100, 100), (512, lsh.LOOK)):
        clusters(new, DedupConfig(permutations=permutations, bands=50, rows=2), 4 << 30)
        assert set(asked) == {looked}
        asked.clear()
