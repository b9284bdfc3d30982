"""Code rules: signals against plain Python and Python's own tokenizer, and a run over a small repository."""

from __future__ import annotations

import base64
import inspect
import io
import json
import random
import re
import string
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.quality import names
from corpus.quality.code_signals import CODE_SIGNALS, ENCODED, GENERATED, compute_code
from corpus.quality.comment_syntax import SYNTAX, tables
from corpus.quality.config import QualityConfig
from corpus.quality.decide import decide
from corpus.sources.code.languages import is_known


def signals(text: str, language: str | None = "C") -> dict[str, float]:
    return compute_code(pa.array([text]), pa.array([language], pa.string()))[0].as_py()


def comment_characters(text: str, language: str) -> int:
    return round(signals(text, language)["code_comments"] * len(text))


def plain(text: str) -> dict[str, float]:
    """The formulas in plain Python, as the code corpora publish them."""
    lengths = [len(line) for line in text.splitlines()]
    left = text
    for pattern in ENCODED:
        left = re.sub(pattern, "", left, flags=re.ASCII)
    return {
        "code_lines": len(lengths),
        "code_longest_line": max(lengths),
        "code_mean_line": sum(lengths) / len(lengths),
        "code_alphanumeric": sum(c.isalnum() for c in text) / len(text),
        "code_alphabetic": sum(c.isalpha() for c in text) / len(text),
        "code_digits": sum(c.isdecimal() for c in text) / len(text),
        "code_non_ascii": sum(not c.isascii() for c in text) / len(text),
        "code_longest_run": max(map(len, text.split()), default=0),
        "code_generated": float(re.search(GENERATED, text) is not None),
        "code_encoded": (len(text) - len(left)) / len(text),
    }


ODD = [
    "x",
    "\n",
    "a\r\nb\rc\x0cd\n\n",
    "ünïcode²½ = ٣; 漢字\u2028next",
    'x = "' + base64.b64encode(bytes(range(90))).decode() + '"',
    "b = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08]\n",
    "s = '" + "\\u00e9" * 9 + "'",
    "deadbeef " * 3 + "cafe babe 00 11 22 33 44 55 66 77 88",
    "a\n" * 80,
]
MODULES = [inspect.getsource(module) for module in (json, random, string, tokenize, base64, io)]


@pytest.mark.parametrize("text", [*ODD, *MODULES])
def test_signals_equal_the_published_formulas(text: str) -> None:
    found = signals(text)
    expected = plain(text)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_signals_equal_the_formulas_on_any_text(text: str) -> None:
    expected = plain(text)
    found = signals(text)
    if not text.splitlines():
        return
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_nothing_to_nothing() -> None:
    found = signals("")
    assert found["code_lines"] == found["code_longest_run"] == found["code_generated"] == 0
    assert np.isnan([found["code_mean_line"], found["code_alphanumeric"], found["code_comments"]]).all()
    assert len(compute_code(pa.array([], pa.string()), pa.array([], pa.string()))) == 0


@pytest.mark.parametrize("text", MODULES)
def test_comments_of_python_are_those_of_its_own_tokenizer(text: str) -> None:
    expected = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        starts_line = not token.line[: token.start[1]].strip()
        docstring = token.type == tokenize.STRING and token.string.startswith(('"""', "'''")) and starts_line
        if token.type == tokenize.COMMENT or docstring:
            expected += len(token.string)
    assert expected > 0
    assert comment_characters(text, "Python") == expected


_C = re.compile(
    r"""(?P<comment>/\*.*?(?:\*/|\Z) | //[^\n\r\v\f]*)
      | \\. | "(?:\\.|[^"\\\n])*" | (?<![A-Za-z0-9])'(?:\\.|[^'\\\n])*' | .""",
    re.VERBOSE | re.DOTALL,
)


@settings(deadline=None, max_examples=400)
@given(st.text(alphabet="/*\"'\\\n a\r", max_size=40))
def test_comments_of_c_are_those_of_a_regular_expression(text: str) -> None:
    if text:
        expected = sum(len(found["comment"]) for found in _C.finditer(text) if found["comment"])
        assert comment_characters(text, "C") == expected


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="/*\"'`\\\n #-{}(;%!<>=|[]beginé", min_size=1, max_size=60))
def test_no_syntax_counts_more_than_there_is(text: str) -> None:
    found = compute_code(pa.array([text] * len(SYNTAX)), pa.array(list(SYNTAX)))
    ratios = np.array(found.field("code_comments"))
    assert ((ratios >= 0) & (ratios <= 1)).all()


