"""The tokenizer: what goes in comes back, the same corpus gives the same model, and sentencepiece agrees."""

from __future__ import annotations

import hashlib
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from corpus.errors import CorpusError, InputError
from corpus.tokenizer.config import TokenizerConfig
from corpus.tokenizer.encode import Encoder, token_dtype
from corpus.tokenizer.sample import Sample, keyed_hash
from corpus.tokenizer.segments import segments
from corpus.tokenizer.train import EOS, card, train

SYLLABLES = ["ka", "to", "mi", "ra", "sé", "lü", "no", "vu", "pe", "shi", "qua", "dor", "語", "дом"]
# Whatever tends to break tokenizers.
HARD = [
    "",
    "\n",
    "\r\n\t \v\f\x85\u2028",
    "  leading, inner   and trailing  ",
    "\u2581",
    "a\u2581 \u2581\u2581b",
    "\u2585\u2047 \u2047\ufffd\ufeff",
    "\0a\0",
    "<unk><s></s><0x0A><|endoftext|>",
    "👩\u200d👩\u200d👧\u200d👦 e\u0301 \U0010ffff",
    "ﬁ ½ Å ①",
]


def documents(number: int, seed: int = 0) -> pa.RecordBatch:
    """Random sentences over a made-up lexicon with a long tail, as a batch of `id` and `text`."""
    rng = random.Random(seed)
    lexicon = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(2000)]
    weights = [1 / (rank + 1) for rank in range(2000)]
    texts = []
    for _ in range(number):
        words = rng.choices(lexicon, weights, k=rng.randint(20, 120))
        texts.append(" ".join(words).capitalize() + f". {rng.randint(0, 9999)}\n\n" + " ".join(words[:9]))
    return batch(texts)


def batch(texts: list[str]) -> pa.RecordBatch:
    ids = [hashlib.blake2b(f"{i} {text}".encode(), digest_size=16).digest() for i, text in enumerate(texts)]
    return pa.record_batch({"id": pa.array(ids, pa.binary(16)), "text": pa.array(texts, pa.large_string())})


CONFIG = TokenizerConfig(vocab_size=800, character_coverage=1.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    path = tmp_path_factory.mktemp("tokenizer") / "a.model"
    return path, train([documents(300)], CONFIG, path)


@pytest.fixture(scope="module")
def encoder(trained: tuple[Path, dict[str, Any]]) -> Encoder:
    return Encoder(trained[0], trained[1]["model_sha256"])


def split(tokens: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    return [tokens[a:b] for a, b in pairwise(offsets)]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.text(),
            st.text(alphabet=" \n\t\u2581\u2585\0ab<>k", max_size=40),
            st.lists(st.sampled_from([*SYLLABLES, " ", "\n", *HARD]), max_size=30).map("".join),
        ),
        max_size=5,
    )
)
@example(HARD)
@example([" ".join(HARD) * 200])
def test_every_text_comes_back(encoder: Encoder, texts: list[str]) -> None:
    tokens, offsets = encoder.encode(pa.array(texts, pa.large_string()))
    assert tokens.dtype == encoder.dtype == np.uint16
    assert offsets[0] == 0
    assert offsets[-1] == len(tokens)
    documents = split(tokens, offsets)
    assert [encoder.decode(ids) for ids in documents] == [text.encode() for text in texts]
    for ids in documents:
        # No text can forge the end of a document.
        assert np.flatnonzero(ids == encoder.eos_id).tolist() == [len(ids) - 1]
        # Their own decoder agrees.
        assert encoder.processor.decode(ids.tolist()).encode() == encoder.decode(ids)


def test_ids_are_those_of_sentencepiece(trained: tuple[Path, dict[str, Any]], encoder: Encoder) -> None:
    """Also where a long text is cut into segments."""
    reference = sentencepiece.SentencePieceProcessor(model_file=str(trained[0]))
    texts = documents(60, seed=5).column("text").to_pylist()
    rng = random.Random(1)
    texts.append("".join(text + rng.choice(["\n", "\n \n", "   ", "\t", " "]) for text in texts))
    texts.append("x" * 5000 + "  \n   " + "y z" * 3000)
    texts += [text for text in HARD if "\u2581" not in text]
    tokens, offsets = encoder.encode(pa.array(texts))
    assert [ids[:-1].tolist() for ids in split(tokens, offsets)] == reference.encode(texts)
    assert encoder.eos_id == reference.piece_to_id(EOS) == 1
    assert [reference.id_to_piece(i) for i in (0, 2, 3, 258)] == ["<unk>", "\n", "<0x00>", "<0xFF>"]
    assert encoder.vocab_size == reference.vocab_size() == CONFIG.vocab_size


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=" \nab", max_size=60), st.integers(1, 10))
def test_segments_join_to_the_text_and_split_no_word(text: str, size: int) -> None:
    parts = segments(text, size)
    assert "".join(parts) == text
    for left, right in pairwise(parts):
        assert len(left) >= size
        assert left[-1] == "\n" or (right[0] == " " and left[-1] != " ")


