"""Signatures equal to datasketch's, in its bytes, found by its index."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.dedup import exchange
from corpus.dedup.config import DedupConfig
from corpus.dedup.deduplicate import sign
from corpus.dedup.exchange import serialised, shingle_hashes
from corpus.dedup.urls import url_keys
from corpus.dedup.verify import jaccard
from corpus.errors import CorpusError
from corpus.kernels import datasketch as kernel
from corpus.kernels.shingles import shingles
from corpus.report.outputs import Outputs

datasketch = pytest.importorskip("datasketch", minversion="2.0")
Command = Callable[..., subprocess.CompletedProcess[str]]


def words(seed: int, count: int) -> str:
    return " ".join(f"w{k}" for k in np.random.default_rng(seed).integers(0, 400, count))


TEXTS = [
    "",
    "one",
    "Größe 12 — naïve 漢字かな ไทย क्षि",
    *(words(k, count) for k, count in enumerate((4, 5, 60, 1100, 5000))),
]


@pytest.fixture
def manuals(kits: Path) -> list[str]:
    """Pages of Debian's installation guide, many of them much alike."""
    with gzip.open(kits / "neardup" / "installguide-docs.jsonl.gz", "rt") as file:
        rows = sorted((json.loads(line) for line in file), key=lambda row: row["id"].partition("/")[2])
    return [row["text"] for row in rows[:60]]


def equal(texts: list[str], count: int, seed: int, scheme: str, normalise: tuple[str, ...] = ("case",)) -> bool:
    signed = kernel.signatures(pa.array(texts, pa.large_string()), count, 5, seed, normalise, scheme)
    for text, values in zip(texts, signed, strict=True):
        theirs = datasketch.MinHash(count, seed, hashfunc=int, scheme=scheme)
        theirs.update_batch(shingle_hashes(text, 5, normalise))
        if theirs.hashvalues.tolist() != values.tolist():
            return False
    return True


@pytest.mark.parametrize("scheme", kernel.SCHEMES)
@pytest.mark.parametrize(("count", "seed"), [(1, 1), (100, 0), (128, 1), (37, 42), (256, 2**32 - 1)])
def test_signatures_are_those_of_datasketch(scheme: str, count: int, seed: int) -> None:
    assert equal(TEXTS, count, seed, scheme)
    assert equal(TEXTS, count, seed, scheme, ("case", "accents", "digits"))


@pytest.mark.parametrize("scheme", kernel.SCHEMES)
def test_signatures_of_real_text_are_those_of_datasketch(scheme: str, manuals: list[str]) -> None:
    for count, seed in ((128, 1), (64, 7)):
        assert equal(manuals, count, seed, scheme)


def test_the_default_of_datasketch_is_ours() -> None:
    theirs = datasketch.MinHash(128, 3, hashfunc=int)
    for number in shingle_hashes(TEXTS[5]):
        theirs.update(number)
    config = DedupConfig(signature="datasketch", permutations=128, seed=3)
    assert sign(pa.array(TEXTS[5:6], pa.large_string()), config)[0].tolist() == theirs.hashvalues.tolist()


def test_hashes_are_the_low_halves_of_the_shingles() -> None:
    hashes, _ = shingles(pa.array(TEXTS[5:6], pa.large_string()), 3)
    assert shingle_hashes(TEXTS[5], 3) == [int(h) % 2**32 for h in hashes]
    assert shingle_hashes("") == []


@pytest.mark.parametrize("scheme", kernel.SCHEMES)
def test_the_bytes_are_those_of_lean_minhash_both_ways(scheme: str) -> None:
    signed = kernel.signatures(pa.array(TEXTS, pa.large_string()), 99, 5, 11, scheme=scheme)
    for values, data in zip(signed, serialised(signed, 11, scheme).to_pylist(), strict=True):
        lean = datasketch.LeanMinHash(seed=11, hashvalues=values, scheme=scheme)
        buffer = bytearray(lean.bytesize())
        lean.serialize(buffer)
        assert bytes(buffer) == data
        back = datasketch.LeanMinHash.deserialize(data)
        assert (back.seed, back.scheme, back.hashvalues.tolist()) == (11, scheme, values.tolist())
        assert datasketch.MinHash(seed=11, hashvalues=values, scheme=scheme).jaccard(back) == 1.0


