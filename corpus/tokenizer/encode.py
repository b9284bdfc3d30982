"""Text to token ids and back, without loss."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.errors import CorpusError, InputError
from corpus.tokenizer.segments import segments

# sentencepiece writes a space as U+2581, so that this character itself would come back as a space. It is
# rare: it goes past sentencepiece, spelled by its three byte tokens.
META = "\u2581"
# sentencepiece merges with one heap for the whole text: cut, a text of 10 MB takes a fifth of the time and
# memory.
SEGMENT = 2048
_PROBE = " a  b\u2581\n\t<unk>\0é "


def token_dtype(vocab_size: int) -> np.dtype:
    """Little-endian uint16 up to 65,536 token ids, else uint32."""
    return np.dtype("<u2" if vocab_size <= 65_536 else "<u4")


class Encoder:
    """A trained model.

    Attributes: `vocab_size`, `eos_id`, `dtype` (of the token ids), `sha256` (of the model file, hex).

    Raises InputError when the file is missing or is not the one of `sha256`, CorpusError when it is no
    sentencepiece model or one that loses text.
    """

    def __init__(self, model_path: Path, sha256: str | None = None) -> None:
        import sentencepiece

        try:
            proto = Path(model_path).read_bytes()
        except OSError as error:
            raise InputError(f"{model_path}: cannot read the tokenizer ({error.strerror}); train it first") from None
        self.sha256 = hashlib.sha256(proto).hexdigest()
        if sha256 is not None and self.sha256 != sha256:
            raise InputError(
                f"{model_path}: sha256 {self.sha256[:12]}, expected {sha256[:12]}: the file was changed or "
                "damaged; train the tokenizer again or give back the file"
            )
        try:
            model = sentencepiece.SentencePieceProcessor(model_proto=proto)
        except RuntimeError:
            raise CorpusError(
                f"{model_path}: not a sentencepiece model; train one with `corpus tokenizer train`"
            ) from None
        self.processor = model
        self.vocab_size: int = model.vocab_size()
        self.eos_id: int = model.eos_id()
        self.dtype = token_dtype(self.vocab_size)
        self._bytes = [_token_bytes(model, i) for i in range(self.vocab_size)]
        self._meta = np.array([model.piece_to_id(f"<0x{byte:02X}>") for byte in META.encode()], np.int32)
        ids, _ = self.encode(pa.array([_PROBE]))
        if self.eos_id < 0 or self.decode(ids) != _PROBE.encode():
            raise CorpusError(
                f"{model_path}: this sentencepiece model has no end-of-text token or loses text; "
                "train one with `corpus tokenizer train`"
            )

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """(tokens: uint16 or uint32[total], offsets: int64[n + 1]) of a string or large_string array without
        nulls.

        Document i is tokens[offsets[i] : offsets[i + 1]]: its text and the end-of-text token.
        """
        parts: list[str | None] = []  # None is U+2581
        counts = np.zeros(len(texts), np.int64)
        for row, text in enumerate(texts.to_pylist()):
            before = len(parts)
            for number, plain in enumerate(text.split(META)):
                if number:
                    parts.append(None)
                parts.extend(segments(plain, SEGMENT))
            counts[row] = len(parts) - before
        encoded = iter(self.processor.EncodeAsNumpy([part for part in parts if part is not None], num_threads=1))
        arrays = [self._meta if part is None else next(encoded) for part in parts]
        sizes = np.zeros(len(arrays) + 1, np.int64)
        np.cumsum([len(array) for array in arrays], out=sizes[1:])
        ends = sizes[np.cumsum(counts)]
        offsets = np.concatenate([[0], ends + np.arange(1, len(texts) + 1)])
        tokens = np.full(int(offsets[-1]), self.eos_id, self.dtype)
        inside = np.ones(len(tokens), bool)
        inside[offsets[1:] - 1] = False
        if arrays:
            tokens[inside] = np.concatenate(arrays)
        return tokens, offsets

    def decode(self, ids: np.ndarray) -> bytes:
        """The UTF-8 bytes of token ids int[n]; special tokens give none. A cut inside a character gives its
        bytes."""
        return b"".join([self._bytes[i] for i in np.asarray(ids).tolist()])


def _token_bytes(model: Any, token: int) -> bytes:
    if model.is_control(token) or model.is_unknown(token):
        return b""
    piece = model.id_to_piece(token)
    return bytes([int(piece[3:5], 16)]) if model.is_byte(token) else piece.replace(META, " ").encode()
