"""`corpus quality train` and `corpus quality perplexity` read the same files and print alike."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from corpus.quality.classifier.examples import Input
from corpus.quality.classifier.examples import texts as examples
from corpus.quality.config import QualityConfig
from corpus.quality.perplexity.reference import texts as references
from corpus.quality.snippet import place

Command = Callable[..., subprocess.CompletedProcess[str]]
WORDS = [f"{a}{b}" for a in ("ka", "lo", "mi", "ne", "pu") for b in ("ra", "st", "n", "do", "ve")]
TRAINING = ("--dim", 8, "--buckets", 500, "--lr", 0.5, "--min-count", 1)


@pytest.fixture
def corpus_command(here: Path) -> Command:
    """As the common one, but in the folder `here`: what is printed depends on it."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "corpus", *map(str, arguments)]
        env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        return subprocess.run(command, capture_output=True, text=True, timeout=300, env=env, cwd=here, check=False)

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with 1,500 good texts in good.jsonl, 200 in few.jsonl, 200 others in bad.jsonl."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(5)

    def write(name: str, words: list[str], count: int) -> None:
        rows = ({"text": " ".join(rng.choices(words, k=20))} for _ in range(count))
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    write("good.jsonl", WORDS[:20], 1500)
    write("few.jsonl", WORDS[:20], 200)
    write("bad.jsonl", WORDS[5:], 200)
    return tmp_path


