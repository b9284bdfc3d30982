"""Stage `selfcheck`: documents whose fate is known, planted into a copy of some of the corpus.

Its function lies in `corpus.planted.check`, which runs the stages that are tested, and so is imported by none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import corpus.decontaminate.stage
import corpus.dedup.stage
import corpus.pii.stage
from corpus.plan import Step
from corpus.planted.config import PlantedConfig, SelfcheckConfig
from corpus.planted.result import STEP

if TYPE_CHECKING:
    from corpus.recipe import Recipe

_STAGES = (corpus.pii.stage, corpus.dedup.stage, corpus.decontaminate.stage)
_OF_SIGNALS = ("highest:", "lowest:")  # criteria of `dedup.keep`


def steps(recipe: Recipe) -> list[Step]:
    return [] if recipe.selfcheck is None else list(step(recipe, recipe.selfcheck))


def step(recipe: Recipe, settings: SelfcheckConfig) -> list[Step]:
    """The step, if the recipe has a stage that can be tested."""
    tested = _tested(recipe)
    stages = [step for stage in _STAGES for step in stage.steps(tested)]
    if not stages:
        return []
    config = PlantedConfig(
        selfcheck=settings,
        pii=tested.pii,
        dedup=tested.dedup,
        decontaminate=tested.decontaminate,
        versions={step.name: step.version for step in stages},
    )
    return [
        Step(
            STEP,
            "corpus.planted.check:planted",
            "2",
            config,
            needs=("id", "text"),
            scope="corpus",
            inputs=tuple(dict.fromkeys(each for step in stages for each in step.inputs)),
            fault=next((step.fault for step in stages if step.fault is not None), None),
        )
    ]


def _tested(recipe: Recipe) -> Recipe:
    """The recipe with what concerns neither single documents nor pairs of them left out of the stages."""
    dedup, decontaminate = recipe.dedup, recipe.decontaminate
    if dedup is not None:
        # Other deliveries, addresses and signals are not copied; passages are cut out of what is kept.
        keep = tuple(each for each in dedup.keep if not each.startswith(_OF_SIGNALS))
        left_out = dict.fromkeys(("lines", "paragraphs", "sentences", "substrings"))
        dedup = dedup.model_copy(update={"against": (), "url": False, "keep": keep or ("longest",), **left_out})
    if decontaminate is not None:
        # What is masked or flagged is what would be removed.
        decontaminate = decontaminate.model_copy(update={"action": "remove", "actions": {}})
    return recipe.model_copy(update={"dedup": dedup, "decontaminate": decontaminate})
