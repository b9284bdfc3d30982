"""Stage `report`: one self-contained HTML page about all that was done before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.plan import Step, Task
from corpus.recipe import Recipe, load
from corpus.report.config import ReportConfig
from corpus.report.outputs import Outputs, earlier
from corpus.store import Writer, sha256_file

PAGE = "index.html"


def steps(recipe: Recipe) -> list[Step]:
    truth = recipe.truth
    digest = sha256_file(truth) if truth is not None and truth.is_file() else None
    config = ReportConfig(title=recipe.name, recipe=_shown(recipe), truth_sha256=digest)
    uses = tuple(step.name for step in earlier(recipe))
    return [Step("report", "corpus.report.stage:report", "5", config, scope="corpus", uses=uses)]


def report(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Write the page from manifests, ledgers and stored columns."""
    from corpus.report.page import gather, render

    outputs = Outputs.of(load(task.root), task.root)
    page = gather(outputs, task.step.config, lambda: beat(0))
    out.path(PAGE).write_text(render(page), encoding="utf-8")


def _shown(recipe: Recipe) -> dict[str, Any]:
    """The recipe as it ran, of its paths only the last part: where files lie changes nothing, and is private."""
    raw = json.loads(recipe.model_dump_json(exclude={"output"}))
    for source in raw["sources"]:
        paths = source["path"] if isinstance(source["path"], list) else [source["path"]]
        names = [Path(path).name for path in paths]
        source["path"] = names if len(names) > 1 else names[0]
    if raw["truth"]:
        raw["truth"] = Path(raw["truth"]).name
    return {key: _bare(key, value) for key, value in raw.items() if value is not None}


def _bare(key: str, value: Any) -> Any:
    """`value` with the paths of models in it, however deep, as names."""
    if isinstance(value, dict):
        return {name: _bare(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_bare(key, item) for item in value]
    return Path(value).name if key.endswith("_path") and isinstance(value, str) else value
