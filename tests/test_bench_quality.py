"""What `bench/quality.py` compares is the same on both sides, and ten times the documents are other documents."""

from __future__ import annotations

import importlib.util
import random
import sys
from itertools import islice, product
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

BENCH = Path(__file__).parent.parent / "bench"
LINE = (
    "The river runs past the old mill and under the bridge, where the market of the town stood for two hundred years."
)
WORDS = [
    "".join(parts)
    for parts in product(("be", "ma", "ro", "ti", "su"), ("lan", "ver", "mon", "der", "kin"), ("ge", "ta", "ly", "row"))
]
draw = random.Random(1)
PROSE = "\n".join(f"The {' '.join(draw.sample(WORDS, 9))} of {number} and so on." for number in range(12))
TEXTS = [
    f"{PROSE}\nA menu",
    f"{LINE}\n{LINE}\n" * 6,
    "Too short to keep, this one.",
    "",
    PROSE.replace("so on", "{", 1),
]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"corpusmill_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sides, documents = _module("quality_sides"), _module("quality_documents")


def test_both_sides_tell_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datatrove.pipeline.filters import (
        c4_filters,
        fineweb_quality_filter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )

    from corpus.quality.signals import compute, split_words

    def sentences(text: str, language: str) -> list[str]:
        return [""] * int(compute(pa.array([text], pa.large_string()))[0]["sentences"].as_py())

    for module in (gopher_quality_filter, gopher_repetition_filter, fineweb_quality_filter):
        monkeypatch.setattr(module, "split_into_words", lambda text, language: split_words(text))
    monkeypatch.setattr(c4_filters, "split_into_sentences", sentences)
    found = {}
    for name in ("ours", "datatrove", "datatrove_all"):
        ready, work, told = sides.SIDES[name](tmp_path)
        found[name] = told(work(ready(pa.array(TEXTS, pa.large_string()))))
    assert found["ours"]["kept"] == found["datatrove"]["kept"] == {"0": PROSE}
    assert found["ours"]["failed"] == found["datatrove_all"]["failed"]
    assert found["ours"]["failed"] == {
        "c4": [2, 3, 4],
        "gopher_repetition": [1, 2, 3],
        "gopher_quality": [2, 3],
        "fineweb": [1, 2, 3],
    }


def test_more_documents_are_the_same_pieces_in_another_order() -> None:
    texts = pa.array(["a\nb\nc\nd\ne\nf", "One. Two. Three. Four. Five. Six"], pa.large_string())
    found = list(islice(documents.shuffled(texts), 40))
    assert found[:2] == texts.to_pylist()
    assert found == list(islice(documents.shuffled(texts), 40))
    assert {"".join(sorted(text.split("\n"))) for text in found[::2]} == {"abcdef"}
    assert {tuple(sorted(text.split(". "))) for text in found[1::2]} == {("Five", "Four", "One", "Six", "Three", "Two")}
    assert len(set(found)) > 36
