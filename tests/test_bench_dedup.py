"""What `bench/dedup.py` measures on holds what its truth says, and every side is judged by the same figures."""

from __future__ import annotations

import importlib.util
import json
import sys
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

BENCH = Path(__file__).parent.parent / "bench"
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
PARAGRAPHS = [[f"{a}{b}{c}," for c in ALPHABET[:20]] for a in ALPHABET for b in ALPHABET]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"corpusmill_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bench, sides, documents = _module("dedup"), _module("dedup_sides"), _module("dedup_documents")
KIND = documents.Kind(300, 60, 0.5, 20)


def grams(text: str) -> set[str]:
    words = text.replace(",", "").split()
    return {" ".join(words[at : at + 5]) for at in range(len(words) - 4)}


@pytest.fixture(scope="module")
def made() -> tuple[list[str], list[tuple[float, int, int]]]:
    return documents.documents(PARAGRAPHS, KIND, seed=3)


def test_the_truth_is_that_of_all_pairs(made: tuple[list[str], list[tuple[float, int, int]]]) -> None:
    texts, pairs = made
    sets = [grams(text) for text in texts]
    found = {(a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in combinations(range(len(texts)), 2)}
    assert {(a, b): jaccard for jaccard, a, b in pairs} == {pair: j for pair, j in found.items() if j >= 0.3}
    assert len(texts) == 300
    assert sum(jaccard == 1 for jaccard, _, _ in pairs) >= 6
    assert sum(0.8 <= jaccard < 1 for jaccard, _, _ in pairs) >= 8
    assert sum(0.6 <= jaccard < 0.8 for jaccard, _, _ in pairs) >= 8
    assert (texts, pairs) == documents.documents(PARAGRAPHS, KIND, seed=3)


def test_files_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "paragraphs", lambda: PARAGRAPHS)
    documents.make(tmp_path, KIND)
    table = pq.read_table(tmp_path / "documents.parquet")
    assert table.column("id").to_pylist() == [f"d{row:08}" for row in range(300)]
    text = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
    for jaccard, a, b in bench.read_pairs(tmp_path / "pairs.tsv"):
        assert len(grams(text[a]) & grams(text[b])) / len(grams(text[a]) | grams(text[b])) == pytest.approx(
            jaccard, abs=1e-6
        )
    monkeypatch.delattr(documents, "paragraphs")
    documents.make(tmp_path, KIND)
    with pytest.raises(NameError):
        documents.make(tmp_path, KIND._replace(documents=301))


def test_judgement() -> None:
    pairs = [(0.5, "a", "b"), (0.8, "c", "d"), (0.9, "e", "f"), (1.0, "g", "h"), (0.8, "g", "i")]
    assert bench.judged(pairs, "abcdefghi", "acefgh") == {
        "removed": 3,
        "pairs": 4,
        "recall": 0.5,  # c-d and g-i
        "precision": 0.6667,  # b goes for a, at .5
    }


def test_sides_leave_what_they_keep(made: tuple[list[str], list[tuple[float, int, int]]], tmp_path: Path) -> None:
    texts, pairs = made
    ids = list(map(documents.identify, range(len(texts))))
    pq.write_table(pa.table({"id": ids, "text": pa.array(texts, pa.large_string())}), tmp_path / "documents.parquet")
    for name in ("ours_in_memory", "datasketch", "signatures_ours"):
        (tmp_path / name).mkdir()
        sides.SIDES[name](tmp_path / "documents.parquet", tmp_path / name)
    true = [(jaccard, ids[a], ids[b]) for jaccard, a, b in pairs]
    ours = bench.judged(true, ids, bench._kept(tmp_path / "ours_in_memory"))
    assert (ours["recall"], ours["precision"]) == (1, 1)
    peer = bench.judged(true, ids, bench._kept(tmp_path / "datasketch"))
    assert peer["recall"] > 0.7
    assert peer["precision"] > 0.7
    (timed,) = (tmp_path / "signatures_ours" / "timings.jsonl").read_text().splitlines()
    assert json.loads(timed)["bytes"] == sum(map(len, texts))


def test_shingles_of_the_peers_are_those_of_the_truth(made: tuple[list[str], list[tuple[float, int, int]]]) -> None:
    texts = made[0][:20]
    assert [set(tokens) for tokens in sides.shingled(pa.array(texts))] == [grams(text) for text in texts]
    assert list(sides.shingled(pa.array(["One, two", ""]), str.split)) == [["one,", "two"], []]


def test_survivors_of_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    texts = pa.array(["same text here " * 3, "another one " * 9, "same text here " * 3], pa.large_string())
    pq.write_table(pa.table({"id": ["x", "y", "z"], "text": texts}), tmp_path / "documents.parquet")
    side = bench._stage("ours", tmp_path / "documents.parquet", tmp_path)
    side.prepare()
    side.run(max(sides.os.sched_getaffinity(0)))
    kept = bench._kept(tmp_path / "ours")
    assert len(kept) == 2
    assert "y" in kept
    assert np.isin(kept, ["x", "y", "z"]).all()
