"""RefinedWeb's line rules, and its rule on how much they took."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dataset import Layer, View
from corpus.kernels.edits import apply_edits
from corpus.quality.config import QualityConfig
from corpus.quality.decide import decide
from corpus.quality.lines import edit_and_count, edit_lines
from corpus.quality.rules import LINE_PRESETS
from corpus.quality.signals import compute
from corpus.store import StepFolder

RULES = LINE_PRESETS["refinedweb"]
SENTENCE = "This line has words enough to stay."
COUNTED = r"""likes?|shares?|comments?|reply|replies|views?|votes?|upvotes?|downvotes?|followers?|subscribers?|retweets?
|reposts?|quotes?|bookmarks?|downloads?|reviews?|ratings?|reactions?""".replace("\n", "")
COUNTER = re.compile(rf"\W*\d[\d.,]*[kmb]?\s+({COUNTED})\W*", re.IGNORECASE)
PATTERN = re.compile(r"^sign-in\s?|\s?items in cart|\s?read more(\.\.\.|…)$|^read more$", re.IGNORECASE)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("ABOUT OUR TEAM", "refinedweb_uppercase"),
        ("  2024", "refinedweb_numeric"),
        ("3 likes", "refinedweb_counter"),
        ("(1,024 Comments)", "refinedweb_counter"),
        ("2.5k views", "refinedweb_counter"),
        ("Home", "refinedweb_one_word"),
        ("Sign-in", "refinedweb_pattern"),
        ("Read more", "refinedweb_pattern"),
        ("items in cart read more…", "refinedweb_pattern"),
    ],
)
def test_lines_that_go(line: str, rule: str) -> None:
    text = f"{SENTENCE}\n{line}\n{SENTENCE}\n"
    start = len(SENTENCE) + 1
    span = {"row": 0, "start": start, "end": start + len(line.encode()) + 1, "replacement": "", "rule": rule}
    assert edit_lines(pa.array([text]), (rule,)).to_pylist() == [span]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("Sign-in to see it", "to see it"),
        ("A new house for the town Read more...", "A new house for the town"),
        ("3 items in cart now", "3 now"),
        ("We read more books", "We read more books"),
        ("one two three four five six seven eight nine items in cart", None),
    ],
)
def test_patterns_inside_short_lines(line: str, after: str | None) -> None:
    text = f"  {SENTENCE} \n\n{line}\r\n{SENTENCE}"
    edits = edit_lines(pa.array([text]), ("refinedweb_pattern",))
    assert apply_edits(pa.array([text]), edits).to_pylist() == [text.replace(line, line if after is None else after)]
    assert set(edits.column("rule").to_pylist()) <= {"refinedweb_pattern"}


def test_what_stays_keeps_its_white_space() -> None:
    text = f"MENU\n\n{SENTENCE}  \n\n\n7\n\n  {SENTENCE}\n\nHOME\n\n3 likes\n"
    after = apply_edits(pa.array([text]), edit_lines(pa.array([text]), ("refinedweb",))).to_pylist()
    assert after == [f"{SENTENCE}  \n\n\n\n  {SENTENCE}"]
    untouched = f"\n {SENTENCE}\n\n{SENTENCE} \n"
    assert edit_lines(pa.array([untouched]), ("refinedweb",)).num_rows == 0
    nothing = apply_edits(pa.array(["A\n\nB\n"]), edit_lines(pa.array(["A\n\nB\n"]), ("refinedweb",)))
    assert nothing.to_pylist() == [""]


def test_with_c4_the_lines_are_joined_and_both_are_named() -> None:
    text = f" {SENTENCE}[1]\n\nABOUT US AND MORE!\nA menu entry\nOne. Read more...\n{SENTENCE}"
    edits = edit_lines(pa.array([text]), ("c4_citations", "c4_terminal_punctuation", "refinedweb"))
    assert apply_edits(pa.array([text]), edits).to_pylist() == [f"{SENTENCE}\nOne.\n{SENTENCE}"]
    assert set(edits.column("rule").to_pylist()) == {
        *("c4_citations", "c4_terminal_punctuation", "c4_whitespace"),
        *("refinedweb_uppercase", "refinedweb_pattern"),
    }


def verdict(line: str) -> str | None:
    """The line after RefinedWeb's rules, in plain Python; None when it goes."""
    bare = line.strip()
    if not bare:
        return line
    if 2 * sum(map(str.isupper, bare)) > len(bare) or all(map(str.isdecimal, bare)):
        return None
    words = bare.split()
    if COUNTER.fullmatch(bare) or len(words) == 1:
        return None
    if len(words) > 10 or not PATTERN.search(bare):
        return line
    after = PATTERN.sub("", bare)
    return line.replace(bare, after.rstrip()) if after.strip() else None


