"""Configuration of `decontaminate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from corpus.config import Config


class BenchmarkConfig(Config):
    """One task whose items must not be trained on."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the task in ledger and report."""
    path: Path
    """A file of items, or a folder or glob of such: JSONL (an item a line), or text (an item a paragraph)."""
    fields: tuple[str, ...] = ()
    """Fields of a JSONL item that hold its text; none given: every string in it."""


class DecontaminateConfig(Config):
    """Which benchmarks are looked for, and what becomes of documents that hold their items."""

    benchmarks: tuple[BenchmarkConfig, ...]
    """The tasks."""
    ngram: int = Field(13, ge=5, le=64)
    """Words in a row that give an item away (GPT-3: 13, Brown et al. 2020, appendix C)."""
    action: Literal["remove", "mask", "flag"] = "remove"
    """`remove` the document, `mask` what overlaps, or only `flag` it."""
