"""n-gram models: estimates against lmplz and a plain reference, look-ups against KenLM, files, damage, a whole run."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import random
import re
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorpusError, InputError
from corpus.quality.perplexity import arpa, file
from corpus.quality.perplexity.config import PerplexityConfig
from corpus.quality.perplexity.estimate import estimate
from corpus.quality.perplexity.folder import write
from corpus.quality.perplexity.model import SPECIALS, NgramModel
from corpus.quality.perplexity.reference import Sample, texts
from corpus.quality.perplexity.score import KenLM, Native, Scorer, load
from corpus.quality.perplexity.tokens import Pieces, Reading, _normalised, strings, tokenise
from corpus.quality.perplexity.train import Plan, train

Command = Callable[..., subprocess.CompletedProcess[str]]
SMALL = """the cat sat on the mat .
the dog sat on the cat .
a dog and a cat sat .
the mat is on the floor .
the cat is a cat .
is the dog on the mat ?
the dog and the cat and the mat .""".split("\n")
# What KenLM's lmplz 0.3.0 prints for SMALL, with `-o 3 --discount_fallback`: probability and back-off weight.
LMPLZ = {
    "<unk>": (-1.3106815, 0),
    "</s>": (-1.2024053, 0),
    "the": (-0.9882298, -0.15220219),
    "cat": (-1.2024053, -0.21247207),
    "<s> the": (-0.35418883, -0.30103),
    "the cat": (-0.89438665, -0.30103),
    "cat sat": (-0.7985872, -0.30103),
    "cat .": (-0.736294, -0.30103),
    "mat . </s>": (-0.13288759, 0),
    "sat on the": (-0.17813928, 0),
    "<s> the cat": (-0.57878256, 0),
    "the mat .": (-0.45368648, 0),
    "the cat is": (-0.73817354, 0),
}


def sample(lines: list[str], limit: int = 1 << 28) -> Sample:
    made = Sample(limit)
    made.add(pa.array(lines, pa.large_string()))
    return made


def trained(lines: list[str], order: int, prune: tuple[int, ...] = (0,), vocabulary: int = 10**6) -> NgramModel:
    """A model of all lines, none held out."""
    words = Counter(word for line in lines for word in line.split())
    kept = [word for word, _ in sorted(words.items(), key=lambda item: (-item[1], item[0]))][: vocabulary - 3]
    ids = {word: i for i, word in enumerate([*SPECIALS, *kept])}
    stream = [i for line in lines for i in (1, *(ids.get(word, 0) for word in line.split()), 2)]
    orders, _, _ = estimate(np.array(stream, np.uint32), len(ids), order, prune)
    return NgramModel(pa.array([*SPECIALS, *kept], pa.large_string()), orders, Reading("none", "spaces"))


def entries(model: NgramModel) -> dict[str, tuple[float, float]]:
    """ "words" -> (probability, back-off weight)"""
    found = {}
    for n, order in enumerate(model.orders, 1):
        names = arpa._words(model, n, np.arange(len(order))).to_pylist()
        found |= dict(zip(names, zip(order.probability.tolist(), order.backoff.tolist(), strict=True), strict=True))
    return found


def log10(model: NgramModel, line: str) -> list[float]:
    tokens = tokenise(pa.array([line]), Reading("none", "spaces"))
    return model.lookup.log10(model.lookup.ids(tokens.hashes)).tolist()


def test_estimates_are_those_of_lmplz() -> None:
    found = entries(trained(SMALL, 3))
    assert len(found) == 15 + 30 + 43
    for words, values in LMPLZ.items():
        assert found[words] == pytest.approx(values, abs=1e-6), words
    pruned = trained(SMALL, 3, (0, 0, 1))
    assert pruned.counts == [15, 30, 7]
    # `query` of KenLM on lmplz's models, unpruned and with --prune 0 0 1; "bird" is in neither.
    given = [-0.35418883, -0.57878256, -0.6893006, -0.40691963, -1.5845222, -0.73446673, -1.5107856, -0.3253268]
    assert log10(trained(SMALL, 3), "the cat sat on a dog .") == pytest.approx(given, abs=2e-6)
    given = [-0.35418883, -1.6847324, -1.2024053, -0.54724973, -1.5845222, -1.3400704, -0.72638935, -0.3253268]
    assert log10(pruned, "the bird sat on a mat ?") == pytest.approx(given, abs=2e-6)


def test_a_model_worked_out_by_hand() -> None:
    # Continuation counts: a 1, b 1, </s> 2 of 4; too few n-grams, so discounts .5 and 1; 4 words share the rest .5.
    found = {words: 10 ** value[0] for words, value in entries(trained(["a b", "a"], 2)).items()}
    by_hand = {"<unk>": 0.125, "a": 0.25, "b": 0.25, "</s>": 0.375, "<s>": 1}
    by_hand |= {"<s> a": 0.5 + 0.5 * 0.25, "a b": 0.25 + 0.5 * 0.25, "a </s>": 0.25 + 0.5 * 0.375, "b </s>": 0.6875}
    assert found == pytest.approx(by_hand, abs=1e-6)
    product = 0.625 * 0.375 * 0.6875
    tokens = tokenise(pa.array(["a b", "", "a b\n\na b"]), Reading("none", "spaces"))
    found = Native(trained(["a b", "a"], 2)).perplexity(tokens)
    assert found.tolist() == pytest.approx([product ** (-1 / 3), math.nan, product ** (-1 / 3)], rel=1e-6, nan_ok=True)


def plain(lines: list[str], order: int) -> Callable[[tuple[str, ...], str], float]:
    """p(word | context) by the textbook: Chen and Goodman 1998, sections 3 and 4.1.6, with dictionaries."""
    sentences = [("<s>", *line.split(), "</s>") for line in lines]
    raw: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(order + 1)]
    for sentence in sentences:
        for n in range(1, order + 1):
            raw[n].update(sentence[i : i + n] for i in range(len(sentence) - n + 1))
    adjusted: list[dict[tuple[str, ...], int]] = [{} for _ in range(order + 1)]
    for n in range(1, order + 1):
        before: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for gram in raw[n + 1] if n < order else ():
            before[gram[1:]].add(gram[0])
        for gram, times in raw[n].items():
            adjusted[n][gram] = times if n == order or gram[0] == "<s>" else len(before[gram])
    del adjusted[1][("<s>",)]
    words = {word for sentence in sentences for word in sentence[1:]} | {"<unk>"}

    def discount(n: int) -> list[float]:
        t = Counter(adjusted[n].values())
        if t[1] and t[2] and t[3]:
            y = t[1] / (t[1] + 2 * t[2])
            found = [k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3)]
            if all(0 <= value <= k for k, value in enumerate(found, 1)):
                return [0, *found]
        return [0, 0.5, 1, 1.5]

    discounts = [[0.0], *map(discount, range(1, order + 1))]
    followers: list[defaultdict[tuple[str, ...], dict[str, int]]] = [defaultdict(dict) for _ in range(order + 1)]
    for n in range(1, order + 1):
        for gram, times in adjusted[n].items():
            followers[n][gram[:-1]][gram[-1]] = times

    def p(context: tuple[str, ...], word: str) -> float:
        n = len(context) + 1
        lower = p(context[1:], word) if context else 1 / len(words)
        after = followers[n].get(context)
        if not after:
            return lower
        off = {w: discounts[n][min(times, 3)] for w, times in after.items()}
        total = sum(after.values())
        return (after.get(word, 0) - off.get(word, 0)) / total + sum(off.values()) / total * lower

    return p


corpora = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=8).map(" ".join), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(corpora, st.integers(1, 4), st.lists(st.sampled_from("abcxyz"), min_size=1, max_size=6))
def test_probabilities_are_the_textbook_s(lines: list[str], order: int, words: list[str]) -> None:
    model, p = trained(lines, order), plain(lines, order)
    known = set(model.vocabulary.to_pylist())
    history = ["<s>"]
    for word, found in zip([*words, "</s>"], log10(model, " ".join(words)), strict=True):
        history.append(word if word in known else "<unk>")
        context = tuple(history[-order:-1]) if order > 1 else ()
        assert 10**found == pytest.approx(p(context, history[-1]), rel=2e-6)


@settings(max_examples=30, deadline=None)
@given(
    corpora,
    st.integers(1, 4),
    st.integers(4, 10),
    st.lists(st.sampled_from("abcx"), min_size=1, max_size=4),
    st.integers(0, 2),
)
def test_probabilities_sum_to_one(lines: list[str], order: int, size: int, context: list[str], cut: int) -> None:
    """Over all words but <s>, in any context, pruned and with a capped vocabulary too."""
    model = trained(lines, order, (0, cut), size)
    words = [*model.vocabulary.to_pylist()[len(SPECIALS) :], "never-seen"]
    found = [log10(model, " ".join([*context, word]))[len(context)] for word in words]
    found.append(log10(model, " ".join(context))[-1])  # </s>
    assert sum(10**value for value in found) == pytest.approx(1, abs=1e-5)


@pytest.fixture(scope="module")
def prose() -> list[str]:
    """Sentences with some structure, so that all orders have something to say."""
    rng = random.Random(3)
    words = [f"{a}{b}" for a in ("ka", "lo", "mi", "né", "Pu") for b in ("ra", "st", "n", "do", "vé", "X1")]
    follow = {word: rng.sample(words, 5) for word in words}
    lines = []
    for _ in range(600):
        line = [rng.choice(words)]
        while rng.random() < 0.9:
            line.append(rng.choice(follow[line[-1]]) if rng.random() < 0.9 else rng.choice(words))
        lines.append(" ".join(line) + rng.choice([".", "!", "…", ""]) + rng.choice(["", "\nA second line, 1984."]))
    return lines


@pytest.fixture(scope="module")
def model(prose: list[str]) -> NgramModel:
    return train(sample(prose), Reading(), Plan(4, (0, 0, 1)))


def strange(prose: list[str]) -> list[str]:
    return [*prose[:50], "unseen words here, kara loxx", "", "...\n\n\t", "<s> </s> <unk> kara", "日本語 kara", "a\0b"]


def test_kenlm_gives_the_same_probabilities(model: NgramModel, prose: list[str], tmp_path: Path) -> None:
    pytest.importorskip("kenlm", reason="pip install kenlm")
    path = tmp_path / "m.arpa"
    path.write_bytes(b"".join(arpa.lines(model)))
    tokens = tokenise(pa.array(strange(prose)), Reading())
    ours, theirs = model.lookup.log10(model.lookup.ids(tokens.hashes)), KenLM(path)
    lines = tokens.joined().decode().split("\n")[:-1]
    scores = [score for line in lines for score, _, _ in theirs._model.full_scores(line)]
    assert ours == pytest.approx(scores, abs=3e-6)
    one, other = Native(model).perplexity(tokens), theirs.perplexity(tokens)
    assert np.isnan(one).tolist() == np.isnan(other).tolist() == [row == 51 for row in range(len(one))]
    assert one == pytest.approx(other, rel=1e-5, nan_ok=True)


def test_a_model_comes_back_from_arpa_and_from_its_own_file(model: NgramModel, tmp_path: Path) -> None:
    text = b"".join(arpa.lines(model))
    (tmp_path / "a.arpa").write_bytes(text)
    (tmp_path / "a.arpa.gz").write_bytes(gzip.compress(text))
    # As other tools write it: a blank line on top, spaces for tabs, carriage returns, no weights of zero.
    other = b"\n" + text.replace(b"\t0\n", b"\n").replace(b"\t", b"  ")
    (tmp_path / "b.arpa").write_bytes(other.replace(b"\n", b"\r\n"))
    own = file.parse(file.dump(model), "m")
    assert (own.reading, own.facts) == (model.reading, model.facts)
    for found in (own, *(arpa.read(tmp_path / name) for name in ("a.arpa", "a.arpa.gz", "b.arpa"))):
        assert found.vocabulary.equals(model.vocabulary)
        for one, of_model in zip(found.orders, model.orders, strict=True):
            for name in ("prefix", "word", "probability", "backoff"):
                assert np.array_equal(getattr(one, name), getattr(of_model, name)), name


def test_an_arpa_file_without_unk_or_in_another_order(tmp_path: Path) -> None:
    path = tmp_path / "m.arpa"
    path.write_text(
        "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-0.5\tb\t-0.25\n-99\t<s>\t-0.5\n-1\ta\t-0.125\n-2\t</s>\n\n"
        "\\2-grams:\n-0.0625\ta b\n-1e-1\t<s> a\n\n\\end\\\n"
    )
    model = arpa.read(path)
    assert model.vocabulary.to_pylist() == [*SPECIALS, "b", "a"]
    assert log10(model, "a b x") == pytest.approx([-0.1, -0.0625, -100.25, -2])


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("\\data\\", "data", "does not begin"),
        ("ngram 2=2", "ngram 2=3", "2 of 3 2-grams"),
        ("ngram 2=2", "ngram 2=1", "more than 1 2-grams"),
        ("ngram 2=2", "ngram 3=2", "not in order"),
        ("-0.0625\ta b", "0.5\ta b", "then `0.5"),
        ("-0.0625\ta b", "-0.5x\ta b", "then `-0.5x"),
        ("-0.0625\ta b", "-0.5\ta", "then `-0.5"),
        ("-0.0625\ta b", "-0.5\ta c", "no 1-gram"),
        ("-0.0625\ta b", "-0.1\t<s> a", "is there twice"),
        ("-1\ta", "-1\tb", "is there twice"),
        ("-2\t</s>", "-2\tstop", "has no </s>"),
        ("\\end\\\n", "", "ends too soon"),
    ],
)
def test_a_damaged_arpa_file_is_one_line(old: str, new: str, why: str, tmp_path: Path) -> None:
    text = (
        "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-0.5\tb\t-0.25\n-99\t<s>\t-0.5\n-1\ta\t-0.125\n-2\t</s>\n\n"
        "\\2-grams:\n-0.0625\ta b\n-0.1\t<s> a\n\n\\end\\\n"
    )
    assert old in text
    path = tmp_path / "m.arpa"
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=why) as error:
        arpa.read(path)
    assert "\n" not in str(error.value)


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_damaged_model_is_told_or_works(rng: random.Random) -> None:
    data = bytearray(file.dump(trained(SMALL, 3)))
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    else:
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    told = None
    try:
        model = file.parse(bytes(data), "m")
    except InputError as error:
        told = str(error)
    if told is not None:
        assert re.fullmatch(r"m: is damaged \(.*\); get it again, or train it again", told)
    else:
        assert np.isfinite(log10(model, "the cat sat on the mat . and more")).all()


def test_no_unchecked_model_is_loaded(model: NgramModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.ngram"
    path.write_bytes(file.dump(model))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Scorer(PerplexityConfig(model_path=str(path), model_sha256=digest)).reading == Reading()
    with pytest.raises(InputError, match=r"its sha256 .* is not 000"):
        Scorer(PerplexityConfig(model_path=str(path), model_sha256="0" * 64))
    with pytest.raises(InputError, match="was trained with normalise ccnet, the recipe says none"):
        Scorer(PerplexityConfig(model_path=str(path), model_sha256=digest, normalise="none"))
    with pytest.raises(InputError, match="cannot be read"):
        Scorer(PerplexityConfig(model_path=str(tmp_path / "none"), model_sha256=digest))
    (tmp_path / "m.bin").write_bytes(b"mmap lm")
    digest = hashlib.sha256(b"mmap lm").hexdigest()
    monkeypatch.setitem(sys.modules, "kenlm", None)
    with pytest.raises(CorpusError, match="a KenLM binary needs the package kenlm"):
        load(tmp_path / "m.bin", digest)


def test_the_same_texts_give_the_same_bytes(prose: list[str]) -> None:
    def bytes_of(lines: list[str], size: int, limit: int) -> bytes:
        made = Sample(limit)
        for start in range(0, len(lines), size):
            made.add(pa.array(lines[start : start + size], pa.large_string()))
        assert sum(pa.compute.sum(pa.compute.binary_length(part)).as_py() or 0 for part in made.finish()) <= limit
        return file.dump(train(made, Reading(), Plan(3)))

    shuffled = random.Random(1).sample(prose * 2, 2 * len(prose))
    for limit in (1 << 20, 20_000):  # with and without room for all
        assert bytes_of(prose * 2, 1200, limit) == bytes_of(shuffled, 7, limit)


def reference_normalise(text: str) -> str:
    """CCNet's normalisation, as its paper and code have it, code point by code point."""
    marks = dict(
        zip("，。、„”“«»」「《》´∶：？！（）；–～’━〈〉【】％►", ',.,"""""""""\'::?!();-~\'-<>[]%-', strict=True)
    )
    marks |= {"—": " - ", "．": ". ", "…": "..."}
    low = "".join(c for char in text for c in unicodedata.normalize("NFD", char.lower()))
    low = "".join(c for c in low if unicodedata.category(c) != "Mn")
    low = "".join(marks.get(c, c) for c in re.sub(r"\d", "0", low))
    low = re.sub(r"[\t\v\f\r\x1c-\x1f\x85]", " ", low)
    return "".join(c for c in low if c == "\n" or not (ord(c) < 32 or 127 <= ord(c) < 160))


