"""Clusters in bounded memory: the same bytes whatever fits, and those of a plain reference."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup import lsh, room, rowstore
from corpus.dedup.config import DedupConfig
from corpus.dedup.deduplicate import deduplicate_texts, sign
from corpus.dedup.exact import exact_keys
from corpus.dedup.room import Budget
from corpus.dedup.rowstore import RowStore, Spill
from corpus.dedup.urls import url_keys
from corpus.dedup.verify import containment, floor, jaccard
from corpus.engines.inline import InlineEngine
from corpus.errors import CorpusError
from corpus.kernels.shingles import shingles
from corpus.recipe import load
from corpus.run import Limits, run
from corpus.store import StepFolder

SCANT = 1 << 12  # so little that signatures, shingles, pairs and long runs all go to disk
ROW = dict[str, Any]


def ids(count: int) -> pa.Array:
    return pa.array([hashlib.blake2b(str(k).encode(), digest_size=16).digest() for k in range(count)], pa.binary(16))


def found(texts: list[str], memory: int | None, urls: list[str | None] | None = None, **options: Any) -> list[ROW]:
    config = DedupConfig.model_validate(options | {"url": urls is not None})
    given = pa.array(texts, pa.large_string())
    columns = {"id": ids(len(texts))} | ({} if urls is None else {"url": pa.array(urls, pa.string())})
    limit = {} if memory is None else {"memory": memory}
    return deduplicate_texts(ids(len(texts)), given, config, pa.record_batch(columns), **limit).to_pylist()


def reference(texts: list[str], urls: list[str | None] | None = None, **options: Any) -> list[ROW]:
    """What `docs/dedup.md` says, by loops over everything in memory."""
    config = DedupConfig.model_validate(options | {"url": urls is not None})
    given, names = pa.array(texts, pa.large_string()), ids(len(texts)).to_pylist()
    order = sorted(range(len(texts)), key=lambda k: (-len(texts[k].encode()), names[k]))
    rank = {row: k for k, row in enumerate(order)}
    n = len(texts)

    def similar(a: int, b: int) -> float:
        measure = containment if config.measure == "containment" else jaccard
        return float(measure(np.array([[order[a], order[b]]]), *sets)[0])

    def grouped(keys: list[bytes | None], among: list[int]) -> dict[int, int]:
        first: dict[bytes, int] = {}
        return {r: first.setdefault(key, r) for r in among if (key := keys[order[r]]) is not None}

    sets, signed = shingles(given, config.ngram, config.normalise), sign(given, config)[order]
    by_url = grouped(url_keys(pa.array(urls, pa.string())).to_pylist(), list(range(n))) if urls else {}
    url_gone = {r: first for r, first in by_url.items() if r != first}
    rest = [r for r in range(n) if r not in url_gone]
    exact = {r: f for r, f in grouped(exact_keys(given).to_pylist(), rest).items() if f != r} if config.exact else {}
    leads = [r for r in rest if r not in exact]

    parent = list(range(n))

    def root(a: int) -> int:
        while parent[a] != a:
            a = parent[a]
        return a

    def join(a: int, b: int) -> None:
        low, high = sorted((root(a), root(b)))
        parent[high] = low

    bands, rows = config.banding.bands, config.banding.rows
    runs: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for r in leads:
        if (signed[r] != 0xFFFFFFFF).any():
            for band in range(bands):
                runs[band, signed[r, band * rows : (band + 1) * rows].tobytes()].append(r)
    candidates = set()
    for run_ in runs.values():
        for i, j in itertools.combinations(range(len(run_)), 2):
            if len(run_) <= lsh.PAIRWISE or i == 0 or j == i + 1:
                candidates.add((run_[i], run_[j]))
    near: dict[tuple[int, int], float] = {}

    def estimate(a: int, b: int) -> float:
        return float((signed[a] == signed[b]).mean())

    def confirm(pairs: set[tuple[int, int]], least: float) -> None:
        for a, b in pairs:
            if estimate(a, b) >= least and (value := similar(a, b)) >= config.threshold:
                near[a, b] = value
                join(a, b)

    if not config.verify:
        near = {pair: estimate(*pair) for pair in candidates}
        for pair in near:
            join(*pair)
    else:
        confirm(candidates, floor(config.threshold, config.permutations, config.measure))
        spread = np.sqrt(config.threshold * (1 - config.threshold) / config.permutations)
        least = config.threshold - 2 * spread if config.measure == "jaccard" else 0.0
        again = set()
        for run_ in runs.values():
            left = [r for r in run_[1:] if root(r) != root(run_[0])] if len(run_) > lsh.PAIRWISE else []
            for i, a in enumerate(left):
                others = [(estimate(a, b), -k, b) for k, b in enumerate(left[i + 1 : i + 1 + lsh.WINDOW])]
                others = sorted(item for item in others if item[0] >= least and root(item[2]) != root(a))
                again |= {(a, b) for _, _, b in others[-lsh.BEST :]}
        confirm(again, 0.0)
    for gone in (exact, url_gone):
        for r, first in gone.items():
            join(r, first)

    size: dict[int, int] = defaultdict(int)
    for r in range(n):
        size[root(r)] += 1
    out = []
    for name, r in zip(names, (rank[row] for row in range(n)), strict=True):
        survivor, rule, partner, value, limit = root(r), None, None, None, None
        if r in url_gone:
            rule, partner = "url_duplicate", url_gone[r]
            value = similar(r, partner)
        elif r in exact:
            rule, partner, value, limit = "exact_duplicate", exact[r], 1.0, 1.0
        elif r != survivor:
            rule, limit = "near_duplicate", config.threshold if config.verify else None
            mine = {b if a == r else a: v for (a, b), v in near.items() if r in (a, b)}
            partner = min(mine, key=lambda b: (-mine[b], b))
            value = mine[partner]
            direct = mine.get(survivor)
            if direct is None:
                direct = similar(survivor, r) if config.verify else estimate(survivor, r)
            if direct >= (config.threshold if config.verify else value):
                partner, value = survivor, direct
        out.append(
            {
                "id": name,
                "cluster": names[order[survivor]],
                "cluster_in": None,
                "cluster_size": size[survivor],
                "duplicate_of": None if partner is None else names[order[partner]],
                "duplicate_in": None,
                "rule": rule,
                "value": value,
                "threshold": limit,
            }
        )
    return out


def versions(count: int, seed: int, boilerplate: int = 0) -> list[str]:
    """Documents of 60 own words and some that all share, in one to four versions."""
    rng = np.random.default_rng(seed)
    shared, texts = [f"menu{k}" for k in range(boilerplate)], ["", "...", "?", "one"]
    for _ in range(count):
        words = [f"w{w}" for w in rng.integers(0, 10**6, 60)]
        for _ in range(rng.integers(1, 5)):
            version = list(words)
            for at in rng.integers(0, 60, rng.integers(0, 4)):
                version[at] = f"x{rng.integers(10**6)}"
            texts.append(" ".join(shared + version + ["more"] * rng.integers(0, 2)))
        if rng.random() < 0.3:
            texts.append("  " + texts[-1].upper().replace(" ", " \n"))
    return [texts[k] for k in rng.permutation(len(texts))]


@pytest.fixture
def spilled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the temporary files that arrays went to."""
    folders: list[Path] = []
    real = rowstore.TemporaryFile

    def opened(dir: Path) -> Any:
        folders.append(dir)
        return real(dir=dir)

    monkeypatch.setattr(rowstore, "TemporaryFile", opened)
    return folders


