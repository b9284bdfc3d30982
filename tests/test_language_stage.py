"""The stage `language` end to end: columns, facts, source files, a model of one's own, codes it does not know."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from corpus.errors import CorpusError
from corpus.language.config import LanguageConfig
from corpus.language.model import locate
from corpus.language.second import agreement

Command = Callable[..., subprocess.CompletedProcess[str]]
ENGLISH = "The river runs slowly through the old town and the people walk along its green banks. "
RUSSIAN_IN_LATIN = "Дом. Moskva stolitsa Rossii i samyy bolshoy gorod strany. "
ROWS: list[dict[str, Any]] = [
    {"text": ENGLISH * 3},
    {"text": "Река медленно течёт через старый город, и люди гуляют по её зелёным берегам. " * 3},
    {"text": "El río corre lentamente por la ciudad vieja y la gente pasea por sus verdes orillas. " * 3},
    {"text": "1234 5678"},
    {"text": "for (int i = 0; i < n; ++i) { x[i] += q * z[i]; }\n" * 4, "programming_language": "C"},
]


@pytest.fixture
def model() -> Path:
    try:
        return locate(LanguageConfig())
    except CorpusError as error:
        pytest.skip(f"no language model: {error}")


@pytest.fixture
def run(tmp_path: Path, corpus_command: Command) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`corpus run` until language over ROWS, with a `language` section; the output lies in `out`."""

    def go(section: dict[str, Any], rows: list[dict[str, Any]] = ROWS) -> subprocess.CompletedProcess[str]:
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        source = {"name": "web", "kind": "jsonl", "path": str(tmp_path / "in.jsonl")}
        source["columns"] = {"programming_language": "programming_language"}
        recipe = {"name": "tried", "output": str(tmp_path / "out"), "sources": [source], "language": section}
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        return corpus_command("run", tmp_path / "recipe.yaml", "--until", "language", "--workers", "1")

    return go


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def facts(folder: Path, name: str) -> dict[str, Any]:
    entries = [json.loads(path.read_text()) for path in sorted((folder / "_manifest").glob("*.json"))]
    assert len(entries) == 1
    return entries[0]["facts"][name]


def test_serbian_without_its_other_label(tmp_path: Path, run: Any, model: Path) -> None:
    said = "warning: language: `keep` names sr without sh, the label of much of such text in Latin letters"
    rows = [{"text": "Beograd je glavni grad Srbije i nalazi se na ušću Save u Dunav."}]
    done = run({"keep": ["sr", "en"], "threshold": 0}, rows)
    assert done.stderr.count(said) == 1
    ledger = rows_of(tmp_path / "out" / "language" / "decision" / "_ledger")
    assert [row["detail"][:3] for row in ledger] == ["sh "]
    assert said not in run({"keep": ["sr", "sh", "en"], "threshold": 0}, rows).stderr
    assert len(rows_of(tmp_path / "out" / "language" / "decision")) == 1


def test_the_keep_list_and_the_second_model_are_taken_back(
    tmp_path: Path, run: Any, model: Path, corpus_command: Command
) -> None:
    out = tmp_path / "out"
    run({"keep": ["ru"], "threshold": 0, "second": {"model": "py3langid"}, "disagreement": "drop"})
    done = corpus_command("language", out, "--keep", "")
    assert done.stderr == "corpus: --keep: a code is empty; give codes as en,fr, or `all` for every language\n"
    done = corpus_command("language", out, "--set", "second=null")
    assert "needs `second`, for example {model: py3langid}; without one, --set disagreement=count" in done.stderr
    done = corpus_command("language", out, "--keep", "all", "--set", "second=null", "--set", "disagreement=count")
    assert done.returncode == 0, done.stderr
    assert len(rows_of(out / "language" / "decision")) == len(ROWS)
    assert corpus_command("language", out, "--keep", "en, es").returncode == 0
    assert yaml.safe_load((out / "recipe.yaml").read_text())["language"]["keep"] == ["en", "es"]


def test_columns_and_source_files(tmp_path: Path, run: Any, model: Path) -> None:
    done = run({"keep": ["en", "ru"]})
    assert done.returncode == 0, done.stderr
    found = rows_of(tmp_path / "out" / "language" / "scores")
    assert [row["language"] for row in found[:4]] == ["en", "ru", "es", "und"]
    assert [row["script"] for row in found] == ["Latn", "Cyrl", "Latn", None, "Latn"]
    assert [len(row["languages"]) for row in found] == [3, 3, 3, 0, 3]
    assert found[4]["language_score"] < 0.65
    kept = {row["id"] for row in rows_of(tmp_path / "out" / "language" / "decision")}
    assert [row["id"] in kept for row in found] == [True, True, False, False, True]
    # The labels are stored: the source file falls without measuring anything again.
    done = run({"keep": ["en", "ru"], "source_files": "judge"})
    assert "language/scores: " not in done.stderr
    kept = {row["id"] for row in rows_of(tmp_path / "out" / "language" / "decision")}
    assert [row["id"] in kept for row in found] == [True, True, False, False, False]