def normalised(given_texts: list[str]) -> list[str]:
    return strings(*_normalised(pa.array(given_texts), Reading())).to_pylist()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=4))
def test_normalisation_is_ccnet_s(lines: list[str]) -> None:
    assert normalised(lines) == [reference_normalise(text) for text in lines]


def test_every_code_point_is_normalised_as_ccnet_does() -> None:
    every = "".join(chr(point) for point in (*range(0xD800), *range(0xE000, 0x30000), 0xE0100, 0x10FFFF))
    assert normalised([every]) == [reference_normalise(every)]


@pytest.mark.parametrize(
    ("text", "unit", "tokens"),
    [
        ("Don't stop — Élan 1984!", "words", "don ' t stop - elan 0000 !"),
        ("-----\n\n  \nwait... ok", "words", "-\nwait . ok"),
        ("日本語 text ไทย", "words", "日 本 語 text ไ ท ย"),
        ("हिन्दी a\tb", "words", "हिनदी a b"),
        ("Don't  stop", "spaces", "don't stop"),
        ("", "words", ""),
    ],
)
def test_tokens(text: str, unit: str, tokens: str) -> None:
    found = tokenise(pa.array([text]), Reading(unit=unit)).joined().decode()  # type: ignore[arg-type]
    assert found == (f"{tokens}\n" if tokens else "")


