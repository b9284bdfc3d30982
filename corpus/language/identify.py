"""The language of each document: a fastText classifier, and the script that most of its letters have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus.language.codes import UNDETERMINED
from corpus.language.model import check

TOP = 3
_RANKED = pa.struct(
    [pa.field("language", pa.string(), nullable=False), pa.field("score", pa.float32(), nullable=False)]
)
IDENTIFIED = pa.struct(
    [
        # As the model names it (`en`, `eng_Latn`), `und` where there is no letter.
        pa.field("language", pa.string(), nullable=False),
        # Its probability, 0 to 1.
        pa.field("language_score", pa.float32(), nullable=False),
        # The likeliest three, that one first; none for `und`.
        pa.field("languages", pa.list_(pa.field("item", _RANKED, nullable=False)), nullable=False),
        # ISO 15924 code of the script of most letters; null where there is none.
        pa.field("script", pa.string()),
    ]
)


class Identifier:
    """A fastText classifier, loaded once its sha256 is checked (InputError when it differs or is damaged)."""

    def __init__(self, model_path: Path, sha256: str | None = None, max_chars: int = 2000) -> None:
        from corpus.language.fasttext_model import read_model

        if sha256 is not None:
            check(model_path, sha256)
        self._model = read_model(model_path)
        self._names = pa.array([*self._model.labels, UNDETERMINED])
        self._max_chars = max_chars

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(self._model.labels)

    def identify(self, texts: pa.Array) -> pa.StructArray:
        """The likeliest languages of each text (string or large_string, no nulls), as an array of `IDENTIFIED`.

        Newlines count as spaces; only the first `max_chars` characters are looked at. Text without a letter is
        (`und`, 0).
        """
        from corpus.kernels.arrow import string_buffers
        from corpus.kernels.scripts import dominant_scripts
        from corpus.language.scripts import letters

        data, offsets = string_buffers(texts)
        for array in (data, offsets):
            array.flags.writeable = False
        table, scripts = letters()
        ends, script = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.uint8)
        dominant_scripts(data, offsets, self._max_chars, table, ends, script)
        ends[script == 0] = offsets[:-1][script == 0]
        best, scores = self._model.predict(data, offsets[:-1], ends, TOP)
        best[script == 0] = -1
        scores[best < 0] = 0
        return pa.StructArray.from_arrays(
            [
                self._names.take(pa.array(np.where(best[:, 0] < 0, len(self._names) - 1, best[:, 0]))),
                pa.array(scores[:, 0]),
                self._ranked(best, scores),
                pa.array(scripts).take(pa.array(script.astype(np.int32), mask=script < 2)),
            ],
            fields=list(IDENTIFIED),
        )

    def _ranked(self, best: np.ndarray, scores: np.ndarray) -> pa.ListArray:
        there = best >= 0
        offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
        flat = pa.StructArray.from_arrays(
            [self._names.take(pa.array(best[there])), pa.array(scores[there])], fields=list(_RANKED)
        )
        return pa.ListArray.from_arrays(pa.array(offsets), flat, type=IDENTIFIED.field("languages").type)
