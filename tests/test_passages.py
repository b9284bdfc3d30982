"""Repeated passages, against plain references: which are found, which go, and what is left around them."""

from __future__ import annotations

import random
import re
import sys
import tempfile
import unicodedata
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.passages.count import Repeats
from corpus.dedup.passages.find import count_words, cut, find, sliced
from corpus.kernels.edits import apply_edits
from corpus.kernels.shingles import SPACELESS

ACROSS = {"lines", "paragraphs"}
TEMPORARY = Path(tempfile.gettempdir())


def array(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def chosen(folder: Path, texts: list[str], kind: str, keep: str = "one", least: int = 2, **units: int) -> np.ndarray:
    """Which passages of the texts, whose owners are 0, 1, 2 ..., go."""
    found = find(array(texts), kind, units)
    go = np.zeros(len(found), bool)
    with Repeats(folder, len(found), 1 << 20, kind in ACROSS) as repeats:
        repeats.add(found.hashes, found.rows.astype(np.uint64))
        for places, documents, first in repeats.places(lambda rows: None):
            here = places[documents >= (least if kind in ACROSS else 1)]
            go[here] = True
            if keep == "one":
                go[places[first]] = False
    return go


def without(folder: Path, texts: list[str], kind: str, **options: Any) -> list[str]:
    units = {name: options[name] for name in ("min_words", "length", "words") if name in options}
    edits = cut(array(texts), find(array(texts), kind, units), chosen(folder, texts, kind, **options))
    left: list[str] = apply_edits(array(texts), edits).to_pylist()
    return left


# --- the same, in plain Python ---


def is_alone(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in SPACELESS)


def words(text: str, digits: bool = False) -> list[str]:
    """Runs of letters, digits and marks in lower case, one a character in scripts without spaces; digits as 0."""
    found, run = [], ""
    for char in text:
        mark = unicodedata.category(char)[0] == "M"
        inside = char.isalnum() or char == "_" or mark
        if inside and not mark and is_alone(char):
            found += [run, char]
            run = ""
        elif inside:
            run += "0" if char.isdecimal() and not digits else char.lower()
        else:
            found.append(run)
            run = ""
    return [word for word in [*found, run] if word]


def units_of(text: str, kind: str) -> list[str]:
    parts = re.split(r"\n", text) if kind == "lines" else re.split(r"\n(?:[^\S\n]*\n)+", text)
    return [part.strip() for part in parts if part.strip()]


def expected(texts: list[str], kind: str, keep: str, least: int, min_words: int) -> list[list[str]]:
    """The units of each text that stay."""
    keys = [[tuple(words(unit)) for unit in units_of(text, kind)] for text in texts]

    def counts(key: tuple[str, ...]) -> bool:
        return len(key) >= min_words and any(set(word) - {"0"} for word in key)

    documents = Counter(key for found in keys for key in set(found))
    seen: set[tuple[str, ...]] = set()
    left = []
    for text, found in zip(texts, keys, strict=True):
        gone = []
        for key in found:
            repeated = counts(key) and documents[key] >= least
            gone.append(repeated and (keep == "none" or key in seen))
            seen.add(key)
        # What has no word goes with the two that it stands between.
        for i, key in enumerate(found):
            before = next((gone[j] for j in range(i - 1, -1, -1) if found[j]), False)
            after = next((gone[j] for j in range(i + 1, len(found)) if found[j]), False)
            gone[i] = gone[i] or (not key and before and after)
        left.append([unit for unit, cut_out in zip(units_of(text, kind), gone, strict=True) if not cut_out])
    return left


LETTERS = st.text(st.sampled_from("aA b1٣é-.\n\n\n \tไท漢\u0301\u3000़क"), max_size=24)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(LETTERS, min_size=1, max_size=6),
    st.sampled_from(["lines", "paragraphs"]),
    st.sampled_from(["one", "none"]),
    st.integers(2, 3),
    st.integers(1, 2),
)
def test_lines_and_paragraphs_are_those_of_a_plain_reference(
    texts: list[str], kind: str, keep: str, least: int, min_words: int
) -> None:
    left = without(TEMPORARY, texts, kind, keep=keep, least=least, min_words=min_words)
    assert [units_of(text, kind) for text in left] == expected(texts, kind, keep, least, min_words)
    assert [len(words(text)) for text in left] == count_words(array(left)).tolist()
    for before, after in zip(texts, left, strict=True):
        assert after == before or len(after) < len(before)