OPTIONS = [
    {},
    {"exact": False},
    {"verify": False, "bands": 20, "rows": 4, "permutations": 80},
    {"measure": "containment", "threshold": 0.9},
    {"bands": 10, "rows": 2, "permutations": 64, "normalise": []},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("boilerplate", [0, 150])
def test_whatever_fits_in_memory_the_result_is_that_of_the_reference(
    spilled: list[Path], monkeypatch: pytest.MonkeyPatch, boilerplate: int, options: ROW
) -> None:
    monkeypatch.setattr(lsh, "PAIRWISE", 4)  # so that there are long runs
    texts = versions(60, 1, boilerplate)
    urls = [f"http://a/{k % 90}" if k % 3 else None for k in range(len(texts))]
    for given_urls in (None, urls):
        expected = reference(texts, given_urls, **options)
        rules = {row["rule"] for row in expected}
        assert {"near_duplicate", "url_duplicate" if given_urls else "near_duplicate"} <= rules
        assert found(texts, None, given_urls, **options) == expected
        assert not spilled
        assert found(texts, SCANT, given_urls, **options) == expected
        assert len(spilled) >= 3
        spilled.clear()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=9).map(" ".join), max_size=24),
    st.sampled_from([{"threshold": 0.5}, {"threshold": 0.3, "verify": False}, {"exact": False, "ngram": 2}]),
)
def test_any_documents_give_what_the_reference_gives(texts: list[str], options: ROW) -> None:
    small = {"permutations": 24, "bands": 8, "rows": 3, "ngram": 1}
    expected = reference(texts, **small | options)
    assert found(texts, None, **small | options) == expected
    assert found(texts, 0, **small | options) == expected


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from([0, 1 << 10, 1 << 14, 1 << 24]), st.booleans())
def test_rows_come_back_from_memory_and_from_disk(seed: int, memory: int, wide: bool) -> None:
    rng = np.random.default_rng(seed)
    store = RowStore(Path("/tmp"), np.uint64, 300, memory)
    expected = {}
    stored = rng.permutation(300)[:250]
    for rows in np.array_split(stored, 6):
        lengths = rng.integers(0, 5000 if wide else 20, len(rows))
        flat = rng.integers(0, 2**64, lengths.sum(), dtype=np.uint64)
        store.add(rows, flat, lengths)
        expected |= dict(zip(rows.tolist(), np.split(flat, np.cumsum(lengths)[:-1]), strict=True))
    asked = rng.choice(stored, 40)
    flat, starts, lengths = store.gather(asked)
    for k, row in enumerate(asked):
        assert np.array_equal(flat[starts[k] : starts[k] + lengths[k]], expected[row])
    pairs = rng.choice(stored, (200, 2)).astype(np.uint64)
    seen = 0
    for where, local, flat, starts, lengths in store.chunks(pairs[:, 0] << np.uint64(32) | pairs[:, 1], memory):
        assert where.start == seen
        seen = where.stop
        for (a, b), pair in zip(pairs[where].tolist(), local.tolist(), strict=True):
            for row, at in ((a, pair >> 32), (b, pair & 0xFFFFFFFF)):
                assert np.array_equal(flat[starts[at] : starts[at] + lengths[at]], expected[row])
    assert seen == 200
    absent = np.setdiff1d(np.arange(300), stored)[:1]
    with pytest.raises(AssertionError, match="not stored"):
        store.gather(absent)
    with pytest.raises(AssertionError, match="not stored"):
        list(store.chunks(absent.astype(np.uint64) << np.uint64(32) | pairs[:1, 0], memory))


