"""The perplexity of documents under a model: our own, an ARPA file, or a KenLM binary."""

from __future__ import annotations

import functools
import hashlib
import importlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from corpus.errors import CorpusError, InputError
from corpus.quality.perplexity import arpa, file
from corpus.quality.perplexity.config import PerplexityConfig
from corpus.quality.perplexity.model import NgramModel
from corpus.quality.perplexity.tokens import Pieces, Reading, Tokens, require, tokenise

_KEY = "quality.perplexity.model_sha256"
_MOST_LOG = 300.0  # a float64 ends at 10**308


class Model(Protocol):
    """What gives tokens probabilities."""

    def perplexity(self, tokens: Tokens) -> np.ndarray:
        """float64[documents], NaN for a document without tokens."""
        ...


class Native:
    """A model that our kernels ask."""

    def __init__(self, model: NgramModel) -> None:
        self._lookup = model.lookup

    def perplexity(self, tokens: Tokens) -> np.ndarray:
        return of_documents(self._lookup.log10(self._lookup.ids(tokens.hashes)), tokens.ends)


class KenLM:
    """A KenLM binary, asked sentence by sentence through the package `kenlm`."""

    def __init__(self, path: Path) -> None:
        try:
            kenlm: Any = importlib.import_module("kenlm")
        except ImportError:
            raise CorpusError(
                f"{path}: a KenLM binary needs the package kenlm: pip install 'corpusmill[kenlm]', "
                "or give the ARPA file that it was made of"
            ) from None
        try:
            self._model = kenlm.Model(str(path))
        except OSError:
            raise InputError(f"n-gram model {path}: KenLM cannot load it; get it again, or give an ARPA file") from None

    def perplexity(self, tokens: Tokens) -> np.ndarray:
        lines = tokens.joined().decode().split("\n")[:-1]
        found = np.array([self._model.score(line) for line in lines])
        # A sentence's sum stands at its end, and the mean is over tokens and ends alike.
        log10 = np.zeros(len(tokens))
        log10[tokens.hashes == 0] = found
        return of_documents(log10, tokens.ends)


def of_documents(log10: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """float64[documents]: 10 ** -(mean of `log10[ends[d]:ends[d + 1]]`), NaN where there is none.

    The mean is held within +-300, so that whatever a model says no perplexity is 0 or infinite.
    """
    counts = np.diff(ends)
    some = counts > 0
    out = np.full(len(counts), np.nan)
    if some.any():
        mean = np.add.reduceat(log10, ends[:-1][some]) / counts[some]
        out[some] = 10.0 ** -np.clip(mean, -_MOST_LOG, _MOST_LOG)
    return out


class Scorer:
    """What a recipe names, loaded once its digests are checked. Raises InputError and CorpusError."""

    def __init__(self, config: PerplexityConfig) -> None:
        self._pieces: Pieces | None = None
        if config.tokenizer_path is not None:
            self._pieces = Pieces(Path(config.tokenizer_path), config.tokenizer_sha256)
        path = Path(config.model_path)
        self._model, reading = load(path, config.model_sha256)
        wanted: dict[str, Any] = {
            "normalise": config.normalise,
            "unit": "pieces" if self._pieces else config.unit,
            "sentence": config.sentence,
            "tokenizer_sha256": self._pieces.sha256 if self._pieces else None,
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        if reading is not None:
            if (reading.unit == "pieces") != (self._pieces is not None):
                what = "add" if self._pieces is None else "leave out"
                raise InputError(f"{path}: its tokens are {reading.unit}; {what} quality.perplexity.tokenizer_path")
            for key, value in given.items():
                if getattr(reading, key) != value:
                    raise InputError(
                        f"{path}: was trained with {key} {getattr(reading, key)}, the recipe says {value}; "
                        f"leave quality.perplexity.{key.replace('_sha256', '_path')} out or correct it"
                    )
        self.reading = reading or Reading(**given)

    def perplexity(self, texts: pa.Array) -> pa.Array:
        """float64: of each text (string or large_string, no nulls), null where it has no words.

        10 to the minus mean log10 probability of its tokens and ends of sentences.
        """
        found = self._model.perplexity(tokenise(texts, self.reading, self._pieces))
        return pa.array(found, from_pandas=True)


@functools.lru_cache(maxsize=2)  # the next task of this process wants the same
def load(path: Path, sha256: str | None) -> tuple[Model, Reading | None]:
    """(the model, how it reads text where it says so); read by its suffix. Raises InputError and CorpusError."""
    what = f"n-gram model {path}"
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
            require(sha256, found, what, _KEY)
            stream.seek(0)
            own = stream.read(len(file.MAGIC)) == file.MAGIC
            if own or path.suffix == ".ngram":
                stream.seek(0)
                model = file.parse(stream.read(), what)
                return Native(model), model.reading
    except OSError as error:
        raise InputError(f"{what}: cannot be read ({error.strerror}); correct quality.perplexity.model_path") from error
    if path.suffix in (".bin", ".binary", ".klm", ".mmap"):
        return KenLM(path), None
    return Native(arpa.read(path)), None
