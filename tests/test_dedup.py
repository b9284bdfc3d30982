"""Exact keys, candidate pairs, clusters: who stays, who goes, and as whose duplicate."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.dedup import hubs, lsh
from corpus.dedup.clusters import CLUSTERS, leaders, ledger
from corpus.dedup.config import DedupConfig
from corpus.dedup.deduplicate import deduplicate_texts
from corpus.dedup.exact import exact_keys
from corpus.dedup.passages.config import LinesConfig, PassagesConfig, SentencesConfig, SubstringsConfig
from corpus.dedup.verify import jaccard
from corpus.documents import LEDGER
from corpus.kernels.minhash import signatures
from corpus.kernels.shingles import shingles


def identities(names: list[str]) -> pa.Array:
    return pa.array([hashlib.blake2b(n.encode(), digest_size=16).digest() for n in names], pa.binary(16))


def run(texts: list[str], names: list[str] | None = None, **options: object) -> pa.Table:
    names = names or [str(i) for i in range(len(texts))]
    config = DedupConfig.model_validate(options)
    return deduplicate_texts(identities(names), pa.array(texts, pa.large_string()), config)


def families(count: int, seed: int = 0, boilerplate: int = 0) -> list[str]:
    """Documents of 200 own words, each in one to four versions with a few words changed, some equal but for
    case."""
    rng = np.random.default_rng(seed)
    shared = [f"menu{i}" for i in range(boilerplate)]
    texts = []
    for _ in range(count):
        words = [f"w{w}" for w in rng.integers(0, 10**6, 200)]
        for _ in range(rng.integers(1, 5)):
            version = list(words)
            for _ in range(rng.integers(0, 6)):
                version[rng.integers(200)] = f"x{rng.integers(10**6)}"
            texts.append(" ".join(shared + version))
        if rng.random() < 0.3:
            texts.append("  " + texts[-1].upper().replace(" ", " \n"))
    return [texts[i] for i in rng.permutation(len(texts))]


def all_pairs(texts: list[str]) -> dict[tuple[int, int], float]:
    pairs = np.array(np.triu_indices(len(texts), 1)).T
    indices = jaccard(pairs, *shingles(pa.array(texts, pa.large_string())))
    return {(int(a), int(b)): j for (a, b), j in zip(pairs, indices, strict=True)}


def check(table: pa.Table, truth: dict[tuple[int, int], float], threshold: float) -> None:
    """What must hold of any result: one survivor a cluster, sizes, and named partners that are what is
    said."""
    rows = table.to_pylist()
    at = {row["id"]: i for i, row in enumerate(rows)}
    members: dict[bytes, list[int]] = {}
    for i, row in enumerate(rows):
        members.setdefault(row["cluster"], []).append(i)
        if row["rule"] is None:
            assert row["cluster"] == row["id"]
            assert row["duplicate_of"] is row["value"] is row["threshold"] is None
        else:
            other = at[row["duplicate_of"]]
            assert rows[other]["cluster"] == row["cluster"]
            assert other != i
            assert row["value"] == truth[min(i, other), max(i, other)]
            assert row["value"] >= row["threshold"] == (1.0 if row["rule"] == "exact_duplicate" else threshold)
    for survivor, rest in members.items():
        assert [rows[i]["id"] for i in rest if rows[i]["rule"] is None] == [survivor]
        assert all(rows[i]["cluster_size"] == len(rest) for i in rest)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(st.sampled_from("aAéÉ ß\u00a0\u3000\t\n\x1f."), max_size=8), max_size=20))
def test_exact_keys_agree_just_when_the_normalised_texts_do(texts: list[str]) -> None:
    keys = exact_keys(pa.array(texts, pa.large_string()))
    assert keys.type == pa.binary(16)
    plain = [" ".join(text.lower().split()) for text in texts]
    assert len(set(keys.to_pylist())) == len(set(plain)) == len(set(zip(plain, keys.to_pylist(), strict=True)))


def test_exact_keys_of_slices_and_of_many_texts() -> None:
    texts = pa.array([str(i) for i in range(100_000)], pa.string())
    keys = exact_keys(texts)
    assert len(keys.unique()) == len(texts)
    assert exact_keys(texts.slice(500, 9)).equals(keys.slice(500, 9))


def test_the_scurve_is_the_formula_and_the_pairs_follow_it() -> None:
    table = lsh.scurve(20, 5)
    assert table["jaccard"].to_pylist()[15] == 0.8
    for j, p in zip(*table.to_pydict().values(), strict=True):
        assert p == pytest.approx(1 - (1 - j**5) ** 20)
    trials, size, shared = 400, 40, 24
    words = np.random.default_rng(3).integers(0, 2**62, (trials, 2 * size - shared))
    texts = [" ".join(map(str, r[part])) for r in words for part in (slice(0, size), slice(size - shared, None))]
    pairs = lsh.candidate_pairs(signatures(pa.array(texts, pa.large_string()), 100, 1), 20, 5)
    hit = (pairs[pairs[:, 1] == pairs[:, 0] + 1, 0] % 2 == 0).sum() / trials
    p = lsh.scurve(20, 5, np.array([shared / (2 * size - shared)]))["probability"][0].as_py()
    assert abs(hit - p) < 5 * np.sqrt(p * (1 - p) / trials)


def test_candidate_pairs_are_those_that_agree_in_a_band() -> None:
    signed = np.random.default_rng(0).integers(0, 3, (60, 6)).astype(np.uint32)
    signed[7] = 0xFFFFFFFF  # no words
    signed[8] = 0xFFFFFFFF
    bands = signed.reshape(60, 2, 3)
    expected = [[i, j] for i in range(60) for j in range(i + 1, 60) if (bands[i] == bands[j]).all(1).any()]
    assert lsh.candidate_pairs(signed, 2, 3).tolist() == [p for p in expected if p != [7, 8]]
    with pytest.raises(ValueError, match="need 8 values"):
        lsh.candidate_pairs(signed, 2, 4)


@pytest.mark.parametrize("exact", [True, False])
def test_ten_thousand_equal_documents_cost_few_pairs(exact: bool) -> None:
    text = " ".join(f"word{i}" for i in range(30))
    signed = np.repeat(signatures(pa.array([text], pa.large_string()), 100), 10_000, axis=0)
    assert len(lsh.candidate_pairs(signed, 20, 5)) < 20_000
    table = run([text] * 10_000, exact=exact)
    assert table["rule"].null_count == 1
    assert table["cluster_size"].unique().to_pylist() == [10_000]
    assert table.filter(table["rule"].is_valid())["duplicate_of"].equals(
        table.filter(table["rule"].is_valid())["cluster"]
    )


def test_where_a_star_fails_the_second_look_finds_the_others() -> None:
    # All share a band, so they are one run; but only k and k + 40 are alike.
    rng = np.random.default_rng(1)
    signed = rng.integers(0, 2**32, (80, 100), dtype=np.uint32)
    signed[40:, 10:] = signed[:40, 10:]
    signed[:, :5] = 7
    (ordered,) = lsh.records(signed, np.arange(80), 1, 5, 7)
    ordered.sort()
    pairs, members, lengths = lsh.run_pairs(ordered, 7)
    assert (members.tolist(), lengths.tolist()) == (list(range(80)), [80])
    star, chain = {(0, k) for k in range(1, 80)}, {(k, k + 1) for k in range(79)}
    assert {(int(pair >> 32), int(pair & 0xFFFFFFFF)) for pair in pairs.tolist()} == star | chain
    labels = np.arange(80, dtype=np.int32)
    labels[9] = 0  # A pair of the star was verified.
    left, ends = lsh.unconnected(members, lengths, labels)
    assert left.tolist() == [k for k in range(1, 80) if k != 9]
    assert set(ends.tolist()) == {78}
    starts = left * np.int64(100)
    more = lsh.second_look(left, ends, 0, 78, labels, signed.ravel(), starts, 100, 70)
    assert [(pair >> 32, pair & 0xFFFFFFFF) for pair in more.tolist()] == [(k, k + 40) for k in range(1, 40) if k != 9]
    # Cut anywhere, with what follows at hand, it finds the same.
    parts = [(0, 30), (30, 31), (31, 78)]
    found = [lsh.second_look(left, ends, a, b, labels, signed.ravel(), starts[a:], 100, 70) for a, b in parts]
    assert np.concatenate(found).tolist() == more.tolist()


@pytest.mark.parametrize(
    ("pages", "variants", "words", "changes", "threshold"),
    [
        (1, 1000, 200, (1, 2, 3, 4), 0.8),
        (12, 100, 200, (1, 2, 3, 4), 0.8),
        # Most have the signature of the page, which has to be told from them by its shingles.
        (1, 600, 300, (1, 1, 1, 3), 0.9),
        (2, 300, 600, (1, 3), 0.95),
    ],
)
def test_variants_of_a_page_are_one_cluster_though_not_alike(
    pages: int, variants: int, words: int, changes: tuple[int, ...], threshold: float
) -> None:
    # Each is a duplicate of its page, which may be any of them; two variants may be further apart than the threshold.
    rng = np.random.default_rng(variants)
    texts = []
    for _ in range(pages):
        page = [f"w{n}" for n in rng.integers(0, 10**6, words)]
        for change in rng.choice(changes, variants):
            variant = np.array(page, object)
            variant[rng.choice(words, change, replace=False)] = [f"x{n}" for n in rng.integers(0, 10**9, change)]
            texts.append(" ".join(variant))
        texts.append(" ".join(page))
    order = rng.permutation(len(texts))
    table = run([texts[place] for place in order], threshold=threshold)
    page_of = order // (variants + 1)
    clusters = table["cluster"].to_pylist()
    assert {len({clusters[n] for n in np.flatnonzero(page_of == page)}) for page in range(pages)} == {1}
    assert len(set(clusters)) == pages


def test_a_hub_is_found_whatever_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    page = [f"w{n}" for n in rng.integers(0, 10**6, 300)]
    texts = []
    for change in rng.integers(1, 4, 300):
        variant = list(page)
        for place in rng.integers(0, 300, change):
            variant[place] = f"x{rng.integers(0, 10**9)}"
        texts.append(" ".join(variant))
    texts.insert(150, " ".join(page))
    expected = run(texts, threshold=0.9)
    assert expected["rule"].null_count == 1
    parts = hubs._parts
    monkeypatch.setattr(hubs, "_parts", lambda members, lengths, store, step: parts(members, lengths, store, 7))
    assert run(texts, threshold=0.9).equals(expected)


@pytest.mark.parametrize("boilerplate", [0, 200, 400])
def test_removals_are_just_the_pairs_at_the_threshold(boilerplate: int) -> None:
    texts = families(120, boilerplate=boilerplate)
    truth = all_pairs(texts)
    table = run(texts)
    check(table, truth, 0.8)
    cluster = table["cluster"].to_pylist()
    alike = [pair for pair, j in truth.items() if j >= 0.8]
    assert len(alike) > 100
    assert np.mean([cluster[a] == cluster[b] for a, b in alike]) > 0.99
    assert {"exact_duplicate", "near_duplicate"} <= set(table["rule"].to_pylist())


@pytest.mark.parametrize("options", [{}, {"exact": False}, {"verify": False}, {"keep": "first_id"}])
def test_the_result_does_not_depend_on_the_order_of_the_documents(options: dict[str, object]) -> None:
    texts = families(60, seed=4, boilerplate=100)
    names = [str(i) for i in range(len(texts))]
    expected = run(texts, names, **options).sort_by("id")
    for seed in range(3):
        mixed = np.random.default_rng(seed).permutation(len(texts))
        found = run([texts[i] for i in mixed], [names[i] for i in mixed], **options)
        assert found["id"].to_pylist() == identities([names[i] for i in mixed]).to_pylist()
        assert found.sort_by("id").equals(expected)


def test_the_leader_of_an_exact_group_is_the_most_preferred() -> None:
    # Ranks 0 to 3 are the rows 2, 1, 3, 0; the halves of a key are compared whole, though few bits of one are sorted.
    keys = np.array([[7, 1], [7, 2], [7, 1], [7, 1]], np.uint64)
    order = np.array([2, 1, 3, 0], np.int32)
    assert leaders(keys, order, np.ones(4, bool)).tolist() == [0, 1, 0, 0]
    assert leaders(keys, order, np.array([False, True, True, True])).tolist() == [0, 1, 2, 2]
    keys = np.random.default_rng(0).integers(0, 3, (500, 2)).astype(np.uint64) << np.uint64(62)
    order = np.random.default_rng(1).permutation(500).astype(np.int32)
    first: dict[tuple[int, ...], int] = {}
    expected = [first.setdefault(tuple(keys[row]), rank) for rank, row in enumerate(order)]
    assert leaders(keys, order, np.ones(500, bool)).tolist() == expected


def test_a_chain_names_a_real_partner_where_the_survivor_is_too_far() -> None:
    words = [f"w{i:03}" for i in range(140)]
    first, middle, last = words[:100], words[9:108], words[18:116]
    texts = [" ".join(t) for t in (first, middle, last)]
    truth = all_pairs(texts)
    assert truth[0, 1] >= 0.8 > truth[0, 2] < truth[1, 2]
    table = run(texts)
    check(table, truth, 0.8)
    ids = table["id"].to_pylist()
    assert table["cluster"].to_pylist() == [ids[0]] * 3
    assert table["duplicate_of"].to_pylist() == [None, ids[0], ids[1]]


def test_documents_without_words_are_never_near_duplicates() -> None:
    texts = ["", "...", "?!", "one", "two"]
    assert run(texts)["rule"].null_count == 5
    rules = run([*texts, " ", "..."])["rule"].to_pylist()
    assert [r for r in rules if r] == ["exact_duplicate"] * 2
    assert run([*texts, " ", "..."], exact=False)["rule"].null_count == 7


def test_nothing_and_switched_off() -> None:
    assert run([]).schema == CLUSTERS
    assert run([]).num_rows == 0
    assert run(["a b", "a b"], exact=False, minhash=False)["rule"].null_count == 2
    assert run(["a b", "A  b"], minhash=False)["rule"].null_count == 1


def test_the_ledger_has_a_row_for_each_removed_document() -> None:
    table = run(families(30, seed=2))
    gone = table.filter(table["rule"].is_valid())
    rows = ledger(table)
    assert rows.schema == LEDGER
    for name in ("id", "rule", "value", "threshold"):
        assert rows[name].to_pylist() == gone[name].to_pylist()
    assert [bytes.fromhex(str(detail)) for detail in rows["detail"].to_pylist()] == gone["duplicate_of"].to_pylist()
    assert ledger(run(["one", "two"])).num_rows == 0


def test_without_verification_the_bands_decide() -> None:
    table = run(families(60, seed=5, boilerplate=150), verify=False)
    near = [row for row in table.to_pylist() if row["rule"] == "near_duplicate"]
    assert near
    assert all(row["threshold"] is None and 0 < row["value"] <= 1 for row in near)


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0}, {"bands": 0}, {"keep": "newst"}, {"band": 3}, {"against": ""}, {"against": ["a\0b"]}]
)
def test_a_wrong_setting_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DedupConfig.model_validate(wrong)


@pytest.mark.parametrize("kind", [LinesConfig, PassagesConfig, SentencesConfig, SubstringsConfig])
def test_a_number_that_no_corpus_reaches_is_refused(kind: type[LinesConfig]) -> None:
    numbers = [name for name in kind.model_fields if name != "keep"]
    assert len(numbers) >= 2
    for name in numbers:
        with pytest.raises(ValidationError, match="less than or equal"):
            kind.model_validate({name: 10**20})


def test_real_near_duplicates_are_found() -> None:
    """Debian's installation guide over four architectures, against the exact index of all pairs."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "kits"
    kit = Path(os.environ.get("CORPUSMILL_KITS", beside)) / "neardup"
    if not kit.is_dir():
        pytest.skip(f"no kit at {kit}: set CORPUSMILL_KITS to the folder of the labelled kits")
    with gzip.open(kit / "installguide-docs.jsonl.gz", "rt") as file:
        documents = [json.loads(line) for line in file]
    at = {document["id"]: i for i, document in enumerate(documents)}
    with gzip.open(kit / "installguide-pairs.tsv.gz", "rt") as file:
        pairs = [line.rstrip("\n").split("\t") for line in file][1:]
    texts = [document["text"] for document in documents]
    ends = np.array([(at[a], at[b]) for _, a, b in pairs])
    given = np.array([float(j) for j, _, _ in pairs])
    assert np.abs(jaccard(ends, *shingles(pa.array(texts, pa.large_string()))) - given).max() < 1e-6

    table = run(texts, [document["id"] for document in documents])
    check(table, all_pairs(texts), 0.8)
    cluster = table["cluster"].to_pylist()
    alike = ends[given >= 0.8]
    assert np.mean([cluster[a] == cluster[b] for a, b in alike]) > 0.99