LINES = st.lists(
    st.sampled_from(
        "A,b,Some,words,here.,3,12,1.5k,likes,Replies!,(,sign-in,Sign-In,read,more,é,ÉTÉ,٣,²,_,read more...,Read more…"
        ",items in cart, ".split(",")
    ),
    max_size=14,
).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_a_line_as_in_plain_python(line: str) -> None:
    text = f"{SENTENCE}\n{line}\n{SENTENCE}"
    after = verdict(line)
    expected = f"{SENTENCE}\n{SENTENCE}" if after is None else f"{SENTENCE}\n{after}\n{SENTENCE}"
    edits, removed = edit_and_count(pa.array([text]), ("refinedweb",))
    found = apply_edits(pa.array([text]), edits).to_pylist()[0]
    # Where a pattern stood beside more than one space, which of them goes is no matter.
    assert re.sub(" +", " ", found).replace(" \n", "\n") == re.sub(" +", " ", expected).replace(" \n", "\n")
    all_words, words = len(text.split()), len(line.split())
    assert removed[0, 2] == (words / all_words if after != line else 0)
    assert removed[0, 1] == (words / all_words if after is None else 0)
    assert removed[0, 0] == (1 / 3 if after is None else 0)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.one_of(LINES, st.sampled_from(["", " ", SENTENCE])), max_size=8).map("\n".join), max_size=5),
    st.sets(st.sampled_from([*RULES, *LINE_PRESETS["c4"]]), min_size=1),
)
def test_edits_always_apply(texts: list[str], rules: set[str]) -> None:
    array = pa.array(texts, pa.large_string())
    edits, removed = edit_and_count(array, sorted(rules))
    after = apply_edits(array, edits).to_pylist()  # refuses edits out of order, overlapping or inside a character
    assert [row in edits.column("row").to_pylist() for row in range(len(texts))] == [
        new != old for new, old in zip(after, texts, strict=True)
    ]
    assert ((removed >= 0) & (removed <= 1)).all()


def test_more_than_a_twentieth_of_the_words_is_too_much() -> None:
    lines = [SENTENCE] * 20  # 140 words
    texts = ["\n".join([*lines, *["SEVEN WORDS IN CAPITALS ARE HERE TODAY"] * n]) for n in (0, 1, 2)]
    edits, removed = edit_and_count(pa.array(texts), ("refinedweb",))
    signals = compute(apply_edits(pa.array(texts), edits), removed=removed)
    assert signals.field("refinedweb_words").to_pylist() == [0, 7 / 147, 14 / 154]
    assert signals.field("removed_lines").to_pylist() == [0, 1 / 21, 2 / 22]
    rules = [rule for rule in QualityConfig(presets="refinedweb").active_rules if rule.signal == "refinedweb_words"]
    table = decide(pa.record_batch({"signals": signals}), rules)
    assert table.column("row").to_pylist() == [2]
    assert table.column("rule").to_pylist() == ["max_refinedweb_words"]


def test_c4_counts_no_words_against_refinedweb() -> None:
    text = f"{SENTENCE}\nno stop here at all\nABOUT US"
    _, removed = edit_and_count(pa.array([text]), ("c4", "refinedweb"))
    assert removed.tolist() == [[2 / 3, 7 / 14, 0]]  # C4's rules look first
    _, removed = edit_and_count(pa.array([text]), ("refinedweb",))
    assert removed.tolist() == [[1 / 3, 2 / 14, 2 / 14]]


def test_the_stage(
    recipe: Callable[..., Path], corpus_command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    good = "\n".join(f"{SENTENCE} And number {number} of the lines that have it." for number in range(20))
    (folder / "a.txt").write_text(f"{good}\n12 comments\n{good}")
    (folder / "b.txt").write_text(good + "\nBUY IT NOW OR NEVER" * 20)
    (folder / "c.py").write_text("X = 3\n12\nYES\nif X:\n    print(YES)\n")
    sources = [
        {"name": "prose", "kind": "text", "path": str(folder / "*.txt")},
        {"name": "code", "kind": "code", "path": str(folder)},
    ]
    path = recipe(
        sources=sources,
        language=None,
        quality={"presets": [], "line_rules": ["refinedweb"], "max_refinedweb_words": 0.05},
        dedup=None,
        tokenizer=None,
        pack=None,
    )
    done = corpus_command("run", path)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    view = View(out, (Layer("quality/signals", ("signals",), edits=True),))
    rows = [
        row
        for partition in view.partitions()
        for batch in view.batches(partition, ["url", "text", "signals"])
        for row in batch.to_pylist()
    ]
    by_name = {Path(row["url"]).name: row for row in rows}
    assert by_name["a.txt"]["text"] == f"{good}\n{good}"
    assert by_name["c.py"]["text"].split() == "X = 3 12 YES if X: print(YES)".split()
    assert by_name["c.py"]["signals"]["removed_lines"] == 0
    assert by_name["b.txt"]["signals"]["refinedweb_words"] > 0.05
    facts = [entry.facts for entry in StepFolder(out / "quality/signals").entries().values()]
    assert [fact["lines"] for fact in facts if fact] == [
        {"refinedweb_counter": {"lines": 1, "bytes": 12}, "refinedweb_uppercase": {"lines": 20, "bytes": 400}}
    ]
