"""The check on planted documents: what it plants, what it says of it, and that it notices what is broken."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.cli.planted import notes, planted_lines
from corpus.decontaminate.benchmarks import read
from corpus.decontaminate.config import BenchmarkConfig
from corpus.errors import InputError, RecipeError
from corpus.kernels.shingles import shingles
from corpus.planted.config import PlantedConfig
from corpus.planted.items import Item, changed, draw, holding, items
from corpus.planted.judge import nothing
from corpus.planted.mutate import TOLERANCE, Pool, copy, near_duplicate
from corpus.planted.partners import with_partner
from corpus.planted.personal import KINDS, personal
from corpus.planted.plants import levels, plant
from corpus.planted.result import Planted, Precision, Recall
from corpus.planted.stage import step
from corpus.planted.words import Similarity, Words, ngrams, squeezed
from corpus.recipe import parse

Command = Callable[..., subprocess.CompletedProcess[str]]
RECIPE = "name: r\nsources: [{name: s, kind: text, path: nowhere}]\nselfcheck: {}\n"
NOUNS = [f"{first}{last}" for first in ("ba", "co", "du", "fi", "ga", "lo", "mu", "ne") for last in "bcdfghklmnprst"]
BY = Similarity(5, Words())


def prose(seed: int, words: int = 300) -> str:
    rng = random.Random(seed)
    drawn = [rng.choice(NOUNS) + rng.choice(("", "s", "er", "ing", "ed")) for _ in range(words)]
    return "\n".join(" ".join(drawn[at : at + 12]).capitalize() + "." for at in range(0, words, 12))


POOL = Pool.of(prose(seed) for seed in range(100, 104))


def configured(*overrides: str) -> PlantedConfig:
    recipe = parse(RECIPE, "r", overrides)
    assert recipe.selfcheck is not None
    (found,) = step(recipe, recipe.selfcheck)
    assert isinstance(found.config, PlantedConfig)
    return found.config


# Words and similarities: the independent count is the kernel's.

TEXT = st.text(st.sampled_from("aB ßİıΣσ 漢字かな ไทยé\u0301e \u200d1٣๒.,_-\n한국"), max_size=60)


@given(TEXT, TEXT, st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_the_count_apart_is_the_kernels(one: str, other: str, n: int) -> None:
    hashes, offsets = shingles(pa.array([one, other]), n)
    left, right = (set(hashes[offsets[at] : offsets[at + 1]].tolist()) for at in (0, 1))
    by = Similarity(n, Words())
    assert [len(by.ngrams(one)), len(by.ngrams(other))] == [len(left), len(right)]
    union = len(left | right)
    assert by.between(by.ngrams(one), by.ngrams(other)) == (len(left & right) / union if union else 0.0)


@pytest.mark.parametrize(
    ("normalise", "words"),
    [
        ((), ["Déjà", "Vu", "12", "漢", "字", "İΣΣ"]),
        (("case",), ["déjà", "vu", "12", "漢", "字", "İσσ"]),
        (("case", "accents"), ["deja", "vu", "12", "漢", "字", "iσσ"]),
        (("digits",), ["Déjà", "Vu", "00", "漢", "字", "İΣΣ"]),
    ],
)
def test_what_counts_as_a_word(normalise: tuple[str, ...], words: list[str]) -> None:
    assert Words(normalise).of("Déjà-Vu 12漢字 İΣΣ") == words


def test_containment_is_of_the_smaller() -> None:
    by = Similarity(1, Words(), containment=True)
    assert by.between(by.ngrams("a b c d"), by.ngrams("a b x")) == 2 / 3
    assert by.between(by.ngrams(""), by.ngrams("a")) == 0.0


# Plants.


@pytest.mark.parametrize("level", [0.95, 0.9, 0.82, 0.8, 0.79, 0.6, 0.3])
@pytest.mark.parametrize("by", [BY, Similarity(1, Words()), Similarity(3, Words(), containment=True)])
def test_a_near_duplicate_has_its_similarity(level: float, by: Similarity) -> None:
    text = prose(1)
    made = near_duplicate(text, level, 0.8, by, POOL, random.Random(7))
    assert made is not None
    found = by.between(by.ngrams(text), by.ngrams(made))
    assert abs(found - level) <= TOLERANCE
    assert (found >= 0.8) == (level >= 0.8)
    assert made == near_duplicate(text, level, 0.8, by, POOL, random.Random(7))


@pytest.mark.parametrize("text", ["", "...", "one two three", "one two three four five six", "a " * 300])
def test_what_is_too_short_gives_no_near_duplicate(text: str) -> None:
    assert near_duplicate(text, 0.95, 0.8, BY, POOL, random.Random(1)) is None


def test_a_text_without_spaces_is_changed_by_single_characters() -> None:
    rng = random.Random(3)
    letters = [chr(rng.randrange(0x4E00, 0x5E00)) for _ in range(400)]
    text = "".join(letters)
    made = near_duplicate(text, 0.85, 0.8, BY, Pool.of([text]), random.Random(1))
    assert made is not None
    assert len(made) == len(text)
    assert 5 <= sum(one != other for one, other in zip(made, text, strict=True)) <= 12


@given(TEXT, st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_a_copy_is_equal_but_for_case_and_white_space(text: str, seed: int) -> None:
    assert squeezed(copy(text, random.Random(seed))) == squeezed(text)


def test_a_copy_is_another_text() -> None:
    assert copy(prose(1), random.Random(1)) != prose(1)


def test_levels_lie_on_both_sides_of_the_threshold() -> None:
    assert levels(configured("dedup=true")) == [0.95, 0.9, 0.85, 0.82, 0.75, 0.6, 0.4]
    assert levels(configured("dedup.threshold=0.5")) == [0.875, 0.75, 0.625, 0.55, 0.469, 0.375, 0.25]
    assert levels(configured("dedup.threshold=1")) == [0.938, 0.75, 0.5]
    assert levels(configured("dedup=true", "selfcheck.levels=[0.3, 0.99]")) == [0.99, 0.3]
    assert levels(configured("dedup.minhash=false")) == []


@pytest.mark.parametrize("kind", KINDS)
def test_personal_data_is_seeded_and_in_its_line(kind: str) -> None:
    made = [personal(kind, random.Random(seed)) for seed in range(50)]
    assert made == [personal(kind, random.Random(seed)) for seed in range(50)]
    assert len({value for value, _ in made}) > 40
    assert all(value in line for value, line in made)


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """40 items of 30 words in a field, with others beside it; and 5 short ones in a text file."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    choices = {"choices": ["yes", "no"], "about": {"year": 1999}}
    rows = [{"id": f"q{n}", "question": prose(500 + n, 30), **choices} for n in range(40)]
    (folder / "long.jsonl").write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    (folder / "short.txt").write_text("\n\n".join([*(prose(900 + n, 8) for n in range(5)), "two words"]) + "\n")
    return folder


