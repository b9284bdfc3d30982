"""The stages in the order of the flow. A new stage is one package with a `stage.py` and one line here.

A `stage.py` gives `steps(recipe) -> list[Step]` and the functions that its steps name. It imports nothing heavy at
its top: recipes are checked, and states shown, without loading a model or compiling a kernel. The report comes after
all of them (`corpus/flow.py`): it reads what each of these has left.
"""

from __future__ import annotations

from typing import Protocol

import corpus.decontaminate.stage
import corpus.dedup.stage
import corpus.extract.stage
import corpus.language.stage
import corpus.pack.stage
import corpus.pii.stage
import corpus.planted.stage
import corpus.quality.stage
import corpus.tokenizer.stage
import corpus.training.stage
from corpus.plan import Step
from corpus.recipe import Recipe


class Stage(Protocol):
    def steps(self, recipe: Recipe) -> list[Step]: ...


STAGES: tuple[Stage, ...] = (
    corpus.extract.stage,
    corpus.language.stage,
    corpus.quality.stage,
    corpus.pii.stage,
    corpus.dedup.stage,
    corpus.decontaminate.stage,
    corpus.tokenizer.stage,
    corpus.pack.stage,
    corpus.training.stage,
    corpus.planted.stage,
)
