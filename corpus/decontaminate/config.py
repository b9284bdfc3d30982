"""Configuration of `decontaminate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializationInfo, field_serializer, field_validator, model_validator

from corpus.config import Config

RULE = "contaminated"
Action = Literal["remove", "mask", "flag"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class BenchmarkConfig(Config):
    """One task whose items must not be trained on."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the task in ledger and report."""
    path: Path
    """A file of items, or a folder or glob of such: JSONL (an item a line), or text (an item a paragraph)."""
    fields: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Fields of a JSONL item that hold its text, in the order in which they are read (`[question, choices.text]`); none
    given: every string in it."""
    id: str | None = None
    """Field that names an item in the ledger; null: its line."""

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        """A folder's recipe is read again from other working folders."""
        return Path.cwd() / path

    @field_serializer("path")
    def _name(self, path: Path, info: SerializationInfo) -> str:
        # Where a benchmark lies decides no byte of the output; the digests of its files are inputs.
        return path.name if info.context else str(path)


class DecontaminateConfig(Config):
    """Which benchmarks are looked for, and what becomes of documents that hold their items."""

    benchmarks: tuple[BenchmarkConfig, ...]
    """The tasks."""
    ngram: int = Field(13, ge=5, le=64)
    """Words in a row that give an item away (GPT-3: 13, Brown et al. 2020, appendix C)."""
    min_words: int = Field(3, ge=2, le=64)
    """A sentence, or two fields in a row, of fewer words is not looked for; of fewer than `ngram`, as a whole."""
    min_fragment_words: int = Field(4, ge=2, le=64)
    """The same for a text that begins like a sentence but does not end like one, and for a sentence that is one of
    several: of a list (choices), or of the paragraphs of a text file."""
    min_choice_words: int = Field(7, ge=2, le=64)
    """The same for all others: choices, headings, what begins with a small letter."""
    max_count: int | None = Field(10, ge=0)
    """What more documents than this have in common with a benchmark is a common phrase (GPT-3: 10), unless it is the
    whole of a text of `ngram` words, or of a sentence of `min_choice_words`; null: nothing is."""
    action: Action = "remove"
    """`remove` the document, `mask` what overlaps, or only `flag` it."""
    actions: dict[str, Action] = Field(default={})
    """Another action for single tasks: `{arc: flag}`."""
    placeholder: str = ""
    """What a masked span is replaced by."""

    def action_of(self, task: str) -> Action:
        return self.actions.get(task, self.action)

    @property
    def by_name(self) -> tuple[BenchmarkConfig, ...]:
        """The tasks in an order that does not depend on the recipe's: no byte that is stored does."""
        return tuple(sorted(self.benchmarks, key=lambda benchmark: benchmark.name))

    @property
    def in_use(self) -> frozenset[Action]:
        """The actions of all tasks."""
        return frozenset(self.action_of(benchmark.name) for benchmark in self.benchmarks)

    @field_validator("benchmarks", mode="before")
    @classmethod
    def _a_list(cls, benchmarks: object) -> object:
        if not isinstance(benchmarks, list | tuple) or any(isinstance(each, str) for each in benchmarks):
            raise ValueError("is a list of tasks: write it as [{name: NAME, path: FILE}]")
        return benchmarks

    @field_validator("benchmarks")
    @classmethod
    def _some_and_unique(cls, benchmarks: tuple[BenchmarkConfig, ...]) -> tuple[BenchmarkConfig, ...]:
        if not benchmarks:
            raise ValueError("is empty: name at least one benchmark, as {name: NAME, path: FILE}")
        names = [benchmark.name for benchmark in benchmarks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two are called {', '.join(twice)}; the ledger names tasks, so give each its own")
        return benchmarks

    @model_validator(mode="after")
    def _known(self) -> DecontaminateConfig:
        names = [benchmark.name for benchmark in self.benchmarks]
        if unknown := sorted(self.actions.keys() - set(names)):
            raise ValueError(f"actions: {', '.join(unknown)} is none of {', '.join(names)}")
        return self
