"""Shingles, signatures and components against plain Python."""

from __future__ import annotations

import itertools
import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.config import DedupConfig
from corpus.dedup.deduplicate import deduplicate_texts
from corpus.dedup.verify import containment, estimate, floor, jaccard
from corpus.kernels import minhash, unicode
from corpus.kernels.shingles import SKIP, SPACELESS, _sort, fold, shingles
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


@pytest.mark.parametrize("size", [0, 1, 2, 300, 70_000])
@pytest.mark.parametrize("different", [1, 3, 1 << 40])
def test_any_values_are_sorted(size: int, different: int) -> None:
    rng = np.random.default_rng(size)
    # Both bit patterns that share their leading bits and such as are uniform.
    for shift in (0, 23):
        run = rng.integers(0, different, size, dtype=np.uint64) << np.uint64(shift)
        expected = np.sort(run)
        _sort(run, np.empty(size, np.uint64), np.empty(65537, np.int64))
        assert np.array_equal(run, expected)


def test_a_long_run_of_two_words_does_not_take_for_ever() -> None:
    # Inserted one by one: 10^12 moves, a quarter of an hour.
    assert len(flat(["sw " * 2_000_000 + "cv " * 2_000_000], 5)[0]) == 6


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


def counted(char: str, normalise: tuple[str, ...]) -> str:
    """What a character counts as in plain Python: nothing, itself, or what `normalise` makes of it."""
    if "accents" in normalise:
        if unicodedata.category(char)[0] == "M":
            return ""
        first, *rest = unicodedata.normalize("NFD", char)
        char = first if all(unicodedata.category(mark)[0] == "M" for mark in rest) else char
    if "case" in normalise and len(char.lower()) == 1:
        char = char.lower()
    return "0" if "digits" in normalise and char.isdecimal() else char


NORMALISE = [tuple(c) for k in range(4) for c in itertools.combinations(("case", "accents", "digits"), k)]


@pytest.mark.parametrize("normalise", NORMALISE)
@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from([c for c in ALPHABET if not spaceless(c)]), max_size=60))
def test_what_does_not_count_is_what_python_says(normalise: tuple[str, ...], text: str) -> None:
    plain = "".join(counted(char, normalise) for char in text)
    found = shingles(pa.array([text], pa.large_string()), 2, normalise)[0]
    assert found.tolist() == shingles(pa.array([plain], pa.large_string()), 2, ())[0].tolist()


def test_every_code_point_counts_as_what_python_says() -> None:
    points = [p for p in range(0x323B0) if not 0xD800 <= p < 0xE000]
    for normalise in NORMALISE:
        table = fold(normalise)
        expected = []
        for point in points:
            char = counted(chr(point), normalise)
            word = unicode.classes()[point] & unicode.WORD
            expected.append(int(SKIP) if char == "" else (ord(char) | spaceless(chr(point)) << 31) if word else 0)
        assert table[points].tolist() == expected
    assert np.array_equal(fold(), fold(("case",)))


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_without_accents_composition_does_not_count(text: str) -> None:
    # Hangul syllables decompose into letters, not into marks.
    text = "".join(char for char in text if not 0xAC00 <= ord(char) < 0xD7A4)
    forms = [text, unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)]
    found = minhash.signatures(pa.array(forms, pa.large_string()), 8, 2, 1, ("case", "accents"))
    assert (found == found[0]).all()


def test_normalising_makes_texts_alike() -> None:
    texts = pa.array(["Café 12 Ångström", "cafe 99 angstrom", "cafe\u0301 1 ANGSTRÖM"], pa.large_string())
    same = [shingles(texts, 2, normalise)[1].tolist() for normalise in (("case",), ("case", "accents", "digits"))]
    assert same[0] == [0, 2, 4, 6]
    hashes, offsets = shingles(texts, 2, ("case", "accents", "digits"))
    assert jaccard(np.array([[0, 1]]), hashes, offsets)[0] == 1.0
    assert len(set(hashes[: offsets[1]].tolist())) == 2


def test_signatures_by_default_are_what_they_have_always_been() -> None:
    texts = pa.array(["The quick brown fox jumps over the lazy dog", "Größe 12 — naïve 漢字かな ไทย क्षि", ""])
    signed = minhash.signatures(texts, 4, 3, seed=1)
    assert signed.tolist() == [
        [1210429644, 73817138, 1044260465, 933850597],
        [358156609, 323697749, 19720069, 895579178],
        [minhash.EMPTY] * 4,
    ]


@settings(deadline=None)
@given(st.lists(TEXT, min_size=2, max_size=5), st.integers(1, 3))
def test_containment_is_that_of_python_sets(texts: list[str], n: int) -> None:
    sets = [reference(text, n) for text in texts]
    pairs = np.array([(i, j) for i in range(len(texts)) for j in range(len(texts))])
    least = [min(len(sets[i]), len(sets[j])) for i, j in pairs]
    expected = [len(sets[i] & sets[j]) / k if k else 0.0 for (i, j), k in zip(pairs, least, strict=True)]
    assert containment(pairs, *flat(texts, n)).tolist() == expected


def test_a_document_within_another_is_found_by_containment() -> None:
    words = [f"w{k}" for k in range(100)]
    texts = pa.array([" ".join(words), " ".join(words[:75]), " ".join([*words[50:75], *"abcdefgh"])], pa.large_string())
    ids = pa.array([bytes([k] * 16) for k in range(3)], pa.binary(16))
    found = {
        measure: deduplicate_texts(ids, texts, DedupConfig(measure=measure, threshold=0.8)).to_pylist()
        for measure in ("jaccard", "containment")
    }
    assert [row["rule"] for row in found["jaccard"]] == [None] * 3
    assert [row["rule"] for row in found["containment"]] == [None, "near_duplicate", None]
    assert found["containment"][1]["value"] == 1.0
    assert found["containment"][1]["duplicate_of"] == bytes(16)