def test_a_spill_leaves_nothing_and_says_when_the_disk_is_full(tmp_path: Path) -> None:
    spill = Spill(tmp_path, np.int64, 800)
    for start in range(0, 1000, 50):
        spill.append(np.arange(start, start + 50))
    assert spill.resident is None
    assert np.concatenate(list(spill.blocks(77))).tolist() == list(range(1000))
    assert list(tmp_path.iterdir()) == []

    assert spill._file is not None
    with Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), spill._file.fileno())
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        spill.append(np.arange(5))


@pytest.fixture
def sources(tmp_path: Path) -> list[ROW]:
    """Four sources of a Parquet file each, with duplicates within and between them."""
    texts = versions(500, 7, 20)
    out = []
    for number, part in enumerate(np.array_split(np.array(texts, object), 4)):
        urls = [f"https://example.org/{number}/{k % 130}" for k in range(len(part))]
        pq.write_table(pa.table({"text": part.tolist(), "url": urls}), tmp_path / f"part{number}.parquet")
        out.append({"name": f"s{number}", "kind": "parquet", "path": str(tmp_path / f"part{number}.parquet")})
        out[-1]["columns"] = {"url": "url"}
    return out


def digests(
    folder: Path, sources: list[ROW], memory_mb: int = 0, workers: int | None = None, **dedup: Any
) -> dict[str, str]:
    """sha256 of all that `dedup` commits, by path."""
    recipe = folder.with_suffix(".yaml")
    recipe.write_text(yaml.safe_dump({"name": "n", "output": str(folder), "sources": sources, "dedup": dedup}))
    engine = None if workers else lambda limits: InlineEngine()
    run(load(recipe), until="dedup", limits=Limits(workers or 1, memory_mb), engine=engine)
    tables = sorted((folder / "dedup").rglob("*.parquet"))
    assert {path.parent.name for path in tables} == {"signatures", "clusters", "decision", "_ledger"}
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in tables}