@settings(deadline=None, max_examples=300)
@given(st.lists(LETTERS, min_size=1, max_size=4), st.integers(2, 4), st.sampled_from(["one", "none"]))
def test_runs_of_words_are_those_of_a_plain_reference(texts: list[str], length: int, keep: str) -> None:
    split = [words(text, digits=True) for text in texts]
    runs = [[tuple(found[i : i + length]) for i in range(len(found) - length + 1)] for found in split]
    times = Counter(run for found in runs for run in found)
    seen: set[tuple[str, ...]] = set()
    stay = []
    for found, here in zip(split, runs, strict=True):
        gone = [False] * len(found)
        for i, run in enumerate(here):
            if times[run] > 1 and (keep == "none" or run in seen):
                gone[i : i + length] = [True] * length
            seen.add(run)
        stay.append([word for word, cut_out in zip(found, gone, strict=True) if not cut_out])
    left = without(TEMPORARY, texts, "substrings", keep=keep, words=length)
    # Neighbours of a cut may grow together where nothing stood between the words.
    assert ["".join(words(text, digits=True)) for text in left] == ["".join(found) for found in stay]


# --- what stands around a cut ---


@pytest.mark.parametrize(
    ("kind", "text", "gone", "left"),
    [
        ("lines", "one\nMenu\ntwo", "Menu", "one\ntwo"),
        ("lines", "one\n\nMenu\ntwo\n", "Menu", "one\n\ntwo\n"),
        ("lines", "one\nMenu\n\ntwo", "Menu", "one\n\ntwo"),
        ("lines", "one\n\nMenu\n\ntwo", "Menu", "one\n\ntwo"),
        ("lines", "Menu\n\none", "Menu", "one"),
        ("lines", "one\nMenu", "Menu", "one"),
        ("lines", "one\n\nMenu\n", "Menu", "one\n"),
        ("lines", "Menu\n", "Menu", ""),
        ("lines", "one\n  - Menu!\n    two", "Menu", "one\n    two"),
        ("lines", "one\r\nMenu\r\ntwo", "Menu", "one\r\ntwo"),
        ("paragraphs", "one\n\nMenu\nof two\n\nthree", "Menu of two", "one\n\nthree"),
        ("paragraphs", "one\n \n\n\nMenu\n\nthree", "Menu", "one\n \n\n\nthree"),
        ("substrings", "The cat, [see the long note]. Next", "see the long note", "The cat, Next"),
        ("substrings", "One. See the long note. Two.", "see the long note", "One. Two."),
        ("substrings", "well-see the long note-done", "see the long note", "well--done"),
        ("substrings", "One.\n- See the long note.\nTwo", "see the long note", "One.\nTwo"),
        ("substrings", "One.\n- See the long note. Two", "see the long note", "One.\n- Two"),
        ("substrings", "One. See the long\n\nnote. Two", "see the long note", "One. Two"),
        ("substrings", "One.\n\nSee the long note. Two", "see the long note", "One.\n\nTwo"),
        ("substrings", "One. See the long note.\n\nTwo", "see the long note", "One.\n\nTwo"),
    ],
)
def test_of_two_gaps_the_stronger_stays(tmp_path: Path, kind: str, text: str, gone: str, left: str) -> None:
    units = {"words": 4} if kind == "substrings" else {}
    assert without(tmp_path, [gone, gone, text], kind, **units)[2] == left


def test_a_passage_is_the_same_whatever_its_case_digits_and_punctuation(tmp_path: Path) -> None:
    texts = ["Page 3 of 17: The End", "page 9 of 42 — the end!", "Page 3 of 9: The End", "12 13", "14 15"]
    assert without(tmp_path, texts, "lines") == [texts[0], "", *texts[2:]]
    # In runs of words digits count: a table of numbers is not a copy of every other one.
    assert without(tmp_path, texts[:3], "substrings", words=5) == texts[:3]