def test_pieces_are_sentencepiece_s(prose: list[str], tmp_path: Path) -> None:
    import sentencepiece

    prefix = tmp_path / "t"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(prose), model_prefix=str(prefix), vocab_size=60, minloglevel=2, num_threads=1
    )
    path = prefix.with_suffix(".model")
    pieces = Pieces(path)
    batch = pa.array(["", "kara lon\n\nλ puvé", "\n", "kara"])
    reading = Reading(unit="pieces", tokenizer_sha256=pieces.sha256)
    found = tokenise(batch, reading, pieces)
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(path))
    lines = [encoder.id_to_piece(encoder.encode(line)) for line in ("kara lon", "λ puve", "kara")]
    assert "<unk>" in lines[1]
    assert found.joined().decode() == "".join(" ".join(line) + "\n" for line in lines)
    assert np.diff(found.ends).tolist() == [0, len(lines[0]) + len(lines[1]) + 2, 0, len(lines[2]) + 1]
    model = train(sample(prose), reading, Plan(3), pieces)
    (tmp_path / "m.ngram").write_bytes(file.dump(model))
    config = {"model_path": str(tmp_path / "m.ngram"), "model_sha256": hashlib.sha256(file.dump(model)).hexdigest()}
    with pytest.raises(InputError, match=r"add quality\.perplexity\.tokenizer_path"):
        Scorer(PerplexityConfig(**config))
    scorer = Scorer(PerplexityConfig(**config, tokenizer_path=str(path), tokenizer_sha256=pieces.sha256))
    assert scorer.perplexity(batch).is_valid().to_pylist() == [False, True, False, True]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory, prose: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    rows = [json.dumps({"text": line}) for line in prose]
    (folder / "a.jsonl").write_text("\n".join([*rows[:300], "{broken"]) + "\n")
    pq.write_table(pa.table({"text": prose[300:]}), folder / "b.parquet")
    (folder / "c.txt").write_text("kara lon\nmist\n\n")
    return folder


