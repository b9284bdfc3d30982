"""Tables, page and summary: right, reconciled, harmless, and the same bytes each time."""

from __future__ import annotations

import json
import random
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import corpus.cli.verbs  # noqa: F401 - registers the verbs
from corpus.cli.app import app
from corpus.cli.summary import finish
from corpus.engines.inline import InlineEngine
from corpus.flow import Flow
from corpus.recipe import load
from corpus.report import charts, columns, tables
from corpus.report.columns import Lengths
from corpus.report.outputs import Outputs
from corpus.report.page import gather, percent, render
from corpus.report.stage import PAGE
from corpus.report.stage import steps as report_steps
from corpus.run import Summary, run
from corpus.store import StepFolder, Writer

HOSTILE = "<script>alert(1)</script></title><img src=x onerror=alert(2)> \x1b[31m \u202e {{ 7*7 }} </pre>"
WORDS = ["river", "bridge", "winter", "garden", "music", "window", "letter", "paper", "voice", "station", "island"]
RESULT = {
    "step": 40,
    "tokens": 81920,
    "parameters": 123456,
    "held_out_loss": 4.5,
    "bits_per_byte": 2.25,
    "unigram_entropy": 6.125,
    "unigram_bits_per_byte": 3.0625,
}


def prose(seed: int) -> str:
    rng = random.Random(seed)
    return "\n".join("The " + " ".join(rng.choices(["of", "and", *WORDS], k=12)) + "." for _ in range(8))


class Labels:
    """Stands for the language model: what begins with `Le` is French."""

    labels = frozenset(("en", "fr"))

    def __init__(self, *arguments: object, **options: object) -> None: ...

    def identify(self, texts: Any) -> Any:
        import pyarrow as pa

        from corpus.language.identify import IDENTIFIED

        names = ["fr" if text.startswith("Le ") else "en" for text in texts.to_pylist()]
        rows = [{"language": n, "language_score": 0.9, "languages": [{"language": n, "score": 0.9}]} for n in names]
        return pa.array(rows, IDENTIFIED)