def decontaminate(folder: Path, **more: Any) -> str:
    raw = [
        {"name": "long", "path": str(folder / "long.jsonl"), "fields": ["question"]},
        {"name": "short", "path": str(folder / "*.txt")},
    ]
    return f"decontaminate={json.dumps({'benchmarks': raw, **more})}"


def test_items_of_a_benchmark(benchmark: Path) -> None:
    config = configured(decontaminate(benchmark)).decontaminate
    assert config is not None
    long, short = config.benchmarks
    assert [item.text for item in items(long)] == [prose(500 + n, 30) for n in range(40)]
    assert [item.text for item in items(short)] == [*(prose(900 + n, 8) for n in range(5)), "two words"]
    everything = next(items(long.model_copy(update={"fields": ()})))
    assert everything.text == f"q0\n{prose(500, 30)}\nyes\nno"
    assert everything.lists == (False, False, True)
    chosen = next(items(long.model_copy(update={"fields": ("about.year", "choices")})))
    assert chosen.fields == (("1999",), ("yes", "no"))
    drawn = draw(config, 12, seed=1)
    assert len({item.text for item in drawn}) == 12
    assert drawn == draw(config, 12, seed=1) != draw(config, 12, seed=2)
    assert drawn[:5] == draw(config, 5, seed=1)
    # `two words` is too little to be looked for.
    assert len(draw(config, 99, seed=1)) == 45


def test_an_item_is_read_from_the_files_that_the_stage_reads(tmp_path: Path) -> None:
    for name in ("b.JSONL", "b.jsonl.bak", "q.jsonl.txt"):
        (tmp_path / name).write_text('{"q": "What is it?"}\n')
    benchmark = BenchmarkConfig(name="b", path=tmp_path)
    assert [item.text for item in items(benchmark)] == ["What is it?", '{"q": "What is it?"}']
    deep = 400
    (tmp_path / "b.JSONL").write_text('{"q": ' + '{"q": ' * deep + '["x"]' + "}" * deep + "}")
    assert next(items(benchmark)).text == "x"