def test_the_index_of_datasketch_finds_our_pairs(manuals: list[str]) -> None:
    texts = pa.array(manuals, pa.large_string())
    config = DedupConfig(signature="datasketch", permutations=128, bands=25, rows=5)
    signed = sign(texts, config)
    index = datasketch.MinHashLSH(num_perm=128, params=(25, 5))
    for k, data in enumerate(serialised(signed, config.seed).to_pylist()):
        index.insert(k, datasketch.LeanMinHash.deserialize(data))
    pairs = np.array([(i, j) for j in range(len(manuals)) for i in range(j)])
    alike = pairs[jaccard(pairs, *shingles(texts)) >= 0.8]
    assert len(alike) > 5
    for k, text in enumerate(manuals):
        query = datasketch.MinHash(128, config.seed, hashfunc=int)
        query.update_batch(shingle_hashes(text))
        found = set(index.query(query))
        band = signed[:, :125].reshape(len(signed), 25, 5)
        assert found == set(np.flatnonzero((band == band[k]).all(2).any(1)).tolist())
        assert {int(a + b - k) for a, b in alike if k in (a, b)} <= found


def test_a_folder_gives_its_signatures(
    recipe: Callable[..., Path], corpus_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {"signature": "datasketch", "permutations": 64, "seed": 5, "url": True}
    path = recipe(dedup=section, language=None, quality=None, tokenizer=None, pack=None)
    done = corpus_command("run", path, "--until", "dedup")
    assert done.returncode == 0, done.stderr
    out, file = tmp_path / "out", tmp_path / "signatures.parquet"
    done = corpus_command("dedup", "signatures", out, "--to", file)
    assert done.returncode == 0, done.stderr
    table = pq.read_table(file)
    assert table.column_names == ["id", "url", "minhash"]
    assert table["id"].to_pylist() == sorted(table["id"].to_pylist())
    texts = {
        row["id"]: row
        for part in sorted((out / "extract").glob("*.parquet"))
        for row in pq.read_table(part).to_pylist()
    }
    assert set(table["id"].to_pylist()) == set(texts)
    assert done.stdout == f"{file}: {len(texts):,} signatures\n"
    for row in table.to_pylist():
        theirs = datasketch.MinHash(64, 5, hashfunc=int)
        theirs.update_batch(shingle_hashes(texts[row["id"]]["text"]))
        assert theirs.jaccard(datasketch.LeanMinHash.deserialize(row["minhash"])) == 1.0
        assert row["url"] == texts[row["id"]]["url"]

    stored = {
        row["id"]: row["url_key"]
        for part in sorted((out / "dedup" / "signatures").glob("*.parquet"))
        for row in pq.read_table(part).to_pylist()
    }
    keys = url_keys(table["url"].combine_chunks()).to_pylist()
    assert [stored[name] for name in table["id"].to_pylist()] == keys
    assert None not in keys

    # In several parts, and to a file that is there.
    monkeypatch.setattr(exchange, "_PART", 5000)
    outputs = Outputs.open(out)
    assert exchange.write(outputs.view("dedup/signatures"), DedupConfig.model_validate(section), tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet").equals(table)
    again = corpus_command("dedup", "signatures", out, "--to", file)
    assert again.returncode == 1
    assert again.stderr == f"corpus: {file}: is there already; remove it or choose another name\n"
    ours = DedupConfig()
    with pytest.raises(CorpusError, match=f"`corpus dedup {out} --set minhash=true --set signature=datasketch`"):
        exchange.write(outputs.view("dedup/signatures"), ours, tmp_path / "none.parquet")
