"""From a time budget, or from sizes given by hand, to everything that a run needs: plan.json.

The speed of the machine enters here and nowhere else. A stored plan is reused on resume and never measured again,
so what a run computes follows from its plan and its shards.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from trainer.errors import TrainerError
from trainer.model import Model, ModelConfig
from trainer.optim import adamw
from trainer.system import autocast

# Shapes to choose from: (layers, width).
LADDER = ((2, 128), (3, 192), (4, 256), (5, 320), (6, 384), (8, 512), (12, 768), (16, 1024))
# The largest shape that still sees this many tokens for each weight of its blocks and head; see docs/trainer.md.
TOKENS_A_WEIGHT = 1.0
# Passes over the same tokens that are worth nearly as much as new ones (Muennighoff et al. 2023).
EPOCHS = 4
# Share of the budget for the steps and evaluations; the rest covers start, calibration and saving.
USABLE = 0.93
# Evaluations along the way may take this share of the training time.
EVALUATION_SHARE = 0.05


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained; with the model and the shards it decides every byte of the result."""

    steps: int
    seed: int = 1
    batch_rows: int = 16
    micro_rows: int = 16
    lr: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    clip: float = 1.0
    warmup: int = 0
    decay: int = 0
    log_every: int = 10
    evaluate_every: int = 0
    precision: str = "float32"


@dataclass(frozen=True)
class Request:
    """What the user asked for. None: left to the plan."""

    budget: float | None = None
    seed: int = 1
    steps: int | None = None
    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    hidden: int | None = None
    seq_len: int | None = None
    tied: bool = True
    batch_tokens: int | None = None
    micro_rows: int | None = None
    lr: float | None = None
    weight_decay: float = 0.1
    warmup: int | None = None
    decay: int | None = None
    evaluate_every: int | None = None


@dataclass(frozen=True)
class Plan:
    request: Request
    shards: str
    model: ModelConfig
    train: TrainConfig
    derivation: list[str] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """sha256 over what decides the result: model, training and shards; not the request, not the machine."""
        decides = {"model": asdict(self.model), "train": asdict(self.train), "shards": self.shards}
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {"identity": self.identity, **asdict(self)}

    @staticmethod
    def from_json(facts: dict[str, Any]) -> Plan:
        train = dict(facts["train"])
        train["betas"] = tuple(train["betas"])
        return Plan(
            Request(**facts["request"]),
            facts["shards"],
            ModelConfig(**facts["model"]),
            TrainConfig(**train),
            facts["derivation"],
        )


@dataclass(frozen=True)
class Data:
    """The sizes of the data that a plan depends on."""

    train_tokens: int
    validation_tokens: int
    vocab_size: int


