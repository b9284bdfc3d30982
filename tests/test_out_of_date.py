"""A folder of which a decision was made anew, and nothing after it: no verb takes what is left for what is so."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.cli.summary import finish, finish_stage
from corpus.engines.inline import InlineEngine
from corpus.errors import CorpusError
from corpus.recipe import load
from corpus.report import samples
from corpus.report.outputs import Outputs
from corpus.report.rule_names import rule_names
from corpus.report.selfcheck import check
from corpus.run import Summary, run

WORDS = ["river", "bridge", "winter", "garden", "music", "window", "letter", "paper", "voice", "station", "island"]
LATE = {stage: "out of date" for stage in ("pii", "dedup", "tokenizer", "pack")}
SETTING = "quality.min_words=30"


def prose(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words)) + f" write to reader{seed}@mail.net now."


def again(root: Path, *sets: str, until: str | None = None) -> Summary:
    return run(load(root, sets), until=until, engine=lambda limits: InlineEngine())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two partitions, of which SETTING touches one; a run to the end."""
    folder = tmp_path_factory.mktemp("late")
    texts = {"a": [*map(prose, range(20)), prose(99, 20), prose(3)], "b": [*map(prose, range(100, 120)), "two words"]}
    for name, found in texts.items():
        rows = [{"text": text, "url": f"http://{name}.example/{i}"} for i, text in enumerate(found)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pair = {"partner_url": "http://a.example/3", "jaccard": 1.0}
    truth: list[dict[str, Any]] = [
        {"url": "http://b.example/1", "kind": "kept", "expected": {"stage": "kept"}},
        {"url": "http://b.example/20", "kind": "short", "expected": {"stage": "quality"}},
        {"url": "http://a.example/21", "kind": "exact_duplicate", "expected": {"stage": "dedup"}, **pair},
    ]
    (folder / "truth.jsonl").write_text("".join(json.dumps(row) + "\n" for row in truth))
    raw = {
        "name": "late",
        "output": str(folder / "out"),
        "sources": [{"name": "s", "kind": "jsonl", "path": str(folder / "*.jsonl"), "columns": {"url": "url"}}],
        "quality": {"presets": "none", "min_words": 10},
        "pii": {"default": "mask"},
        "dedup": {"ngram": 3},
        "tokenizer": {"vocab_size": 300},
        "pack": {"validation_fraction": 0.2},
        "truth": str(folder / "truth.jsonl"),
    }
    raw["sources"][0]["path"] = [str(folder / f"{name}.jsonl") for name in texts]  # type: ignore[index]
    (folder / "recipe.yaml").write_text(yaml.safe_dump(raw))
    again(folder / "recipe.yaml")
    return folder / "out"


@pytest.fixture
def half(whole: Path, tmp_path: Path) -> Path:
    root = tmp_path / "out"
    shutil.copytree(whole, root)
    again(root, f"output={root}", SETTING, until="quality")
    return root


def say(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_one_partition_is_still_what_it_was(half: Path) -> None:
    outputs = Outputs.open(half)
    assert [len(outputs.entries[step]) for step in ("quality/decision", "pii/decision")] == [2, 1]
    assert (outputs.done[-1].name, outputs.late()) == ("quality/decision", LATE)
    assert outputs.late(only_changes=True) == {"pii": "out of date", "dedup": "out of date"}


def test_an_export_is_of_the_whole_recipe_or_of_a_named_stage(half: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.jsonl"
    refused = say("export", half, out)
    assert isinstance(refused.exception, CorpusError)
    assert str(refused.exception) == (
        f"{half}: out of date: pii/spans, pii/decision, dedup/signatures, dedup/decision; `corpus run {half}` brings "
        "all up to date, or add `--stage quality` for the documents as that stage left them"
    )
    assert not out.exists()
    done = say("export", half, out, "--stage", "quality")
    assert (done.exit_code, done.stdout) == (0, f"{out}: 41 documents\n")
    assert (
        done.stderr == f"warning: {out}: personal data are not masked yet after stage quality; stage pii comes later\n"
    )
    assert "reader1@mail.net" in out.read_text()
    refused = say("export", half, out, "--stage", "pii", "--force")
    assert str(refused.exception) == (
        f"{half}: stage pii is out of date; `corpus run {half} --until pii` brings it up to date"
    )
    again(half, until="dedup")
    done = say("export", half, out, "--force")
    # The tokenizer and the shards are of no concern to it.
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{out}: 40 documents\n", "")
    assert "@" not in out.read_text()
    assert say("export", half, out, "--force", "--stage", "pii").stderr == ""


def test_another_policy_is_not_done_before_its_stage_ran(whole: Path, tmp_path: Path) -> None:
    """The files that `pii` read are as they were: only what the recipe asks of it has changed."""
    root = tmp_path / "out"
    shutil.copytree(whole, root)
    again(root, f"output={root}", "pii.default=count")
    done = say("export", root, tmp_path / "e.jsonl")
    assert (done.exit_code, "reader1@mail.net" in (tmp_path / "e.jsonl").read_text()) == (0, True)
    again(root, "pii.default=mask", until="quality")
    refused = say("export", root, tmp_path / "e.jsonl", "--force")
    assert "out of date: pii/decision, dedup/signatures" in str(refused.exception)
    assert json.loads(say("stats", root, "--json").stdout)["pii"] == []


def test_a_new_partition_makes_what_reads_all_of_them_out_of_date(whole: Path, tmp_path: Path) -> None:
    root = tmp_path / "out"
    shutil.copytree(whole, root)
    (tmp_path / "c.jsonl").write_text(json.dumps({"text": prose(500)}) + "\n")
    raw = yaml.safe_load((root / "recipe.yaml").read_text())
    raw["sources"][0]["path"] = [*raw["sources"][0]["path"], str(tmp_path / "c.jsonl")]
    (root / "recipe.yaml").write_text(yaml.safe_dump(raw | {"output": str(root)}))
    again(root, until="dedup")
    found = json.loads(say("stats", root, "--json").stdout)
    assert (found["reconciles"], found["late"]) == (True, {"tokenizer": "out of date", "pack": "out of date"})


def test_a_run_that_was_cut_off_in_extraction(whole: Path, tmp_path: Path) -> None:
    root = tmp_path / "out"
    shutil.copytree(whole, root)
    text = (root / "recipe.yaml").read_text()
    (root / "recipe.yaml").write_text(text.replace("min_chars: 1\n", "min_chars: 9\n"))
    assert "out of date: extract, quality/signals" in str(say("export", root, tmp_path / "e.jsonl").exception)
    found = json.loads(say("stats", root, "--json").stdout)
    assert (found["funnel"], found["late"]["extract"]) == ([], "out of date")
    assert say("report", root).exit_code == 0


def test_figures_are_of_what_is_up_to_date(half: Path) -> None:
    found = json.loads(say("stats", half, "--json").stdout)
    assert [(row["stage"], row["rows_in"], row["rows_out"]) for row in found["funnel"]] == [
        ("extract", 43, 43),
        ("quality", 43, 41),
    ]
    assert found["late"] == LATE
    assert {row["stage"] for row in found["drops"]} == {"quality"}
    assert {row["step"] for row in found["steps"]} == {"extract", "quality/signals", "quality/decision"}
    assert (found["pii"], found["shards"], found["tokenizer"]) == ([], [], {})
    shown = say("stats", half).stdout
    for stage in LATE:
        assert re.search(rf"^{stage} +out of date *$", shown, re.MULTILINE)
    assert "kept so far" in shown
    assert shown.endswith(
        "out of date: pii, dedup, tokenizer, pack: not in these figures; `corpus run` brings all up to date\n"
        "what is up to date reconciles\n"
    )


def test_the_self_check_asks_nothing_of_what_is_out_of_date(whole: Path, half: Path) -> None:
    truth = whole.parent / "truth.jsonl"
    before, after = (check(Outputs.open(root), truth) for root in (whole, half))
    assert (before.judged, before.right, before.unasked, before.late) == (3, 3, 0, {})
    assert {kind.kind: (kind.judged, kind.unasked) for kind in after.kinds} == {
        "kept": (0, 1),
        "exact_duplicate": (0, 1),
        "short": (1, 0),
    }
    assert after.to_json()["late"] == {"pii": "out of date", "dedup": "out of date"}


def test_the_summary_lists_nothing_of_an_earlier_run(half: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, summary = load(half), Summary(done={"quality/decision": 2}, kept={"extract": 2})
    finish(recipe, half, summary, False)
    said = capsys.readouterr().out
    figures, rest = said.split("\n\n", 1)
    assert figures.splitlines() == [
        "extract             43 ->          43",
        "quality             43 ->          41, 2 dropped",
        *(f"{stage:<10} out of date" for stage in LATE),
    ]
    assert rest.startswith(
        "self-check: 1 of 1 planted cases ended as expected\n"
        "  2 more were not judged, for want of stages (out of date: pii, dedup)\n"
    )
    assert not re.search("^(report|tokenizer|shards|model) ", rest, re.MULTILINE)
    finish(recipe, half, summary, True)
    found = json.loads(capsys.readouterr().out)
    assert (list(found["outputs"]), found["late"]) == (["folder"], LATE)
    finish(recipe, half, Summary(kept={"extract": 2}), False)
    assert "index.html" not in capsys.readouterr().out
    finish_stage(recipe, half, "quality", summary)
    assert "\nout of date: pii, dedup, tokenizer, pack; `corpus run " in capsys.readouterr().out
    finish_stage(recipe, half, "dedup", summary)
    assert "->" not in capsys.readouterr().out


def test_the_report_leaves_out_what_is_out_of_date(half: Path) -> None:
    done = say("report", half)
    late = "out of date: pii, dedup, tokenizer, pack"
    assert done.stderr == f"warning: the report leaves out what is not up to date ({late})\n"
    page = Path(done.stdout.strip()).read_text()
    for stage in LATE:
        assert f'<tr><th scope="row">{stage}</th><td colspan="5">out of date</td></tr>' in page
    assert f"</span> {late}." in page
    assert "what these stages would do (out of date: pii, dedup)" in page
    assert not [name for name in ("pii", "tokens", "training") if f'<section id="{name}">' in page]
    assert "<dt>Kept so far</dt>" in page


def test_samples_and_ways_say_how_far_they_go(half: Path) -> None:
    found = say("sample", half, "-n", 1)
    assert found.stderr == "warning: kept so far; out of date: pii, dedup\n"
    found = say("sample", half, "--dropped", "min_words", "-n", 1)
    assert found.stderr == "warning: what these stages drop is left out; out of date: pii, dedup\n"
    for more in ([], ["--kept"]):
        refused = say("sample", half, "--stage", "dedup", *more)
        assert "stage dedup is out of date; `corpus run" in str(refused.exception)
    assert "kept so far; out of date: pii/spans, pii/decision, dedup/" in say("why", half, "http://b.example/1").stdout
    found = say("why", half, "--token", "train-00000:3")
    assert found.stderr.startswith("warning: the shards are of an earlier run; out of date: pii")


def test_a_rule_that_nothing_failed_is_no_typing_error(whole: Path) -> None:
    for rule in ("max_top_2gram", "language_score", "pii_email", "status"):
        found = say("sample", whole, "--dropped", rule)
        assert (found.exit_code, found.stdout) == (0, f"no document failed {rule}\n")
    found = say("sample", whole, "--dropped", "near_duplicate", "--stage", "dedup")
    assert found.stdout == "no document failed near_duplicate in stage dedup\n"
    for rule, meant in (("min_word", "min_words"), ("max_top_2grams", "max_top_2gram")):
        with pytest.raises(CorpusError, match=f"{rule}: no rule is called so; did you mean {meant}"):
            samples.dropped(Outputs.open(whole), 1, rule=rule)
    with pytest.raises(CorpusError, match="no rule is called so; documents failed exact_duplicate, min_words"):
        samples.dropped(Outputs.open(whole), 1, rule="xyzzy")


def test_every_rule_of_the_docs_is_known(whole: Path) -> None:
    docs = Path(__file__).parent.parent / "docs"
    table = (docs / "sources.md").read_text().split("## What is not a document")[1].split("Records of other")[0]
    named = {name for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in re.findall("`(.*?)`", row)}
    assert len(named) > 20
    assert named <= set(rule_names(load(whole)))
