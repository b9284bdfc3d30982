"""A fastText classifier, loaded once its digest is checked, over batches of text."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import InputError
from corpus.quality.classifier.config import ClassifierConfig
from corpus.quality.classifier.prepare import prepare
from corpus.store import sha256_once


def load(path: Path, sha256: str | None = None, name: str = "model") -> Any:
    """The fastText binding's model. Raises InputError: no such file, another digest, no classifier."""
    where = f"classifier {name}: {path}"
    try:
        found = sha256_once(path)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror}); correct `model_path`") from error
    if sha256 is not None and found != sha256:
        raise InputError(
            f"{where}: its sha256 {found[:12]}… is not {sha256[:12]}…; get the model again or correct `model_sha256`"
        )
    return _load(path, found, where)


@functools.lru_cache(maxsize=4)  # the next task of this process wants the same
def _load(path: Path, sha256: str, where: str) -> Any:
    # The class of fasttext's own `load_model` warns on stderr and fails on numpy 2; the binding under it does not.
    from fasttext_pybind import fasttext  # type: ignore[import-not-found]

    from corpus.language.fasttext_model import read_model

    # fastText itself checks nothing: a cut file loads, or ends the process.
    read_model(path)
    model = fasttext()
    try:
        model.loadModel(str(path))
        if model.getArgs().model.name != "supervised":
            raise InputError(f"{where}: holds word vectors, no classifier; train one with `corpus quality train`")
    except (ValueError, MemoryError) as error:
        raise InputError(f"{where}: fastText cannot load it ({error}); give a fastText classifier") from error
    return model


class Scorer:
    """One score a text: a label's probability, or the expected value of ordinal labels."""

    def __init__(self, config: ClassifierConfig) -> None:
        """Raises InputError, see `load`, and when the model lacks a label that the configuration names."""
        self._preparation = config
        self._model = load(Path(config.model_path), config.model_sha256, config.name)
        there = self._model.getLabels("strict")[0]
        self._values = dict(config.labels) if config.labels is not None else {config.label: 1.0}
        named = "labels" if config.labels is not None else "label"
        odd = sorted(self._values.keys() - set(there))
        # An expected value without one of the classes would be another scale.
        odd = odd or (sorted(set(there) - self._values.keys()) if config.labels is not None else [])
        if odd:
            shown = ", ".join(there[:8]) + (", …" if len(there) > 8 else "")
            raise InputError(
                f"classifier {config.name}: its labels are {shown}, which does not fit `{named}` ({', '.join(odd[:8])})"
            )
        self._labels = len(there)
        self._expected = config.labels is not None

    def score(self, texts: pa.Array) -> pa.Array:
        """float64 a text (string or large_string, no nulls); null for a text without a word."""
        lines = prepare(texts, self._preparation)
        some = lines.drop_null()
        scores = np.zeros(len(some))
        if len(some):
            given = [f"{line}\n" for line in some.to_pylist()]
            try:
                labels, shares = self._model.multilinePredict(given, self._labels, 0.0, "strict")
            except (RuntimeError, ValueError) as error:
                name, path = self._preparation.name, self._preparation.model_path
                raise InputError(f"classifier {name}: {path} cannot score ({error}); get the model again") from error
            scores = np.array([self._one(*pair) for pair in zip(labels, shares, strict=True)], np.float64)
        if some is lines or len(some) == len(lines):
            return pa.array(scores)
        rank = pc.subtract(pc.cumulative_sum(pc.cast(lines.is_valid(), pa.int64())), 1)
        return pa.array(scores).take(pc.if_else(lines.is_valid(), rank, pa.scalar(None, pa.int64())))

    def _one(self, labels: list[str], shares: np.ndarray) -> float:
        # fastText adds 1e-5 to each probability, so that they may sum to more than 1.
        total = float(np.sum(shares, dtype=np.float64)) if self._expected else 1.0
        found = sum(
            self._values[label] * float(share)
            for label, share in zip(labels, shares, strict=True)
            if label in self._values
        )
        return found / total if self._expected and total else min(found, 1.0)
