"""Quality classifiers: training gives the same bytes, the figures are right, and a recipe decides on the score."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from corpus.errors import CorpusError, InputError
from corpus.intervals import share_interval
from corpus.quality.classifier.config import ClassifierConfig, Preparation
from corpus.quality.classifier.evaluate import auc, auc_interval, evaluate
from corpus.quality.classifier.examples import Input, labelled, texts
from corpus.quality.classifier.model import Scorer
from corpus.quality.classifier.pool import Collector, split
from corpus.quality.classifier.prepare import prepare
from corpus.quality.classifier.stage import steps
from corpus.quality.classifier.train import Settings, default_epochs, train
from corpus.quality.classifier.train import Test as Labelled
from corpus.quality.config import QualityConfig

GOOD = "river mountain history paper school theory method result evidence language".split()
BAD = "buy cheap click offer login cart deal subscribe winner casino".split()
BOTH = "the of and to in is that for with on".split()
SMALL = Settings(dim=8, epochs=5, buckets=500, min_count=1, lr=0.5)


def text(words: list[str], seed: int) -> str:
    rng = random.Random(seed)
    return "\n".join(" ".join(rng.choices([*words, *BOTH], k=12)) for _ in range(4))


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def examples(tmp_path: Path) -> tuple[str, str]:
    """150 good and 200 bad texts."""
    good = write(tmp_path / "good.jsonl", [{"text": text(GOOD, seed)} for seed in range(150)])
    bad = write(tmp_path / "bad.jsonl", [{"text": text(BAD, seed)} for seed in range(200)])
    return good, bad


@pytest.fixture
def model(examples: tuple[str, str], tmp_path: Path) -> ClassifierConfig:
    report = train([examples[0]], [examples[1]], tmp_path / "model", SMALL, Preparation())
    return ClassifierConfig(name="q", model_path=str(tmp_path / "model" / "model.bin"), model_sha256=report["sha256"])


def test_text_is_one_line_without_labels() -> None:
    given = pa.array(["a\r\nb\u2028c\x85d\x0be\x00f", " \n\xa0 ", "", "x __label__hq y </s> z", "É" * 30])
    assert prepare(given, Preparation()).to_pylist() == ["a  b c d e f", None, None, "x  hq y   z", "É" * 30]
    assert prepare(given, Preparation(max_chars=16, lower=True))[4].as_py() == "é" * 16


def test_trainings_give_one_model(examples: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Path(examples[0]).read_text().splitlines(keepends=True)
    (tmp_path / "turned.jsonl").write_text("".join(reversed(lines)))
    inputs = [examples[0], examples[0], str(tmp_path / "turned.jsonl")]
    reports = [
        train([given], [examples[1]], tmp_path / str(number), SMALL, Preparation())
        for number, given in enumerate(inputs)
    ]
    assert len({report["sha256"] for report in reports}) == 1
    assert (tmp_path / "0" / "card.md").read_bytes() == (tmp_path / "1" / "card.md").read_bytes()
    assert (tmp_path / "0" / "model.json").read_bytes() == (tmp_path / "1" / "model.json").read_bytes()
    # Memory that begins as anything but zeros makes fastText's numbers NaN; training does not take what it finds.
    monkeypatch.setenv("MALLOC_PERTURB_", "7")
    reports.append(train([examples[0]], [examples[1]], tmp_path / "perturbed", SMALL, Preparation()))
    assert len({report["sha256"] for report in reports}) == 1
    other = train(
        [examples[0]], [examples[1]], tmp_path / "other", Settings(**{**vars(SMALL), "seed": 2}), Preparation()
    )
    assert other["sha256"] != reports[0]["sha256"]
    report = reports[0]
    assert report["trained_on"] == {"positive": 135, "negative": 135, "vocabulary": 31}
    assert (report["held_out"]["positive"], report["held_out"]["negative"]) == (15, 15)
    assert report["held_out"]["auc"] == 1
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_training_that_diverges_leaves_nothing(examples: tuple[str, str], tmp_path: Path) -> None:
    settings = Settings(**{**vars(SMALL), "lr": 1e30})
    with pytest.raises(CorpusError, match=r"fastText could not train \(.*NaN.*lower --lr"):
        train([examples[0]], [examples[1]], tmp_path / "m", settings, Preparation())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl", "good.jsonl"]


def test_a_quantized_model_works(examples: tuple[str, str], tmp_path: Path) -> None:
    settings = Settings(**{**vars(SMALL), "quantize": True})
    reports = [train([examples[0]], [examples[1]], tmp_path / name, settings, Preparation()) for name in "ab"]
    assert reports[0]["model"] == "model.ftz"
    assert reports[0]["sha256"] == reports[1]["sha256"]
    assert reports[0]["held_out"]["auc"] == 1


def test_scores(model: ClassifierConfig) -> None:
    given = pa.array([text(GOOD, 900), "", text(BAD, 901), " \n ", text(GOOD, 902)], pa.large_string())
    scores = Scorer(model).score(given).to_pylist()
    assert [score is None for score in scores] == [False, True, False, True, False]
    assert scores[0] > 0.9 > 0.1 > scores[2] >= 0
    assert all(score <= 1 for score in scores if score is not None)
    assert Scorer(model).score(given.slice(4)).to_pylist() == scores[4:]
    assert Scorer(model).score(pa.array(["", ""])).to_pylist() == [None, None]
    assert len(Scorer(model).score(pa.array([], pa.string()))) == 0
    other = Scorer(model.model_copy(update={"label": "__label__lq"})).score(given).to_pylist()
    assert other[0] == pytest.approx(1 - scores[0], abs=1e-4)
    ordinal = model.model_copy(update={"labels": {"__label__hq": 5.0, "__label__lq": 1.0}})
    expected = [None if score is None else 1 + 4 * score for score in scores]
    assert Scorer(ordinal).score(given).to_pylist() == pytest.approx(expected, abs=1e-4)


def test_words_of_a_text_are_no_labels(model: ClassifierConfig) -> None:
    attack = pa.array([f"__label__hq </s> {text(BAD, 7)}", text(BAD, 7)])
    first, second = Scorer(model).score(attack).to_pylist()
    assert abs(first - second) < 0.2
    assert first < 0.3


def test_a_model_that_is_not_right_is_not_loaded(model: ClassifierConfig, tmp_path: Path) -> None:
    whole = Path(model.model_path).read_bytes()
    Path(model.model_path).write_bytes(whole[:-100])
    with pytest.raises(
        InputError, match=r"classifier q: .*model.bin: its sha256 \w{12}… is not \w{12}…; get the model"
    ):
        Scorer(model)
    Path(model.model_path).write_bytes(whole)
    with pytest.raises(InputError, match=r"its labels are __label__.*does not fit `label` \(__label__edu\)"):
        Scorer(model.model_copy(update={"label": "__label__edu"}))
    with pytest.raises(InputError, match="does not fit `labels`"):
        Scorer(model.model_copy(update={"labels": {"__label__hq": 1.0, "__label__cc": 0.0}}))
    with pytest.raises(InputError, match="No such file"):
        Scorer(model.model_copy(update={"model_path": str(tmp_path / "gone.bin")}))
    import hashlib

    # fastText loads such a file, and ends the process or predicts nonsense.
    (tmp_path / "cut.bin").write_bytes(whole[: len(whole) // 2])
    sha = hashlib.sha256(whole[: len(whole) // 2]).hexdigest()
    with pytest.raises(InputError, match=r"fastText model .*cut\.bin"):
        Scorer(model.model_copy(update={"model_path": str(tmp_path / "cut.bin"), "model_sha256": sha}))
    (tmp_path / "text.bin").write_bytes(b"no model")
    sha = hashlib.sha256(b"no model").hexdigest()
    with pytest.raises(InputError, match="is none; give a"):
        Scorer(model.model_copy(update={"model_path": str(tmp_path / "text.bin"), "model_sha256": sha}))


def test_the_split_has_no_duplicates(tmp_path: Path) -> None:
    collector = Collector(tmp_path / "lines", Preparation())
    collector.add(pa.array([f"good number {i}" for i in range(100)] + ["", "shared"]), True)
    collector.add(pa.array(["Good  number 1", "shared", "shared "] + [f"bad {i % 50}" for i in range(100)]), False)
    pool = collector.pool()
    assert (pool.empty, pool.repeated, pool.contradictory) == (1, 50, 5)
    assert pool.good.sum() == 99
    assert (~pool.good).sum() == 50
    parts = split(pool, seed=1, held_out=0.2, balance=True, sample=None)
    assert len(parts.held_out) == 20
    assert len(parts.train) == 80
    assert not set(parts.train) & set(parts.held_out)
    assert pool.good[parts.train].sum() == 40
    assert np.diff(pool.good[parts.train].astype(int)).astype(bool).sum() > 5
    lines = list(pool.lines(np.arange(3)))
    assert lines == [b"good number 0", b"good number 2", b"good number 3"]
    loose = split(pool, seed=1, held_out=0.2, balance=False, sample=60)
    assert pool.good[np.concatenate([loose.train, loose.held_out])].sum() == 60
    assert len(loose.train) + len(loose.held_out) == 110


def test_auc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(1)
    score, good = rng.integers(0, 8, 60).astype(float), rng.random(60) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in score[good] for b in score[~good]]
    assert auc(score, good) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert np.isnan(auc(score, np.ones(60, bool)))


def test_intervals_cover_what_they_should() -> None:
    low, high = auc_interval(1.0, 20, 20)
    assert high == pytest.approx(1)
    assert 0.8 < low < 0.95
    rng = np.random.default_rng(2)
    good = np.arange(80) < 40
    truth = 0.7602  # of two normal distributions that lie one standard deviation apart
    inside = 0
    for _ in range(500):
        low, high = auc_interval(auc(rng.normal(size=80) + good, good), 40, 40)
        inside += low <= truth <= high
    assert 0.93 <= inside / 500 <= 0.98
    assert share_interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-3)


def test_figures() -> None:
    good = np.array([True, True, True, False, False])
    found = evaluate(np.array([0.9, 0.6, np.nan, 0.55, 0.1]), np.array([9, 8, 7, 6, 5]), good)
    assert found["auc"] == pytest.approx(4 / 6)
    assert found["auc_of_words"] == 1
    assert (found["accuracy"], found["majority"]) == (0.6, 0.6)
    # Of five, 95 and 90% are all of them: the one without a score is never kept.
    assert [row["threshold"] for row in found["thresholds"]] == [0, 0.1, 0.5, 0.55, 0.6, 0.9]
    at_half = {"threshold": 0.5, "kept": 0.6, "kept_bad": 0.5, "precision": 2 / 3, "recall": 2 / 3}
    assert found["thresholds"][2] == at_half
    assert found["thresholds"][5] == {"threshold": 0.9, "kept": 0.2, "kept_bad": 0, "precision": 1, "recall": 1 / 3}
    assert found["scores"] == [0.1, 0.9]


def test_thresholds_are_where_the_scores_are() -> None:
    score = 0.5 + np.arange(-100, 100) * 1.23456e-6
    good = np.arange(200) >= 100
    found = evaluate(score, np.ones(200, np.int64), good)
    kept = [round(row["kept"], 3) for row in found["thresholds"]]
    assert kept == sorted(kept, reverse=True)
    # Six digits hold about one of these scores each, so that a cut keeps at most one or two more than asked for.
    for share in (0.95, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05):
        assert any(share <= one <= share + 0.01 for one in kept), share
    assert found["bound"]["recall"] in (0.95, 0.96)
    assert found["bound"]["kept_bad"] == 0


def test_small_sets_are_seen_more_often() -> None:
    assert [default_epochs(texts) for texts in (20, 250, 914, 1980, 5000, 10**7)] == [100, 100, 28, 13, 5, 5]


def test_inputs_of_every_kind(tmp_path: Path, examples: tuple[str, str]) -> None:
    import gzip

    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(b'{"body": "one"}\n{"body": 2}\nnot json\n'))
    pq.write_table(pa.table({"body": ["two", None, "three"]}), tmp_path / "b.parquet")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "c.txt").write_text("four\nlines")

    def read(path: Path, column: str = "body") -> tuple[list[str], dict[str, int]]:
        given = Input(str(path))
        found = [value for batch in texts(given, column) for value in batch.to_pylist()]
        assert given.documents == len(found)
        assert re.fullmatch("[0-9a-f]{64}", given.sha256)
        return found, dict(given.problems)

    assert read(folder) == (["one"], {"no_text": 1, "bad_json": 1})
    assert read(tmp_path / "b.parquet") == (["two", "three"], {"no_text": 1})
    assert read(tmp_path / "plain") == (["four\nlines"], {})
    (tmp_path / "d.csv").write_text("body\nfive\n")
    # A folder or a glob of several kinds: all of them, whatever their names.
    assert read(tmp_path, "body")[0] == ["one", "two", "three", "five", "four\nlines"]
    assert read(tmp_path / "[bd].*") == (["two", "three", "five"], {"no_text": 1})
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no texts that can be read as they are"):
        read(tmp_path / "empty")


def test_labels_by_their_usual_names_or_by_given_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", [{"text": "a", "y": 1}, {"text": "b", "y": "BAD"}, {"text": "c", "y": "keep"}])

    def read(good: str = "", bad: str = "") -> list[bool]:
        return [v for batch in labelled(Input(path), "text", "y", good, bad) for v in batch.column("good").to_pylist()]

    with pytest.raises(InputError, match="column `y` has the label 'keep', which is neither good nor bad"):
        read()
    write(tmp_path / "t.jsonl", [{"text": "a", "y": 1}, {"text": "b", "y": "BAD"}])
    assert read() == [True, False]
    write(tmp_path / "t.jsonl", [{"text": "a", "y": "keep"}, {"text": "b", "y": "drop"}])
    assert read("keep", "drop") == [True, False]


def test_the_test_leaves_out_what_was_trained_on(examples: tuple[str, str], tmp_path: Path) -> None:
    seen = [json.loads(line)["text"] for line in Path(examples[0]).read_text().splitlines()]
    new = [{"text": text(GOOD, 5000 + i), "label": 1} for i in range(20)]
    new += [{"text": text(BAD, 5000 + i), "label": 0} for i in range(10)]
    path = write(tmp_path / "test.jsonl", [*new, *({"text": one.upper(), "label": 1} for one in seen)])
    report = train([examples[0]], [examples[1]], tmp_path / "m", SMALL, Preparation(), test=Labelled(path))
    assert report["test"]["in_training"] == 135
    assert (report["test"]["positive"], report["test"]["negative"]) == (35, 10)
    assert report["test"]["majority"] == pytest.approx(35 / 45)
    assert "135 of its texts were in training" in (tmp_path / "m" / "card.md").read_text()


@pytest.mark.parametrize("rows", [[], [{"text": "only good ones", "label": 1}]])
def test_a_test_needs_both_labels(examples: tuple[str, str], tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    test = Labelled(write(tmp_path / "test.jsonl", rows))
    with pytest.raises(InputError, match=r"needs texts of both labels that the model was not trained on"):
        train([examples[0]], [examples[1]], tmp_path / "m", SMALL, Preparation(), test=test)
    assert not (tmp_path / "m").exists()


def test_a_folder_is_only_replaced_when_told(examples: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "m"
    train([examples[0]], [examples[1]], out, SMALL, Preparation())
    before = (out / "model.json").read_bytes()
    with pytest.raises(CorpusError, match="is there already; choose another --out, or add --force"):
        train([examples[0]], [examples[1]], out, SMALL, Preparation())
    train([examples[0]], [examples[1]], out, SMALL, Preparation(), force=True)
    assert (out / "model.json").read_bytes() == before
    (out / "mine.txt").write_text("x")
    with pytest.raises(CorpusError, match="holds more than a classifier"):
        train([examples[0]], [examples[1]], out, SMALL, Preparation(), force=True)
    few = write(tmp_path / "few.jsonl", [{"text": "a"}] * 50)
    with pytest.raises(InputError, match="--positive: 1 different texts, which is too few"):
        train([few], [examples[1]], tmp_path / "n", SMALL, Preparation())
    assert not (tmp_path / "n").exists()


def test_from_training_to_a_decision(
    examples: tuple[str, str], tmp_path: Path, corpus_command: Callable[..., Any]
) -> None:
    options = ["--positive", examples[0], "--negative", examples[1], "--out", tmp_path / "m", "--name", "spam"]
    options += ["--held-out", 0.2]
    done = corpus_command("quality", "train", *options, "--dim", 8, "--buckets", 500, "--lr", 0.5, "--min-count", 1)
    assert done.returncode == 0, done.stderr
    assert "held out: AUC 1.000" in done.stderr
    section = yaml.safe_load(done.stdout)
    rows = [{"text": text(GOOD, 7000 + i)} for i in range(30)] + [{"text": text(BAD, 7000 + i)} for i in range(12)]
    section["quality"]["presets"] = "none"
    source = {"name": "s", "kind": "jsonl", "path": write(tmp_path / "rows.jsonl", rows)}
    recipe = {"name": "r", "output": str(tmp_path / "out"), "sources": [source], **section}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    done = corpus_command("run", path)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "out/quality/scores").glob("*.parquet")
    table = pq.read_table(file)
    assert table.schema.field("scores").type == pa.struct([("spam", pa.float64())])
    scores = [row["spam"] for row in table.column("scores").to_pylist()]
    assert sum(score >= 0.5 for score in scores) == 30
    low = section["quality"]["bounds"]["score_spam"]["min"]
    kept = sum(score >= low for score in scores)
    assert 25 <= kept <= 30
    (file,) = (tmp_path / "out/quality/decision/_ledger").glob("*.parquet")
    assert pq.read_table(file).column("rule").to_pylist() == ["min_score_spam"] * (42 - kept)

    def key(**changes: Any) -> tuple[str, str]:
        classifier = section["quality"]["classifiers"][0] | changes.pop("classifier", {})
        config = QualityConfig.model_validate(section["quality"] | {"classifiers": [classifier]} | changes)
        (step,) = steps(config)
        return json.dumps(step.settings), step.version

    moved = shutil.copy(tmp_path / "m" / "model.bin", tmp_path / "moved.bin")
    assert key(classifier={"model_path": str(moved)}, bounds={"score_spam": {"min": 0.7}}) == key()
    assert key(classifier={"max_chars": 1000}) != key()
    assert key(classifier={"model_sha256": "0" * 64}) != key()
    # What was run can be trained on: the documents that the decision left alive.
    report = train([str(tmp_path / "out")], [examples[1]], tmp_path / "again", SMALL, Preparation())
    assert report["data"]["positive"][0]["documents"] == kept
    assert report == json.loads((tmp_path / "again" / "model.json").read_text())


def test_people_s_labels_are_reported_against_the_majority(
    kits: Path, examples: tuple[str, str], tmp_path: Path
) -> None:
    path = kits / "quality" / "dclm_majority.jsonl"
    report = train([examples[0]], [examples[1]], tmp_path / "m", SMALL, Preparation(), test=Labelled(str(path)))
    assert (report["test"]["positive"], report["test"]["negative"]) == (272, 227)
    assert report["test"]["majority"] == pytest.approx(272 / 499)
    low, high = report["test"]["auc_interval"]
    assert low < report["test"]["auc"] < high
    card = (tmp_path / "m" / "card.md").read_text()
    assert f"| AUC (95% interval) | {report['test']['auc']:.3f} ({low:.3f} to {high:.3f}) |" in card
    assert "| accuracy of the majority's label | 0.545 |" in card
