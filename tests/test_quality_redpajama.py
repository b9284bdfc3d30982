"""RedPajama-v2's signals against their published formulas in plain Python, given the same words."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.kernels.quality_flags import SYMBOL_CHARACTERS
from corpus.kernels.vocabulary import STOP_WORDS
from corpus.quality.names import TEXT
from corpus.quality.signals import compute, split_words

BULLETS = ("•", "‣", "▶", "◀", "◦", "■", "□", "▪", "▫", "–")


def lowered(word: str) -> str:
    """Character by character: one character stays one."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in word)


def share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def top_gram(words: list[str], n: int) -> float:
    grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)).most_common(1)
    if not grams or grams[0][1] < 2:
        return share(0, sum(map(len, words)))
    return share(sum(map(len, grams[0][0])) * grams[0][1], sum(map(len, words)))


def duplicated(words: list[str], n: int) -> float:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    often = Counter(grams)
    inside = {i + j for i, gram in enumerate(grams) if often[gram] > 1 for j in range(n)}
    return share(sum(len(words[i]) for i in inside), sum(map(len, words)))


def reference(text: str, words: list[str]) -> dict[str, float]:
    """The paper's definitions (section 4 and the appendix's tables), its normalised words being `normal`."""
    normal = [lowered(word) for word in words if not set(word) <= set(SYMBOL_CHARACTERS)]
    lines = [line for line in text.split("\n") if line.strip()]
    counts = Counter(normal).values()

    def over_lines(value: float) -> float:
        return share(value, len(lines))

    return {
        "characters": len(text),
        "lines": len(lines),
        "words": len(normal),
        "mean_word_length": share(sum(map(len, normal)), len(normal)),
        "unique_words": share(len(set(normal)), len(normal)),
        "word_entropy": -sum(c / len(normal) * math.log(c / len(normal)) for c in counts) if normal else math.nan,
        "all_caps_words": share(sum(map(str.isupper, words)), len(words)),
        "alpha_words": share(sum(any(map(str.isalpha, word)) for word in words), len(words)),
        "stop_word_share": share(sum(lowered(word) in STOP_WORDS for word in words), len(words)),
        "simple_sentences": len(re.findall(r"\b[^.!?]+[.!?]*", text)),
        "curly_share": share(text.count("{") + text.count("}"), len(text)),
        "lorem_share": share(
            sum(pair == ("lorem", "ipsum") for pair in itertools.pairwise(normal)), len(" ".join(normal))
        ),
        "javascript_words": normal.count("javascript"),
        "words_per_line": over_lines(len(normal)),
        "punctuated_lines": over_lines(sum(line.rstrip().endswith((".", "!", "?", "”")) for line in lines)),
        "bullet_point_lines": over_lines(sum(line.lstrip().startswith(BULLETS) for line in lines)),
        "line_upper": over_lines(sum(sum(map(str.isupper, line)) / len(line) for line in lines)),
        "line_numeric": over_lines(sum(sum(map(str.isnumeric, line)) / len(line) for line in lines)),
        **{f"common_{n}gram": top_gram(normal, n) for n in (2, 3, 4)},
        **{f"repeated_{n}gram": duplicated(normal, n) for n in range(5, 11)},
    }


def check(texts: list[str], words: list[list[str]], measured: pa.StructArray) -> None:
    for text, given_words, signals in zip(texts, words, measured.to_pylist(), strict=True):
        expected = reference(text, given_words)
        found = {name: signals[name] for name in expected}
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True), text


PIECES = (
    *(" ",) * 8,
    *("\n", "\n\n", "\t", ". ", "! ", "? ", "...", "…", "{", "}", "#", "•", " – ", "■", "”", "_", "½", "Ⅻ", "ⅷ"),
    *("the", "The", "THE", "of", "house", "House", "NASA", "Ünï", "ǅ", "A1", "42", "n't", "’s", "e.g.", "ß"),
    *("lorem ipsum", "Lorem, IPSUM", "ipsum", "JavaScript", "javascript", "javascripts", "a b c d e f ", "A b C d e "),
)
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=70).map("".join), st.text(max_size=40))
words = st.lists(st.sampled_from(["a", "A", "b", "ab", "", ".", "#", "The", "é", "É", "a b"]), max_size=40)


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5))
def test_our_words(batch: list[str]) -> None:
    check(batch, [split_words(text) for text in batch], compute(pa.array(batch, pa.large_string())))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(texts, words), min_size=1, max_size=5))
def test_words_of_another_segmenter(batch: list[tuple[str, list[str]]]) -> None:
    array = pa.array([text for text, _ in batch], pa.large_string())
    words = [[word for word in words if word] for _, words in batch]
    check([text for text, _ in batch], words, compute(array, words=pa.array(words, pa.list_(pa.large_string()))))


def test_a_text_by_hand() -> None:
    text = "The cat saw THE CAT.\n\n• 12 cats {saw} it!\n"
    measured = compute(pa.array([text]))[0].as_py()
    assert {name: measured[name] for name in ("characters", "lines", "words", "javascript_words")} == {
        "characters": 42,
        "lines": 2,
        "words": 10,  # the cat saw the cat • 12 cats saw it
        "javascript_words": 0,
    }
    assert measured["unique_words"] == 7 / 10
    assert measured["all_caps_words"] == 2 / 14  # with . • { } !
    assert measured["stop_word_share"] == 3 / 14  # the, the, it
    assert measured["words_per_line"] == 5
    assert measured["punctuated_lines"] == 1
    assert measured["bullet_point_lines"] == 0.5
    assert measured["line_upper"] == pytest.approx((7 / 20 + 0) / 2)
    assert measured["line_numeric"] == pytest.approx((0 + 2 / 19) / 2)
    assert measured["curly_share"] == 2 / 42
    assert measured["common_2gram"] == 12 / 27  # "the cat", twice
    assert measured["repeated_5gram"] == 0
    assert measured["word_entropy"] == pytest.approx(math.log(10) - 3 * 2 * math.log(2) / 10)


def test_nothing_is_lost_or_named_twice() -> None:
    names = [signal.name for signal in TEXT]
    assert len(set(names)) == len(names) == len(compute(pa.array([""])).type)
    assert compute(pa.array([""]))[0].as_py()["removed_words"] == 0