def test_the_same_documents_give_the_same_model(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another folder, in another order and in other batches."""
    whole = documents(300)
    backwards = whole.take(pa.array(range(len(whole) - 1, -1, -1)))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = tmp_path / "elsewhere" / "b.model"
    stats = train([backwards.slice(0, 7), backwards.slice(7)], CONFIG, path)
    assert path.read_bytes() == trained[0].read_bytes()
    assert stats == trained[1]


def test_sample_is_a_prefix_in_the_order_of_the_hash() -> None:
    whole = documents(200)
    sizes = [len(text.encode()) for text in whole.column("text").to_pylist()]
    limit = sum(sizes) // 3
    chosen = Sample(limit, seed=3)
    for start in range(0, 200, 17):
        chosen.add(whole.slice(start, 17))
    order = np.argsort(keyed_hash(whole.column("id"), chosen.key))
    expected, total = [], 0
    for row in order:
        total += sizes[row]
        if total > limit:
            break
        expected.append(whole.column("text")[int(row)].as_py())
    assert chosen.texts() == expected
    assert (chosen.documents, chosen.bytes, chosen.cropped_bytes) == (200, sum(sizes), 0)


def test_a_document_fills_at_most_a_16th_of_the_sample() -> None:
    chosen = Sample(1600, seed=1)
    chosen.add(batch(["é" * 300, "short"]))
    assert sorted(chosen.texts()) == ["short", "é" * 50]
    assert chosen.cropped_bytes == 500


def test_keyed_hash_depends_on_id_and_key_only() -> None:
    ids = documents(100).column("id")
    hashes = keyed_hash(ids, "a")
    assert np.array_equal(keyed_hash(ids.slice(30, 50), "a"), hashes[30:80])
    assert len({*hashes.tolist(), *keyed_hash(ids, "b").tolist()}) == 200
    assert len(keyed_hash(ids.slice(0, 0), "a")) == 0
    with pytest.raises(TypeError):
        keyed_hash(pa.array([b"x"]), "a")


def test_training_counts_what_it_could_not_use(tmp_path: Path) -> None:
    texts = [
        *documents(300).column("text").to_pylist(),
        "\u2581ab\u2585\0" * 3,
        "k" * 9000 + " " + "語" * 3000,
    ]
    poison = [f"{EOS} <unk> </s> <0x0A> {text}" for text in texts]
    stats = train([batch(poison)], CONFIG, tmp_path / "m")
    assert stats["reserved_characters"] == 9
    assert stats["split_lines"] == 1
    assert (stats["documents"], stats["sample_documents"]) == (302, 296)
    assert stats["bytes"] == stats["sample_bytes"] + stats["measured_bytes"] + stats["cropped_bytes"]
    encoder = Encoder(tmp_path / "m")
    tokens, _ = encoder.encode(pa.array([poison[-1]]))
    assert encoder.decode(tokens) == poison[-1].encode()
    # The characters of the line that sentencepiece would have left out for its length were learned.
    assert encoder.processor.piece_to_id("語") != encoder.processor.unk_id()


def test_statistics_and_card(trained: tuple[Path, dict[str, Any]], encoder: Encoder) -> None:
    stats = trained[1]
    texts = documents(300).column("text").to_pylist()
    chosen = Sample(CONFIG.sample_bytes, CONFIG.seed)
    chosen.add(documents(300))
    held_out = chosen.texts()[294:]
    ids = encoder.processor.encode(held_out)
    size, tokens = sum(len(text.encode()) for text in held_out), sum(map(len, ids))
    assert stats["bytes_per_token"] == round(size / tokens, 4)
    assert stats["tokens_per_word"] == round(tokens / sum(len(text.split()) for text in held_out), 4)
    assert stats["bytes"] == sum(len(text.encode()) for text in texts)
    text = card(stats, CONFIG, "c0ffee")
    for word in ("800", EOS, "c0ffee", stats["model_sha256"], "300 documents", f"{stats['bytes_per_token']}"):
        assert word in text


@pytest.mark.parametrize(
    ("texts", "vocab_size", "words"),
    [
        ([], 800, ["no text", "0 documents"]),
        (["", " \n"], 800, ["no text", "2 documents"]),
        (
            ["a few words", "and no more"],
            800,
            ["2 documents", "short of vocab_size=800", "set tokenizer.vocab_size"],
        ),
        (
            ["".join(map(chr, range(0x4E00, 0x4E00 + 900)))] * 3,
            400,
            ["vocab_size=400", "take 1,159", "raise"],
        ),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(
    texts: list[str], vocab_size: int, words: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CorpusError) as caught:
        train([batch(texts)], TokenizerConfig(vocab_size=vocab_size, character_coverage=1.0), tmp_path / "m")
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert not (tmp_path / "m").exists()
    assert capfd.readouterr() == ("", "")


def test_the_limit_that_the_error_names_holds(tmp_path: Path) -> None:
    text = [batch(["a few words and no more"] * 3)]
    with pytest.raises(CorpusError) as caught:
        train(text, TokenizerConfig(vocab_size=800), tmp_path / "m")
    most = int(str(caught.value).split("at most ")[1].split()[0])
    assert train(text, TokenizerConfig(vocab_size=most), tmp_path / "m")["vocab_size"] == most


def test_training_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train([documents(300)], CONFIG, tmp_path / "m")
    assert capfd.readouterr() == ("", "")


def test_a_wrong_model_is_refused(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        Encoder(tmp_path / "missing")
    good = trained[0].read_bytes()
    (tmp_path / "cut").write_bytes(good[: len(good) // 2])
    with pytest.raises(InputError, match="sha256"):
        Encoder(tmp_path / "cut", hashlib.sha256(good).hexdigest())
    (tmp_path / "text").write_text("no model")
    with pytest.raises(CorpusError, match="not a sentencepiece model"):
        Encoder(tmp_path / "text")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(documents(300).column("text").to_pylist()),
        model_prefix=str(tmp_path / "default"),
        vocab_size=600,
        model_type="bpe",
        minloglevel=2,
    )
    with pytest.raises(CorpusError, match="loses text"):
        Encoder(tmp_path / "default.model")


def test_token_dtype() -> None:
    assert [token_dtype(n).name for n in (300, 65_536, 65_537)] == ["uint16", "uint16", "uint32"]