def seconds(text: str) -> float:
    """ "90s", "3m", "2h" or a plain number of seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if not match or not float(match[1]):
        raise TrainerError(f"--budget {text}: not a time; give for example 90s, 3m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def heads_for(width: int) -> int:
    """Heads of 64, which CPU and GPU kernels like, or as near as the width allows."""
    return max((h for h in range(1, width // 2 + 1) if width % (2 * h) == 0 and width // h >= 64), default=1)


def shape(request: Request, layers: int, width: int, seq_len: int, vocab_size: int) -> ModelConfig:
    """The model of a rung of the ladder, with what was given by hand put in."""
    layers, width = request.layers or layers, request.width or width
    heads = request.heads or heads_for(width)
    kv_heads = request.kv_heads or (heads // 2 if heads % 2 == 0 else heads)
    hidden = request.hidden or -(-8 * width // 3 // 64) * 64
    try:
        return ModelConfig(vocab_size, layers, width, heads, kv_heads, hidden, request.seq_len or seq_len, request.tied)
    except ValueError as error:
        raise TrainerError(f"the model's sizes do not fit: {error}; change --width, --heads or --kv-heads") from None


def choose_shape(request: Request, data: Data, flops: float, time_s: float) -> tuple[ModelConfig, list[str]]:
    """The largest rung that `flops` a second over `time_s` seconds train well, and how that was derived."""
    lines = []
    chosen = None
    ladder = LADDER if request.layers is None or request.width is None else ((request.layers, request.width),)
    for layers, width in ladder:
        config = shape(request, layers, width, 256, data.vocab_size)
        tokens = min(flops * time_s / config.flops_a_token(), float(EPOCHS * data.train_tokens))
        ratio = tokens / config.matmul_parameters()
        if chosen is None or ratio >= TOKENS_A_WEIGHT:
            chosen = config
        lines.append(
            f"  {config.layers} x {config.width}: {config.matmul_parameters() / 1e6:.2f} M weights, "
            f"{tokens / 1e6:.2f} M tokens, {ratio:.2f} tokens a weight"
        )
        if ratio < TOKENS_A_WEIGHT:
            break
    assert chosen is not None
    rule = (
        f"the largest with {TOKENS_A_WEIGHT:g} tokens a weight or more, or the smallest"
        if ladder is LADDER
        else "as given"
    )
    lines.append(f"model: {chosen.layers} x {chosen.width}, {rule}")
    return chosen, lines


def batch_tokens_for(tokens: float) -> int:
    """Tokens a step: a power of two that leaves 2,000 to 4,000 steps, between 1,024 and 524,288."""
    size = 1024
    while size < 524288 and tokens / (size * 2) >= 2000:
        size *= 2
    return size


def lr_for(width: int) -> float:
    """Peak learning rate, falling with the width as in muP (Yang et al. 2022); 2.5e-3 at width 192 was measured."""
    return 2.5e-3 * min(1.6, 192 / width)


def schedule(
    request: Request, model: ModelConfig, data: Data, tokens: float, precision: str
) -> tuple[TrainConfig, list[str]]:
    """Steps, batch, learning rate and evaluations for about `tokens` tokens of training."""
    batch = request.batch_tokens or batch_tokens_for(tokens)
    rows = max(1, batch // model.seq_len)
    batch = rows * model.seq_len
    steps = request.steps if request.steps is not None else max(1, int(tokens / batch))
    micro = request.micro_rows or max(1, min(rows, 16384 // model.seq_len))
    while rows % micro:
        micro -= 1
    # An evaluation is forward only, about a third of the work of training on the same tokens.
    share = data.validation_tokens / 3 / max(1, steps * batch)
    evaluations = max(1, min(5, int(EVALUATION_SHARE / share))) if share else 5
    lr = request.lr or lr_for(model.width)
    train = TrainConfig(
        steps=steps,
        seed=request.seed,
        batch_rows=rows,
        micro_rows=micro,
        lr=lr,
        weight_decay=request.weight_decay,
        warmup=request.warmup if request.warmup is not None else max(1, min(steps // 20, 1000)),
        decay=request.decay if request.decay is not None else max(1, steps * 2 // 5),
        log_every=max(1, steps // 100),
        evaluate_every=request.evaluate_every or max(1, -(-steps // evaluations)),
        precision=precision,
    )
    return train, [
        f"batch: {rows} rows of {model.seq_len} = {batch:,} tokens, {micro} rows at a time",
        f"steps: {steps:,} = {steps * batch / 1e6:.2f} M tokens = {steps * batch / data.train_tokens:.2f} passes "
        f"over {data.train_tokens / 1e6:.2f} M",
        f"learning rate: {lr:.2g}, up over {train.warmup} steps, down over the last {train.decay}; {precision}",
        f"held-out: {data.validation_tokens:,} tokens every {train.evaluate_every} steps",
    ]


def make_plan(
    request: Request,
    data: Data,
    shards: str,
    precision: str,
    spent: Callable[[], float],
    measure: Callable[[ModelConfig, int], float],
    say: Callable[[str], None] = lambda line: None,
) -> Plan:
    """`spent()`: seconds of the budget used so far; `measure(config, batch_tokens)`: training
    tokens a second of a shape.

    Raises TrainerError when neither a budget nor steps are given, or sizes do not fit each other.
    """
    lines: list[str] = []

    def note(*new: str) -> None:
        lines.extend(new)
        for line in new:
            say(line)

    if request.budget is None:
        if request.steps is None:
            raise TrainerError("nothing says how long to train: no budget and no steps; give --budget 3m or --steps N")
        model = shape(request, 4, 256, 256, data.vocab_size)
        rows = max(1, (request.batch_tokens or 4096) // model.seq_len)
        train, text = schedule(request, model, data, float(request.steps * rows * model.seq_len), precision)
        note(f"model: {model.layers} x {model.width}, {model.parameters() / 1e6:.2f} M weights", *text)
        return Plan(request, shards, model, train, lines)
    note(
        f"budget: {request.budget:.0f} s, of which {USABLE:.0%} for steps and evaluations",
        f"data: {data.train_tokens:,} tokens to train on, {data.validation_tokens:,} held out, "
        f"vocabulary {data.vocab_size:,}",
    )
    probe = shape(
        replace(request, layers=None, width=None, heads=None, kv_heads=None, hidden=None), 4, 256, 256, data.vocab_size
    )
    speed = measure(probe, request.batch_tokens or batch_tokens_for(0))
    flops = speed * probe.flops_a_token()
    note(f"measured: {probe.layers} x {probe.width} trains {speed:,.0f} tokens/s = {flops / 1e9:,.0f} GFLOP/s")
    model, text = choose_shape(request, data, flops, USABLE * request.budget - spent())
    note(*text)
    expected = flops * (USABLE * request.budget - spent()) / model.flops_a_token()
    cap = float(EPOCHS * data.train_tokens)
    batch_tokens = request.batch_tokens or batch_tokens_for(min(expected, cap))
    while True:
        speed = measure(model, batch_tokens)
        note(f"measured: {model.layers} x {model.width} trains {speed:,.0f} tokens/s in steps of {batch_tokens:,}")
        left = USABLE * request.budget - spent()
        final = data.validation_tokens / 3 / speed
        tokens = max(0.0, left - final) * speed / (1 + EVALUATION_SHARE)
        # Small steps are slower a token: what is planned must be what was measured.
        wanted = request.batch_tokens or batch_tokens_for(min(tokens, cap))
        if wanted >= batch_tokens:
            break
        batch_tokens = wanted
    note(f"time: {left:.0f} s left, {final:.0f} s of it for the last evaluation: {tokens / 1e6:.2f} M tokens")
    if tokens > cap:
        note(f"data: {EPOCHS} passes at most, {cap / 1e6:.2f} M tokens, so the budget is not used up")
    train, text = schedule(replace(request, batch_tokens=batch_tokens), model, data, min(tokens, cap), precision)
    note(*text)
    return Plan(request, shards, model, train, lines)


def measure_speed(
    config: ModelConfig, batch_tokens: int, device: torch.device, dtype: torch.dtype, for_s: float
) -> float:
    """Training tokens a second of a shape: the mean of whole steps over random tokens, after two to warm up."""
    model = Model(config).initialise(torch.Generator().manual_seed(0)).to(device)
    optimizer = adamw(model, 0.0, (0.9, 0.95), 0.0)
    rows = max(1, min(batch_tokens, 16384) // config.seq_len)
    ids = torch.randint(config.vocab_size, (rows, config.seq_len + 1), generator=torch.Generator().manual_seed(0))
    ids = ids.to(device)
    times: list[float] = []
    began = time.monotonic()
    while len(times) < 5 or (time.monotonic() - began < for_s and len(times) < 50):
        start = time.monotonic()
        with autocast(device, dtype):
            loss = model.loss_sum(ids[:, :-1], ids[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        times.append(time.monotonic() - start)
    return rows * config.seq_len * len(times[2:]) / sum(times[2:])
