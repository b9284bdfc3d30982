"""The model and its loss: shapes, causality, and equality with plain formulations."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from trainer.generate import generate  # noqa: E402
from trainer.model import ChunkedCrossEntropy, Model, ModelConfig, RMSNorm, rope_table, rotate  # noqa: E402
from trainer.optim import adamw, wsd  # noqa: E402

TINY = ModelConfig(vocab_size=61, layers=2, width=32, heads=4, kv_heads=2, hidden=48, seq_len=16)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def tiny(config: ModelConfig = TINY) -> Model:
    return Model(config).initialise(torch.Generator().manual_seed(0))


def ids(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(TINY.vocab_size, (rows, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 1), (4, 2), (4, 4), (1, 1)])
def test_shapes_and_parameter_count(tied: bool, heads: int, kv_heads: int) -> None:
    config = replace(TINY, tied=tied, heads=heads, kv_heads=kv_heads)
    model = tiny(config)
    assert model(ids(3, 11)).shape == (3, 11, 61)
    assert sum(p.numel() for p in model.parameters()) == config.parameters()


@pytest.mark.parametrize("changes", [{"kv_heads": 3}, {"heads": 3, "kv_heads": 3}, {"layers": 0}, {"width": 4}])
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"head|size"):
        replace(TINY, **changes)


def test_a_later_token_does_not_alter_an_earlier_prediction() -> None:
    model, before = tiny(), ids(2, 16)
    after = before.clone()
    after[:, 9] = (after[:, 9] + 1) % TINY.vocab_size
    with torch.no_grad():
        old, new = model(before), model(after)
    torch.testing.assert_close(old[:, :9], new[:, :9], rtol=0, atol=1e-6)
    for position in range(9, 16):
        assert (old[:, position] - new[:, position]).abs().max() > 1e-4


def test_rope_turns_scores_into_a_function_of_distance() -> None:
    cos, sin = rope_table(32, 8, 10000.0)
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(8, generator=generator), torch.randn(8, generator=generator)

    def score(at: int, other: int) -> float:
        return float(rotate(q, cos[at], sin[at]) @ rotate(k, cos[other], sin[other]))

    assert score(5, 2) == pytest.approx(score(25, 22), abs=1e-4)
    assert score(5, 2) != pytest.approx(score(5, 3), abs=1e-3)
    assert rotate(q, cos[7], sin[7]).norm() == pytest.approx(q.norm())


def test_attention_equals_a_plain_formulation_with_repeated_heads() -> None:
    model = tiny()
    attention, x = model.blocks[0].attention, torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0))
    cos, sin = model.cos[:7], model.sin[:7]
    q, k, v = attention.qkv(x).split((32, 16, 16), dim=-1)
    heads = []
    for head in range(4):
        shared = head // 2
        q_head = rotate(attention.q_norm(q[..., head * 8 : head * 8 + 8]), cos, sin)
        k_head = rotate(attention.k_norm(k[..., shared * 8 : shared * 8 + 8]), cos, sin)
        scores = q_head @ k_head.transpose(1, 2) / math.sqrt(8)
        scores = scores.masked_fill(torch.ones(7, 7).triu(1).bool(), -torch.inf)
        heads.append(scores.softmax(-1) @ v[..., shared * 8 : shared * 8 + 8])
    expected = attention.out(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(x, cos[:, None], sin[:, None]), expected, rtol=1e-4, atol=1e-6)


def test_rms_norm() -> None:
    x = torch.tensor([[3.0, 4.0]])
    torch.testing.assert_close(RMSNorm(2)(x), x / math.sqrt(12.5))


@pytest.mark.parametrize("shape", [(5, 12), (2, 3, 4, 12)])
def test_rms_norm_has_the_gradients_of_torch(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, requires_grad=True)
    norm, upstream = RMSNorm(12), torch.randn(shape, generator=generator)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2, generator=generator)
    expected = F.rms_norm(x, (12,), norm.weight, eps=1e-6)
    torch.testing.assert_close(norm(x), expected)
    found = torch.autograd.grad(norm(x), (x, norm.weight), upstream)
    torch.testing.assert_close(found, torch.autograd.grad(expected, (x, norm.weight), upstream), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunked_cross_entropy_equals_the_plain_one(chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(20, 32, generator=generator, requires_grad=True)
    weight = torch.randn(61, 32, generator=generator, requires_grad=True)
    targets = torch.randint(61, (20,), generator=generator)
    plain = F.cross_entropy(hidden @ weight.T, targets, reduction="sum") / 3
    expected = torch.autograd.grad(plain, (hidden, weight))
    chunked = ChunkedCrossEntropy.apply(hidden, weight, targets, chunk) / 3
    found = torch.autograd.grad(chunked, (hidden, weight))
    torch.testing.assert_close(chunked, plain)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_loss_is_the_cross_entropy_of_the_logits_and_that_of_chance_at_first() -> None:
    model, tokens = tiny(), ids(4, 17)
    found = model.loss_sum(tokens[:, :-1], tokens[:, 1:]) / 64
    expected = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(found, expected)
    assert found.item() == pytest.approx(math.log(61), abs=0.1)


def test_accumulated_gradients_equal_those_of_the_whole_batch() -> None:
    whole, parts, tokens = tiny(), tiny(), ids(6, 17)
    (whole.loss_sum(tokens[:, :-1], tokens[:, 1:]) / 96).backward()
    for rows in tokens.split(2):
        (parts.loss_sum(rows[:, :-1], rows[:, 1:]) / 96).backward()
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_it_can_learn_one_batch_by_heart_and_then_say_it() -> None:
    model = tiny()
    optimizer = adamw(model, 1e-2, (0.9, 0.95), 0.0)
    tokens = torch.arange(1, 18)[None].repeat(2, 1)
    tokens[1] += 30
    for _ in range(60):
        loss = model.loss_sum(tokens[:, :-1], tokens[:, 1:]) / 32
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.1
    assert generate(model, [1, 2, 3, 4], 8, eos_id=0, temperature=0) == list(range(5, 13))


def test_generation_repeats_with_its_seed_and_stays_in_the_top_k() -> None:
    model = tiny()
    runs = [generate(model, [5], 40, eos_id=0, seed=seed, stop_at_eos=False) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert len(runs[0]) == 40  # further than the context reaches
    greedy = generate(model, [5], 10, eos_id=0, temperature=0, stop_at_eos=False)
    assert generate(model, [5], 10, eos_id=0, top_k=1, stop_at_eos=False) == greedy


def test_generation_stops_at_the_end_of_a_text() -> None:
    model = tiny()
    with torch.no_grad():  # a head that always says 0
        model.norm.weight.zero_()
    assert generate(model, [5], 10, eos_id=0, temperature=0) == []


def test_schedule_warms_up_stays_and_decays() -> None:
    rates = [wsd(step, steps=10, warmup=2, decay=4) for step in range(10)]
    assert rates == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_weight_decay_acts_on_matrices_alone() -> None:
    groups = adamw(tiny(), 1e-3, (0.9, 0.95), 0.1).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert all(p.dim() >= 2 for p in groups[0]["params"])
    assert {p.dim() for p in groups[1]["params"]} == {1}
    assert sum(p.numel() for group in groups for p in group["params"]) == TINY.parameters()