def resident_mb() -> int:
    return psutil.Process().memory_info().rss >> 20


def test_the_committed_files_depend_neither_on_memory_nor_on_workers_nor_on_the_order_of_the_input(
    tmp_path: Path, sources: list[ROW], spilled: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"keep": ["oldest", "shortest"], "url": True}
    expected = digests(tmp_path / "all", sources, **settings)
    assert not spilled
    ledger = pa.concat_tables(map(pq.read_table, (tmp_path / "all" / "dedup" / "decision" / "_ledger").iterdir()))
    assert set(ledger["rule"].to_pylist()) == {"url_duplicate", "exact_duplicate", "near_duplicate"}
    with monkeypatch.context() as patched:
        patched.setattr(room, "LEAST", 0)
        patched.setattr(Budget, "of", lambda memory_mb, permutations: Budget(2000 * room.PER_DOCUMENT, 0))
        assert digests(tmp_path / "scant", sources, **settings) == expected
    assert len(spilled) >= 2
    # Where the outputs go, where there is place, and without a name.
    assert {folder.parent for folder in spilled} == {tmp_path / "scant" / "dedup" / "clusters"}
    assert digests(tmp_path / "turned", sources[::-1], **settings) == expected
    for workers in (1, 2, 4):
        assert digests(tmp_path / f"w{workers}", sources, 600, workers, **settings) == expected


@pytest.mark.parametrize(("permutations", "needed"), [(100, 330), (4096, 486)])
def test_a_limit_below_what_a_worker_takes_is_refused(
    tmp_path: Path, sources: list[ROW], permutations: int, needed: int
) -> None:
    named = f"dedup/signatures: needs {needed} MB of memory; .* --memory {needed + needed // 10}$"
    with pytest.raises(CorpusError, match=named):
        digests(tmp_path / "out", sources, needed - 1, permutations=permutations)
    room.check("dedup/signatures", needed, permutations)
    room.check("dedup/signatures", 0, permutations)


def test_too_little_memory_for_the_documents_says_how_much_is_needed(
    tmp_path: Path, sources: list[ROW], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(room, "LOADED", 0)
        with pytest.raises(CorpusError, match=r"documents need [\d,]+ MB of memory") as caught:
            digests(tmp_path / "out", sources, resident_mb() + 2)
    count, needed = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?:documents|MB)", str(caught.value)))
    assert count == sum(len(pq.read_table(path)) for path in (tmp_path / "out" / "extract").glob("*.parquet"))
    assert str(caught.value).endswith(f"--memory {needed + needed // 10}")
    assert digests(tmp_path / "out", sources, needed + 256)


@given(st.integers(1, 10**9), st.integers(0, 2**32))
def test_the_memory_that_is_named_suffices(documents: int, taken: int) -> None:
    with pytest.raises(CorpusError) as caught:
        Budget(0, taken).room(Path("/tmp"), documents)
    (needed,) = (int(number.replace(",", "")) for number in re.findall(r"([\d,]+) MB", str(caught.value)))
    assert int(str(caught.value).rpartition(" ")[2]) >= needed
    assert Budget.under(needed, taken).room(Path("/tmp"), documents).memory >= room.LEAST
    with pytest.raises(CorpusError):
        Budget.under(needed - 1, taken).room(Path("/tmp"), documents)


def test_a_full_disk_is_the_usual_error(tmp_path: Path, sources: list[ROW], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path, dtype: Any, memory: int) -> Spill:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rowstore, "Spill", full)
    with pytest.raises(CorpusError, match=r"dedup/clusters: no space left on device .* free some"):
        digests(tmp_path / "out", sources)
    assert len(StepFolder(tmp_path / "out" / "dedup" / "signatures").entries()) == 4
    assert StepFolder(tmp_path / "out" / "dedup" / "clusters").entries() == {}
