"""Token shards as docs/shards.md describes them: verified, mapped read-only, cut into windows.

The order of training is a function of (seed, step), so the state of the loader is one integer and a resumed run
reads what an undisturbed one would have read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.errors import TrainerError

VERSION = 1


class Shards:
    """A folder of shards. `digest` is that of `shards.json`, which names the digest of every file.

    Raises TrainerError when `shards.json` is missing, unreadable or of another version.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "shards.json"
        try:
            raw = path.read_bytes()
            self.facts: dict[str, Any] = json.loads(raw)
            if self.facts["version"] != VERSION:
                raise TrainerError(
                    f"{path}: is of version {self.facts['version']}, this trainer reads version {VERSION}; "
                    "pack the corpus again"
                )
            self.vocab_size, self.eos_id = int(self.facts["vocab_size"]), int(self.facts["eos_id"])
            self.tokenizer_sha256 = str(self.facts["tokenizer_sha256"])
            self.dtype: np.dtype[Any] = np.dtype({"uint16": "<u2", "uint32": "<u4"}[self.facts["dtype"]])
            self.splits: dict[str, Any] = self.facts["splits"]
        except FileNotFoundError:
            raise TrainerError(f"{folder}: no shards.json; give --shards a folder that `corpus pack` wrote") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainerError(f"{path}: cannot be read ({error!r}); pack the corpus again") from None
        self.folder = folder
        self.digest = hashlib.sha256(raw).hexdigest()

    def stream(self, name: str) -> Stream:
        """All tokens of a split, one after the other, each file's digest checked.

        Raises TrainerError for an unknown or empty split and for a file that is missing or damaged.
        """
        if name not in self.splits:
            raise TrainerError(
                f"{self.folder}: no split {name!r}, there is {', '.join(self.splits) or 'none'}; "
                "set pack.validation_fraction above 0 and pack again"
            )
        split = self.splits[name]
        parts = [self._open(shard) for shard in split["shards"]]
        if not sum(map(len, parts)):
            raise TrainerError(f"{self.folder}: split {name!r} holds no tokens; pack a corpus with documents in it")
        return Stream(parts, self.vocab_size, int(split["bytes"]), int(split["documents"]))

    def _open(self, shard: dict[str, Any]) -> np.ndarray:
        path = self.folder / f"{shard['name']}.bin"
        expected = shard["sha256"]["bin"]
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != expected:
                raise TrainerError(
                    f"{path}: damaged: sha256 {found[:12]}, shards.json says {expected[:12]}; pack the corpus again"
                )
            size = path.stat().st_size
            if size != shard["tokens"] * self.dtype.itemsize:
                raise TrainerError(f"{path}: does not hold the {shard['tokens']:,} tokens of shards.json; pack again")
            return np.memmap(path, self.dtype, "r") if size else np.empty(0, self.dtype)
        except OSError as error:
            raise TrainerError(f"{path}: {error.strerror or error}; pack the corpus again") from None


@dataclass(frozen=True)
class Stream:
    """The token ids of a split, and the bytes of raw UTF-8 text that they came from."""

    parts: list[np.ndarray]
    vocab_size: int
    bytes: int
    documents: int

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Tokens `start` to `stop` of the stream as int64, across the bounds of files."""
        found, offset = [], 0
        for part in self.parts:
            if start < offset + len(part) and stop > offset:
                found.append(part[max(start - offset, 0) : stop - offset])
            offset += len(part)
        return np.concatenate(found).astype(np.int64) if found else np.empty(0, np.int64)

    def counts(self) -> np.ndarray:
        """How often each id occurs, int64 (vocab_size,). Raises TrainerError when an id is outside the vocabulary."""
        total = np.zeros(self.vocab_size, np.int64)
        for part in self.parts:
            for start in range(0, len(part), 1 << 24):
                counts = np.bincount(part[start : start + (1 << 24)], minlength=self.vocab_size)
                if len(counts) > self.vocab_size:
                    raise TrainerError(
                        f"token id {len(counts) - 1} in the shards: the vocabulary has {self.vocab_size}; pack again"
                    )
                total += counts
        return total


@dataclass(frozen=True)
class TrainLoader:
    """Rows of `seq_len` + 1 tokens, cut from the stream end to end and shuffled anew in every epoch.

    Neighbouring windows share one token, the last target of one being the first input of the next, so every
    token but the first is predicted once an epoch. The rest that fills no window, less than `seq_len` tokens
    at the end of the stream, is left out.
    """

    stream: Stream
    seq_len: int
    batch_rows: int
    seed: int

    def __post_init__(self) -> None:
        if len(self.stream) <= self.seq_len:
            raise TrainerError(
                f"the train split has {len(self.stream):,} tokens, fewer than one window of {self.seq_len + 1}; "
                "give more documents or a smaller --seq-len"
            )

    @property
    def windows(self) -> int:
        return (len(self.stream) - 1) // self.seq_len

    def batch(self, step: int) -> np.ndarray:
        """The rows of a step, int64 (batch_rows, seq_len + 1)."""
        places = np.arange(step * self.batch_rows, (step + 1) * self.batch_rows, dtype=np.uint64)
        epochs, places = np.divmod(places, np.uint64(self.windows))
        starts = np.concatenate(
            [permute(places[epochs == epoch], self.windows, (self.seed, int(epoch))) for epoch in np.unique(epochs)]
        ).astype(np.int64)
        return np.stack([self.stream.read(i * self.seq_len, (i + 1) * self.seq_len + 1) for i in starts])


def permute(places: np.ndarray, size: int, key: tuple[int, int]) -> np.ndarray:
    """Where a keyed shuffle of range(`size`) puts each place, uint64, in constant memory.

    A Feistel network of six rounds over the next even number of bits, walked until it is below `size` again
    (cycle walking; Black & Rogaway 2002), so it is a bijection for every key.
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    digest = hashlib.blake2b(f"{key[0]} {key[1]}".encode(), digest_size=48).digest()
    places = places.astype(np.uint64)
    walking = np.ones(len(places), bool)
    while walking.any():
        left, right = places[walking] >> half, places[walking] & mask
        for round_key in np.frombuffer(digest, "<u8"):
            left, right = right, left ^ (_mix(right ^ round_key) & mask)
        places[walking] = (left << half) | right
        walking = places >= size
    return places


def _mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def held_out(stream: Stream, seq_len: int, rows: int, eos_id: int) -> Iterator[np.ndarray]:
    """Batches (at most `rows`, up to `seq_len` + 1) in which each token of the stream is a target exactly once.

    The end-of-text id stands before the first token. The last window is a batch of its own when it is shorter.
    """

    def window(start: int) -> np.ndarray:
        stop = min(start + seq_len, len(stream))
        first = stream.read(start - 1, stop) if start else np.append(eos_id, stream.read(0, stop))
        return first.astype(np.int64)

    full = len(stream) // seq_len
    for row in range(0, full, rows):
        yield np.stack([window(i * seq_len) for i in range(row, min(row + rows, full))])
    if len(stream) % seq_len:
        yield window(full * seq_len)[None]


def unigram_nats(train: np.ndarray, held: np.ndarray) -> float:
    """Nats a token of the held-out counts under the train counts with add-one smoothing."""
    log_p = np.log((train + 1) / (train.sum() + len(train)))
    return float(-(held * log_p).sum() / held.sum())
