"""`corpus language evaluate`: figures on a labelled sample, thresholds calibrated on it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from corpus.errors import CorpusError, InputError
from corpus.intervals import wilson
from corpus.language.config import LanguageConfig
from corpus.language.evaluate import evaluate
from corpus.language.model import locate
from corpus.language.sample import Sample

LABELS = frozenset(("en", "de", "no", "zh"))
Command = Callable[..., subprocess.CompletedProcess[str]]


def test_figures_by_hand() -> None:
    true = ["eng", "eng", "eng", "de", "de", "nb", "zh-Hant", "zh", "tlh"]
    found = ["en", "en", "de", "de", "en", "no", "zh", "zh", "en"]
    result = evaluate(true, found, [0.9] * 9, LABELS)
    rows = {row.language: row for row in result.languages}
    assert result.rows == 9
    assert result.accuracy == pytest.approx(6 / 9)
    assert result.macro_accuracy == pytest.approx((2 / 3 + 1 / 2 + 1 + 1 + 1 + 0) / 6)
    assert result.known_macro_accuracy == pytest.approx((2 / 3 + 1 / 2 + 1 + 1 + 1) / 5)
    assert {name: row.label for name, row in rows.items()} == {
        "eng": "en", "de": "de", "nb": "no", "zh-Hant": "zh", "zh": "zh", "tlh": None,
    }  # fmt: skip
    assert (rows["eng"].recall, rows["eng"].precision) == pytest.approx((2 / 3, 2 / 4))
    assert (rows["de"].recall, rows["de"].precision) == pytest.approx((1 / 2, 1 / 2))
    assert (rows["zh"].recall, rows["zh"].precision) == (1, 1)
    assert (rows["tlh"].recall, rows["tlh"].precision) == (0, None)
    assert result.confusions == (("de", "en", 1), ("eng", "de", 1), ("tlh", "en", 1))
    assert result.thresholds() == {}
    assert all(row.small for row in result.languages)
    with pytest.raises(ValueError, match="no row"):
        evaluate([], [], [], LABELS)


def test_a_language_that_is_found_as_another() -> None:
    true = ["sr"] * 7 + ["en"] * 4 + ["de"] * 2
    found = ["sh", "sh", "sh", "hr", "sr", "sr", "hr", "de", "de", "en", "en", "und", "und"]
    result = evaluate(true, found, [0.5] * 13, frozenset(("sr", "sh", "hr", "en", "de")))
    assert result.found_as() == (("de", "und", 2), ("sr", "sh", 3))
    # A recall says what a recipe that keeps `sr` would keep.
    assert {row.language: row.right for row in result.languages} == {"sr": 2, "en": 2, "de": 0}
    assert result.to_json()["found_as"] == result.found_as()


def test_wilson() -> None:
    low, high = wilson(np.array([0, 35, 34, 50, 0]), np.array([10, 35, 34, 100, 0]))
    assert low == pytest.approx([0, 0.9011, 0.8985, 0.4038, 0], abs=1e-4)
    assert high == pytest.approx([0.2775, 1, 1, 0.5962, 1], abs=1e-4)


def test_a_threshold_is_the_lowest_that_is_precise_enough() -> None:
    # German is right from .5 on; below, every other one is English.
    scores = np.linspace(0.2, 0.999, 400)
    true = ["en" if score < 0.5 and i % 2 else "de" for i, score in enumerate(scores)]
    row = {r.language: r for r in evaluate(true, ["de"] * 400, scores.tolist(), LABELS, target=0.9).languages}["de"]
    at = row.threshold
    assert at is not None
    kept = [name for name, score in zip(true, scores, strict=True) if np.float32(score) >= np.float32(at.value)]
    assert at.kept == len(kept)
    assert at.precision == kept.count("de") / len(kept)
    assert at.recall == kept.count("de") / true.count("de")
    assert wilson(np.array(kept.count("de")), np.array(len(kept)))[0] >= 0.9
    lower = [name for name, score in zip(true, scores, strict=True) if score >= at.value - 0.01]
    assert wilson(np.array(lower.count("de")), np.array(len(lower)))[0] < 0.9


def test_one_label_for_two_languages_of_the_sample() -> None:
    true = ["zh"] * 30 + ["zh-Hant"] * 10
    rows = {row.language: row for row in evaluate(true, ["zh"] * 40, [0.5] * 20 + [0.9] * 20, LABELS, 0.8).languages}
    assert {name: (row.threshold.value, row.threshold.kept, row.threshold.recall) for name, row in rows.items() if row.threshold} == {
        "zh": (0.5, 40, 1.0), "zh-Hant": (0.5, 40, 1.0),
    }  # fmt: skip


@pytest.mark.parametrize(("rows", "has"), [(34, False), (35, True)])
def test_a_threshold_needs_evidence(rows: int, has: bool) -> None:
    result = evaluate(["de"] * rows, ["de"] * rows, [0.8] * rows, LABELS, target=0.9)
    assert result.thresholds() == ({"de": 0.8} if has else {})


def sample(path: Path, lines: list[bytes], **options: object) -> tuple[list[str], list[str], dict[str, int]]:
    path.write_bytes(b"\n".join(lines))
    read = Sample(path, **options)  # type: ignore[arg-type]
    batches = list(read.batches())
    return [c for codes, _ in batches for c in codes], [t for _, texts in batches for t in texts], dict(read.bad)


def test_bad_rows_are_counted(tmp_path: Path) -> None:
    lines = [
        b"en\tgood",
        b"",
        b"en",
        b"\ttext",
        b"de\t ",
        b"fr\t\xff\xfe",
        b"de\tgut\r",
        b"en\t" + b"x" * (17 << 20),
        b"es\tbien\tmore",
    ]
    codes, texts, bad = sample(tmp_path / "s.tsv", lines)
    assert (codes, texts) == (["en", "de", "es"], ["good", "gut", "bien"])
    assert bad == {"blank": 1, "too few columns": 1, "no language": 1, "no text": 1, "not UTF-8": 1, "over 16 MB": 1}


def test_csv(tmp_path: Path) -> None:
    lines = [
        b'\xef\xbb\xbftext,lang\r\n"Hello, ""you""\r\nthere",en\r',
        b"\r",
        b'"bad" quote,en\r',
        b'"zwei\xff',
        b'Zeilen",de\r',
        b"alone\r",
        b"gut,de\r",
        b'"open,de\r',
        b"last,en\r",
    ]
    codes, texts, bad = sample(tmp_path / "s.CSV", lines, language="lang", text="text")
    assert (codes, texts) == (["en", "de"], ['Hello, "you"\r\nthere', "gut"])
    assert bad == {"blank": 1, "not CSV": 2, "not UTF-8": 1, "too few columns": 1}
    assert sample(tmp_path / "t.csv", [b'en,"a, b"', b"de,c"])[:2] == (["en", "de"], ["a, b", "c"])
    long = b'en,"' + b"x\n" * 200_000 + b'"'
    assert sample(tmp_path / "t.csv", [long])[1] == ["x\n" * 200_000]


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        b'{"text": "Hello\\nyou", "lang": "en", "n": 1}',
        b"",
        b"[1]",
        b'{"text": "cut',
        b'{"text": "x"}',
        b'{"lang": "de", "text": 7}',
        b'{"lang": "de", "text": "\\ud800"}',
        b'{"lang": "de", "text": "gut"}',
    ]
    codes, texts, bad = sample(tmp_path / "s.jsonl", lines, language="lang")
    assert (codes, texts) == (["en", "de"], ["Hello\nyou", "gut"])
    assert bad == {"blank": 1, "not a JSON object": 2, "no language": 1, "no text": 1, "not UTF-8": 1}
    assert sample(tmp_path / "s.ndjson", [b'{"language": "en", "text": "a"}'])[:2] == (["en"], ["a"])


def test_columns_by_number_and_by_name(tmp_path: Path) -> None:
    lines = [b"\xef\xbb\xbfn\tbody\tlang", b"1\thello\ten"]
    assert sample(tmp_path / "s.tsv", lines, language="lang", text="body")[:2] == (["en"], ["hello"])
    assert sample(tmp_path / "s.tsv", lines, language="3", text="2", header=True)[:2] == (["en"], ["hello"])
    assert sample(tmp_path / "s.tsv", lines, language="n", text="body")[0] == ["1"]
    assert sample(tmp_path / "s.tsv", lines, language="3", text="2")[0] == ["lang", "en"]
    with pytest.raises(InputError, match="no column 'x'; there are: n, body, lang"):
        Sample(tmp_path / "s.tsv", "x", "body")
    (tmp_path / "s.txt").write_text("lang,text " * 1000)
    with pytest.raises(InputError, match=r"'lang'; there are: .{60,81} \(one column: a .tsv is divided by tabs, .*\)$"):
        Sample(tmp_path / "s.txt", "lang", "text")
    with pytest.raises(InputError, match="cannot be read"):
        Sample(tmp_path / "none.tsv")


@pytest.fixture
def model() -> None:
    try:
        locate(LanguageConfig())
    except CorpusError as error:
        pytest.skip(f"no language model: {error}")


SENTENCES = {
    "eng": "The {} is on the table of the old house by the river.",
    "de": "Der {} liegt auf dem Tisch des alten Hauses am Fluss.",
    "nob": "Det er ikke noe i veien med {} som ligger på bordet hjemme hos oss.",
}


@pytest.mark.usefixtures("model")
def test_the_command_and_its_snippet(tmp_path: Path, corpus_command: Command) -> None:
    path = tmp_path / "s.tsv"
    rows = [f"{code}\t{text.format(i)}" for i in range(50) for code, text in SENTENCES.items()]
    path.write_text("\n".join([*rows, "broken"]), encoding="utf-8")
    done = corpus_command("language", "evaluate", path)
    assert done.returncode == 0, done.stderr
    assert "1 rows not used: 1 too few columns" in done.stderr
    assert "3 languages have fewer than 100 rows" in done.stdout
    assert "is found as" not in done.stdout
    snippet = yaml.safe_load(done.stdout[done.stdout.index("\nlanguage:\n") :])
    config = LanguageConfig.model_validate(snippet["language"])
    assert set(config.thresholds) == {"en", "de", "no"}
    found = json.loads(corpus_command("language", "evaluate", path, "--json").stdout)
    assert found["thresholds"] == config.thresholds
    assert (found["rows"], found["bad_rows"]) == (150, {"too few columns": 1})
    short = corpus_command("language", "evaluate", path, "--json", "--set", "max_chars=16", "--precision", "0.5")
    assert json.loads(short.stdout)["target"] == 0.5
    assert json.loads(short.stdout)["thresholds"] != found["thresholds"]
    wrong = corpus_command("language", "evaluate", path, "--text-column", "7")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("corpus: ")
    assert "no row can be used (151 too few columns)" in wrong.stderr
    serbian = {"lang": "sr", "text": "Reka teče polako kroz stari grad i ljudi šetaju njenim zelenim obalama."}
    (tmp_path / "s.jsonl").write_text(f"{json.dumps(serbian)}\n" * 3)
    done = corpus_command("language", "evaluate", tmp_path / "s.jsonl", "--language-column", "lang")
    assert "\n  sr is found as sh (rows: 3)\n" in done.stdout
    wrong = corpus_command("language", "evaluate", tmp_path / "s.jsonl")
    assert wrong.stderr == (
        f"corpus: {tmp_path}/s.jsonl: no row can be used (3 no language); it has the columns lang, text; see "
        "--language-column, --text-column and --header\n"
    )


@pytest.mark.usefixtures("model")
def test_the_same_figure_as_the_gates(kits: Path, corpus_command: Command) -> None:
    path = kits / "language" / "tatoeba_long.tsv"
    if not path.is_file():
        pytest.skip(f"{path}: not among the labelled data")
    spec = importlib.util.spec_from_file_location(
        "metrics_of_bench", Path(__file__).parent.parent / "bench" / "metrics.py"
    )
    assert spec is not None
    assert spec.loader is not None
    metrics = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = metrics
    spec.loader.exec_module(metrics)
    done = corpus_command(
        "language", "evaluate", path, "--language-column", "CLD2-code", "--text-column", "text", "--json"
    )
    found = json.loads(done.stdout)
    wrong = [(true, label) for true, label, rows in found["confusions"] for _ in range(rows)]
    right = [(row["language"], row["language"]) for row in found["languages"] for _ in range(row["right"])]
    assert found["macro_accuracy"] == pytest.approx(metrics.macro_accuracy(wrong + right))
    assert found["rows"] == len(wrong) + len(right) == 462


@pytest.mark.parametrize(("suffix", "row"), [("tsv", "{}\t{}\n"), ("csv", "{},{}\n")])
def test_rows_are_cut_as_they_are_read(tmp_path: Path, suffix: str, row: str) -> None:
    path = tmp_path / f"s.{suffix}"
    path.write_text(row.format("en", "é" * 100_000) * 200 + row.format("de", "  b"))
    tracemalloc.start()
    found = [list(batch) for batch in Sample(path, max_chars=50).batches()]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [[["en"] * 200 + ["de"], ["é" * 50] * 200 + ["  b"]]]
    assert most < 4 << 20


def test_batches_end_by_characters_too(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(f"en\t{'x' * 1_500_000}\n" * 7)
    assert [len(codes) for codes, _ in Sample(path).batches()] == [3, 3, 1]


def test_what_is_no_code_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(f"en\ta\n\n{'long ' * 20}\tb\n")
    with pytest.raises(InputError, match=r"s\.tsv:3: 'long long long long…' is no language code \(99 characters\)"):
        list(Sample(path).batches())
    path.write_text("".join(f"w{number}\ta\n" for number in range(10_001)))
    with pytest.raises(InputError, match=r"s\.tsv:10001: 'w10000' is no language code \(10,001 different ones\)"):
        list(Sample(path).batches())