def test_first_is_the_first_place_in_the_document_of_the_smallest_id(tmp_path: Path) -> None:
    texts = ["same\nsame", "one\nsame", "same\nsame\ntwo"]
    assert without(tmp_path, texts, "lines") == ["same", "one", "two"]
    assert without(tmp_path, texts, "lines", least=4) == texts
    assert without(tmp_path, ["same\nsame", "other"], "lines") == ["same\nsame", "other"]
    assert without(tmp_path, ["We go. We see. We do. We go. We see. We do.", "No."], "sentences", length=3) == [
        "We go. We see. We do.",
        "No.",
    ]


def test_counts_do_not_depend_on_order_or_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    owners = np.sort(rng.integers(0, 400, 30_000).astype(np.uint64))
    hashes = (rng.zipf(1.2, 30_000) % 9_000).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mine: dict[int, list[tuple[int, int]]] = {}
    for place, (key, owner) in enumerate(zip(hashes.tolist(), owners.tolist(), strict=True)):
        mine.setdefault(key, []).append((owner, place))
    exact = {place: (len({o for o, _ in found}), place == min(found)[1])
             for found in mine.values() if len(found) > 1 for _, place in found}  # fmt: skip
    assert len(exact) > 15_000
    for shuffled in (False, True):
        order = rng.permutation(400) if shuffled else np.arange(400)
        rows = np.concatenate([np.flatnonzero(owners == owner) for owner in order])
        # A table of 1,024 slots: most buckets are counted in halves of halves.
        for memory, expected_count in ((1, 0), (1 << 16, 30_000), (1 << 24, 30_000)):
            got = {}
            with Repeats(tmp_path, expected_count, memory, across=False) as repeats:
                for part in np.array_split(rows, 7):
                    repeats.add(hashes[part], owners[part])
                last = -1
                for places, documents, first in repeats.places(lambda count: None):
                    assert (np.diff(places) > 0).all()
                    assert not len(places) or places[0] > last
                    last = int(places[-1]) if len(places) else last
                    values = zip(documents.tolist(), first.tolist(), strict=True)
                    got |= dict(zip(rows[places].tolist(), values, strict=True))
            assert got == exact
    with Repeats(tmp_path, 30_000, 1 << 20, across=True) as repeats:
        repeats.add(hashes, owners)
        across = np.concatenate([places for places, _, _ in repeats.places(lambda count: None)])
    assert across.tolist() == sorted(place for place, (documents, _) in exact.items() if documents > 1)


# --- against others ---


