"""Recipes: every error at once, with file and line; overrides; the resolved recipe means the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus.errors import RecipeError
from corpus.quality.config import QualityConfig
from corpus.recipe import dump, load, parse

ROOT = Path(__file__).parent.parent
GOOD = """\
name: test
output: out
sources:
  - name: web
    kind: warc
    path: pages.warc.gz
language: {keep: [en]}
quality:
  presets: [gopher]
  min_words: 60
dedup:
"""


def test_sections_are_on_off_or_default() -> None:
    recipe = parse(GOOD, "r.yaml")
    assert recipe.language is not None
    assert recipe.language.keep == ("en",)
    assert recipe.dedup is not None
    assert recipe.pack is None
    assert parse(GOOD.replace("dedup:", "dedup: false"), "r.yaml").dedup is None
    assert parse(GOOD.replace("dedup:", "dedup: true"), "r.yaml").dedup == recipe.dedup


def test_one_value_where_a_list_belongs() -> None:
    recipe = parse(GOOD.replace("dedup:", "dedup: {normalise: case, keep: shortest}"), "r.yaml")
    assert recipe.dedup is not None
    assert (recipe.dedup.normalise, recipe.dedup.keep) == (("case",), ("shortest",))
    with pytest.raises(RecipeError) as caught:
        parse(GOOD + "pii: {allow: example.org}\n", "r.yaml")
    assert str(caught.value) == 'r.yaml:12: pii.allow: write it as a list: [..] (got "example.org")'


def test_half_characters_are_named_by_their_key() -> None:
    text = GOOD + 'pii:\n  placeholders: {email: "\\ud800"}\n'
    with pytest.raises(RecipeError) as caught:
        parse(text, "r.yaml", ['quality.presets=["x\\udfff"]'])
    why = "holds half a character (U+D800 to U+DFFF), which no file can; write it whole"
    first = f'--set quality.presets=["x\\udfff"]: quality.presets.0: {why}'
    assert str(caught.value).splitlines() == [first, f"r.yaml:13: pii.placeholders.email: {why}"]


def test_every_error_at_once_with_its_line() -> None:
    text = GOOD.replace("presets: [gopher]", "presets: [gohper]").replace("min_words", "min_wrods")
    text = text.replace("kind: warc", "kind: warp") + "lanugage: {}\n"
    with pytest.raises(RecipeError) as caught:
        parse(text, "r.yaml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    joined = "\n".join(lines)
    assert "r.yaml:5: sources.0.kind" in joined
    assert "r.yaml:9: quality.presets" in joined
    assert "r.yaml:10: quality.min_wrods: unknown key; did you mean min_words?" in joined
    assert "r.yaml:12: lanugage: unknown key; did you mean language?" in joined
    assert caught.value.exit_code == 2


def test_a_key_given_twice_is_an_error() -> None:
    with pytest.raises(RecipeError, match=r"r\.yaml:12: name: given twice"):
        parse(GOOD + "name: again\n", "r.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"r\.yaml:1: not YAML"),
        ("- a", "a recipe is a mapping"),
        ("", "a recipe is a mapping"),
        ("name: x", "sources: is required"),
        ("name: x\nsources: []\n", "sources"),
        (GOOD.replace("name: test", "name: ../up"), r"r\.yaml:1: name"),
        ("a: &a [*a]", "an alias inside what it stands for"),
        (
            "a: &a [x, x]\n"
            + "".join(f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
            "aliases that expand",
        ),
        ("[" * 3000, "not YAML|nested too deeply"),
        ("name: !!int 'abc'", "a value that cannot be read"),
        ("name: 2001-99-99", "a value that cannot be read"),
        (
            GOOD + "tokenizer:\npack: {validation_fraction: 0}\ntrain: {steps: 1}\n",
            "set pack.validation_fraction above 0",
        ),
    ],
)
def test_what_is_no_recipe(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse(text, "r.yaml")


@pytest.mark.parametrize("url", ["http://ann:hunter2@h/", "http://h/?sig=hunter2", "http://h/#hunter2", "hunter2@h"])
def test_no_message_shows_a_secret(url: str) -> None:
    fetch = {"crawl": "CC-MAIN-2024-33", "to": "x", "files": 1}
    text = GOOD + f"fetch: {yaml.safe_dump(fetch | {'base_url': url}, default_flow_style=True)}"
    good = GOOD + f"fetch: {yaml.safe_dump(fetch, default_flow_style=True)}"
    with pytest.raises(RecipeError, match=r"fetch\.base_url: has a user, a query or a fragment") as caught:
        parse(text, "r.yaml")
    with pytest.raises(RecipeError, match=r"--set fetch\.base_url=\.\.\.: fetch\.base_url: has a user") as given:
        parse(good, "r.yaml", [f"fetch.base_url={url}"])
    with pytest.raises(RecipeError, match=r"--set fetch\.base_url=\.\.\.: ") as broken:
        parse(good, "r.yaml", [f"fetch.base_url=[{url}"])
    with pytest.raises(RecipeError, match=r"sources\.0\.path: is a chain") as chain:
        parse(GOOD.replace("pages.warc.gz", f"'zip://a::http://{url}'"), "r.yaml")
    assert not any("hunter2" in str(error.value) for error in (caught, given, broken, chain))


def test_two_sources_of_one_name() -> None:
    text = GOOD.replace("language:", "  - {name: web, kind: text, path: a.txt}\nlanguage:")
    with pytest.raises(RecipeError, match="two sources are called web"):
        parse(text, "r.yaml")


def test_overrides_and_their_errors() -> None:
    recipe = parse(
        GOOD, "r.yaml", ["quality.min_words=80", "sources.0.path=[a, b]", "dedup.threshold=0.7", "pack=true"]
    )
    assert recipe.quality is not None
    assert {rule.name: rule.threshold for rule in recipe.quality.active_rules}["min_words"] == 80
    assert recipe.sources[0].path == ("a", "b")
    assert recipe.dedup is not None
    assert recipe.dedup.threshold == 0.7
    assert recipe.pack is not None
    with pytest.raises(RecipeError) as caught:
        parse(
            GOOD,
            "r.yaml",
            ["quality.min_words=many", "quality.nonsense=1", "sources.7.path=x", "quality.presets.0.x=1", "novalue"],
        )
    assert len(str(caught.value).splitlines()) == 5
    assert all(line.startswith("--set ") for line in str(caught.value).splitlines())


def test_other_presets_replace_the_thresholds_of_a_resolved_recipe() -> None:
    resolved = dump(parse(GOOD, "r.yaml"))
    recipe = parse(resolved, "resolved", ["quality.presets=[c4]"])
    assert recipe.quality is not None
    assert {rule.name: rule.threshold for rule in recipe.quality.active_rules} == {
        **{rule.name: rule.threshold for rule in QualityConfig(presets=("c4",)).active_rules},
        "min_words": 60,
    }


def test_a_rule_can_be_switched_off() -> None:
    recipe = parse(GOOD, "r.yaml", ["quality.min_words=null"])
    assert recipe.quality is not None
    assert "min_words" not in {rule.name for rule in recipe.quality.active_rules}


def test_the_resolved_recipe_is_the_same_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = parse(GOOD, "r.yaml")
    text = dump(recipe)
    again = parse(text, "again")
    assert Path(str(again.sources[0].path)) == tmp_path / "pages.warc.gz"
    assert again.output is None
    assert again.model_copy(update={"sources": (), "output": None}) == recipe.model_copy(
        update={"sources": (), "output": None}
    )
    assert dump(again) == text
    assert "output" not in yaml.safe_load(text)
    (tmp_path / "recipe.yaml").write_text(text)
    assert load(tmp_path).output == tmp_path


def test_a_value_where_a_section_belongs() -> None:
    with pytest.raises(RecipeError) as caught:
        parse(GOOD.replace("dedup:", "dedup: {substrings: 50}\npii: 3"), "r.yaml")
    assert str(caught.value).splitlines() == [
        "r.yaml:12: pii: write it as a section: {key: value} (got 3)",
        "r.yaml:11: dedup.substrings: write it as a section: {key: value} (got 50)",
    ]


def test_everything_that_is_missing_is_told_at_once_with_its_line(tmp_path: Path, corpus_command: Any) -> None:
    (tmp_path / "in.txt").write_text("x")
    (tmp_path / "out").mkdir()
    path = tmp_path / "r.yaml"
    path.write_text(f"""\
