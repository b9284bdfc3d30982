"""Shards in, batches out; held-out figures; the plan."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from trainer.data import Shards, Stream, TrainLoader, held_out, permute, unigram_nats  # noqa: E402
from trainer.errors import TrainerError  # noqa: E402
from trainer.evaluate import evaluate  # noqa: E402
from trainer.model import Model, ModelConfig  # noqa: E402
from trainer.plan import EPOCHS, USABLE, Data, Plan, Request, heads_for, make_plan, seconds  # noqa: E402


def write_shards(folder: Path, vocab_size: int = 100, **splits: list[list[int]]) -> Path:
    """Shards as docs/shards.md describes them; a list of token ids a file, 3 bytes of text a token."""
    facts: dict[str, Any] = {"version": 1, "name": "test", "dtype": "uint16", "vocab_size": vocab_size, "eos_id": 2}
    facts |= {"tokenizer_sha256": "a" * 64, "corpus_digest": "b" * 64, "seed": 1, "splits": {}}
    folder.mkdir(parents=True, exist_ok=True)
    for split, parts in splits.items():
        shards = []
        for number, tokens in enumerate(parts):
            data = np.array(tokens, "<u2").tobytes()
            name = f"{split}-{number:05d}"
            (folder / f"{name}.bin").write_bytes(data)
            counts = {"tokens": len(tokens), "documents": 1, "bytes": 3 * len(tokens)}
            shards.append({"name": name, **counts, "sha256": {"bin": hashlib.sha256(data).hexdigest()}})
        total = {key: sum(shard[key] for shard in shards) for key in ("tokens", "documents", "bytes")}
        facts["splits"][split] = {**total, "shards": shards}
    (folder / "shards.json").write_text(json.dumps(facts))
    return folder


def stream_of(tokens: np.ndarray | list[int], vocab_size: int = 100) -> Stream:
    return Stream([np.asarray(tokens, np.uint16)], vocab_size, 3 * len(tokens), 1)


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**40), epoch=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_the_shuffle_is_a_bijection(size: int, seed: int, epoch: int) -> None:
    found = permute(np.arange(size, dtype=np.uint64), size, (seed, epoch))
    assert sorted(found.tolist()) == list(range(size))


def test_the_shuffle_depends_on_seed_and_epoch_and_mixes() -> None:
    places = np.arange(5000, dtype=np.uint64)
    orders = [permute(places, 5000, key).astype(float) for key in ((1, 0), (1, 1), (2, 0))]
    orders.append(places.astype(float))
    correlations = np.corrcoef(orders)
    assert np.abs(correlations[~np.eye(4, dtype=bool)]).max() < 0.06


@given(
    cuts=st.lists(st.integers(0, 60), min_size=1, max_size=5), bounds=st.tuples(st.integers(0, 60), st.integers(0, 60))
)
@settings(max_examples=60, deadline=None)
def test_a_stream_reads_across_files(cuts: list[int], bounds: tuple[int, int]) -> None:
    tokens = np.arange(60, dtype=np.uint16)
    stream = Stream(np.split(tokens, sorted(cuts)), 100, 1, 1)
    start, stop = sorted(bounds)
    assert stream.read(start, stop).tolist() == tokens[start:stop].tolist()


def test_an_epoch_predicts_every_token_once() -> None:
    loader = TrainLoader(stream_of(range(81), 100), seq_len=8, batch_rows=3, seed=7)
    rows = np.concatenate([loader.batch(step) for step in range(7)])  # 21 rows: two epochs of 10 and one more
    for epoch in (rows[:10], rows[10:20]):
        assert sorted(epoch[:, 1:].ravel().tolist()) == list(range(1, 81))
    assert (rows[:10] != rows[10:20]).any()
    assert (rows[:, 1:] == rows[:, :-1] + 1).all()
    assert (loader.batch(4) == rows[12:15]).all()  # any step, without those before it


@given(length=st.integers(1, 90), seq_len=st.integers(1, 20), rows=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_held_out_batches_predict_every_token_once_in_order(length: int, seq_len: int, rows: int) -> None:
    batches = list(held_out(stream_of(range(length)), seq_len, rows, eos_id=99))
    targets = np.concatenate([batch[:, 1:].ravel() for batch in batches])
    inputs = np.concatenate([batch[:, :-1].ravel() for batch in batches])
    assert targets.tolist() == list(range(length))
    assert inputs.tolist() == [99, *range(length - 1)]
    assert all(len(batch) <= rows for batch in batches)


def test_bits_per_byte_of_a_model_that_knows_nothing() -> None:
    model = Model(ModelConfig(vocab_size=64, layers=1, width=16, heads=2, kv_heads=1, hidden=16, seq_len=8))
    model.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.norm.weight.zero_()  # all logits 0: each of 64 ids costs 6 bits
    found = evaluate(model, Stream([np.arange(50, dtype=np.uint16)], 64, 120, 4), 2, torch.float32)
    assert found["loss"] == pytest.approx(math.log(64))
    assert found["bits_per_byte"] == pytest.approx(50 * 6 / 120)
    assert (found["tokens"], found["bytes"]) == (50, 120)


def test_unigram_entropy_by_hand() -> None:
    # Train counts 2 and 0 become 3/4 and 1/4.
    assert unigram_nats(np.array([2, 0]), np.array([1, 1])) == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


def test_counts_and_an_id_outside_the_vocabulary() -> None:
    assert stream_of([0, 1, 1, 3], 5).counts().tolist() == [1, 2, 0, 1, 0]
    with pytest.raises(TrainerError, match=r"token id 5 .* the vocabulary has 5; "):
        stream_of([0, 5], 5).counts()


def break_bin(folder: Path) -> None:
    path = folder / "train-00001.bin"
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)


def set_version(folder: Path) -> None:
    path = folder / "shards.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 9'))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "shards.json").unlink(), r"no shards.json; give --shards"),
        (lambda folder: (folder / "shards.json").write_text("{"), r"shards.json: cannot be read .*; pack"),
        (lambda folder: (folder / "shards.json").write_text("{}"), r"shards.json: cannot be read .*version.*; pack"),
        (set_version, r"version 9, this trainer reads version 1; pack"),
        (break_bin, r"train-00001.bin: damaged: sha256 .*; pack"),
        (lambda folder: (folder / "train-00001.bin").unlink(), r"train-00001.bin: No such file.*; pack"),
    ],
)
def test_damaged_shards_are_refused_in_one_line(tmp_path: Path, damage: Any, said: str) -> None:
    folder = write_shards(tmp_path / "s", train=[[1, 2, 3], [4, 5, 6]])
    assert Shards(folder).stream("train").read(0, 6).tolist() == [1, 2, 3, 4, 5, 6]
    damage(folder)
    with pytest.raises(TrainerError, match=said) as caught:
        Shards(folder).stream("train")
    assert "\n" not in str(caught.value)


def test_missing_and_empty_splits_and_short_streams(tmp_path: Path) -> None:
    shards = Shards(write_shards(tmp_path / "s", train=[[]], validation=[[1]]))
    with pytest.raises(TrainerError, match="no split 'test', there is train, validation; "):
        shards.stream("test")
    with pytest.raises(TrainerError, match="split 'train' holds no tokens; "):
        shards.stream("train")
    with pytest.raises(TrainerError, match="8 tokens, fewer than one window of 9; "):
        TrainLoader(stream_of(range(8)), 8, 1, 0)


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("3m", 180), ("2h", 7200), ("45", 45), ("1.5m", 90)])
def test_budgets(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "3 weeks", "-1m", "0s"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(TrainerError, match="not a time; give"):
        seconds(text)


def plan_for(request: Request, flops: float = 3e11, train_tokens: int = 2_000_000) -> Plan:
    def measure(config: ModelConfig, batch_tokens: int) -> float:
        return flops / config.flops_a_token()

    return make_plan(request, Data(train_tokens, 20_000, 4096), "d", "float32", lambda: 5.0, measure)


def test_a_plan_fills_its_budget() -> None:
    for budget in (60.0, 180.0, 3600.0):
        plan = plan_for(Request(budget=budget), train_tokens=200_000_000)
        tokens = plan.train.steps * plan.train.batch_rows * plan.model.seq_len
        used = tokens * plan.model.flops_a_token() / 3e11
        assert 0.85 * (USABLE * budget - 5) < used <= USABLE * budget - 5
        assert plan.derivation


def test_more_time_and_more_speed_make_a_larger_model() -> None:
    sizes = [
        plan_for(Request(budget=budget), flops, 10**9).model.parameters()
        for budget, flops in ((30, 1e11), (180, 3e11), (3600, 3e11), (3600, 3e14))
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3]


def test_few_tokens_are_not_repeated_for_ever() -> None:
    plan = plan_for(Request(budget=3600), train_tokens=100_000)
    assert plan.train.steps * plan.train.batch_rows * plan.model.seq_len <= EPOCHS * 100_000
    assert any("passes at most" in line for line in plan.derivation)


def test_what_is_given_by_hand_is_not_planned() -> None:
    request = Request(budget=180, steps=7, layers=3, width=96, seq_len=32, batch_tokens=640, lr=1e-4, warmup=2, seed=9)
    plan = plan_for(request)
    assert (plan.model.layers, plan.model.width, plan.model.seq_len) == (3, 96, 32)
    assert (plan.train.steps, plan.train.batch_rows, plan.train.lr) == (7, 20, 1e-4)
    assert (plan.train.warmup, plan.train.seed) == (2, 9)
    assert plan.train.batch_rows % plan.train.micro_rows == 0


def test_a_plan_survives_its_file_and_its_identity_is_that_of_the_result() -> None:
    plan = plan_for(Request(budget=60))
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.identity == plan.identity
    assert plan_for(Request(budget=60, seed=2)).identity != plan.identity


def test_a_plan_needs_a_length_and_sizes_that_fit() -> None:
    with pytest.raises(TrainerError, match="no budget and no steps; give"):
        plan_for(Request())
    with pytest.raises(TrainerError, match=r"do not fit: .*; change"):
        plan_for(Request(steps=1, width=64, heads=5))


@pytest.mark.parametrize(("width", "heads"), [(128, 2), (192, 3), (320, 5), (384, 6), (1024, 16), (32, 1)])
def test_heads_are_of_64(width: int, heads: int) -> None:
    assert heads_for(width) == heads