def test_references_are_files_of_several_kinds(references: Path, prose: list[str]) -> None:
    skipped: Counter[str] = Counter()
    found = [text for batch in texts([str(references)], "text", skipped) for text in batch.to_pylist()]
    assert sorted(found) == sorted([*prose, "kara lon\nmist\n\n"])
    assert skipped.total() == 1
    with pytest.raises(InputError, match="no such file"):
        list(texts([str(references / "none")], "text", skipped))


def test_a_long_text_and_a_full_folder(model: NgramModel, tmp_path: Path) -> None:
    made = sample(["é" * 5000], limit=16_000)
    assert (made.cropped, made.bytes) == (1, 10_000)
    write(model, tmp_path / "m", ["x"], with_arpa=True, force=False)
    before = (tmp_path / "m" / "model.ngram").read_bytes()
    with pytest.raises(CorpusError, match="is there already"):
        write(model, tmp_path / "m", ["x"], with_arpa=False, force=False)
    write(model, tmp_path / "m", ["x"], with_arpa=False, force=True)
    assert {path.name for path in (tmp_path / "m").iterdir()} == {"model.ngram", "card.md"}
    assert (tmp_path / "m" / "model.ngram").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    (tmp_path / "m" / "mine.txt").write_text("mine")
    with pytest.raises(CorpusError, match=r"holds mine\.txt"):
        write(model, tmp_path / "m", ["x"], with_arpa=False, force=True)


