"""Shingles, signatures and components against plain Python."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.verify import estimate, floor, jaccard
from corpus.kernels import minhash, unicode
from corpus.kernels.shingles import SPACELESS, shingles
from corpus.kernels.unionfind import connected_components

ALPHABET = "aAbB é É ß ДдЖ σΣς İ _1٣ .,-\n\t  क्षि 漢字かなカナ ไทย ພາ မြန် ខ្មែរ 😀\x00"
TEXT = st.text(st.sampled_from(ALPHABET), max_size=60)


def spaceless(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in SPACELESS)


def reference(text: str, n: int) -> set[tuple[str, ...]]:
    lowered = "".join(low if len(low := c.lower()) == 1 else c for c in text)
    apart = "".join(f" {c} " if spaceless(c) else c for c in lowered)
    words = re.findall(r"\w+", apart)
    return {tuple(words[i : i + n]) for i in range(max(len(words) - n + 1, min(len(words), 1)))}


def flat(texts: list[str], n: int) -> tuple[np.ndarray, np.ndarray]:
    return shingles(pa.array(texts, pa.large_string()), n)


@settings(deadline=None, max_examples=200)
@given(st.lists(TEXT, min_size=2, max_size=6), st.integers(1, 6))
def test_shingles_and_jaccard_are_those_of_python_sets(texts: list[str], n: int) -> None:
    sets = [reference(text, n) for text in texts]
    hashes, offsets = flat(texts, n)
    assert np.diff(offsets).tolist() == [len(s) for s in sets]
    for i in range(len(texts)):
        own = hashes[offsets[i] : offsets[i + 1]]
        assert (own[1:] > own[:-1]).all()
    pairs = np.array([(i, j) for i in range(len(texts)) for j in range(len(texts))])
    expected = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) if sets[i] | sets[j] else 0.0 for i, j in pairs]
    assert jaccard(pairs, hashes, offsets).tolist() == expected


def test_words_are_those_of_re_on_all_of_unicode() -> None:
    text = "".join(f"{chr(p)}\n" for p in range(0x323B0) if not 0xD800 <= p < 0xE000)
    words = {chr(p).lower() if len(chr(p).lower()) == 1 else chr(p) for p in map(ord, re.findall(r"\w", text))}
    assert len(flat([text], 1)[0]) == len(words)
    assert unicode.classes()[ord("漢")] & unicode.WORD


def test_a_long_repetitive_document_has_its_distinct_shingles() -> None:
    text = " ".join(["same", "words", "again"] * 40_000 + [str(i) for i in range(3000)])
    assert len(flat([text], 5)[0]) == len(reference(text, 5))


def test_a_short_document_is_one_shingle_and_an_empty_one_none() -> None:
    _, offsets = flat(["", "...", "one", "one two", "one two three"], 3)
    assert np.diff(offsets).tolist() == [0, 0, 1, 1, 1]
    hashes, offsets = flat(["a b", "a b c"], 2)
    assert jaccard(np.array([[0, 1]]), hashes, offsets)[0] == 0.5


@pytest.mark.parametrize("call", [lambda t: shingles(t, 0), lambda t: minhash.signatures(t, 0)])
def test_senseless_sizes_are_refused(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="at least 1"):
        call(pa.array(["a"], pa.large_string()))


def test_signatures_are_the_minimum_over_the_shingles_in_plain_python() -> None:
    texts = ["the quick brown fox jumps over the lazy dog", "one", "", "a b c d e f g " * 700, "x y " + "z " * 1500]
    texts.append(" ".join(str(i) for i in range(2500)))
    signed = minhash.signatures(pa.array(texts, pa.large_string()), 7, 3, seed=5)
    hashes, offsets = flat(texts, 3)
    a, c = minhash.permutations(7, 5)
    for d in range(len(texts)):
        own = [int(h) for h in hashes[offsets[d] : offsets[d + 1]]]
        for i in range(7):
            values = [(((h & 0xFFFFFFFF) ^ int(c[i])) * int(a[i]) + (h >> 32)) % 2**32 for h in own]
            assert signed[d, i] == min(values, default=minhash.EMPTY)


def test_signatures_do_not_depend_on_order_or_batches() -> None:
    texts = pa.array([f"{'word ' * (i % 7)}{i} and {i * i} then {i % 3}" for i in range(300)], pa.large_string())
    whole = minhash.signatures(texts, 20)
    parts = [minhash.signatures(texts.slice(k, 77), 20) for k in range(0, 300, 77)]
    assert np.array_equal(whole, np.concatenate(parts))
    shuffled = np.random.default_rng(0).permutation(300)
    assert np.array_equal(minhash.signatures(texts.take(shuffled), 20), whole[shuffled])
    assert np.array_equal(minhash.signatures(texts, 10), whole[:, :10])
    assert not np.array_equal(minhash.signatures(texts, 20, seed=2), whole)


@pytest.mark.parametrize(("size", "shared"), [(12, 8), (60, 30), (60, 53), (600, 400)])
def test_the_estimate_is_unbiased_and_as_spread_as_a_binomial(size: int, shared: int) -> None:
    count, trials = 128, 400
    words = np.random.default_rng(size).integers(0, 2**62, (trials, 2 * size - shared))
    left = [" ".join(map(str, row[:size])) for row in words]
    right = [" ".join(map(str, row[size - shared :])) for row in words]
    signed = minhash.signatures(pa.array(left + right, pa.large_string()), count, 1)
    estimates = estimate(np.stack([np.arange(trials), np.arange(trials) + trials], axis=1), signed)
    j = shared / (2 * size - shared)
    variance = j * (1 - j) / count
    # Five standard errors of a mean, and of a variance (about its sqrt(2 / n)).
    assert abs(estimates.mean() - j) < 5 * np.sqrt(variance / trials)
    assert abs(estimates.var() / variance - 1) < 5 * np.sqrt(2 / trials)
    assert (estimates > floor(j, count)).all()


@settings(deadline=None)
@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_components_are_those_of_a_flood_fill(graph: tuple[int, list[tuple[int, int]]]) -> None:
    n, edges = graph
    expected = list(range(n))
    for _ in range(n):
        for a, b in edges:
            expected[a] = expected[b] = min(expected[a], expected[b])
    found = connected_components(np.array(edges, np.int64).reshape(-1, 2), n)
    assert found.tolist() == expected
    assert connected_components(np.array(edges[::-1], np.int64).reshape(-1, 2)[:, ::-1], n).tolist() == expected


def test_an_edge_outside_the_nodes_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves"):
        connected_components(np.array([[0, 3]]), 3)
