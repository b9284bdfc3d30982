"""What tokenizer, pack and train left: figures for tables and page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.decontaminate.stage import ITEMS
from corpus.dedup.passages.config import RULES
from corpus.pii.hide import hidden
from corpus.pii.kinds import KINDS
from corpus.pii.stage import DECISION
from corpus.report.outputs import Outputs

SIGNALS = "quality/signals"


@dataclass(frozen=True)
class ShardRow:
    """A token shard; `bytes` are those of the raw text."""

    split: str
    shard: str
    tokens: int
    documents: int
    bytes: int

    @property
    def bytes_per_token(self) -> float | None:
        return self.bytes / self.tokens if self.tokens else None


@dataclass(frozen=True)
class Training:
    """The end of a training run.

    Losses and the unigram entropy are in nats a token; `curve` holds (step, training loss), `held_out` (step,
    held-out loss); `sample` is text that the model wrote.
    """

    steps: int
    tokens: int
    parameters: int
    held_out_loss: float
    bits_per_byte: float
    unigram_entropy: float
    unigram_bits_per_byte: float
    curve: tuple[tuple[int, float], ...]
    held_out: tuple[tuple[int, float], ...]
    sample: str

    def figures(self) -> dict[str, Any]:
        """JSON without curves and sample."""
        return {
            key: getattr(self, key)
            for key in (
                *("steps", "tokens", "parameters", "held_out_loss", "bits_per_byte"),
                *("unigram_entropy", "unigram_bits_per_byte"),
            )
        }


def facts(outputs: Outputs, step: str) -> dict[str, Any]:
    """Facts of a step over the whole corpus; empty where it has not run."""
    return outputs.entries[step]["all"].facts if outputs.has(step) else {}


@dataclass(frozen=True)
class PiiRow:
    """A kind of personal data or secrets: documents with it and hits in them, hits masked, documents dropped for it."""

    kind: str
    policy: str
    documents: int
    hits: int
    masked: int
    dropped: int


def pii(outputs: Outputs) -> list[PiiRow]:
    """A row a kind that was looked for, in a fixed order; none where the recipe leaves stage `pii` out."""
    config = outputs.recipe.pii
    if config is None or not outputs.has(DECISION):
        return []
    names = ("documents", "hits", "masked", "dropped")
    entries = outputs.entries[DECISION].values()
    return [
        PiiRow(
            kind,
            config.policy(kind),
            *(sum(entry.facts["pii"].get(kind, {}).get(name, 0) for entry in entries) for name in names),
        )
        for kind in KINDS
        if config.policy(kind) != "off"
    ]


@dataclass(frozen=True)
class TaskRow:
    """A benchmark: its items, those long enough to be looked for, those that were found, documents that hold any, and
    n-grams left out because too many documents have them."""

    task: str
    action: str
    items: int
    searched: int
    found: int
    documents: int
    common: int


def decontamination(outputs: Outputs) -> list[TaskRow]:
    """A row a benchmark, in the recipe's order; none where the recipe leaves stage `decontaminate` out."""
    config = outputs.recipe.decontaminate
    if config is None:
        return []
    tasks = facts(outputs, ITEMS).get("tasks", {})
    names = [benchmark.name for benchmark in config.benchmarks if benchmark.name in tasks]
    return [TaskRow(name, config.action_of(name), **tasks[name]) for name in names]


@dataclass(frozen=True)
class LineRow:
    """A line rule: the spans that it cut from texts, most of them lines, and their bytes."""

    rule: str
    lines: int
    bytes: int


def lines(outputs: Outputs) -> list[LineRow]:
    """A row a line rule that cut anything, by name; none where the recipe has no line rules."""
    found: dict[str, list[int]] = {}
    for entry in outputs.entries.get(SIGNALS, {}).values() if outputs.has(SIGNALS) else ():
        for rule, counts in entry.facts.get("lines", {}).items():
            so_far = found.setdefault(rule, [0, 0])
            so_far[0] += counts["lines"]
            so_far[1] += counts["bytes"]
    return [LineRow(rule, *found[rule]) for rule in sorted(found)]


@dataclass(frozen=True)
class PassageRow:
    """A kind of repeated passages: documents cut, spans cut from them, and their bytes."""

    rule: str
    documents: int
    spans: int
    bytes: int


def passages(outputs: Outputs) -> list[PassageRow]:
    """A row a kind that the recipe has, in the order in which they are cut."""
    names = ("documents", "spans", "bytes")
    return [
        PassageRow(rule, *(sum(entry.facts["passages"][rule][name] for entry in entries.values()) for name in names))
        for kind, rule in RULES.items()
        if outputs.has(f"dedup/{kind}") and (entries := outputs.entries[f"dedup/{kind}"])
    ]


def shards(outputs: Outputs) -> list[ShardRow]:
    """A row a shard, in the order of shards.json; none where nothing is packed."""
    return [
        ShardRow(split, shard["name"], shard["tokens"], shard["documents"], shard["bytes"])
        for split, found in facts(outputs, "pack/shards").get("splits", {}).items()
        for shard in found["shards"]
    ]


def training(outputs: Outputs) -> Training | None:
    """None where no model was trained."""
    found = facts(outputs, "train")
    if not found:
        return None
    folder = outputs.root / "train"
    metrics = _lines(folder / "metrics.jsonl")
    sample = folder / "sample.txt"
    return Training(
        steps=found["step"],
        tokens=found["tokens"],
        parameters=found["parameters"],
        held_out_loss=found["held_out_loss"],
        bits_per_byte=found["bits_per_byte"],
        unigram_entropy=found["unigram_entropy"],
        unigram_bits_per_byte=found["unigram_bits_per_byte"],
        curve=tuple((row["step"], row["loss"]) for row in metrics if "loss" in row),
        held_out=tuple((row["step"], row["held_out_loss"]) for row in metrics if "held_out_loss" in row),
        # A model that has seen little likes to end lines.
        sample=hidden(re.sub(r"\n\s*\n+", "\n", sample.read_text("utf-8", "replace")).strip())
        if sample.is_file()
        else "",
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