def test_a_benchmark_that_cannot_be_read_has_one_line(tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"q": "x"}\n' * 50)[:-9])
    with pytest.raises(InputError, match=r"^\S+cut\.jsonl\.gz: its compressed data is damaged .*$"):
        list(items(BenchmarkConfig(name="b", path=tmp_path / "cut.jsonl.gz")))
    (tmp_path / "deep.jsonl").write_text("[" * 200_000)
    with pytest.raises(InputError, match=r"^\S+deep\.jsonl:1: is no JSON .*$"):
        list(items(BenchmarkConfig(name="b", path=tmp_path / "deep.jsonl")))


def test_a_changed_item_keeps_as_many_words_in_a_row_as_an_ngram_has() -> None:
    item = Item(prose(1, 43), ((prose(1, 43),),), (False,), True)
    for seed in range(20):
        made = changed(item, 13, POOL, random.Random(seed))
        assert made is not None
        one, other = (Words().of(text) for text in (item.text, made))
        assert sum(left != right for left, right in zip(one, other, strict=True)) == 3
        assert ngrams(one, 13) & ngrams(other, 13)
    short = Item(prose(1, 13), ((prose(1, 13),),), (False,), True)
    assert changed(short, 13, POOL, random.Random(1)) is None


def test_which_texts_hold_an_item(benchmark: Path) -> None:
    config = configured(decontaminate(benchmark)).decontaminate
    assert config is not None
    cut = " ".join(prose(503, 30).split()[5:18])
    texts = [prose(1), prose(2) + cut.upper(), prose(3) + cut[: cut.rindex(" ")], f"x {prose(901, 8)} y", "", "."]
    assert holding(texts, config) == [False, True, False, True, False, False]


def test_partners_are_found_by_counting_all() -> None:
    rng = random.Random(5)
    texts = {f"d{n}": prose(n, 120) for n in range(12)}
    for n in range(8):
        made = near_duplicate(texts[f"d{n}"], (0.85, 0.75)[n % 2], 0.8, BY, POOL, rng)
        assert made is not None
        texts[f"m{n}"] = made
    texts |= {"equal": texts["d9"].upper(), "empty": "!", "void": "?"}
    grams = {name: BY.ngrams(text) for name, text in texts.items()}
    by_hand = {
        one for one in texts if any(one != other and BY.between(grams[one], grams[other]) >= 0.8 for other in texts)
    }
    assert (
        with_partner(texts, texts, BY, 0.8)
        == by_hand
        == {"d0", "d2", "d4", "d6", "m0", "m2", "m4", "m6", "d9", "equal"}
    )
    part = Similarity(5, Words(), containment=True)
    texts["short"] = "\n".join(texts["d10"].split("\n")[:2])
    assert with_partner(["short", "d10"], texts, part, 0.8) == {"short", "d10"}
    assert with_partner(["short", "d10"], texts, BY, 0.8) == set()


def test_plants_lie_in_at_most_half_of_the_documents(benchmark: Path) -> None:
    documents = {f"{n:032x}": prose(n) for n in range(60)}
    config = configured("pii=true", "dedup=true", decontaminate(benchmark), "selfcheck.pairs=3", "selfcheck.personal=1")
    made = plant(documents, config)
    assert made == plant(documents, config)
    alone = [item.host for item in made.plants if not item.kind.startswith("pii_")]
    assert len(set(alone)) == len(alone) == 30
    assert len(made.plants) == 30 + len(KINDS)
    assert len(made.clean) == 30
    assert all(made.texts[name] == text for name, text in documents.items() if name in made.clean)
    assert made.wanted["exact_duplicate", None] == 3
    assert made.wanted["benchmark_item", None] == 50
    # By turns: each kind comes before any has its second.
    assert {(item.kind, item.level) for item in made.plants} == set(made.wanted)
    other = plant(documents, config.model_copy(update={"selfcheck": config.selfcheck.model_copy(update={"seed": 2})}))
    assert other.texts != made.texts


def test_what_cannot_be_planted_is_left_to_other_kinds() -> None:
    documents = {f"{n:032x}": f"number {n} is short" for n in range(20)}
    made = plant(documents, configured("pii=true", "dedup=true", "pii.phone=off", "selfcheck.personal=1"))
    kinds = {item.kind for item in made.plants}
    assert "near_duplicate" not in kinds
    assert "pii_email" in kinds
    assert "pii_phone" not in kinds
    assert [item.kind for item in plant({"a": "alone"}, configured("dedup=true")).plants] == ["exact_duplicate"]


