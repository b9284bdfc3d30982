"""Stage `pack`: `tokens` encodes each partition, `shards` shuffles all of them into the trainer's shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from corpus.errors import InputError
from corpus.plan import Step, Task
from corpus.store import StepFolder, Writer, fingerprint, sha256_file
from corpus.tokenizer.stage import MODEL

if TYPE_CHECKING:
    from corpus.recipe import Recipe

FEW = 20


def steps(recipe: Recipe) -> list[Step]:
    config = recipe.pack
    if config is None:
        return []
    return [
        Step(
            "pack/tokens",
            "corpus.pack.stage:tokens",
            "1",
            config,
            fields=(),
            needs=("id", "source", "text"),
            uses=("tokenizer",),
        ),
        Step(
            "pack/shards",
            "corpus.pack.stage:shards",
            "1",
            config,
            scope="corpus",
            uses=("tokenizer", "pack/tokens"),
        ),
    ]


def tokens(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """The token ids of a partition's documents, flat, and where each document lies in them."""
    from corpus.pack.tokens import write_tokens
    from corpus.tokenizer.encode import Encoder

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in task.view.batches(task.partition, ["id", "source", "text"]):
            out.count(len(batch), len(batch))
            yield batch
            beat(len(batch))

    encoder = Encoder(task.folder("tokenizer") / MODEL, task.inputs[f"tokenizer/{MODEL}"])
    write_tokens(batches(), encoder, out.path(f"{task.partition}.bin"), out.path(f"{task.partition}.parquet"))


def shards(task: Task, out: Writer, beat: Callable[[int], None]) -> None:
    """Every partition's tokens, shuffled by document into `train-*` and `validation-*` shards."""
    from corpus.pack.shards import write_shards
    from corpus.tokenizer.encode import Encoder

    folder = StepFolder(task.folder("pack/tokens"))
    pairs = [(folder.path / f"{name}.bin", folder.path / f"{name}.parquet") for name in task.partitions]
    for name in task.partitions:
        # Parquet has checksums of its own; a flipped bit in plain tokens would be packed under a fresh digest.
        if sha256_file(folder.path / f"{name}.bin") != task.inputs[f"pack/tokens/{name}.bin"]:
            raise InputError(
                f"{folder.path / name}.bin: is damaged; `corpus verify {task.root} --discard` and run again"
            )
    encoder = Encoder(task.folder("tokenizer") / MODEL, task.inputs[f"tokenizer/{MODEL}"])
    encoded = [entry for entry in folder.entries().values() if entry.partition in task.partitions]
    facts = write_shards(
        pairs,
        out.directory,
        task.step.config,
        vocab_size=encoder.vocab_size,
        eos_id=encoder.eos_id,
        tokenizer_sha256=encoder.sha256,
        corpus_digest=fingerprint([file.sha256 for entry in encoded for file in entry.files]),
        progress=beat,
    )
    documents = sum(entry.rows_out for entry in encoded)
    out.count(documents, sum(split["documents"] for split in facts["splits"].values()))
    out.facts.update(facts)
    held = facts["splits"].get("validation", {}).get("documents")
    if held is not None and held < FEW:
        out.facts["warnings"] = [
            f"pack: only {held} held-out documents: their loss is a rough figure; raise pack.validation_fraction"
        ]
