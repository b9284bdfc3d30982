"""One training run in one folder: planned once, resumed from its checkpoint, finished when result.json is there.

The result is a function of plan and shards on one kind of machine with one number of threads: when checkpoints
are written, and how often the run was killed, changes no byte of it. Wall-clock figures go to speed.jsonl alone.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from trainer import checkpoint, files
from trainer.data import Shards, Stream, TrainLoader, unigram_nats
from trainer.errors import DamagedError, TrainerError
from trainer.evaluate import evaluate
from trainer.model import Model
from trainer.optim import adamw, set_lr, wsd
from trainer.plan import Data, Plan, Request, make_plan, measure_speed
from trainer.progress import Progress
from trainer.system import autocast, autocast_dtype

_OUTPUTS = ("plan.json", "checkpoint.json", "metrics.jsonl", "speed.jsonl", "config.json", "model.pt", "result.json")
_LOCK_SECONDS = 10


class Interrupted(Exception):
    """SIGINT or SIGTERM came; the checkpoint is written."""

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum


class Trainer:
    """Model, optimizer and loader of a plan, and the step that joins them."""

    def __init__(self, plan: Plan, stream: Stream, device: torch.device) -> None:
        self.config, self.device = plan.train, device
        self.dtype = getattr(torch, self.config.precision)
        self.loader = TrainLoader(stream, plan.model.seq_len, self.config.batch_rows, self.config.seed)
        torch.manual_seed(self.config.seed)
        self.model = Model(plan.model).initialise(torch.Generator().manual_seed(self.config.seed)).to(device)
        self.optimizer = adamw(self.model, self.config.lr, self.config.betas, self.config.weight_decay)
        self.step = 0

    def lr(self, step: int) -> float:
        return self.config.lr * wsd(step, self.config.steps, self.config.warmup, self.config.decay)

    def train_step(self) -> tuple[float, float]:
        """One optimizer step. Returns (mean loss in nats a token, gradient norm before clipping).

        Raises TrainerError when either is not finite.
        """
        batch = torch.from_numpy(self.loader.batch(self.step)).to(self.device)
        targets = batch.shape[0] * (batch.shape[1] - 1)
        total = torch.zeros((), device=self.device)
        for rows in batch.split(self.config.micro_rows):
            with autocast(self.device, self.dtype):
                loss = self.model.loss_sum(rows[:, :-1], rows[:, 1:]) / targets
            loss.backward()
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        mean, norm_value = total.item(), norm.item()
        if not (math.isfinite(mean) and math.isfinite(norm_value)):
            raise TrainerError(
                f"step {self.step + 1}: the loss is {mean}, the gradient norm {norm_value}: training diverged; "
                f"give --fresh with a lower --lr than {self.config.lr:g}"
            )
        set_lr(self.optimizer, self.lr(self.step))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return mean, norm_value

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any], step: int) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        self.step = step


def train(
    shards_dir: Path,
    out: Path,
    request: Request,
    *,
    device: torch.device,
    fresh: bool = False,
    checkpoint_every: int = 0,
    checkpoint_seconds: float = 60.0,
    quiet: bool = False,
    began: float | None = None,
) -> dict[str, Any]:
    """Train, or go on where the run in `out` was stopped. Returns what result.json holds.

    A checkpoint is written every `checkpoint_every` steps (0: never for the count) and `checkpoint_seconds`.
    `began`: time.monotonic() from which a budget counts. Raises TrainerError for anything a user can mend,
    Interrupted after SIGINT or SIGTERM.
    """
    began = time.monotonic() if began is None else began
    checkpoint.guarded(out, lambda: out.mkdir(parents=True, exist_ok=True))
    with _only_one(out):
        if fresh:
            for path in [*(out / name for name in _OUTPUTS), *out.glob("checkpoint-*.pt")]:
                path.unlink(missing_ok=True)
        checkpoint.remove_orphans(out)
        shards = Shards(shards_dir)
        stream, held = shards.stream("train"), shards.stream("validation")
        train_counts, held_counts = stream.counts(), held.counts()
        data = Data(len(stream), len(held), shards.vocab_size)
        say: Callable[[str], None] = Progress(1, 1, 0, quiet).say
        plan = _plan(out, request, data, shards.digest, device, began, say)
        result = _finished(out, plan)
        if result is not None:
            say(f"{out}: this run is finished; nothing to do")
            return result
        run = Trainer(plan, stream, device)
        unigram = unigram_nats(train_counts, held_counts)
        _loop(run, plan, held, shards.eos_id, out, checkpoint_every, checkpoint_seconds, quiet)
        last = evaluate(run.model, held, shards.eos_id, run.dtype)
        return _finish(run, plan, shards, out, last, unigram)


def _loop(
    run: Trainer, plan: Plan, held: Stream, eos_id: int, out: Path, every: int, every_s: float, quiet: bool
) -> None:
    """The steps that are left, with metrics, evaluations along the way and checkpoints."""
    config = plan.train
    batch_tokens = config.batch_rows * plan.model.seq_len
    metrics_path = out / "metrics.jsonl"
    metrics_bytes = _resume(run, plan, out)
    progress = Progress(config.steps, batch_tokens, run.step, quiet)
    if run.step:
        progress.say(f"going on from step {run.step:,} of {config.steps:,}")
    with (
        metrics_path.open("ab", buffering=0) as metrics,
        (out / "speed.jsonl").open("ab", buffering=0) as speed,
        _signals() as caught,
    ):
        metrics.truncate(metrics_bytes)

        def log(facts: dict[str, Any]) -> None:
            line = {"step": run.step, "tokens": run.step * batch_tokens, **facts}
            checkpoint.guarded(out, lambda: _append(metrics, line))

        def save() -> None:
            checkpoint.guarded(out, lambda: os.fsync(metrics.fileno()))
            size = os.fstat(metrics.fileno()).st_size
            facts = {"identity": plan.identity, "step": run.step, "metrics_bytes": size}
            checkpoint.save(out, checkpoint.CHECKPOINT, f"checkpoint-{run.step:08d}.pt", run.state(), facts)

        saved = time.monotonic()
        while run.step < config.steps:
            lr = run.lr(run.step)
            loss, norm = run.train_step()
            progress.show(run.step, loss)
            if run.step % config.log_every == 0 or run.step == config.steps:
                log({"loss": loss, "lr": lr, "grad_norm": norm})
                rate = {"seconds": progress.seconds, "tokens_per_second": progress.tokens_a_second(run.step)}
                checkpoint.guarded(out, lambda rate=rate: _append(speed, {"step": run.step, **rate}))  # type: ignore[misc]
            if run.step == config.steps:
                break
            if run.step % config.evaluate_every == 0:
                found = evaluate(run.model, held, eos_id, run.dtype)
                log({"held_out_loss": found["loss"], "bits_per_byte": found["bits_per_byte"]})
                progress.say(
                    f"step {run.step:,}: held-out {found['loss']:.3f}, {found['bits_per_byte']:.3f} bits a byte"
                )
            if caught:
                save()
                raise Interrupted(
                    caught[0], f"stopped at step {run.step:,} of {config.steps:,}; give the same command again to go on"
                )
            if (every and run.step % every == 0) or time.monotonic() - saved > every_s:
                save()
                saved = time.monotonic()


def _resume(run: Trainer, plan: Plan, out: Path) -> int:
    """Restore the checkpoint if there is one. Returns how many bytes of metrics.jsonl belong to its steps."""
    if not (out / checkpoint.CHECKPOINT).exists():
        return 0
    state, facts = checkpoint.load(out, checkpoint.CHECKPOINT, "give --fresh to start anew")
    missing = [name for name in ("identity", "step", "metrics_bytes") if name not in facts]
    if missing:
        raise DamagedError(
            f"{out / checkpoint.CHECKPOINT}: damaged: no {', '.join(missing)}; give --fresh to start anew"
        )
    if facts["identity"] != plan.identity:
        raise DamagedError(
            f"{out}: the checkpoint is of another run than plan.json; give --fresh to start anew or another --out"
        )
    metrics = out / "metrics.jsonl"
    if not metrics.exists() or metrics.stat().st_size < facts["metrics_bytes"]:
        raise DamagedError(f"{metrics}: is shorter than when the checkpoint was written; give --fresh to start anew")
    run.restore(state, facts["step"])
    return int(facts["metrics_bytes"])


def _plan(
    out: Path,
    request: Request,
    data: Data,
    digest: str,
    device: torch.device,
    began: float,
    say: Callable[[str], None],
) -> Plan:
    """The plan of this folder, made and stored on the first call."""
    path = out / "plan.json"
    if path.exists():
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            plan = Plan.from_json(facts)
            if facts["identity"] != plan.identity:
                raise ValueError("its identity is not that of its settings")
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"{path}: damaged: {error}; give --fresh to start anew") from None
        old, new = {**asdict(plan.request), "shards": plan.shards}, {**asdict(request), "shards": digest}
        changed = [f"{key} {old[key]} -> {new[key]}" for key in new if old[key] != new[key]]
        if changed:
            raise TrainerError(
                f"{out}: holds a run of other settings ({', '.join(changed)}); "
                "give --fresh to start anew or another --out"
            )
        return plan
    dtype = autocast_dtype(device)
    for_s = min(4.0, (request.budget or 60) / 30)
    plan = make_plan(
        request,
        data,
        digest,
        str(dtype).removeprefix("torch."),
        lambda: time.monotonic() - began,
        lambda config, batch_tokens: measure_speed(config, batch_tokens, device, dtype, for_s),
        say,
    )
    checkpoint.guarded(out, lambda: files.write_json(path, plan.to_json()))
    return plan


def _finish(
    run: Trainer, plan: Plan, shards: Shards, out: Path, last: dict[str, Any], unigram: float
) -> dict[str, Any]:
    """Write the model, then result.json, which says that the run is done; then drop the checkpoint."""
    line = {"step": run.step, "tokens": run.step * plan.train.batch_rows * plan.model.seq_len}
    held = {"held_out_loss": last["loss"], "bits_per_byte": last["bits_per_byte"]}
    with (out / "metrics.jsonl").open("ab", buffering=0) as metrics:
        checkpoint.guarded(out, lambda: _append(metrics, {**line, **held}))
    facts = {
        "model": asdict(plan.model),
        "tokenizer_sha256": shards.tokenizer_sha256,
        "eos_id": shards.eos_id,
        "precision": plan.train.precision,
        "identity": plan.identity,
    }
    weights = {name: tensor.detach().cpu() for name, tensor in run.model.state_dict().items()}
    checkpoint.save(out, checkpoint.MODEL, "model.pt", weights, facts)
    result = {
        "identity": plan.identity,
        **line,
        "parameters": plan.model.parameters(),
        **held,
        "unigram_entropy": unigram,
        "unigram_bits_per_byte": unigram * last["tokens"] / math.log(2) / last["bytes"],
        "held_out_tokens": last["tokens"],
        "held_out_bytes": last["bytes"],
    }
    checkpoint.guarded(out, lambda: files.write_json(out / "result.json", result))
    _drop_checkpoint(out)
    return result


def _finished(out: Path, plan: Plan) -> dict[str, Any] | None:
    path = out / "result.json"
    if not path.exists():
        return None
    try:
        result = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DamagedError(f"{path}: damaged: {error}; give --fresh to start anew") from None
    if result.get("identity") != plan.identity:
        raise DamagedError(f"{path}: is of another run than plan.json; give --fresh to start anew or another --out")
    _drop_checkpoint(out)
    return result


def _drop_checkpoint(out: Path) -> None:
    (out / checkpoint.CHECKPOINT).unlink(missing_ok=True)
    checkpoint.remove_orphans(out)


def _append(file: Any, facts: dict[str, Any]) -> None:
    file.write((json.dumps(facts) + "\n").encode())


@contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that SIGINT and SIGTERM are added to instead of ending the process at once."""
    caught: list[int] = []
    old = {number: signal.signal(number, lambda n, _: caught.append(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    """A lock on the folder itself, so that it leaves no file; a run that is being ended gets a moment to end."""
    folder = os.open(out, os.O_RDONLY)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TrainerError(f"{out}: another process trains here; wait for it or stop it") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(folder)
