"""`corpus verify` names what stages left that a recipe has no longer."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.documents import DOCUMENT, LEDGER
from corpus.recipe import parse
from corpus.status import abandoned
from corpus.store import StepFolder, Writer

RECIPE = "name: e\nsources: [{name: s, kind: text, path: nowhere}]\nlanguage: {}\n"


def test_folders_of_stages_that_are_gone(tmp_path: Path) -> None:
    for step in ("extract", "language/scores", "dedup/clusters", "tokenizer"):
        with Writer(StepFolder(tmp_path / step), "p") as out:
            out.table(DOCUMENT).write(DOCUMENT.empty_table())
            out.table(LEDGER, "ledger").write(LEDGER.empty_table())
            out.commit("k", "1", {}, {})
    (tmp_path / "notes" / "_manifest").mkdir(parents=True)  # nobody committed anything there
    recipe = parse(RECIPE, "r").model_copy(update={"output": tmp_path})
    assert abandoned(recipe) == [tmp_path / "dedup" / "clusters", tmp_path / "tokenizer"]
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = CliRunner().invoke(app, ["verify", str(tmp_path), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "files": 4,
        "faults": [],
        "abandoned": [str(tmp_path / "dedup" / "clusters"), str(tmp_path / "tokenizer")],
    }