def build(folder: Path, rows: list[dict[str, Any]], **sections: Any) -> Path:
    """A recipe in `folder` over `rows`, run up to `pack`, with a training run put beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw: dict[str, Any] = {
        "name": "tried",
        "output": str(folder / "out"),
        "sources": [
            {
                "name": "web",
                "kind": "jsonl",
                "path": str(folder / "in.jsonl"),
                "columns": {"url": "url", "title": "title"},
            }
        ],
        **sections,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(raw))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("corpus.language.identify.Identifier", Labels)
        patch.setattr("corpus.language.model.locate", lambda config: Path("unused"))
        recipe = load(folder / "recipe.yaml")
        run(recipe, until="pack" if recipe.train else None, engine=lambda limits: InlineEngine())
    if recipe.train:
        with Writer(StepFolder(folder / "out" / "train"), "all") as out:
            lines = [{"step": n, "loss": 7 - n / 20} for n in range(1, 41)]
            lines += [{"step": 20, "held_out_loss": 5.0}, {"step": 40, "held_out_loss": 4.5}]
            out.path("metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            out.path("sample.txt").write_text("The \n\n\nend " + HOSTILE)
            out.facts.update(RESULT)
            out.commit("k", "1", {}, {})
    return folder / "out"


def build_all(folder: Path) -> Path:
    rows = [{"text": prose(i), "url": f"http://a.example/{i}", "title": HOSTILE} for i in range(60)]
    rows += [{"text": prose(1), "url": "http://copy.example/"}, {"text": "short", "url": HOSTILE}]
    rows += [{"text": "Le chat est sur la table. " * 9, "url": f"http://fr.example/{i}"} for i in range(3)]
    rows += [{"no": "text"}]
    truth = [
        {"url": "http://a.example/7", "kind": "kept", "expected": {"stage": "kept"}},
        {"url": HOSTILE, "kind": "kept", "expected": {"stage": "kept"}},
        {
            "url": "http://copy.example/",
            "kind": "exact_duplicate",
            "partner_url": "http://a.example/1",
            "jaccard": 1.0,
            "expected": {"stage": "dedup", "rule": "exact_duplicate"},
        },
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truth.jsonl").write_text("".join(json.dumps(row) + "\n" for row in truth))
    return build(
        folder,
        rows,
        language={"keep": ["en"]},
        quality={"presets": "none", "min_words": 20, "min_stop_words": 1},
        dedup={"ngram": 3},
        tokenizer={"vocab_size": 300},
        pack={"validation_fraction": 0.2},
        train={},
        truth=str(folder / "truth.jsonl"),
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_all(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return report(root)


def report(root: Path) -> str:
    done = CliRunner().invoke(app, ["report", str(root)], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout == f"{root / 'report' / PAGE}\n"
    return (root / "report" / PAGE).read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Checks that tags nest, and collects them and the text of each."""

    VOID = frozenset(["meta", "link", "img", "br", "hr", "input", "wbr"])

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_harmless_whatever_documents_say(page: str) -> None:
    found = Reader(page)
    allowed = {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "section", "article"),
        *("h1", "h2", "h3", "p", "a", "dl", "div", "dt", "dd", "small", "span", "strong", "i", "bdi", "ul", "li"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "blockquote", "code", "pre"),
        *("details", "summary", "svg", "wbr", "rect", "line", "polyline", "circle", "text"),
    }
    assert {tag for tag, _ in found.tags} <= allowed
    attributes = {(tag, name) for tag, attrs in found.tags for name in attrs}
    assert not [
        name for _, name in attributes if name.startswith("on") or name in ("src", "srcset", "style", "xlink:href")
    ]
    assert all(attrs["href"].startswith("#") for _, attrs in found.tags if "href" in attrs)
    policy = [attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    everything = "".join(found.texts)
    assert "<script>alert(1)</script>" in everything  # as text
    assert "{{ 7*7 }}" in everything
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_can_be_read_by_all(page: str) -> None:
    found = Reader(page)
    heads = [attrs for tag, attrs in found.tags if tag == "th"]
    assert heads
    assert all(attrs.get("scope") in ("col", "row", "rowgroup") for attrs in heads)
    drawn = [attrs for tag, attrs in found.tags if tag == "svg"]
    assert len(drawn) > 10
    assert all(attrs.get("aria-hidden") == "true" or attrs.get("role") == "img" for attrs in drawn)
    assert page.count('role="img"><title>') == 2
    ids = {attrs["id"] for _, attrs in found.tags if "id" in attrs}
    assert {attrs["href"][1:] for _, attrs in found.tags if "href" in attrs} == ids
    assert ("html", {"lang": "en"}) in found.tags


def test_the_page_shows_what_the_manifests_say(root: Path, page: str) -> None:
    text = " ".join("".join(Reader(page).texts).split())
    outputs = Outputs.open(root)
    for row in tables.funnel(outputs):
        assert f"{row.stage} {row.rows_in:,} {row.rows_out:,} {row.dropped:,}".replace(" ", "") in text.replace(" ", "")
    assert "Reconciles:" in text
    assert "4.500 nats a token" in text
    assert "min_words: 20" in text  # the recipe
    assert "2 of 3 planted cases" in text
    for rule in ("no_text", "language", "min_words", "exact_duplicate"):
        assert rule in text
    assert "The end <script>" in text.replace("\n", " ")


def test_the_page_is_the_same_anywhere(page: str, tmp_path: Path) -> None:
    other = build_all(tmp_path / "elsewhere" / "deep")
    assert report(other) == page
    assert str(tmp_path) not in page
    assert "/tmp" not in page


def test_the_report_is_made_only_when_it_is_stale(root: Path, page: str) -> None:
    path = root / "report" / PAGE
    before = path.stat().st_mtime_ns
    assert report(root) == page
    assert path.stat().st_mtime_ns == before


def test_the_steps_before_the_report_are_those_of_the_flow(root: Path) -> None:
    flow = Flow.of(load(root), root)
    assert [step.name for step in flow.steps] == [*flow.steps[-1].uses, "report"]


def test_the_report_knows_no_path(root: Path) -> None:
    (step,) = report_steps(load(root))
    assert "/" not in json.dumps(step.settings)
    assert step.settings["recipe"]["sources"][0]["path"] == "in.jsonl"


def stats(root: Path) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["stats", str(root), "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_stats_add_up(root: Path) -> None:
    code, found = stats(root)
    assert (code, found["reconciles"], found["faults"]) == (0, True, [])
    funnel = {row["stage"]: (row["rows_in"], row["rows_out"]) for row in found["funnel"]}
    assert funnel["extract"] == (66, 65)
    assert funnel["language"] == (65, 62)
    assert funnel["quality"] == (62, 61)
    assert funnel["dedup"] == (61, 60)
    assert funnel["pack"] == (60, 60)
    assert sum(row["dropped"] for row in found["drops"]) == 6
    assert {(row["rule"], row["dropped"], row["failed"]) for row in found["drops"] if row["stage"] == "quality"} == {
        ("min_words", 1, 1),
        ("min_stop_words", 0, 1),
    }
    languages = {row["language"]: row for row in found["languages"]}
    assert (languages["en"]["documents"], languages["en"]["kept"], languages["fr"]["kept"]) == (62, 60, 0)
    assert (
        languages["en"]["kept_bytes"]
        == found["lengths"]["kept"]["bytes"]
        == sum(row["bytes"] for row in found["shards"])
    )
    assert found["lengths"]["extracted"]["documents"] == 65
    assert found["training"]["bits_per_byte"] == 2.25
    assert found["self_check"]["duplicates"]["right"] == 1
    plain = CliRunner().invoke(app, ["stats", str(root)]).stdout
    assert plain.rstrip().endswith("reconciles")
    assert "exact_duplicate" in plain


@pytest.mark.parametrize(("step", "last"), [("language/scores", "extract"), ("dedup/decision", "dedup/clusters")])
def test_what_is_out_of_date_is_left_out(tmp_path: Path, root: Path, step: str, last: str) -> None:
    """A step is gone, or its file is another one: what was made after it is of another corpus."""
    for number, change in enumerate((None, {"sha256": "0" * 64})):
        out = tmp_path / str(number)
        shutil.copytree(root, out)
        (path,) = (out / step / "_manifest").glob("*.json")
        if change is None:
            path.unlink()
        else:
            raw = json.loads(path.read_text())
            raw["files"] = [file | change for file in raw["files"]]
            path.write_text(json.dumps(raw))
        code, found = stats(out)
        assert (code, found["reconciles"], found["shards"], found["training"]) == (0, True, [], None)
        outputs = Outputs.open(out)
        assert outputs.done[-1].name == (last if change is None else step)
        assert sum(len(batch) for batch in outputs.view().batches(outputs.partitions[0], ["id"])) > 0


@pytest.mark.parametrize(
    ("step", "change", "fault"),
    [
        ("quality/decision", {"rows_in": 63}, "63 in, 61 out, 1 dropped do not add up"),
        ("quality/decision", {"failed": {"min_words": 1}}, "the ledger holds 2 rows, the account says 1"),
        ("dedup/signatures", {"rows_in": 50, "rows_out": 50}, "took 50 documents, 61 were there"),
        ("tokenizer", {"rows_in": 59, "rows_out": 59}, "took 59 documents, 60 were there"),
        ("pack/tokens", {"dropped": {"x": 1}, "rows_out": 59}, "dropped 1 documents, which is not its task"),
    ],
)
def test_what_does_not_add_up_is_named(
    tmp_path: Path, root: Path, step: str, change: dict[str, Any], fault: str
) -> None:
    shutil.copytree(root, tmp_path / "out")
    (path,) = (tmp_path / "out" / step / "_manifest").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    code, found = stats(tmp_path / "out")
    assert (code, found["reconciles"]) == (1, False)
    assert any(fault in line for line in found["faults"]), found["faults"]
    shutil.rmtree(tmp_path / "out" / "report", ignore_errors=True)
    shown = Reader(report(tmp_path / "out"))
    assert "The accounts do not reconcile:" in shown.texts


@pytest.mark.parametrize(
    ("rows", "sections"),
    [
        ([], {}),
        ([], {"quality": {}, "dedup": {}}),
        ([{"text": "one"}], {}),
        ([{"text": "gone"}], {"quality": {}, "dedup": {}, "language": {"keep": ["fr"]}}),
    ],
)
def test_stages_left_out_and_nothing_to_read(
    tmp_path: Path, rows: list[dict[str, str]], sections: dict[str, Any]
) -> None:
    root = build(tmp_path, rows, **sections)
    code, found = stats(root)
    assert (code, found["funnel"][0]["rows_in"]) == (0, len(rows))
    Reader(report(root))
    for arguments in (["sample"], ["sample", "--kept"], ["sample", "--stage", "extract"], ["stats"]):
        assert CliRunner().invoke(app, [arguments[0], str(root), *arguments[1:]]).exit_code == 0
    for form in ("jsonl", "parquet"):
        assert CliRunner().invoke(app, ["export", str(root), str(tmp_path / f"e.{form}")]).exit_code == 0


def test_a_run_in_the_middle_says_what_is_not_done(tmp_path: Path) -> None:
    root = build(tmp_path, [{"text": prose(1)}])
    (root / "recipe.yaml").write_text((root / "recipe.yaml").read_text() + "dedup: {}\n")
    assert "not run yet: dedup" in report(root)
    assert not (root / "dedup").exists()


def test_the_summary_of_a_run(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    recipe, summary = load(root), Summary(done={"train": 1}, kept={"extract": 1}, seconds={"train": 1.234})
    finish(recipe, root, summary, False)
    said = capsys.readouterr().out
    assert "extract             66 ->          65, 1 dropped" in said
    assert "self-check: 2 of 3 planted cases" in said
    assert "recall of planted duplicates: 1.000 (1 of 1 pairs" in said
    assert "2.250 bits a byte (unigrams 3.062)" in said
    assert "shards     out/pack/shards/shards.json" in said
    assert "\x1b" not in said
    finish(recipe, root, summary, True)
    found = json.loads(capsys.readouterr().out)
    assert found["training"]["held_out_loss"] == 4.5
    assert found["seconds"] == {"train": 1.23}
    finish(recipe, root, Summary(kept={"extract": 1, "dedup": 3}), False)
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "nothing to do, 4 tasks are up to date" in said
    finish(recipe, root, Summary(kept={"extract": 1}), True)
    assert json.loads(capsys.readouterr().out)["done"] == {}


def test_a_truth_file_that_went_is_said(tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = load(root).model_copy(update={"truth": tmp_path / "gone.jsonl"})
    finish(recipe, root, Summary(done={"train": 1}), False)
    assert "the truth file is not there" in capsys.readouterr().err
    outputs = Outputs.of(recipe, root)
    (step,) = report_steps(recipe)
    assert "so nothing was checked" in render(gather(outputs, step.config))  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=300), st.integers(1, 50))
def test_quantiles_are_right_to_a_bin(values: list[int], cut: int) -> None:
    found = Lengths()
    for start in range(0, len(values), cut):
        found.add(np.array(values[start : start + cut], np.int64))
    for share in columns.QUANTILES:
        exact = int(np.quantile(values, share, method="inverted_cdf"))
        assert exact / 1.0222 - 1 <= found.quantile(share) <= exact
    assert found.summary()["min"] == min(values)
    assert found.summary()["max"] == max(values)
    assert found.summary()["bytes"] == sum(values)
    assert sum(found.octaves().values()) == sum(value > 0 for value in values)
    for k, count in found.octaves().items():
        assert count == sum(int(2 ** (k / 2)) <= value < int(2 ** ((k + 1) / 2)) for value in values if value)


def coordinates(svg: str) -> list[float]:
    numbers = [float(n) for n in re.findall(r' (?:x|y|x1|x2|y1|y2|cx|cy|width|height)="([^"]+)"', svg)]
    return numbers + [float(n) for points in re.findall('points="([^"]*)"', svg) for n in re.split("[ ,]", points)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=400), st.floats(-1e6, 1e6))
def test_curves_stay_inside_whatever_the_losses(losses: list[float], level: float) -> None:
    losses = [loss for loss in losses if not np.isfinite(loss) or abs(loss) < 1e9]
    points = list(enumerate(losses, 1))
    svg = str(charts.curves([("a", points), ("b", points[::7])], ("level", level), "t<", "step"))
    assert bool(svg) == any(np.isfinite(loss) for loss in losses)
    assert "nan" not in svg
    assert all(-0.5 <= n <= charts.WIDTH + 0.5 for n in coordinates(svg))
    if svg:
        Reader(svg)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 90), st.integers(0, 10**12)))
def test_histograms_stay_inside(counts: dict[int, int]) -> None:
    labels = {k: "512 MiB" for k in range(92)}
    svg = str(charts.histogram([("a", counts), ("b", {})], labels, "t"))
    labelled = [float(x) for x in re.findall('<text x="([^"]+)" y="[^"]+" text-anchor="middle">', svg)]
    # At 12 pixels a character takes 7 at most.
    assert all(3.5 * 7 <= x <= charts.WIDTH - 3.5 * 7 for x in labelled)
    assert bool(labelled) == bool(counts)
    assert bool(svg) == bool(counts)
    assert all(0 <= n <= charts.WIDTH for n in coordinates(svg))


def test_bars_and_shares() -> None:
    assert 'width="50"' in charts.bar(5, 10)
    assert 'width="0"' in charts.bar(0, 0)
    assert [percent(x) for x in (None, 0, 0.0004, 0.5, 0.9995, 1)] == ["–", "0%", "<0.1%", "50%", ">99.9%", "100%"]
