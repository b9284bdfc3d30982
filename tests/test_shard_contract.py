"""The contract between corpus.pack, which writes shards, and who reads them: docs/shards.md."""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from corpus.pack.config import PackConfig
from corpus.pack.shards import write_shards
from corpus.pack.tokens import write_tokens
from corpus.tokenizer.config import TokenizerConfig
from corpus.tokenizer.encode import Encoder
from corpus.tokenizer.train import train

PAGE = Path(__file__).parent.parent / "docs" / "shards.md"


@pytest.fixture(scope="module")
def packed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Encoder, dict[bytes, str], dict[str, Any]]:
    """(folder, encoder, text of each id, contents of shards.json)."""
    tmp = tmp_path_factory.mktemp("shards")
    rng = random.Random(0)
    lexicon = ["".join(rng.choices("aeioubdfgklmnprst é語", k=rng.randint(2, 7))) for _ in range(500)]
    texts = ["\n".join(rng.choices(lexicon, k=rng.randint(1, 60))) for _ in range(200)]
    ids = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    batch = pa.record_batch(
        {
            "id": pa.array(ids, pa.binary(16)),
            "source": pa.array(["made-up"] * len(texts)),
            "text": pa.array(texts, pa.large_string()),
        }
    )
    train([batch], TokenizerConfig(vocab_size=400), tmp / "tokenizer.model")
    encoder = Encoder(tmp / "tokenizer.model")
    pairs = []
    for number in range(4):
        pairs.append((tmp / f"{number}.bin", tmp / f"{number}.parquet"))
        write_tokens([batch.slice(50 * number, 50)], encoder, *pairs[-1])
    folder = tmp / "shards"
    folder.mkdir()
    facts = write_shards(
        pairs,
        folder,
        PackConfig(shard_tokens=4000, validation_fraction=0.1),
        vocab_size=encoder.vocab_size,
        eos_id=encoder.eos_id,
        tokenizer_sha256=encoder.sha256,
        corpus_digest="0" * 64,
    )
    return folder, encoder, dict(zip(ids, texts, strict=True)), facts


def snippet() -> str:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_snippet_of_the_page_reads_the_documents(
    packed: tuple[Path, Encoder, dict[bytes, str], dict[str, Any]],
) -> None:
    folder, encoder, texts, facts = packed
    code = snippet()
    assert len(code.strip().splitlines()) <= 10
    scope: dict[str, Any] = {"folder": str(folder)}
    exec(compile(code, str(PAGE), "exec"), scope)
    shard = facts["splits"]["train"]["shards"][0]
    documents = [encoder.decode(ids).decode() for ids in scope["documents"]]
    assert len(documents) == shard["documents"]
    assert set(documents) <= set(texts.values())
    assert sum(len(text.encode()) for text in documents) == shard["bytes"]
    assert len(scope["tokens"]) == shard["tokens"]


def test_all_documents_are_there_once(packed: tuple[Path, Encoder, dict[bytes, str], dict[str, Any]]) -> None:
    folder, encoder, texts, facts = packed
    found = []
    for split in facts["splits"].values():
        for shard in split["shards"]:
            tokens = np.fromfile(folder / f"{shard['name']}.bin", facts["dtype"])
            ends = np.flatnonzero(tokens == facts["eos_id"]) + 1
            assert ends[-1] == len(tokens)
            found += [encoder.decode(part).decode() for part in np.split(tokens, ends[:-1])]
    assert sorted(found) == sorted(texts.values())
    assert len(facts["splits"]["train"]["shards"]) > 1


def test_the_page_names_every_key(packed: tuple[Path, Encoder, dict[bytes, str], dict[str, Any]]) -> None:
    facts = packed[3]
    page = PAGE.read_text(encoding="utf-8").split("## `shards.json`")[1]
    shard = facts["splits"]["train"]["shards"][0]
    for key in (*facts, *facts["splits"]["train"], *shard, *shard["sha256"]):
        assert f"`{key}" in page