def boilerplate(seed: int, documents: int = 30) -> list[str]:
    """Prose with notices and pieces of other documents in it, cut anywhere."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(1, 7))) for _ in range(400)]
    notices = [" ".join(rng.choices(vocabulary, k=rng.randint(20, 90))) for _ in range(5)]
    texts: list[str] = []
    for _ in range(documents):
        parts = []
        for _ in range(rng.randint(1, 6)):
            kind = rng.random()
            if kind < 0.5 or not texts:
                parts.append(" ".join(rng.choices(vocabulary, k=rng.randint(5, 60))))
            elif kind < 0.8:
                parts.append(rng.choice(notices))
            else:
                other = rng.choice(texts).split()
                first = rng.randrange(len(other))
                parts.append(" ".join(other[first : first + rng.randint(1, 80)]))
        texts.append(rng.choice([". ", "\n", "\n\n", ", "]).join(parts))
    return texts


def licences() -> list[str]:
    """Real text that repeats itself: the licences of what is installed."""
    names = {"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENSE.rst", "COPYING"}
    files = [file for package in distributions() for file in package.files or () if file.name in names]
    found = [Path(str(file.locate())) for file in files]
    texts = [path.read_text("utf-8", "replace")[:20_000] for path in sorted(set(found)) if path.is_file()]
    return texts[:60]


@pytest.mark.parametrize(
    ("texts", "length"), [(boilerplate(1), 10), (boilerplate(2), 50), (boilerplate(3), 25), (licences(), 50)]
)
def test_runs_of_words_are_those_of_a_suffix_array(tmp_path: Path, texts: list[str], length: int) -> None:
    from pydivsufsort import divsufsort, kasai

    numbers: dict[str, int] = {}
    stream: list[int] = []
    for row, text in enumerate(texts):
        stream += [numbers.setdefault(word, len(numbers)) for word in words(text, digits=True)]
        stream.append(1 << 20 | row)  # an end that no other text has
    tokens = np.array(stream, np.uint32)
    suffixes = divsufsort(tokens)
    shared = kasai(tokens, suffixes).astype(np.int64)  # of each suffix and the next in order
    longest = np.maximum(shared, np.concatenate([[0], shared[:-1]]))
    covered = np.zeros(len(tokens), bool)
    for start, match in zip(suffixes[longest >= length], longest[longest >= length], strict=True):
        covered[start : start + match] = True
    assert 0.1 < covered.mean() < 0.97
    stay: list[list[str]] = [[]]
    names = list(numbers)
    for token, gone in zip(stream, covered, strict=True):
        if token >= 1 << 20:
            stay.append([])
        elif not gone:
            stay[-1].append(names[token])
    left = without(tmp_path, texts, "substrings", words=length, keep="none")
    assert [words(text, digits=True) for text in left] == stay[:-1]


def test_sentences_are_those_of_datatrove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datatrove.data import Document
    from datatrove.utils.hashing import HashConfig

    # Its package asks for a tokenizer that this part of it does not use.
    for name in ("tokenizers", "tokenizers.processors"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    from datatrove.pipeline.dedup import sentence_dedup as theirs

    rng = random.Random(5)
    pool = [f"{a} {b} {c}." for a in ("The cat", "A dog", "My bird") for b in ("sees", "eats") for c in ("it", "grass")]
    texts = [" ".join(rng.choices(pool, k=rng.randint(2, 30))) for _ in range(12)]

    class Splitter:
        """Our sentences, so that the rest can be compared."""

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            found = find(array([text]), "sentences", {"length": 1})
            return list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))

        def sent_tokenize(self, text: str) -> list[str]:
            return [text[start:end] for start, end in self.span_tokenize(text)]

    monkeypatch.setattr(theirs, "load_word_tokenizer", lambda language: Splitter())
    # Its default hash takes no strings from newer versions of xxhash.
    hashing = HashConfig(hash_fc="sha1")
    config = theirs.SentDedupConfig(n_sentences=3, min_doc_words=0, min_num_sentences=0, hash_config=hashing)
    sigs, dups = str(tmp_path / "sigs"), str(tmp_path / "dups")
    documents = [Document(text, str(row)) for row, text in enumerate(texts)]
    theirs.SentenceDedupSignature(sigs, config=config).run(documents)
    theirs.SentenceFindDedups(sigs, dups, config=config).run()
    kept = {doc.id: doc.text for doc in theirs.SentenceDedupFilter(dups, config=config).run(documents)}
    left = without(tmp_path, texts, "sentences", length=3)
    assert [" ".join(text.split()) for text in left] == [" ".join(kept.get(str(i), "").split()) for i in range(12)]
    assert sum(map(len, left)) < 0.9 * sum(map(len, texts))


def test_a_sentence_is_that_of_the_signals() -> None:
    from corpus.quality.signals import compute

    texts = ['He said "no." Then he left! (Why?) Nobody knows...', "一句话。两句话！Three.\nA line", "", "e.g. this"]
    ours = Counter(find(array(texts), "sentences", {"length": 1}).rows.tolist())
    signals = compute(array(texts)).field("sentences").to_pylist()
    assert [ours[row] for row in range(len(texts))] == signals


def test_a_batch_is_cut_into_parts_of_bounded_size() -> None:
    texts = ["x" * size for size in (3_000_000, 0, 1_000_000, 500_000, 9_000_000, 5)]
    parts = list(sliced(pa.record_batch({"text": array(texts)})))
    assert [len(part) for part in parts] == [3, 1, 1, 1]
    assert [text for part in parts for text in part.column("text").to_pylist()] == texts
