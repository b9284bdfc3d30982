"""Our inference against fastText's own, on models of every kind, and files that are damaged."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.errors import CorpusError, InputError
from corpus.kernels.arrow import string_buffers
from corpus.language.config import LanguageConfig
from corpus.language.fasttext_model import FastTextModel, read_labels, read_model
from corpus.language.model import locate

fasttext = pytest.importorskip("fasttext")
WORDS = {
    "eng_Latn": "the quick brown fox and a lazy dog of this house",
    "deu_Latn": "der schnelle braune Fuchs und ein fauler Hund über dieses Haus",
    "rus_Cyrl": "быстрая коричневая лиса и ленивая собака этого дома",
    "jpn_Jpan": "速い 茶色 の 狐 と 怠け者 の 犬 日本語",
    "fra_Latn": "le renard brun rapide et un chien paresseux de cette maison",
}
TEXTS = [
    "", " ", "\0", "😀😀", "the fox", "Der Hund läuft", "это собака", "犬と狐は速い。", "a\tb\vc\fd\re", "the </s> собака",
    "</s>", "__label__eng_Latn собака", "__label__other the dog", "x" * 400, "über" * 300, "a " * 2000, "ｆｕｌｌ\u0301", "1 2 3",
    "the quick brown fox " * 40 + "собака",
]  # fmt: skip


VARIANTS: dict[str, dict[str, object]] = {
    "softmax": {"loss": "softmax", "minn": 2, "maxn": 4},
    "tree": {"loss": "hs", "minn": 1, "maxn": 3},
    "tree of words": {"loss": "hs", "minn": 0, "maxn": 0, "bucket": 0},
    "one against all": {"loss": "ova", "minn": 3, "maxn": 3, "dim": 19},
    "negative sampling": {"loss": "ns", "minn": 2, "maxn": 5},
    "word n-grams": {"loss": "softmax", "minn": 0, "maxn": 0, "wordNgrams": 3},
    "both n-grams": {"loss": "softmax", "minn": 2, "maxn": 3, "wordNgrams": 2},
    "quantised": {"minn": 2, "maxn": 4, "dim": 16, "quantize": {"cutoff": 400, "qnorm": True}},
    "quantised tree": {
        "loss": "hs",
        "minn": 2,
        "maxn": 4,
        "dim": 15,
        "wordNgrams": 2,
        "quantize": {"cutoff": 300, "dsub": 4},
    },
    "quantised output": {"minn": 2, "maxn": 3, "dim": 4, "quantize": {"qout": True}},
    "small": {"loss": "hs", "minn": 2, "maxn": 3, "dim": 4, "quantize": {"cutoff": 300}},
    "vectors": {},
}
TRAIN = """
import json, sys
import fasttext
folder, variants = sys.argv[1], json.loads(sys.argv[2])
for name, options in variants.items():
    source = folder + ("/many.txt" if name == "quantised output" else "/in.txt")
    quantize = options.pop("quantize", None)
    given = {"dim": 10, "epoch": 5, "minCount": 1, "bucket": 2000, "thread": 1, "verbose": 0} | options
    train = fasttext.train_unsupervised if name == "vectors" else fasttext.train_supervised
    model = train(source, **given)
    if quantize is not None:
        model.quantize(input=source, **quantize)
    model.save_model(f"{folder}/{name}.bin")
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models of five languages, one a variant."""
    folder = tmp_path_factory.mktemp("models")
    rng = random.Random(5)
    lines = []
    for number, (label, words) in enumerate(WORDS.items()):
        lines += [f"__label__{label} " + " ".join(rng.choices(words.split(), k=8)) for _ in range(150 + 30 * number)]
    rng.shuffle(lines)
    (folder / "in.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # An output is quantised from 256 labels on.
    many = [f"__label__{label} word{label} {random.Random(label).choice(lines).split()[1]}" for label in range(300)]
    (folder / "many.txt").write_text("\n".join(many * 3) + "\n", encoding="utf-8")
    # fastText trains on memory that it has not set: 255 in each byte of it is a number too small to matter.
    subprocess.run(
        [sys.executable, "-c", TRAIN, str(folder), json.dumps(VARIANTS)],
        env=os.environ | {"MALLOC_PERTURB_": "255"},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return folder


def predicted(model: FastTextModel, texts: list[str], k: int) -> list[list[tuple[str, float]]]:
    data, offsets = string_buffers(pa.array(texts, pa.large_string()))
    best, scores = model.predict(data, offsets[:-1], offsets[1:], k)
    return [
        [(model.labels[i], float(score)) for i, score in zip(*row, strict=True) if i >= 0]
        for row in zip(best.tolist(), scores.tolist(), strict=True)
    ]


def reference(path: Path, texts: list[str], k: int) -> list[list[tuple[str, float]]]:
    model = fasttext.load_model(str(path)).f
    lines = [text.replace("\n", " ") + "\n" for text in texts]
    labels, scores = model.multilinePredict(lines, k, 0.0, "strict")
    return [
        [(name.removeprefix("__label__"), min(float(score), 1.0)) for name, score in zip(*row, strict=True)]
        for row in zip(labels, scores, strict=True)
    ]


def assert_equal(ours: list[list[tuple[str, float]]], theirs: list[list[tuple[str, float]]]) -> None:
    """The first label and its score; of the others the scores, since equal ones may change places."""
    for text, found, expected in zip(TEXTS, ours, theirs, strict=False):
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5), text
        if len(expected) > 1 and expected[0][1] - expected[1][1] > 1e-5:
            assert found[0][0] == expected[0][0], text
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "vectors"])
def test_equal_to_fasttext(models: Path, name: str) -> None:
    path = models / f"{name}.bin"
    model = read_model(path)
    assert set(model.labels) == (set(map(str, range(300))) if name == "quantised output" else set(WORDS))
    assert read_labels(path) == model.labels
    theirs = reference(path, TEXTS, 3)
    assert_equal(predicted(model, TEXTS, 3), theirs)
    # What the model remembers of earlier texts changes nothing.
    assert predicted(model, TEXTS, 3) == predicted(read_model(path), TEXTS, 3)
    assert predicted(model, TEXTS[::-1], 3)[::-1] == predicted(model, TEXTS, 3)


def lid176() -> Path:
    try:
        return locate(LanguageConfig())
    except CorpusError as error:
        pytest.skip(f"no language model: {error}")


def test_lid176_on_any_text() -> None:
    path = lid176()
    ours, theirs = read_model(path), fasttext.load_model(str(path)).f
    assert_equal(predicted(ours, TEXTS, 1), reference(path, TEXTS, 1))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
    def check(texts: list[str]) -> None:
        lines = [text.replace("\n", " ") + "\n" for text in texts]
        labels, scores = theirs.multilinePredict(lines, 3, 0.0, "strict")
        for found, names, values in zip(predicted(ours, texts, 3), labels, scores, strict=True):
            expected = [min(float(value), 1.0) for value in values]
            # Past a score of nearly 1 fastText may give fewer than it has.
            assert [score for _, score in found][: len(expected)] == pytest.approx(expected, abs=1e-5)
            if len(expected) > 1 and expected[0] - expected[1] > 1e-5:
                assert found[0][0] == names[0].removeprefix("__label__")

    check()


def test_a_file_that_is_cut_is_said_to_be(models: Path, tmp_path: Path) -> None:
    whole = (models / "small.bin").read_bytes()
    cut = tmp_path / "cut.bin"
    for size in [0, 4, 60, 100, *range(200, len(whole) - 1, len(whole) // 40)]:
        cut.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"cut\.bin: "):
            read_model(cut)


def test_what_is_no_classifier_is_said_to_be(models: Path) -> None:
    with pytest.raises(InputError, match="word vectors"):
        read_model(models / "vectors.bin")
    with pytest.raises(InputError, match="is none"):
        read_model(models / "in.txt")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_ends_in_an_error_or_an_answer(models: Path, tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray((models / "small.bin").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.one_of(st.integers(0, 200), st.integers(0, len(damaged) - 5)))
        damaged[at : at + 4] = struct.pack("<i", data.draw(st.integers(-(2**31), 2**31 - 1)))
    path = tmp_path / "m.bin"
    path.write_bytes(damaged)
    try:
        model = read_model(path)
    except InputError:
        return
    best, _ = model.predict(np.frombuffer(b"the dog", np.uint8), np.array([0]), np.array([7]), 3)
    assert ((best >= -1) & (best < len(model.labels))).all()
