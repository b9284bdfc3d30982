"""How text becomes the tokens of an n-gram model."""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import InputError
from corpus.kernels.arrow import string_buffers

Normalise = Literal["ccnet", "none"]
Unit = Literal["words", "spaces", "pieces"]
Sentence = Literal["line", "document"]


@dataclass(frozen=True)
class Reading:
    """What makes a model's tokens: a model and the text that it measures must be read alike."""

    normalise: Normalise = "ccnet"
    unit: Unit = "words"
    sentence: Sentence = "line"
    tokenizer_sha256: str | None = None
    """Of the sentencepiece model, when the unit is `pieces`."""

    def check(self) -> None:
        """Raises ValueError for values that none of these has, as a damaged header may hold."""
        for value, allowed in ((self.normalise, Normalise), (self.unit, Unit), (self.sentence, Sentence)):
            if value not in get_args(allowed):
                raise ValueError(f"{value!r} is none of {', '.join(get_args(allowed))}")
        digest = self.tokenizer_sha256
        sound = digest is None or (isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest))
        if not sound or (digest is not None) != (self.unit == "pieces"):
            raise ValueError("a sha256 of a sentencepiece model goes with pieces, and with nothing else")

    @property
    def shown(self) -> str:
        """For people."""
        words = {"words": "words and marks", "spaces": "between white space", "pieces": "sentencepiece pieces"}
        return f"{words[self.unit]}, normalisation {self.normalise}, a sentence a {self.sentence}"


@dataclass(frozen=True)
class Tokens:
    """Tokens of a batch: document d's are `hashes[ends[d]:ends[d + 1]]`, END (0) behind each sentence.

    Token k is the bytes `data[starts[k]:stops[k]]`.
    """

    data: np.ndarray
    hashes: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.hashes)

    def joined(self) -> bytes:
        """The tokens with spaces between them, a line a sentence."""
        from corpus.kernels.ngrams_text import join

        room = int((self.stops - self.starts)[self.hashes != 0].sum()) + len(self)
        out = np.empty(room, np.uint8)
        return out[: join(self.data, self.hashes, self.starts, self.stops, len(self), out)].tobytes()


class Pieces:
    """A sentencepiece model as a set of tokens. Raises InputError when it is not the one of `sha256`, or is none."""

    def __init__(self, path: Path, sha256: str | None = None) -> None:
        import sentencepiece

        from corpus.kernels.ngrams_text import hash_words

        proto = read_checked(path, sha256, "sentencepiece model", "quality.perplexity.tokenizer_sha256")
        self.sha256 = hashlib.sha256(proto).hexdigest()
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
        except RuntimeError:
            raise InputError(f"{path}: is no sentencepiece model; give the one that made the model's tokens") from None
        words = [self._processor.id_to_piece(i) for i in range(self._processor.vocab_size())]
        self.data, self._offsets = string_buffers(pa.array(words, pa.large_string()))
        self._hashes = np.empty(len(words), np.uint64)
        hash_words(self.data, self._offsets, self._hashes)

    def split(self, texts: pa.Array, by_line: bool) -> Tokens:
        """The pieces of each line, or document."""
        lines = pc.split_pattern(texts, "\n") if by_line else None
        sentences = lines.values if lines is not None else pc.replace_substring(texts, "\n", " ")
        found = self._processor.encode(sentences.to_pylist(), out_type=int) if len(sentences) else []
        sizes = np.array([len(ids) for ids in found], np.int64)
        flat = np.fromiter((i for ids in found for i in ids), np.int64, int(sizes.sum()))
        # An END behind each sentence that has pieces: token k moves back by the sentences closed before it.
        closed = np.cumsum(sizes > 0)
        at = np.arange(len(flat)) + np.repeat(closed - 1, sizes)
        hashes = np.zeros(len(flat) + int((sizes > 0).sum()), np.uint64)
        starts, stops = np.zeros(len(hashes), np.int64), np.zeros(len(hashes), np.int64)
        hashes[at], starts[at], stops[at] = self._hashes[flat], self._offsets[flat], self._offsets[flat + 1]
        sentence_ends = np.concatenate([[0], np.cumsum(sizes) + closed]).astype(np.int64)
        ends = sentence_ends[lines.offsets.to_numpy().astype(np.int64)] if lines is not None else sentence_ends
        return Tokens(self.data, hashes, starts, stops, ends)


def tokenise(texts: pa.Array, reading: Reading, pieces: Pieces | None = None) -> Tokens:
    """The tokens of `texts` (string or large_string, no nulls); `pieces` where the reading asks for them."""
    from corpus.kernels.ngrams_text import split

    data, offsets = _normalised(texts, reading)
    if pieces is not None:
        return pieces.split(strings(data, offsets), reading.sentence == "line")
    room = int(offsets[-1] - offsets[0]) + len(offsets)
    hashes, starts, stops = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
    ends = np.empty(len(offsets), np.int64)
    count = split(data, offsets, _classes(reading.unit), reading.sentence == "line", hashes, starts, stops, ends)
    return Tokens(data, hashes[:count], starts[:count], stops[:count], ends)


def strings(data: np.ndarray, offsets: np.ndarray) -> pa.Array:
    """A large_string array of UTF-8 bytes (uint8) and int64[n + 1] offsets, without a copy."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


@functools.cache
def _classes(unit: Unit) -> np.ndarray:
    from corpus.kernels.ngrams_text import space_classes, word_classes

    return space_classes() if unit == "spaces" else word_classes()


def _normalised(texts: pa.Array, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """(uint8[total], int64[n + 1]) of the texts after normalisation."""
    from corpus.kernels.ngrams_text import ccnet, normalise

    data, offsets = string_buffers(texts)
    data.flags.writeable = False
    if reading.normalise == "none":
        return data, offsets
    room = int(offsets[-1] - offsets[0]) * 9 // 8 + 64
    ends = np.empty(len(offsets), np.int64)
    while True:
        out = np.empty(room, np.uint8)
        needed = normalise(data, offsets, *ccnet(), out, ends)
        if needed <= room:
            break
        room = needed
    out = out[:needed]
    out.flags.writeable = False
    return out, ends


def read_checked(path: Path, sha256: str | None, what: str, key: str) -> bytes:
    """The file's bytes. Raises InputError when it cannot be read or has another sha256."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{what} {path}: cannot be read ({error.strerror}); correct the path") from error
    require(sha256, hashlib.sha256(data).hexdigest(), f"{what} {path}", key)
    return data


def require(wanted: str | None, found: str, what: str, key: str) -> None:
    """Raises InputError when a digest is not the wanted one."""
    if wanted is not None and found != wanted:
        raise InputError(f"{what}: its sha256 {found[:12]}… is not {wanted[:12]}…; get the file again or correct {key}")
