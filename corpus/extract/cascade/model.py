"""The trained classifier: a file of arrays beside this module, its card and its digest."""

from __future__ import annotations

import functools
import hashlib
import io
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from corpus.errors import CorpusError
from corpus.extract.cascade.context import with_context
from corpus.extract.cascade.digest import PATH, digest
from corpus.extract.cascade.features import features
from corpus.extract.cascade.forest import Forest, belief

_FORESTS = ("first", "second")


class Model(NamedTuple):
    """Token weights (`keys`, `weights`), the two forests, and the belief from which a block is kept."""

    keys: np.ndarray
    weights: np.ndarray
    first: Forest
    second: Forest
    threshold: float

    def beliefs(self, text: np.ndarray, blocks: np.ndarray, nodes: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """float64[blocks] between 0 and 1, of a page as `corpus.kernels.html.parse` gives it."""
        rows = features(text, blocks, nodes, tokens, self.keys, self.weights)
        first = belief(self.first.score(rows))
        return belief(self.second.score(with_context(rows, first, blocks, nodes)))

    def dump(self) -> bytes:
        """The model as a file: the same arrays give the same bytes."""
        arrays = {"keys": self.keys, "weights": self.weights, "threshold": np.float64(self.threshold)}
        for name in _FORESTS:
            arrays |= {f"{name}_{field.name}": getattr(getattr(self, name), field.name) for field in fields(Forest)}
        out = io.BytesIO()
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
        return out.getvalue()


@functools.cache
def load(path: Path = PATH) -> Model:
    """Raises CorpusError when the file is not the one that its digest names."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != digest():
        raise CorpusError(f"{path}: sha256 {found[:16]}..., not {digest()[:16]}...: install corpusmill again")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        first, second = (Forest(*(arrays[f"{name}_{field.name}"] for field in fields(Forest))) for name in _FORESTS)
        return Model(arrays["keys"], arrays["weights"], first, second, float(arrays["threshold"]))
