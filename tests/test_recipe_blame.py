"""A recipe's errors name what made them: a line of the file, or the `--set` that did."""

from __future__ import annotations

import pytest

from corpus.errors import RecipeError
from corpus.recipe import parse

BASE = "name: test\nsources: [{name: web, kind: warc, path: a.gz}]\n"
TRAINED = BASE + "tokenizer: {}\npack: {validation_fraction: 0.1}\ntrain: {steps: 1}\n"


def blamed(text: str, *overrides: str) -> list[str]:
    """Each error's place: what stands before its key."""
    with pytest.raises(RecipeError) as told:
        parse(text, "r.yaml", overrides)
    return [line.split(": ")[0] for line in str(told.value).splitlines()]


def test_a_rule_of_the_whole_recipe_that_an_override_breaks() -> None:
    assert blamed(TRAINED, "pack.validation_fraction=0") == ["--set pack.validation_fraction=0"]
    # An override beside it has nothing to do with it.
    text = TRAINED.replace("0.1", "0")
    assert blamed(text, "name=other") == ["r.yaml:1"]
    assert blamed(BASE + "pack: {validation_fraction: 0}\ntokenizer: {}\n", "train.steps=1") == ["--set train.steps=1"]


def test_an_override_above_or_beside_the_key_that_is_wrong() -> None:
    assert blamed(BASE + "quality: {}\n", "quality={min_words: many}") == ["--set quality={min_words"]
    assert blamed(BASE + "quality: {presets: none, min_words: 80}\n", "quality.max_words=50") == [
        "--set quality.max_words=50"
    ]
    assert blamed(BASE + "quality: {presets: none, max_words: 50}\n", "quality.min_words=80") == [
        "--set quality.min_words=80"
    ]
    both = blamed(BASE + "quality: {presets: none}\n", "quality.min_words=80", "quality.max_words=50")
    assert both == ["--set quality.min_words=80, --set quality.max_words=50"]


def test_an_error_of_the_file_stays_the_file_s() -> None:
    text = BASE + "quality:\n  presets: none\n  min_words: 80\n  max_words: 50\n"
    assert blamed(text, "quality.min_stop_words=1") == ["r.yaml:3"]
    text = BASE + "quality:\n  presets: none\n  min_words: many\n"
    assert blamed(text, "quality.max_words=5") == ["r.yaml:5"]
    assert blamed(text, "quality.min_words=few", "language.threshold=0.5") == ["--set quality.min_words=few"]
    # An override that removes one error does not answer for those that show behind it.
    text = TRAINED.replace("0.1", "0") + "dedup: {threshold: high}\n"
    assert blamed(text, "dedup.threshold=0.8") == ["r.yaml:1"]


def test_the_last_of_two_overrides_of_one_key_counts() -> None:
    assert blamed(BASE, "quality.min_words=many", "quality.min_words=few") == ["--set quality.min_words=few"]
    assert parse(BASE, "r", ["quality.min_words=many", "quality.min_words=7"]).quality.min_words == 7  # type: ignore[union-attr]


def test_overrides_build_on_those_before() -> None:
    recipe = parse(BASE, "r", ["sources=[{name: a, kind: text, path: x}, {name: b, kind: text}]", "sources.1.path=y"])
    assert recipe.sources[1].path == "y"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("quality: {bounds: {lines: {min: 5, max: 1}}}", "min 5 is above max 1, so that no document would be"),
        (
            "quality: {presets: [gopher_quality], max_words: 40}",
            "min_words: words >= 50 and max_words: words <= 40 would together keep no document",
        ),
    ],
)
def test_bounds_that_nothing_can_pass_are_refused(section: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as told:
        parse(BASE + section, "r.yaml")
    assert "\n" not in str(told.value)


def test_one_language_may_stand_alone() -> None:
    recipe = parse(BASE + "language: {keep: de}", "r.yaml")
    assert recipe.language is not None
    assert recipe.language.keep == ("de",)
    recipe = parse(BASE, "r.yaml", ["language.keep=en"])
    assert recipe.language is not None
    assert recipe.language.keep == ("en",)
    assert blamed(BASE, "language.keep=english") == ["--set language.keep=english"]
