"""Texts that would take for ever, or too much memory, if any signal were not linear in them."""

from __future__ import annotations

import numpy as np
import psutil
import pyarrow as pa
import pytest

from corpus.kernels.edits import apply_edits
from corpus.quality.lines import edit_and_count
from corpus.quality.signals import compute

MILLION = 1_000_000

# What some of the signals must be, beside being there at all.
HOSTILE: dict[str, tuple[str, dict[str, float]]] = {
    "one line": ("a line of words without an end " * 320_000, {"lines": 1, "words": 7 * 320_000}),
    "one word": ("x" * 10 * MILLION, {"words": 1, "mean_word_length": 10 * MILLION, "dup_5gram": 0}),
    "one letter a word": ("a " * MILLION, {"words": MILLION, "unique_words": 1 / MILLION, "repeated_10gram": 1}),
    "two letters in turn": ("a b " * (MILLION // 2), {"words": MILLION, "unique_words": 2 / MILLION}),
    "new lines": ("\n" * MILLION, {"words": 0, "lines": 0, "characters": MILLION}),
    "blank lines": (" \r\n\t\n" * (MILLION // 5), {"words": 0, "lines": 0}),
    "spaces": (" " * 5 * MILLION, {"words": 0, "lines": 0}),
    "emoji": ("\U0001f600" * (MILLION // 2), {"words": MILLION // 2, "all_caps_words": 0}),
    "combining marks": ("e" + "\u0301" * MILLION, {"words": 1, "alpha_words": 1}),
    "marks of ends": (".!?" * (MILLION // 3), {"simple_sentences": 0}),
    "stops": ("." * MILLION, {"simple_sentences": 0}),
    "brackets": ("[" * (MILLION // 2) + "{" * (MILLION // 2), {"curly_share": 0.5, "curly_brackets": 1}),
    "hyphens": ("a-" * (MILLION // 2), {"lines": 1}),
    "quotes": ("'\"" * (MILLION // 2), {"lines": 1}),
    "equal lines": ("the same line of text\n" * 50_000, {"lines": 50_000, "dup_lines": 49_999 / 50_001}),
    "different words": (" ".join(map(str, range(200_000))), {"unique_words": 1, "words": 200_000}),
    "patterns": ("read more items in cart sign-in " * 30_000, {"lines": 1}),
    "patterns a line": ("read more items in cart\n" * 40_000, {"lines": 40_000}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_ends_with_the_right_signals(name: str) -> None:
    text, expected = HOSTILE[name]
    measured = compute(pa.array([text], pa.large_string()))[0].as_py()
    assert {key: measured[key] for key in expected} == pytest.approx(expected)


@pytest.mark.parametrize("name", HOSTILE)
def test_line_rules_end_too(name: str) -> None:
    array = pa.array([HOSTILE[name][0]], pa.large_string())
    edits, removed = edit_and_count(array, ("c4", "refinedweb"))
    assert len(apply_edits(array, edits)[0].as_py()) <= len(array[0].as_py())
    assert ((removed >= 0) & (removed <= 1)).all()


def test_memory_is_that_of_the_largest_document() -> None:
    array = pa.array(["Some words of a text that is measured, one document after another.\n" * 10_000])
    process = psutil.Process()
    compute(array)
    before = process.memory_info().rss
    for _ in range(10):
        compute(array)
    assert process.memory_info().rss - before < 10 * array.nbytes  # one pass takes some 40 times the text's bytes


def test_equal_hashes_of_different_lines_are_told_apart() -> None:
    # Thue-Morse words and their complements have equal polynomial hashes modulo 2**64, whatever the multiplier.
    bits = np.zeros(1, np.uint8)
    while len(bits) < 2048:
        bits = np.concatenate([bits, 1 - bits])
    one, other = ("".join("ab"[bit] for bit in sequence) for sequence in (bits, 1 - bits))
    measured = compute(pa.array([f"{one}\n{other}\n{one}"]))[0].as_py()
    assert measured["dup_lines"] == 1 / 3
    assert measured["unique_words"] == 2 / 3