def test_second_opinion_and_script_are_counted_and_drop_on_request(
    tmp_path: Path, run: Any, model: Path, corpus_command: Command
) -> None:
    own = tmp_path / "lid.ftz"
    shutil.copy(model, own)
    section = {
        "second": {
            "model_path": str(own),
            "model_sha256": hashlib.sha256(own.read_bytes()).hexdigest(),
            "max_chars": 16,
        }
    }
    # Its first 16 characters are Spanish, and the script of most letters is not that of the Russian words.
    rows = [
        *ROWS[:3],
        {"text": "El río corre por " + ENGLISH * 3},
        {"text": "Это " + "ABCDEFGHIJ " * 3 + "дом на реке, и мы это знаем"},
    ]
    done = run({"threshold": 0} | section, rows)
    assert done.returncode == 0, done.stderr
    scores, second = (rows_of(tmp_path / "out" / "language" / step) for step in ("scores", "second"))
    assert [row["id"] for row in scores] == [row["id"] for row in second]
    agrees = [row["second_agrees"] for row in second]
    assert agrees == [a["language"] == b["second_language"] for a, b in zip(scores, second, strict=True)]
    assert scores[3]["language"] == "en"
    assert agrees[3] is False
    tally = facts(tmp_path / "out" / "language" / "second", "second")
    assert tally["disagree"]["en"][second[3]["second_language"]] == 1
    assert sum(tally["agree"].values()) == agrees.count(True)
    written = facts(tmp_path / "out" / "language" / "scores", "script")
    counted = sum(written["written_so"].values()) + sum(
        n for by in written["not_written_so"].values() for n in by.values()
    )
    assert counted + written["unknown"] == len(rows)
    assert written["not_written_so"] == {"ru": {"Latn": 1}}
    shown = corpus_command("stats", tmp_path / "out")
    assert "second agrees" in shown.stdout
    assert "not comparable" not in shown.stdout
    done = run({"threshold": 0, "disagreement": "drop", "script": "drop"} | section, rows)
    assert "language/second: " not in done.stderr, "a decision alone changed"
    ledger = rows_of(tmp_path / "out" / "language" / "decision" / "_ledger")
    dropped = {row["id"] for row in ledger if row["rule"] == "language_disagreement"}
    assert dropped == {row["id"] for row in second if row["second_agrees"] is False}
    assert [row["detail"] for row in ledger if row["rule"] == "language_script"] == ["ru in Latn"]


def test_py3langid(tmp_path: Path, run: Any, model: Path, corpus_command: Command) -> None:
    pytest.importorskip("py3langid")
    done = run({"second": {"model": "py3langid"}})
    assert done.returncode == 0, done.stderr
    found = rows_of(tmp_path / "out" / "language" / "second")
    assert [row["second_language"] for row in found[:4]] == ["en", "ru", "es", "und"]
    assert [row["second_agrees"] for row in found[:4]] == [True, True, True, None]
    counted = json.loads(corpus_command("stats", tmp_path / "out", "--json").stdout)["languages"]
    assert {row["language"]: row["second_agrees"] for row in counted if row["language"] in ("ru", "und")} == {
        "ru": 1, "und": None,
    }  # fmt: skip
    shown = corpus_command("stats", tmp_path / "out").stdout
    assert [line.split()[-2:] for line in shown.splitlines() if line.startswith("und ")] == [["not", "comparable"]]


def test_agreement() -> None:
    known = frozenset(("en", "nb", "zh", "nn"))
    first = pa.array(["en", "no", "zho_Hans", "ru", "und", "en", "en"])
    second = pa.array(["en", "nb", "zh", "en", "en", "und", "nn"])
    assert agreement(first, second, known).to_pylist() == [True, True, True, None, None, None, False]


def test_a_code_that_ones_own_model_does_not_know(tmp_path: Path, run: Any, model: Path) -> None:
    own = tmp_path / "own.ftz"
    shutil.copy(model, own)
    named = {"model_path": str(own), "model_sha256": hashlib.sha256(own.read_bytes()).hexdigest()}
    done = run({"keep": ["eng"]} | named)
    assert done.returncode == 2
    assert "own.ftz has no label 'eng' (did you mean en?)" in done.stderr
    assert not (tmp_path / "out" / "language" / "decision" / "_manifest").exists()
    assert run({"keep": ["en"]} | named).returncode == 0
    # The labels are there already: it is said by the decision.
    done = run({"keep": ["en"], "thresholds": {"deu": 0.5}} | named)
    assert done.returncode == 2
    assert "language: own.ftz has no label 'deu' (did you mean de?)" in done.stderr


def test_a_code_that_lid176_does_not_know(tmp_path: Path, run: Any) -> None:
    done = run({"keep": ["english", "ger"]})
    assert done.returncode == 2
    assert "lid.176 has no label 'english', 'ger' (did you mean de?)" in done.stderr
    assert "recipe.yaml:" in done.stderr
