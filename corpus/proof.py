"""What a look at the files and folders of a recipe tells: everything that a run would refuse, not the first alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import corpus.decontaminate.stage
from corpus.dedup import earlier
from corpus.errors import BusyError, CorpusError, RecipeError
from corpus.flow import Flow
from corpus.recipe import SECTIONS, Recipe
from corpus.run import find, output_of
from corpus.sources.config import SourceConfig
from corpus.stages import STAGES, Stage

Keys = tuple[str, ...]


def faults(recipe: Recipe) -> list[tuple[Keys, CorpusError]]:
    """Every error with the keys of what it is about, each once. Raises BusyError, which is no fault of the recipe."""
    found: dict[str, tuple[Keys, CorpusError]] = {}
    for keys, prove in _parts(recipe):
        try:
            prove()
        except BusyError:
            raise
        except CorpusError as error:
            found.setdefault(str(error), (keys, error))
    return list(found.values())


def _parts(recipe: Recipe) -> Iterator[tuple[Keys, Callable[[], Any]]]:
    """What can be proved apart, what is smaller first: an error of the whole is then known already."""
    yield ("output",), partial(output_of, recipe)
    yield ("truth",), partial(find, recipe.model_copy(update={"sources": ()}))
    for number, source in enumerate(recipe.sources):
        at = ("sources", str(number), "path")
        for position, path in enumerate(source.paths):
            yield (*at, str(position)), partial(_read, recipe, source.model_copy(update={"path": path}))
        yield at, partial(_read, recipe, source)
    if recipe.dedup is not None:
        for number, folder in enumerate(recipe.dedup.against):
            only = recipe.model_copy(update={"dedup": recipe.dedup.model_copy(update={"against": (folder,)})})
            yield ("dedup", "against", str(number)), partial(_compare, only)
    if recipe.decontaminate is not None:
        for number, benchmark in enumerate(recipe.decontaminate.benchmarks):
            section = recipe.decontaminate.model_copy(update={"benchmarks": (benchmark,)})
            only = recipe.model_copy(update={"decontaminate": section})
            yield ("decontaminate", "benchmarks", str(number)), partial(_prove, corpus.decontaminate.stage, only)
    for name, stage in zip(SECTIONS, STAGES, strict=True):
        yield (name,), partial(_prove, stage, recipe)
    yield (), lambda: Flow.of(recipe, output_of(recipe))


def _read(recipe: Recipe, source: SourceConfig) -> None:
    find(recipe.model_copy(update={"sources": (source,), "truth": None}))


def _compare(recipe: Recipe) -> None:
    with earlier.reading(recipe, output_of(recipe)):
        pass


def _prove(stage: Stage, recipe: Recipe) -> None:
    steps = stage.steps(recipe)
    if told := [step.fault for step in steps if step.fault is not None]:
        raise RecipeError("\n".join(told))
    Flow(recipe, output_of(recipe), steps).prove(steps)