@pytest.mark.parametrize(
    ("language", "text", "comments"),
    [
        ("C++", "int a = 1'000; // x'\n/* y */ char c = '\"'; // z\n", ["// x'", "/* y */", "// z"]),
        ("JavaScript", "let s = `// no\n${a}`; // yes\n", ["// yes"]),
        ("Rust", "fn f<'a>(x: &'a str) {} // it's\n", ["// it's"]),
        ("Shell", 'echo $# "# no" a#b # yes\n', ["# yes"]),
        ("Ruby", "x = 1 # a\n=begin\nb\n=end\ny =begin\n", ["# a", "=begin\nb\n=end"]),
        ("Haskell", "x' = 'a' -- c\n{- d\n-}\n", ["-- c", "{- d\n-}"]),
        ("Lua", "--[[ a\nb ]] x = 1 -- c\n", ["--[[ a\nb ]]", "-- c"]),
        ("SQL", "select '--' -- a\n/* b */;", ["-- a", "/* b */"]),
        ("HTML", "<a href='x'>it's</a><!-- b\n-->", ["<!-- b\n-->"]),
        ("TeX", "50\\% of % all\n", ["% all"]),
        ("Kotlin", 'val s = """ // no\n""" // yes\n', ["// yes"]),
        ("Python", 'def f():\n    """Doc."""\n    x = """no"""  # yes\n', ['"""Doc."""', "# yes"]),
        ("Emacs Lisp", '(setq a "; no") ; yes\n', ["; yes"]),
        ("MATLAB", "a = b'; % c'\n%{\nd\n%}\n", ["% c'", "%{\nd\n%}"]),
        ("ocaml", 'let x = "(*" (* y *)', ["(* y *)"]),
        ("CSS", "a::after{content:'/*'} /* b */", ["/* b */"]),
        ("Visual Basic .NET", "x = \"it's\" ' yes", ["' yes"]),
    ],
)
def test_comments_by_language(language: str, text: str, comments: list[str]) -> None:
    assert comment_characters(text, language) == sum(map(len, comments))


def test_the_tables_are_whole() -> None:
    assert [name for name in SYNTAX if not is_known(name)] == []
    assert len(SYNTAX) >= 60
    for syntax, row in zip(SYNTAX.values(), tables().lines, strict=True):
        assert sum(bool(marker[0]) for marker in row) == len(syntax.line)
    assert [field.name for field in CODE_SIGNALS] == [signal.name for signal in names.CODE]


@pytest.mark.parametrize(
    ("text", "generated"),
    [
        ("// Code generated by protoc-gen-go. DO NOT EDIT.\n", True),
        ("a\nb\nc\nd\n# This file is generated\n", True),
        ("a\nb\nc\nd\ne\n# This file is generated\n", False),
        ("/* Autogenerated */", True),
        ("# Tables generated by the parser are read here.\n", False),
        ("# Do not edit the line below.\nx = 1\n", False),
        (" * @generated SignedSource<<a>>", True),
    ],
)
def test_generated(text: str, generated: bool) -> None:
    assert signals(text)["code_generated"] == generated


def test_rules_judge_source_files_by_what_their_language_has() -> None:
    texts = ["name = 1\n", "word " * 400, "word " * 400, "(1, 2), " * 90, "# note\nname = 1\n", "prose"]
    languages = pa.array(["Python", "Markdown", "Python", "C", "Unknown", None], pa.string())
    measured = compute_code(pa.array(texts), languages)
    documents = pa.record_batch({"code_signals": measured, "programming_language": languages})
    config = QualityConfig.model_validate({"presets": ["code", "code_comments"]})
    found = decide(documents, config.active_rules).to_pylist()
    assert {row: [item["rule"] for item in found if item["row"] == row] for row in range(6)} == {
        0: ["min_code_comments"],
        1: [],
        2: ["max_code_longest_line", "max_code_mean_line", "min_code_comments"],
        3: ["max_code_mean_line", "min_code_alphabetic", "min_code_comments"],
        4: [],
        5: [],
    }
    assert found[1] == {"row": 2, "rule": "max_code_longest_line", "value": 2000.0, "threshold": 1000.0}


def test_a_run_over_a_repository_and_a_table(tmp_path: Path, corpus_command: Callable[..., Any]) -> None:
    rng = random.Random(1)
    data = "\n".join(base64.b64encode(rng.randbytes(57)).decode() for _ in range(100))
    repository = tmp_path / "repositories" / "project"
    repository.mkdir(parents=True)
    (repository / "main.py").write_text(MODULES[0])
    (repository / "data.py").write_text(f'DATA = """\n{data}\n"""\n')
    (repository / "table.c").write_text("int t[] = {\n" + "1, 2, 3, 4, 5, 6, 7, 8,\n" * 50 + "};\n")
    (repository / "README.md").write_text("# Read me\n\n" + "A paragraph of many words. " * 60 + "\n")
    rows = [
        {"text": "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage x\n", "lang": "Go"},
        {"text": "package x\n\nfunc main() {}\n", "lang": "go"},
        {"text": "Prose, and short.", "lang": None},
        {"text": "Prose with an empty cell.", "lang": ""},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sources = [
        {"name": "code", "kind": "code", "path": str(tmp_path / "repositories")},
        {
            "name": "rows",
            "kind": "jsonl",
            "path": str(tmp_path / "rows.jsonl"),
            "columns": {"programming_language": "lang"},
        },
    ]
    recipe = {"name": "code", "output": str(tmp_path / "out"), "sources": sources, "quality": {"presets": ["code"]}}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    done = corpus_command("run", path)
    assert done.returncode == 0, done.stderr
    entries = [json.loads(file.read_text()) for file in (tmp_path / "out/quality/decision/_manifest").glob("*.json")]
    dropped = {rule: count for entry in entries for rule, count in entry["dropped"].items()}
    assert dropped == {"max_code_encoded": 1, "min_code_alphabetic": 1, "max_code_generated": 1}
    assert sum(entry["rows_out"] for entry in entries) == 5
    (file,) = (tmp_path / "out/quality/code").glob("rows-*.parquet")
    stored = pq.read_table(file).column("code_signals").to_pylist()
    assert [row is None for row in stored] == [False, False, True, True]
    again = corpus_command("status", path, "--set", "quality.max_code_mean_line=20", "--json")
    state = {item["step"]: item["state"] for item in json.loads(again.stdout)}
    assert (state["quality/code"], state["quality/decision"]) == ("up to date", "stale")
