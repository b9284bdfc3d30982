"""The check on planted documents in whole runs: shown, repeatable, harmless, and that it notices what is broken."""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from corpus.cli.planted import notes
from corpus.cli.report import report_verb
from corpus.cli.selfcheck import selfcheck_verb
from corpus.cli.stats import stats_verb
from corpus.engines.inline import InlineEngine
from corpus.errors import CorpusError
from corpus.planted import check as module
from corpus.planted.config import PlantedConfig
from corpus.planted.items import draw
from corpus.planted.judge import judge
from corpus.planted.personal import KINDS
from corpus.planted.plants import plant
from corpus.planted.result import STEP, Planted, Precision
from corpus.planted.stage import step
from corpus.recipe import Recipe, dump, parse
from corpus.report.outputs import Outputs
from corpus.run import run
from corpus.status import status, verify

Command = Callable[..., subprocess.CompletedProcess[str]]


def prose(seed: int, words: int = 300) -> str:
    rng = random.Random(seed)
    drawn = [
        "".join(rng.choice(("ba", "co", "du", "fi", "ga", "lo", "mu", "ne")) for _ in range(3)) for _ in range(words)
    ]
    return "\n".join(" ".join(drawn[at : at + 12]).capitalize() + "." for at in range(0, words, 12))


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """40 items of 30 words, and 5 short ones."""
    path = tmp_path / "benchmark.jsonl"
    rows = [{"question": prose(500 + n, 30 if n < 40 else 8)} for n in range(45)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def decontaminate(path: Path, **more: Any) -> str:
    return f"decontaminate={json.dumps({'benchmarks': [{'name': 'exam', 'path': str(path)}], **more})}"


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished folder of 300 texts in two files, with a check on some of them as its last step but one."""
    home = tmp_path_factory.mktemp("planted")
    for part in range(2):
        rows = [{"text": prose(1000 * part + n, 150)} for n in range(150)]
        (home / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(recipe_of(home), engine=lambda limits: InlineEngine())
    return home / "out"


def recipe_of(home: Path, *overrides: str) -> Recipe:
    raw = {
        "name": "planted",
        "output": str(home / "out"),
        "sources": [{"name": "texts", "kind": "jsonl", "path": str(home / "*.jsonl")}],
        "pii": {"default": "mask"},
        "dedup": {},
        "selfcheck": {"documents": 200, "pairs": 8, "personal": 2},
    }
    return parse(yaml.safe_dump(raw), "r", overrides)


def check(folder: Path, *overrides: str, scratch: Path) -> Planted:
    outputs = Outputs.of(recipe_of(folder.parent, *overrides), folder)
    scratch.mkdir(exist_ok=True)
    config = check_config(folder, *overrides)
    return module.check(outputs.view(), outputs.partitions, config, scratch, lambda rows: None)


def check_config(folder: Path, *overrides: str) -> PlantedConfig:
    recipe = recipe_of(folder.parent, *overrides)
    assert recipe.selfcheck is not None
    (found,) = step(recipe, recipe.selfcheck)
    assert isinstance(found.config, PlantedConfig)
    return found.config


def shares(found: Planted) -> dict[str, tuple[int, int]]:
    return {kind.label: (kind.found, kind.judged) for kind in found.kinds}


def test_a_run_commits_what_it_found(folder: Path) -> None:
    found = Planted.read(folder)
    assert found.documents == 200
    assert found.left_out == {"decontaminate": "not in the recipe"}
    wanted = {"exact_duplicate": (8, 8)}
    wanted |= {f"near_duplicate {level:g}": (8, 8) for level in (0.95, 0.9, 0.85, 0.82)}
    wanted |= {f"near_duplicate {level:g}": (0, 8) for level in (0.75, 0.6, 0.4)}
    assert shares(found) == wanted | {f"pii_{kind}": (2, 2) for kind in KINDS}
    pii, dedup = found.precision
    assert (pii.stage, pii.found, pii.judged) == ("pii", 26, 26)
    # 8 exact copies, 32 near duplicates, and some of those with a line of personal data more.
    assert dedup.judged == dedup.found >= 40
    assert found.clean == 200 - 64 - 26
    assert found.short == ()
    assert not list(folder.rglob(".tmp-*"))


def test_the_check_is_shown_and_not_done_again(
    folder: Path, corpus_command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    again = corpus_command("run", folder)
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stdout
    stats_verb(folder, json=True)
    raw = json.loads(capsys.readouterr().out)
    assert raw["reconciles"]
    assert Planted.from_json(raw["planted"]) == Planted.read(folder)
    stats_verb(folder)
    assert "near_duplicate 0.82" in capsys.readouterr().out
    assert "Planted in a copy" in (folder / "report" / "index.html").read_text()


def test_the_verb_leaves_the_folder_as_it_is(
    folder: Path, corpus_command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(folder)
    shown = corpus_command("selfcheck", folder, "--json")
    assert shown.returncode == 0, shown.stderr
    assert Planted.from_json(json.loads(shown.stdout)) == Planted.read(folder)
    selfcheck_verb(folder, documents=60, seed=3, sets=["pii.email=off"])
    printed = capsys.readouterr().out
    assert "Planted in a copy of 60 documents" in printed
    assert "pii_email" not in printed
    assert "pii_phone" in printed
    with pytest.raises(CorpusError, match="so there is nothing to check"):
        selfcheck_verb(folder, sets=["pii=false", "dedup=false"])
    assert tree(folder) == before


def test_workers_give_the_same_bytes(folder: Path, corpus_command: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(dump(recipe_of(folder.parent)))
    done = corpus_command("run", recipe, "--set", f"output={tmp_path / 'out'}", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert "planted in a copy of 200 documents:\n  recall of exact duplicates: 1.000 (8 of 8, " in done.stdout
    for name in ("planted.json", "_manifest/all.json"):
        assert (tmp_path / "out" / STEP / name).read_bytes() == (folder / STEP / name).read_bytes()


def test_crippled_bands_are_noticed(folder: Path, tmp_path: Path) -> None:
    found = check(folder, "dedup.bands=2", "dedup.rows=40", "pii=false", scratch=tmp_path)
    missed = {kind.label: kind for kind in found.kinds}
    assert shares(found)["exact_duplicate"] == (8, 8)
    for level in (0.9, 0.85, 0.82):
        kind = missed[f"near_duplicate {level:g}"]
        assert kind.found <= 2
        assert kind.short
        assert not kind.by_chance
        assert f"near_duplicate {level:g}: {kind.found} of 8 found, less than" in " ".join(notes(found))


def test_bands_that_are_not_verified_are_noticed(folder: Path, tmp_path: Path) -> None:
    found = check(folder, "dedup.verify=false", "dedup.bands=50", "dedup.rows=2", "pii=false", scratch=tmp_path)
    assert shares(found)["near_duplicate 0.6"] == (8, 8)
    (dedup,) = found.precision
    assert dedup.judged > dedup.found
    assert dedup.share is not None
    assert dedup.share < 0.9


def test_a_detector_that_is_off_is_noticed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import corpus.pii.detect

    real = corpus.pii.detect.detect

    def blind(texts: pa.Array, allow: Any = ()) -> pa.Table:
        """Sees no address, and telephone numbers where there is a capital letter at the begin of a text."""
        found = real(texts, allow)
        rest = found.filter(pa.compute.not_equal(found.column("kind"), "email"))
        more = {"row": list(range(len(texts))), "start": [0] * len(texts), "end": [1] * len(texts)}
        extra = pa.table({**more, "kind": ["phone"] * len(texts)}, schema=found.schema)
        return pa.concat_tables([extra, rest]).sort_by([("row", "ascending"), ("start", "ascending")])

    monkeypatch.setattr(corpus.pii.detect, "detect", blind)
    found = check(folder, "dedup=false", "selfcheck.personal=4", scratch=tmp_path / "a")
    assert shares(found)["pii_email"] == (0, 4)
    assert shares(found)["pii_iban"] == (4, 4)
    # Every document has a hit of its own now, so that none can tell how right the hits are.
    assert found.precision == (Precision(0, 0, "pii"),)


def test_a_mask_in_the_wrong_place_is_noticed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import corpus.pii.detect

    real = corpus.pii.detect.detect

    def eager(texts: pa.Array, allow: Any = ()) -> pa.Table:
        """Where it finds anything, it takes the text's first letter too."""
        found = real(texts, allow)
        rows = sorted(set(found.column("row").to_pylist()))
        more = {"row": rows, "start": [0] * len(rows), "end": [1] * len(rows), "kind": ["phone"] * len(rows)}
        both = pa.concat_tables([pa.table(more, schema=found.schema), found])
        return both.sort_by([("row", "ascending"), ("start", "ascending")])

    monkeypatch.setattr(corpus.pii.detect, "detect", eager)
    (pii,) = check(folder, "dedup=false", scratch=tmp_path).precision
    assert (pii.judged, pii.found) == (52, 26)


@pytest.mark.parametrize("action", ["remove", "flag"])
def test_benchmark_items_are_found(folder: Path, benchmark: Path, tmp_path: Path, action: str) -> None:
    override = decontaminate(benchmark, action=action)
    found = check(folder, override, "pii=false", "dedup=false", "selfcheck.items=10", scratch=tmp_path / "scratch")
    changed = {kind.label: kind for kind in found.kinds}["changed_item"]
    assert shares(found)["benchmark_item"] == (10, 10)
    # Items of 8 words have no 13 that could stay.
    config = check_config(folder, override).decontaminate
    assert config is not None
    long = [len(item.text.split()) == 30 for item in draw(config, 20, seed=1)[1::2]]
    assert changed.found == changed.judged == changed.planted == sum(long) > 0
    assert found.precision == (Precision(10 + changed.planted, 10 + changed.planted, "decontaminate"),)
    assert found.left_out == {"pii": "not in the recipe", "dedup": "not in the recipe"}


def test_items_that_are_not_looked_for_are_noticed(folder: Path, benchmark: Path, tmp_path: Path) -> None:
    """The stage looks for more words in a row than a changed item keeps."""
    off = ("pii=false", "dedup=false", "selfcheck.items=10")
    found = check(folder, decontaminate(benchmark, ngram=30), *off, scratch=tmp_path)
    missed, judged = shares(found)["changed_item"]
    assert missed == 0 < judged
    assert shares(found)["benchmark_item"] == (10, 10)


def test_a_benchmark_that_changed_is_for_status(folder: Path, benchmark: Path, tmp_path: Path) -> None:
    """And what a benchmark that is gone has left can be read."""
    root, override = tmp_path / "out", decontaminate(benchmark)
    recipe = recipe_of(folder.parent, override, "pii=false", "dedup=false", f"output={root}", "selfcheck.items=5")
    run(recipe, engine=lambda limits: InlineEngine())
    assert {item.state for item in status(recipe)} == {"up to date"}
    with benchmark.open("a") as stream:
        stream.write('{"question": "Is that one more?"}\n')
    found = {item.step: (item.state, item.reasons) for item in status(recipe)}
    reason = f"input benchmark exam/{benchmark.name} changed"
    assert found["decontaminate/index"] == ("stale", (reason,))
    assert found[STEP] == ("waits", ("its input may change: decontaminate/index is stale",))
    assert Outputs.of(recipe, root).late() == {}
    benchmark.unlink()
    assert Outputs.of(recipe, root).late() == {}
    gone = f"benchmark exam: {benchmark}: no such file, folder or glob; correct `path`"
    assert {item.step: item for item in status(recipe)}["decontaminate/index"].reasons == (gone,)
    assert verify(recipe)[1] == []
    report_verb(root)
    for refused in (lambda: run(recipe, engine=lambda limits: InlineEngine()), lambda: selfcheck_verb(root)):
        with pytest.raises(CorpusError, match=re.escape(gone)):
            refused()


def test_of_no_document_it_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "0.jsonl").write_text('{"text": ""}\n')
    recipe = recipe_of(tmp_path)
    run(recipe, engine=lambda limits: InlineEngine())
    found = Planted.read(tmp_path / "out")
    assert (found.documents, found.kinds) == (0, ())
    selfcheck_verb(tmp_path / "out")
    assert capsys.readouterr().out.splitlines()[-2].startswith("dedup: nothing was planted, no document is left")


