"""Edits as spans: line rules make them, `apply_edits` applies them."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorpusError
from corpus.kernels.edits import apply_edits
from corpus.quality.lines import LINE_EDITS, edit_lines
from corpus.quality.rules import LINE_RULES

SENTENCE = "This line has words enough to stay."


def edit_table(edits: list[tuple[int, int, int, str]]) -> pa.Table:
    names = ("row", "start", "end", "replacement")
    types = (pa.int64(), pa.int64(), pa.int64(), pa.string())
    columns = list(zip(*edits, strict=True)) if edits else [()] * 4
    return pa.table({name: pa.array(column, kind) for name, kind, column in zip(names, types, columns, strict=True)})


@st.composite
def texts_with_edits(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, int, int, str]]]:
    texts = draw(st.lists(st.text(max_size=20), min_size=1, max_size=6))
    edits = []
    for row, text in enumerate(texts):
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
        for first, last in zip(cuts[::2], cuts[1::2], strict=False):
            start, end = len(text[:first].encode()), len(text[:last].encode())
            edits.append((row, start, end, draw(st.text(max_size=5))))
    return texts, edits


@settings(max_examples=200, deadline=None)
@given(texts_with_edits(), st.sampled_from([pa.string(), pa.large_string()]), st.integers(0, 3))
def test_apply_edits_is_slicing(
    case: tuple[list[str], list[tuple[int, int, int, str]]], kind: pa.DataType, skipped: int
) -> None:
    texts, edits = case
    expected = []
    for row, text in enumerate(texts):
        data = text.encode()
        for _, start, end, replacement in reversed([edit for edit in edits if edit[0] == row]):
            data = data[:start] + replacement.encode() + data[end:]
        expected.append(data.decode())
    array = pa.array(["x"] * skipped + texts, kind)[skipped:]  # a slice: its bytes begin anywhere
    result = apply_edits(array, edit_table(edits))
    result.validate(full=True)
    assert result.type == pa.large_string()
    assert result.to_pylist() == expected


@pytest.mark.parametrize(
    "edits",
    [
        [(0, 1, 2, "")],  # inside é
        [(0, 0, 1, "")],
        [(0, 0, 9, "")],
        [(0, 4, 2, "")],
        [(0, 2, 4, ""), (0, 3, 5, "")],
        [(1, 0, 1, ""), (0, 0, 2, "")],
        [(2, 0, 0, "")],
        [(-1, 0, 0, "")],
        [(0, -2, 0, "")],
    ],
)
def test_wrong_edits_are_refused(edits: list[tuple[int, int, int, str]]) -> None:
    with pytest.raises(ValueError, match="edit "):
        apply_edits(pa.array(["éabcd", "xyz"]), edit_table(edits))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("A menu entry", "c4_terminal_punctuation"),
        ("It goes on and on...", "c4_terminal_punctuation"),
        ("Two words.", "c4_short_lines"),
        ("Please turn on JavaScript now.", "c4_javascript"),
        ("Read our Privacy Policy here.", "c4_policy"),
        ("This site uses cooKies for you.", "c4_policy"),  # the Kelvin sign is a k
        (f"A very {'long' * 251} word.", "c4_long_words"),
    ],
)
def test_each_line_rule(line: str, rule: str) -> None:
    text = f"{SENTENCE}\n{line}\n{SENTENCE}"
    edits = edit_lines(pa.array([text]), (rule,))
    assert edits.schema == LINE_EDITS
    start = len(SENTENCE) + 1
    assert edits.to_pylist() == [
        {"row": 0, "start": start, "end": start + len(line.encode()) + 1, "replacement": "", "rule": rule}
    ]
    others = [other for other in LINE_RULES if other != rule]
    assert edit_lines(pa.array([text]), others).num_rows == 0


def test_white_space_and_citations() -> None:
    text = f"  {SENTENCE}[1] \r\nIt[edit] is cited[citation needed] here[12].\u2028{SENTENCE}\n\n"
    edits = edit_lines(pa.array(["", text]), ("c4_citations",))
    assert set(edits.column("rule").to_pylist()) == {"c4_citations", "c4_whitespace"}
    after = apply_edits(pa.array(["", text]), edits).to_pylist()
    assert after == ["", f"{SENTENCE}\nIt is cited here.\n{SENTENCE}\n"]
    assert edit_lines(pa.array(after), ("c4",)).to_pylist() == [
        {"row": 1, "start": len(after[1]) - 1, "end": len(after[1]), "replacement": "", "rule": "c4_whitespace"}
    ]


def test_what_the_document_rules_judge_stays() -> None:
    lines = ["Lorem ipsum and javascript in a line.", "A privacy policy with { in it."]
    assert edit_lines(pa.array(lines), ("c4",)).num_rows == 0


def test_no_rules_no_edits_and_unknown_ones_are_named() -> None:
    assert edit_lines(pa.array(["x"]), ()).schema == LINE_EDITS
    assert edit_lines(pa.array([], pa.large_string()), ("c4",)).num_rows == 0
    with pytest.raises(CorpusError, match="'c5' is unknown"):
        edit_lines(pa.array(["x"]), ("c5",))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["Some words here.", "[1]", " ", "\n", "\r\n", "x", "é", "[edit]"]), max_size=12).map(
            "".join
        ),
        max_size=5,
    ),
    st.sets(st.sampled_from(LINE_RULES), min_size=1),
)
def test_edits_always_apply(texts: list[str], rules: set[str]) -> None:
    array = pa.array(texts, pa.large_string())
    edits = edit_lines(array, sorted(rules))
    after = apply_edits(array, edits)  # refuses edits out of order, overlapping or inside a character
    for row, text in enumerate(after.to_pylist()):
        touched = row in edits.column("row").to_pylist()
        assert touched == (text != texts[row])
        stripped = any(rule.startswith("c4_") for rule in rules)
        assert not stripped or all(line == line.rstrip() for line in text.split("\n"))