def train(command: Command, *options: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    given = ("--positive", "few.jsonl", "--negative", "bad.jsonl", "--out", "models/m", *TRAINING)
    done = command("quality", "train", *given, *options)
    assert done.returncode == status, done.stderr
    return done


def test_both_snippets_merge_into_one_recipe(here: Path, corpus_command: Command) -> None:
    first = train(corpus_command, "--name", "edu")
    second = corpus_command("quality", "perplexity", "--reference", "good.jsonl", "--out", here / "models" / "p")
    assert second.returncode == 0, second.stderr
    one, two = (yaml.safe_load(done.stdout)["quality"] for done in (first, second))
    assert one["classifiers"][0]["model_path"] == "models/m/model.bin"
    assert two["perplexity"]["model_path"] == "models/p/model.ngram"
    for done in (first, second):
        assert done.stdout.startswith("# Merge into the recipe's `quality:` section; ")
    merged = one | two | {"bounds": one["bounds"] | two["bounds"]}
    config = QualityConfig.model_validate(merged)
    assert config.perplexity is not None
    assert config.perplexity.model_path == str(here / "models" / "p" / "model.ngram")
    assert config.classifiers[0].model_path == str(here / "models" / "m" / "model.bin")
    card = (here / "models" / "m" / "card.md").read_text()
    bound = re.search(
        r"score_edu: \{min: (\S+)\}  # (the highest that keeps 95% of the 20 good texts held out; "
        r"it keeps \d+% of the 20 bad ones)\n",
        first.stdout,
    )
    assert bound
    assert f"**Proposed bound** on `score_edu`: {float(bound[1]):g}; {bound[2]}." in card
    report = json.loads((here / "models" / "m" / "model.json").read_text())
    assert report["held_out"]["bound"]["threshold"] == float(bound[1])
    assert report["held_out"]["bound"]["recall"] == 0.95
    assert re.search(r"\d\d held-out documents \(one of fifty of 1,500\) say little about a bound", second.stderr)
    assert re.search(r"perplexity: \{max: \d+\}  # 95% of the \d\d held-out documents are at or below\n", second.stdout)


def test_the_bound_is_from_the_test_where_there_is_one(here: Path, corpus_command: Command) -> None:
    rng = random.Random(6)
    rows = [
        {"text": " ".join(rng.choices(WORDS[:20] if label else WORDS[5:], k=20)), "label": label}
        for label in [1] * 120 + [0] * 10
    ]
    (here / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = train(corpus_command, "--test", "test.jsonl")
    assert "# the highest that keeps 95% of the 120 good texts of --test; it keeps " in done.stdout
    assert "say little" not in done.stderr
    report = json.loads((here / "models" / "m" / "model.json").read_text())
    low = yaml.safe_load(done.stdout)["quality"]["bounds"]["score_quality"]["min"]
    assert low == report["test"]["bound"]["threshold"]
    assert report["test"]["bound"]["recall"] == 114 / 120


def test_too_few_texts_give_no_bound_and_a_warning(here: Path, corpus_command: Command) -> None:
    done = train(corpus_command, "--held-out", 0.05)
    assert yaml.safe_load(done.stdout)["quality"].keys() == {"classifiers"}
    assert "  # no bound on score_quality is proposed: 10 good texts held out are too few, 20 are needed" in done.stdout
    assert "warning: 10 good texts (held out) say little about a bound" in done.stderr
    done = corpus_command("quality", "perplexity", "--reference", "few.jsonl", "--out", "p")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["quality"].keys() == {"perplexity"}
    assert re.search(r"  # no bound on perplexity is proposed: \d held-out documents?: too few, 20 are", done.stdout)
    assert re.search(r"warning: \d held-out documents? \(one of fifty of 200\) say little about a bound", done.stderr)


def test_a_model_that_has_hardly_learned_says_so(here: Path, corpus_command: Command) -> None:
    done = train(corpus_command, "--epochs", 1, "--lr", 0.01)
    found = re.search(
        r"warning: scores of the texts held out lie between (0\.\d{4}) and (0\.\d{4}): the model has hardly",
        done.stderr,
    )
    assert found
    assert float(found[2]) - float(found[1]) < 0.2
    assert json.loads((here / "models" / "m" / "model.json").read_text())["settings"]["epochs"] == 1
    again = train(corpus_command, "--force")
    assert "hardly learned" not in again.stderr
    assert json.loads((here / "models" / "m" / "model.json").read_text())["settings"]["epochs"] == 70


def test_a_plain_text_file_is_one_text_or_its_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one two\r\nthree\n \n\nfour")
    (tmp_path / "b.jsonl").write_text('{"text": "five\\nsix"}\n')

    def both(lines: bool) -> list[list[str]]:
        read = examples(Input(str(tmp_path)), "text", lines), references([str(tmp_path)], "text", Counter(), lines)
        return [[text for batch in batches for text in batch.to_pylist()] for batches in read]

    assert both(False) == [["five\nsix", "one two\r\nthree\n \n\nfour"]] * 2
    assert both(True) == [["five\nsix", "one two", "three", "four"]] * 2


def test_a_file_is_named_as_a_recipe_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert place(Path("models/m.bin")) == "models/m.bin"
    assert place(tmp_path / "work" / "m.bin") == "m.bin"
    assert place(Path("../m.bin")) == str(tmp_path / "m.bin")
    assert place(Path("x/../m.bin")) == "m.bin"
    assert place(Path("~m/m.bin")) == str(tmp_path / "work" / "~m" / "m.bin")


@pytest.mark.parametrize("verb", [("perplexity", "--reference"), ("train", "--negative", "few.jsonl", "--positive")])
def test_a_column_that_is_not_there_is_named_short(here: Path, corpus_command: Command, verb: tuple[str, ...]) -> None:
    names = ["a sentence that is no name at all, and goes on", *(f"c{number}" for number in range(25))]
    (here / "t.tsv").write_text("\t".join(names) + "\n" + "\t".join("x" * 26) + "\n")
    done = corpus_command("quality", *verb, "t.tsv", "--out", "m")
    assert done.returncode == 1
    there = ", ".join(["a sentence that is no name at…", *(f"c{number}" for number in range(19))])
    assert done.stderr.endswith(f"--text-column NAME on the command line, to one of: {there}, and 6 more\n")
    done = corpus_command("quality", *verb, "bad.jsonl", "--out", "m", "--text-column", "body")
    assert done.returncode == 1
    assert "column `body`, --text-column names it" in done.stderr


def test_a_test_without_labels_names_its_option(here: Path, corpus_command: Command) -> None:
    (here / "t.csv").write_text("text,y\na,1\n")
    options = ("--positive", "few.jsonl", "--negative", "bad.jsonl", "--out", "m", *TRAINING, "--test", "t.csv")
    done = corpus_command("quality", "train", *options)
    assert done.returncode == 1
    assert done.stderr.endswith("corpus: t.csv: no column `label`; --label-column names the labels'\n")


def test_the_test_is_read_before_the_training(here: Path, corpus_command: Command) -> None:
    rows = [{"text": "one", "label": "good"}, {"text": "two", "label": "maybe"}]
    (here / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = train(corpus_command, "--test", here / "test.jsonl", status=1)
    assert done.stdout == ""
    assert "has the label 'maybe', which is neither good nor bad" in done.stderr
    assert done.stderr.count("\n") == 1
    (here / "test.jsonl").write_text(json.dumps(rows[0]) + "\n")
    done = train(corpus_command, "--test", here / "test.jsonl", status=1)
    assert "test.jsonl: needs texts of both labels" in done.stderr


def test_a_model_that_cannot_be_written_is_said_before_the_training(here: Path, corpus_command: Command) -> None:
    (here / "file").touch()
    for verb in (
        ("perplexity", "--reference", here / "good.jsonl"),
        ("train", "--positive", here / "good.jsonl", "--negative", here / "bad.jsonl"),
    ):
        done = corpus_command("quality", *verb, "--out", here / "file" / "model")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert str(here / "file") in done.stderr