name: test
output: {tmp_path}/out
sources:
  - name: web
    kind: text
    path:
      - {tmp_path}/in.txt
      - {tmp_path}/no1
      - {tmp_path}/no2
  - {{name: more, kind: html, path: {tmp_path}/no3}}
quality:
  filters: [{{name: mine, use: "no_such_module:f", folder: {tmp_path}}}]
dedup:
  keep: [highest:score_edu]
  against:
    - {tmp_path}/no4
    - {tmp_path}/out
decontaminate:
  benchmarks:
    - {{name: b, path: {tmp_path}/no5.jsonl}}
    - name: c
      path: {tmp_path}/no6.jsonl
truth: {tmp_path}/no7.jsonl
""")
    done = corpus_command("check", path)
    assert (done.returncode, done.stdout) == (2, "")
    told = [line.removeprefix(f"corpus: {path}:").replace(f"{tmp_path}/", "") for line in done.stderr.splitlines()]
    assert told == [
        f"23: truth: no7.jsonl: no such file (relative to {ROOT}); correct `truth` or leave it out",
        "8: source web: no1: no such file or folder; correct `path` or create it",
        "9: source web: no2: no such file or folder; correct `path` or create it",
        "10: source more: no3: no such file or folder; correct `path` or create it",
        "16: dedup.against: no4: no such folder; name where it lies, or leave it out",
        "17: dedup.against: out is this output folder; a delivery is compared with earlier ones, not with itself",
        "20: benchmark b: no5.jsonl: no such file, folder or glob; correct `path`",
        "21: benchmark c: no6.jsonl: no such file, folder or glob; correct `path`",
        f"11: filter mine (no_such_module:f): there is no module no_such_module in {tmp_path}, and none is installed; "
        "correct `use` or `folder` of filter mine",
        "13: dedup.keep: score_edu needs a classifier edu in quality.classifiers of the recipe; it has none",
    ]
    sets = ["--set", "dedup=false", "--set", "decontaminate=false", "--set", "quality=false", "--set", "truth=null"]
    done = corpus_command("check", path, *sets, "--set", f"sources.0.path={tmp_path}/no8", "--set", "sources.1.path=/")
    assert done.stderr.splitlines()[0].startswith(f"corpus: --set sources.0.path={tmp_path}/no8: source web: ")


def test_a_recipe_is_frozen() -> None:
    recipe = parse(GOOD, "r.yaml")
    with pytest.raises(ValueError, match="frozen"):
        recipe.name = "other"  # type: ignore[misc]


def test_missing_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such recipe or folder"):
        load(tmp_path / "nothing.yaml")
    with pytest.raises(RecipeError, match=r"holds no recipe\.yaml"):
        load(tmp_path)


def test_every_recipe_that_comes_with_the_project_is_sound() -> None:
    paths = sorted((Path(__file__).parent.parent / "pipelines").glob("*.yaml"))
    assert paths
    for path in paths:
        load(path)
