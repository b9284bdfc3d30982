"""The check itself: a sample of the corpus, a copy with plants, the recipe's own stages over it, and what came of it.

Everything happens in a scratch folder; of the corpus it only reads.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np

from corpus.dataset import View
from corpus.engines.inline import InlineEngine
from corpus.plan import Step, Task
from corpus.planted.config import PlantedConfig
from corpus.planted.judge import TESTED, judge, nothing
from corpus.planted.plants import Copy, plant
from corpus.planted.result import FILE, Planted
from corpus.recipe import Recipe
from corpus.report.lookup import bare_texts
from corpus.report.outputs import Outputs
from corpus.run import Limits, Silent, run
from corpus.sources.config import SourceConfig
from corpus.store import TEMPORARY, Writer
from corpus.tokenizer.sample import keyed_hash

CHARACTERS = 20_000  # of a document that are copied: what holds for a page holds for a book
_ROWS = 65_536


def planted(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """The step of a run: writes `planted.json`."""
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=task.folder()) as scratch:
        found = check(task.view, task.partitions, task.step.config, Path(scratch), beat, task.memory_mb)
    out.path(FILE).write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")


def check(
    view: View,
    partitions: Sequence[str],
    config: PlantedConfig,
    scratch: Path,
    beat: Callable[[int], None],
    memory_mb: int = 0,
) -> Planted:
    """Plant into a copy of some documents of `view`, as they stand before the stages that are tested, and judge what
    these do there. Needs an empty folder `scratch`.

    Of no document it says that there was none. Raises InputError for a benchmark that cannot be read.
    """
    before = View(view.root, tuple(takewhile(lambda layer: layer.step.partition("/")[0] not in TESTED, view.layers)))
    documents = _sample(before, partitions, config, beat)
    if not documents:
        return nothing(config)
    copy = plant(documents, config, beat)
    return judge(copy, config, _run(copy, config, scratch, beat, memory_mb), beat)


def _sample(
    view: View, partitions: Sequence[str], config: PlantedConfig, beat: Callable[[int], None]
) -> dict[str, str]:
    """Name (the id) -> the first CHARACTERS of the text, in the order of a hash of id and seed: whatever partitions
    there are, the same documents."""
    settings = config.selfcheck
    best: list[tuple[int, bytes, str]] = []
    for partition in partitions:
        for batch in view.batches(partition, ["id"], _ROWS):
            ids = batch.column("id")
            hashes = keyed_hash(ids, f"selfcheck {settings.seed}")
            few = np.argsort(hashes, kind="stable")[: settings.documents].tolist()
            rows = [(int(hashes[row]), ids[row].as_py(), partition) for row in few]
            best = heapq.nsmallest(settings.documents, [*best, *rows])
            beat(0)
    texts: dict[bytes, str] = {}
    for partition in dict.fromkeys(partition for _, _, partition in best):
        found = bare_texts(view, partition, [id_ for _, id_, name in best if name == partition])
        texts |= {id_: text[:CHARACTERS] for id_, text in found.items()}
        beat(0)
    return {id_.hex(): texts[id_] for _, id_, _ in best}


def _run(copy: Copy, config: PlantedConfig, scratch: Path, beat: Callable[[int], None], memory_mb: int) -> Outputs:
    """The recipe's own stages over the copy, in this process."""
    source = scratch / "copy.jsonl"
    with source.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"name": name, "text": text}) + "\n" for name, text in copy.texts.items())
    recipe = Recipe(
        name="copy",
        output=scratch / "run",
        sources=(SourceConfig(name="copy", kind="jsonl", path=str(source), columns={"text": "text", "id": "name"}),),
        pii=config.pii,
        dedup=config.dedup,
        decontaminate=config.decontaminate,
    )
    until = [stage for stage in TESTED if getattr(config, stage) is not None][-1]
    run(recipe, until=until, limits=Limits(1, memory_mb), observer=_Beating(beat), engine=lambda limits: InlineEngine())
    return Outputs.of(recipe, scratch / "run")


class _Beating(Silent):
    """Passes on that something moves."""

    def __init__(self, beat: Callable[[int], None]) -> None:
        self._beat = beat

    def progress(self, step: Step, rows: int) -> None:
        self._beat(0)
