"""`python -m trainer train | evaluate | generate`. Results on stdout, progress and errors on stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The clock of --budget starts before torch is loaded.
_BEGAN = time.monotonic()
# OpenMP's threads spin while they wait for each other. When another process wants a core, whole time slices go by
# in that; sleeping instead, steps on a busy machine of 2 cores were at least 5 times as fast.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Least and most of options that torch would refuse with a traceback, or take and compute rubbish with.
_LIMITS = {"seed": (0, 2**63 - 1), "threads": (0, 4096), "lr": (0, 1), "temperature": (0, 100)}


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="trainer", description="Train a small language model on token shards.")
    commands = root.add_subparsers(dest="command", required=True)

    train = commands.add_parser("train", help="train, or go on with a run that was stopped")
    train.add_argument("--shards", type=Path, required=True, help="folder with shards.json")
    train.add_argument("--out", type=Path, required=True, help="folder of the run")
    train.add_argument("--budget", help="wall time such as 90s, 3m, 2h, from which sizes and steps follow")
    train.add_argument("--steps", type=int)
    train.add_argument("--layers", type=int)
    train.add_argument("--width", type=int)
    train.add_argument("--heads", type=int)
    train.add_argument("--kv-heads", type=int, help="key and value heads, a divisor of --heads")
    train.add_argument("--hidden", type=int, help="width inside the SwiGLU")
    train.add_argument("--seq-len", type=int)
    train.add_argument("--untied", action="store_true", help="an output head of its own, not the embedding")
    train.add_argument("--batch-tokens", type=int, help="tokens of one optimizer step")
    train.add_argument("--micro-rows", type=int, help="rows in memory at a time (gradient accumulation)")
    train.add_argument("--lr", type=float, help="peak learning rate")
    train.add_argument("--weight-decay", type=float, default=0.1)
    train.add_argument("--warmup", type=int, help="steps")
    train.add_argument("--decay", type=int, help="steps at the end over which the rate falls")
    train.add_argument("--evaluate-every", type=int, help="steps")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--checkpoint-every", type=int, default=0, help="steps, beside --checkpoint-seconds")
    train.add_argument("--checkpoint-seconds", type=float, default=60.0)
    train.add_argument("--fresh", action="store_true", help="throw away what is in --out")

    evaluate = commands.add_parser("evaluate", help="held-out loss and bits per byte of a finished run")
    evaluate.add_argument("run", type=Path)
    evaluate.add_argument("--shards", type=Path, required=True)
    evaluate.add_argument("--split", default="validation")

    generate = commands.add_parser("generate", help="ids in, ids out, as JSON lists")
    generate.add_argument("run", type=Path)
    generate.add_argument("--prompt-ids", help="a JSON list of ids; without it, read from stdin")
    generate.add_argument("--tokens", type=int, default=200)
    generate.add_argument("--temperature", type=float, default=0.8)
    generate.add_argument("--top-k", type=int, default=50)
    generate.add_argument("--seed", type=int, default=1)
    generate.add_argument("--ignore-eos", action="store_true", help="do not stop at the end of a text")

    for command in (train, evaluate, generate):
        command.add_argument("--threads", type=int, default=0, help="0: all cores")
        command.add_argument("--device", default="auto", help="auto, cpu or cuda")
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        command.add_argument("--quiet", action="store_true", help="no progress")
        command.add_argument("--die-with-parent", action="store_true", help="Linux: end when the parent ends")
    return root


def check(args: argparse.Namespace) -> None:
    """Raises TrainerError for a number out of bounds, or none (nan)."""
    from trainer.errors import TrainerError

    for name, (least, most) in _LIMITS.items():
        value = getattr(args, name, None)
        if value is not None and not least <= value <= most:
            raise TrainerError(f"--{name} {value}: out of bounds; give {least} to {most}")


def run_train(args: argparse.Namespace) -> dict[str, Any]:
    from trainer import system
    from trainer.plan import Request, seconds
    from trainer.train import train

    request = Request(
        budget=None if args.budget is None else seconds(args.budget),
        tied=not args.untied,
        **{name: getattr(args, name) for name in Request.__dataclass_fields__ if name not in ("budget", "tied")},
    )
    return train(
        args.shards,
        args.out,
        request,
        device=system.pick_device(args.device),
        fresh=args.fresh,
        checkpoint_every=args.checkpoint_every,
        checkpoint_seconds=args.checkpoint_seconds,
        quiet=args.quiet,
        began=_BEGAN,
    )


def run_evaluate(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from trainer import system
    from trainer.checkpoint import load_model
    from trainer.data import Shards
    from trainer.errors import TrainerError
    from trainer.evaluate import evaluate

    model, facts = load_model(args.run)
    shards = Shards(args.shards)
    if shards.tokenizer_sha256 != facts["tokenizer_sha256"]:
        raise TrainerError(
            f"{args.shards}: packed with another tokenizer than the model's; give shards made with tokenizer "
            f"{facts['tokenizer_sha256'][:12]}"
        )
    stream = shards.stream(args.split)
    stream.counts()  # raises for ids outside the vocabulary
    dtype = getattr(torch, facts["precision"])
    return evaluate(model.to(system.pick_device(args.device)), stream, shards.eos_id, dtype)


def run_generate(args: argparse.Namespace) -> list[int]:
    from trainer import system
    from trainer.checkpoint import load_model
    from trainer.errors import TrainerError
    from trainer.generate import generate

    try:
        text = sys.stdin.read() if args.prompt_ids is None else args.prompt_ids
        prompt = json.loads(text or "[]")
    except (ValueError, RecursionError):
        prompt = None
    if not isinstance(prompt, list) or not all(type(token) is int for token in prompt):
        raise TrainerError("the prompt is not a JSON list of whole numbers; give for example --prompt-ids '[17, 4]'")
    model, facts = load_model(args.run)
    return generate(
        model.to(system.pick_device(args.device)),
        prompt,
        args.tokens,
        eos_id=facts["eos_id"],
        temperature=args.temperature,
        top_k=args.top_k,
        seed=args.seed,
        stop_at_eos=not args.ignore_eos,
    )


def print_result(result: dict[str, Any] | list[int], as_json: bool) -> None:
    if as_json or isinstance(result, list):
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:22} {f'{value:.4f}' if isinstance(value, float) else value}")


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    from trainer.errors import TrainerError

    try:
        from trainer import system
        from trainer.train import Interrupted
    except ModuleNotFoundError as error:
        print(f"trainer: {error.name} is not installed; pip install 'corpusmill[train]'", file=sys.stderr)
        return 1
    if args.die_with_parent:
        system.die_with_parent()
    commands: dict[str, Callable[[argparse.Namespace], dict[str, Any] | list[int]]] = {
        "train": run_train,
        "evaluate": run_evaluate,
        "generate": run_generate,
    }
    try:
        check(args)
        system.prepare(args.threads)
        print_result(commands[args.command](args), args.json)
        sys.stdout.flush()
        return 0
    except TrainerError as error:
        print(f"trainer: {error}", file=sys.stderr)
        return error.exit_code
    except Interrupted as stop:
        print(f"trainer: {stop}", file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