def test_what_a_killed_check_left_goes_with_the_next(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / ".tmp-corpus-selfcheck-dead"
    left.mkdir()
    selfcheck_verb(folder, documents=20)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("policy", ["count", "drop"])
def test_each_policy_can_be_judged(folder: Path, tmp_path: Path, policy: str) -> None:
    found = check(folder, f"pii.default={policy}", "dedup.minhash=false", scratch=tmp_path)
    assert {kind.share for kind in found.kinds} == {1.0}
    assert [row.share for row in found.precision] == [1.0, 1.0]


def test_pairs_whose_document_is_dropped_before_are_not_judged(folder: Path, tmp_path: Path) -> None:
    """An address in every document, and documents with addresses go."""
    config = check_config(folder, "pii.default=drop", "selfcheck.pairs=2", "selfcheck.personal=0")
    copied = plant({f"{n:032x}": prose(n) + "\nWrite to ann@example-site.org." for n in range(60)}, config)
    found = judge(copied, config, module._run(copied, config, tmp_path, lambda rows: None, 0))
    near = [kind for kind in found.kinds if kind.kind == "near_duplicate"]
    assert {(kind.planted, kind.judged) for kind in near} == {(2, 0)}
    assert near[0].share is None


def test_other_ways_of_cutting_the_corpus_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    from corpus.dataset import View

    outputs = Outputs.of(recipe_of(folder.parent), folder)
    config = check_config(folder)
    view = View(folder, ())
    one = module._sample(view, outputs.partitions, config, lambda rows: None)
    other = module._sample(view, outputs.partitions[::-1], config, lambda rows: None)
    assert list(one.items()) == list(other.items())
    assert len(one) == 200
    assert plant(one, config) == plant(other, config)