def test_from_a_reference_to_verdicts(
    recipe: Callable[..., Path], corpus_command: Command, references: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m"
    done = corpus_command("quality", "perplexity", "--reference", references, "--out", out, "--vocabulary", 60)
    assert done.returncode == 0, done.stderr
    assert "warning: 1 record of the references left out: bad_json" in done.stderr
    digest = hashlib.sha256((out / "model.ngram").read_bytes()).hexdigest()
    assert f"model_sha256: {digest}" in done.stdout
    assert digest in (out / "card.md").read_text()
    section = {"model_path": str(out / "model.ngram"), "model_sha256": digest}
    quality = {"presets": "none", "perplexity": section}
    ran = corpus_command("run", recipe(quality=quality, language=None, dedup=None, tokenizer=None, pack=None))
    assert ran.returncode == 0, ran.stderr
    scorer, folder = Scorer(PerplexityConfig(**section)), tmp_path / "out"
    values: dict[bytes, float] = {}
    documents: dict[bytes, str] = {}
    for table in sorted((folder / "quality" / "perplexity").glob("*.parquet")):
        stored, base = pq.read_table(table), pq.read_table(folder / "extract" / table.name, columns=["id", "text"])
        assert stored["id"].equals(base["id"])
        expected = scorer.perplexity(base["text"].combine_chunks()).to_pylist()
        assert stored["perplexity"].to_pylist() == pytest.approx(expected, rel=1e-12)
        values |= dict(zip(stored["id"].to_pylist(), stored["perplexity"].to_pylist(), strict=True))
        documents |= dict(zip(base["id"].to_pylist(), base["text"].to_pylist(), strict=True))
    most = float(np.median(list(values.values())))
    decided = corpus_command("quality", folder, "--set", f"bounds.perplexity.max={most!r}")
    assert decided.returncode == 0, decided.stderr
    assert re.findall(r"(\S+): done in", decided.stderr) == ["quality/decision"]
    ledgers = [pq.read_table(path) for path in (folder / "quality" / "decision" / "_ledger").glob("*.parquet")]
    found = {row["id"]: (row["rule"], row["value"], row["threshold"]) for row in pa.concat_tables(ledgers).to_pylist()}
    high = {i: ("max_perplexity", value, most) for i, value in values.items() if value > most}
    assert found == high
    assert 50 < len(high) < 200
    # The folder is a reference in its turn: what is alive in it.
    alive = [text for batch in texts([str(folder)], "text", Counter()) for text in batch.to_pylist()]
    assert sorted(alive) == sorted(text for i, text in documents.items() if i not in high)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--prune", "0,2,1"], "never falls"),
        (["--prune", "x"], "write counts by length"),
        (["--unit", "letters"], "is none of words, spaces"),
        (["--tokenizer", "{folder}/c.txt"], "is no sentencepiece model"),
        (["--reference", "{folder}/none"], "no such file or folder"),
    ],
)
def test_a_wrong_option_is_one_line(options: list[str], why: str, references: Path, corpus_command: Command) -> None:
    given_options = [option.format(folder=references) for option in options]
    target = references.parent / "never"
    done = corpus_command("quality", "perplexity", "--reference", references, "--out", target, *given_options)
    assert done.returncode == 1
    assert re.fullmatch(rf"corpus: .*{why}.*\n", done.stderr)
    assert not target.exists()