def test_allowed_addresses_are_not_planted() -> None:
    documents = {f"{n:032x}": prose(n) for n in range(60)}
    allow = "pii.allow=[com, org, co.uk, de, edu, com.br]"
    made = plant(documents, configured("pii=true", allow, "selfcheck.personal=1"))
    assert "pii_email" not in {item.kind for item in made.plants}


# Results.


def test_what_is_off_is_said() -> None:
    off = {f"pii.{kind}=off" for kind in KINDS}
    said = {
        ("pii.email=off", "pii.phone=off"): {"pii email, phone": "not looked for (off)"},
        ("pii.default=off", *off): {"pii": "no kind is looked for (all are off)"},
        ("dedup.exact=false",): {"dedup.exact": "it is off"},
        ("dedup.minhash=false",): {"dedup.minhash": "it is off"},
    }
    for overrides, expected in said.items():
        found = nothing(configured("pii=true", "dedup=true", *overrides)).left_out
        none = "no document is left to plant anything in; loosen the stages before `pii`"
        stages = {"pii": none, "dedup": none, "decontaminate": "not in the recipe"}
        assert found == stages | expected
    with pytest.raises(RecipeError, match=r"selfcheck\.levels: is empty; null takes the usual ones"):
        configured("dedup=true", "selfcheck.levels=[]")


def test_what_falls_short_is_said() -> None:
    rows = (
        Recall(50, 40, "near_duplicate", 0.82, True, 50, 50, 0.999),
        Recall(400, 399, "near_duplicate", 0.9, True, 400, 400, 0.999),
        Recall(10, 0, "near_duplicate", 0.6, False, 50, 12),
        Recall(20, 19, "pii_email", None, True, 20, 20),
    )
    found = Planted(1, 2000, 1200, rows, (Precision(7, 6, "dedup"),), {"decontaminate": "not in the recipe"})
    assert Planted.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert notes(found) == [
        "near_duplicate 0.82: 40 of 50 found, less than the 0.999 that the recipe promises",
        "near_duplicate 0.9: 399 of 400 found, less than the 0.999 that the recipe promises; by chance, it may be",
        "for want of fitting documents or items fewer were planted: near_duplicate 0.6 12 of 50",
        "decontaminate: nothing was planted, not in the recipe",
    ]
    assert planted_lines(found)[:5] == [
        "planted in a copy of 2,000 documents:",
        "  recall of near duplicates: 0.976 (439 of 450, 95% interval 0.957 to 0.986)",
        "  taken for near duplicates, below the threshold: 0.000 (0 of 10, 95% interval 0.000 to 0.278)",
        "  recall of personal data and secrets: 0.950 (19 of 20, 95% interval 0.764 to 0.991)",
        "  precision of dedup: 0.857 (6 of 7, 95% interval 0.487 to 0.974)",
    ]


def test_the_settings_of_what_is_tested_decide_the_step() -> None:
    def key(*overrides: str) -> dict[str, Any]:
        recipe = parse(RECIPE, "r", overrides)
        assert recipe.selfcheck is not None
        return step(recipe, recipe.selfcheck)[0].settings

    same = key("dedup=true", "pii=true")
    assert key("dedup=true", "pii=true", "dedup.lines=true", "dedup.url=true") == same
    assert key("dedup=true", "pii=true", "dedup.threshold=0.7") != same
    assert key("dedup=true", "pii=true", "pii.email=mask") != same
    assert key("dedup=true", "pii=true", "selfcheck.seed=2") != same
    recipe = parse(RECIPE, "r")
    assert recipe.selfcheck is not None
    assert step(recipe, recipe.selfcheck) == []


def test_labels_are_no_part_of_an_item(tmp_path: Path) -> None:
    """The rule is written twice, here and in the stage: both cut the same words."""
    path = tmp_path / "quiz.jsonl"
    rows = [{"q": f"Question: {prose(n, 12)}?\n\n## The answer:", "a": [f"So: {prose(n, 3)}", "yes"]} for n in range(9)]
    rows.append({"q": "**Question:** It hangs where", "a": ["So: no"]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for fields in ((), ("q", "a")):
        benchmark = BenchmarkConfig(name="quiz", path=path, fields=fields)
        made = list(items(benchmark))
        assert made[0].text == f"{prose(0, 12)}?\nSo: {prose(0, 3)}\nyes"
        assert made[9].fields == (("It hangs where",), ("So: no",))
        assert [(item.fields, item.lists) for item in made] == [(item.fields, item.several) for item in read(benchmark)]
