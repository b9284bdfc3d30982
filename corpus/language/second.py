"""The second opinion: a model that shares neither features nor training data with the first."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from corpus.language.codes import UNDETERMINED, canonical, same
from corpus.language.config import SecondConfig
from corpus.language.scripts import by_pair


class Opinion(Protocol):
    labels: frozenset[str]

    def identify(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """(string labels, `und` for text without letters; float32 scores, 0 to 1) of texts without nulls."""


class _FastText:
    def __init__(self, path: Path, sha256: str, max_chars: int) -> None:
        from corpus.language.identify import Identifier

        self._identifier = Identifier(path, sha256, max_chars)
        self.labels = self._identifier.labels

    def identify(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        found = self._identifier.identify(texts)
        return found.field("language"), found.field("language_score")


class _Langid:
    def __init__(self, max_chars: int) -> None:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped, unused-ignore]

        self._model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        self.labels = frozenset(self._model.labels)
        self._max_chars = max_chars

    def identify(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        cut = pc.utf8_slice_codeunits(texts, 0, self._max_chars)
        has_letters = pc.match_substring_regex(cut, r"\p{L}").to_pylist()
        found = [
            self._model.classify(text) if letters else (UNDETERMINED, 0.0)
            for text, letters in zip(cut.to_pylist(), has_letters, strict=True)
        ]
        # Its last digits depend on the machine's BLAS.
        scores = [round(float(score), 3) for _, score in found]
        return pa.array([label for label, _ in found], pa.string()), pa.array(scores, pa.float32())


def load(config: SecondConfig) -> Opinion:
    """Raises InputError for a model file that is not there, damaged or another."""
    if config.model_path is not None and config.model_sha256 is not None:
        return _FastText(Path(config.model_path), config.model_sha256, config.max_chars)
    return _Langid(config.max_chars)


def agreement(first: pa.Array, second: pa.Array, known: frozenset[str]) -> pa.BooleanArray:
    """Whether both name the same language; null where one of them is `und`, or the second (whose labels are `known`)
    has no word for what the first says."""
    languages = {canonical(label)[0] for label in known}

    def judge(one: str, other: str) -> bool | None:
        if UNDETERMINED in (one, other) or canonical(one)[0] not in languages:
            return None
        return same(one, other)

    return by_pair(first, second, judge)
