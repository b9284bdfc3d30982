"""Packing: every document arrives whole, in an order that depends on the documents and the seed alone."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorpusError, InputError
from corpus.pack import shards as shards_module
from corpus.pack import tokens as tokens_module
from corpus.pack.config import PackConfig
from corpus.pack.gather import TokenFiles
from corpus.pack.megatron import index_bytes
from corpus.pack.shards import write_shards
from corpus.pack.tokens import INDEX, write_tokens
from corpus.pack.where import where
from corpus.tokenizer.config import TokenizerConfig
from corpus.tokenizer.encode import Encoder
from corpus.tokenizer.train import train

EOS_ID = 1
Document = tuple[bytes, str, list[int], int]  # id, source, token ids, bytes


def make(number: int, seed: int, vocab_size: int = 500, longest: int = 40) -> list[Document]:
    rng = random.Random(seed)
    documents = []
    for i in range(number):
        ids = [rng.randrange(2, vocab_size) for _ in range(rng.randint(0, longest))] + [EOS_ID]
        key = hashlib.blake2b(f"{seed} {i}".encode(), digest_size=16).digest()
        documents.append((key, rng.choice(["web", "books", "code"]), ids, 3 * len(ids)))
    return documents


def write_partitions(
    folder: Path, documents: list[Document], cuts: list[int], dtype: str = "<u2"
) -> list[tuple[Path, Path]]:
    """The documents as partitions that end at `cuts`, written without the module under test."""
    folder.mkdir(parents=True)
    pairs = []
    bounds = [0, *sorted(cuts), len(documents)]
    for number, (start, stop) in enumerate(pairwise(bounds)):
        part = documents[start:stop]
        pair = folder / f"{number}.bin", folder / f"{number}.parquet"
        np.array([i for document in part for i in document[2]], dtype).tofile(pair[0])
        columns = [
            [d[0] for d in part],
            [d[1] for d in part],
            [len(d[2]) for d in part],
            [d[3] for d in part],
        ]
        pq.write_table(pa.table(columns, schema=INDEX), pair[1])
        pairs.append(pair)
    return pairs


def pack(pairs: list[tuple[Path, Path]], out: Path, vocab_size: int = 500, **config: Any) -> dict[str, Any]:
    out.mkdir()
    return write_shards(
        pairs,
        out,
        PackConfig(**config),
        vocab_size=vocab_size,
        eos_id=EOS_ID,
        tokenizer_sha256="t" * 64,
        corpus_digest="c" * 64,
    )


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def read_documents(folder: Path, shard: dict[str, Any], dtype: str) -> Iterator[Document]:
    tokens = np.fromfile(folder / f"{shard['name']}.bin", dtype)
    for row in pq.read_table(folder / f"{shard['name']}.docs.parquet").to_pylist():
        ids = tokens[row["first_token"] : row["first_token"] + row["tokens"]].tolist()
        yield row["id"], row["source"], ids, row["bytes"]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_shards_hold_all_documents_whatever_the_partitions(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp = tmp_path_factory.mktemp("pack")
    number = data.draw(st.integers(2, 60))
    vocab_size = data.draw(st.sampled_from([500, 65_536, 65_537, 200_000]))
    dtype = "<u2" if vocab_size <= 65_536 else "<u4"
    documents = make(number, data.draw(st.integers(0, 9)), vocab_size)
    cuts = st.lists(st.integers(0, number), max_size=4)
    config = {
        "shard_tokens": data.draw(st.integers(1, 700)),
        "validation_fraction": data.draw(st.sampled_from([0.0, 0.3, 0.5])),
        "seed": data.draw(st.integers(0, 3)),
    }
    try:
        facts = pack(write_partitions(tmp / "a", documents, data.draw(cuts), dtype), tmp / "one", vocab_size, **config)
    except CorpusError as error:
        assert "split is empty" in str(error)  # noqa: PT017
        return
    shuffled = data.draw(st.permutations(documents))
    pack(write_partitions(tmp / "b", shuffled, data.draw(cuts), dtype), tmp / "two", vocab_size, **config)
    assert digests(tmp / "one") == digests(tmp / "two")
    assert json.loads((tmp / "one" / "shards.json").read_text()) == facts

    seen: list[Document] = []
    for split in facts["splits"].values():
        for number, shard in enumerate(split["shards"]):
            there = list(read_documents(tmp / "one", shard, dtype))
            lengths = [len(document[2]) for document in there]
            assert sum(lengths) == shard["tokens"]
            assert len(there) == shard["documents"]
            assert sum(document[3] for document in there) == shard["bytes"]
            # A shard closes with the document that fills it, and not before.
            assert sum(lengths[:-1]) < config["shard_tokens"]
            assert sum(lengths) >= config["shard_tokens"] or number == len(split["shards"]) - 1
            seen += there
        for key in ("tokens", "documents", "bytes"):
            assert split[key] == sum(shard[key] for shard in split["shards"])
    assert sorted(seen) == sorted(documents)
    assert ("validation" in facts["splits"]) == (config["validation_fraction"] > 0)


def test_every_digest_in_the_description_is_the_files(tmp_path: Path) -> None:
    facts = pack(
        write_partitions(tmp_path / "in", make(50, 1), [20]),
        tmp_path / "out",
        shard_tokens=300,
        validation_fraction=0.2,
    )
    found = digests(tmp_path / "out")
    del found["shards.json"]
    suffixes = {"bin": ".bin", "idx": ".idx", "docs": ".docs.parquet"}
    named = {
        shard["name"] + suffixes[kind]: digest
        for split in facts["splits"].values()
        for shard in split["shards"]
        for kind, digest in shard["sha256"].items()
    }
    assert named == found
    assert len(named) > 6


def test_the_seed_shuffles_and_leaves_the_validation_documents(tmp_path: Path) -> None:
    documents = make(200, 3)
    pairs = write_partitions(tmp_path / "in", documents, [50])
    orders = []
    for seed in (1, 2):
        facts = pack(pairs, tmp_path / f"out{seed}", validation_fraction=0.2, seed=seed)
        orders.append(
            {
                split: [d[0] for d in read_documents(tmp_path / f"out{seed}", part["shards"][0], "<u2")]
                for split, part in facts["splits"].items()
            }
        )
    for split in ("train", "validation"):
        assert orders[0][split] != orders[1][split]
        assert sorted(orders[0][split]) == sorted(orders[1][split])
    given_order = [document[0] for document in documents]
    ranks = np.array([given_order.index(key) for key in orders[0]["train"]])
    # A shuffle: neighbours in the input are no neighbours in the output.
    assert abs(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]) < 0.25
    # 200 draws at 0.2, five standard deviations.
    assert 12 <= len(orders[0]["validation"]) <= 68
    # A growing corpus moves no document over.
    bigger = pack(
        write_partitions(tmp_path / "more", documents + make(100, 4), []),
        tmp_path / "out3",
        validation_fraction=0.2,
    )
    shard = bigger["splits"]["validation"]["shards"][0]
    held = {document[0] for document in read_documents(tmp_path / "out3", shard, "<u2")}
    assert held & set(given_order) == set(orders[0]["validation"])


def test_documents_with_equal_hashes_are_ordered_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "keyed_hash", lambda ids, key: np.zeros(len(ids), np.uint64))
    documents = make(30, 2)
    for number, given_order in enumerate([documents, documents[::-1]]):
        pairs = write_partitions(tmp_path / f"in{number}", given_order, [])
        pack(pairs, tmp_path / f"out{number}", validation_fraction=0)
    assert digests(tmp_path / "out0") == digests(tmp_path / "out1")


def parse_idx(data: bytes) -> tuple[np.dtype, np.ndarray, np.ndarray, np.ndarray]:
    """Read `MMIDIDX` as megatron/core/datasets/indexed_dataset.py does: (dtype, lengths, pointers, documents)."""
    assert data[:9] == b"MMIDIDX\x00\x00"
    (version,) = struct.unpack("<Q", data[9:17])
    assert version == 1
    code = data[17]
    names = {
        1: "uint8",
        2: "int8",
        3: "int16",
        4: "int32",
        5: "int64",
        6: "float64",
        7: "float32",
        8: "uint16",
    }
    sequences, documents = struct.unpack("<QQ", data[18:34])
    at = 34
    arrays = []
    for dtype, count in ((np.int32, sequences), (np.int64, sequences), (np.int64, documents)):
        arrays.append(np.frombuffer(data, dtype, count, at))
        at += arrays[-1].nbytes
    assert at == len(data)
    return np.dtype(names[code]), arrays[0], arrays[1], arrays[2]


@pytest.mark.parametrize(("vocab_size", "dtype"), [(500, "uint16"), (70_000, "int32")])
def test_megatron_reads_the_documents(tmp_path: Path, vocab_size: int, dtype: str) -> None:
    documents = make(40, 5, vocab_size)
    pairs = write_partitions(tmp_path / "in", documents, [10], "<u2" if vocab_size == 500 else "<u4")
    facts = pack(pairs, tmp_path / "out", vocab_size, validation_fraction=0, shard_tokens=200)
    found = []
    for shard in facts["splits"]["train"]["shards"]:
        path = tmp_path / "out" / shard["name"]
        read_dtype, lengths, pointers, bounds = parse_idx(path.with_suffix(".idx").read_bytes())
        assert read_dtype == np.dtype(dtype)
        data = path.with_suffix(".bin").read_bytes()
        # Their reader: frombuffer(dtype, count=length, offset=pointer), documents as runs of sequences.
        for first, last in pairwise(bounds):
            assert last == first + 1
            found.append(np.frombuffer(data, read_dtype, lengths[first], pointers[first]).tolist())
        assert pointers[-1] + lengths[-1] * read_dtype.itemsize == len(data)
    assert sorted(found) == sorted(document[2] for document in documents)


def test_idx_of_a_document_too_long_for_int32() -> None:
    with pytest.raises(CorpusError, match="2\\*\\*31"):
        index_bytes(np.array([5, 2**31]), np.dtype("<u2"))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_gather_in_chunks(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    documents = make(data.draw(st.integers(1, 30)), 6)
    number = len(documents)
    cuts = sorted(data.draw(st.lists(st.integers(0, number), max_size=4)))
    pairs = write_partitions(tmp_path_factory.mktemp("gather") / "in", documents, cuts)
    counts = np.diff([0, *cuts, number]).tolist()
    lengths = np.array([len(document[2]) for document in documents])
    files = TokenFiles([path for path, _ in pairs], counts, lengths, np.dtype("<u2"))
    rows = np.array(data.draw(st.permutations(range(number))))
    chunk = data.draw(st.integers(1, 200))
    chunks = list(files.gather(rows, chunk))
    assert np.concatenate(chunks).tolist() == [i for row in rows for i in documents[row][2]]
    assert all(len(part) < chunk + lengths.max() for part in chunks)


def test_where_finds_the_document_of_every_token(tmp_path: Path) -> None:
    facts = pack(write_partitions(tmp_path / "in", make(30, 7), []), tmp_path / "out", validation_fraction=0)
    position = 0
    for key, source, ids, size in read_documents(tmp_path / "out", facts["splits"]["train"]["shards"][0], "<u2"):
        for inside in range(len(ids)):
            assert where(tmp_path / "out", "train-00000", position + inside) == {
                "shard": "train-00000",
                "position": position + inside,
                "id": key.hex(),
                "source": source,
                "first_token": position,
                "tokens": len(ids),
                "bytes": size,
            }
        position += len(ids)
    for bad in (-1, position):
        with pytest.raises(InputError, match=f"0 to {position - 1}"):
            where(tmp_path / "out", "train-00000", bad)
    with pytest.raises(InputError, match="there are train-00000"):
        where(tmp_path / "out", "train-00009", 0)


def test_what_cannot_be_packed_is_said_in_one_line(tmp_path: Path) -> None:
    def message(documents: list[Document], **config: Any) -> str:
        name = f"{len(list(tmp_path.iterdir()))}"
        pairs = write_partitions(tmp_path / f"in{name}", documents, [])
        with pytest.raises(CorpusError) as caught:
            pack(pairs, tmp_path / f"out{name}", **config)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no documents" in message([])
    assert "come twice" in message(make(5, 1) * 2)
    few = make(5, 1)
    above = message(few, validation_fraction=1e-9)
    assert "validation split is empty: 5 documents" in above
    below = message(few, validation_fraction=0.9999999)
    assert "train split is empty" in below
    # The fraction that the message names is the way out.
    fraction = float(above.split("validation_fraction to ")[1].split()[0])
    facts = pack(write_partitions(tmp_path / "enough", few, []), tmp_path / "ok", validation_fraction=fraction)
    assert facts["splits"]["validation"]["documents"] == 1


@pytest.mark.parametrize("change", [-1, 2])
def test_a_damaged_tokens_file_is_refused(tmp_path: Path, change: int) -> None:
    pairs = write_partitions(tmp_path / "in", make(20, 8), [10])
    data = pairs[1][0].read_bytes()
    pairs[1][0].write_bytes(data[:change] if change < 0 else data + b"xx")
    with pytest.raises(CorpusError, match="encode again"):
        pack(pairs, tmp_path / "out")


def test_a_full_disk_is_an_os_error(tmp_path: Path) -> None:
    pairs = write_partitions(tmp_path / "in", make(20, 8), [])
    out = tmp_path / "out"
    out.mkdir()
    (out / "train-00000.bin").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        write_shards(
            pairs,
            out,
            PackConfig(validation_fraction=0),
            vocab_size=500,
            eos_id=1,
            tokenizer_sha256="",
            corpus_digest="",
        )
    assert caught.value.errno == 28
    assert not (out / "shards.json").exists()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    path = tmp_path_factory.mktemp("model") / "m"
    words = [f"w{i}{'abcdefgh'[i % 8]} ünit{i % 31}" for i in range(2000)]
    ids = pa.array([hashlib.blake2b(w.encode(), digest_size=16).digest() for w in words], pa.binary(16))
    train([pa.record_batch({"id": ids, "text": pa.array(words)})], TokenizerConfig(vocab_size=285), path)
    return Encoder(path)


@pytest.mark.parametrize("limit", [1, 50, 10_000])
def test_tokens_of_a_partition(tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """The same files whatever the batches and however few bytes are encoded at a time."""
    texts = ["", "w1b ünit3\n", "\u2581", "a" * 120, "", "w2c w3d " * 9]
    ids = [bytes([i] * 16) for i in range(len(texts))]
    batch = pa.record_batch(
        {
            "id": pa.array(ids, pa.binary(16)),
            "source": pa.array(["web", "web", "books", "web", "books", "web"]).dictionary_encode(),
            "text": pa.array(texts, pa.large_string()),
        }
    )
    monkeypatch.setattr(tokens_module, "_ENCODE_BYTES", limit)
    pair = tmp_path / "t.bin", tmp_path / "t.parquet"
    totals = write_tokens([batch.slice(0, 2), batch.slice(2, 0), batch.slice(2)], encoder, *pair)
    tokens = np.fromfile(pair[0], encoder.dtype)
    index = pq.read_table(pair[1])
    assert index.schema.equals(INDEX)
    assert tokens.tolist() == encoder.encode(batch.column("text"))[0].tolist()
    ends = np.cumsum(index.column("tokens").to_numpy())
    parts = np.split(tokens, ends[:-1])
    assert [encoder.decode(part) for part in parts] == [text.encode() for text in texts]
    assert all(part[-1] == encoder.eos_id for part in parts)
    assert index.column("bytes").to_pylist() == [len(text.encode()) for text in texts]
    assert index.column("id").to_pylist() == ids
    assert index.column("source").to_pylist() == ["web", "web", "books", "web", "books", "web"]
    assert totals == {
        "documents": 6,
        "tokens": len(tokens),
        "bytes": sum(len(text.encode()) for text in texts),
    }


def test_a_partition_without_documents(tmp_path: Path, encoder: Encoder) -> None:
    empty = tmp_path / "e.bin", tmp_path / "e.parquet"
    assert write_tokens([], encoder, *empty) == {"documents": 0, "tokens": 0, "bytes": 0}
    full = write_partitions(tmp_path / "in", make(20, 9), [])
    facts = pack([empty, *full, empty], tmp_path / "out", validation_fraction=0)
    assert facts["splits"]["train"]["documents"] == 20
