"""The language of each document, and which documents stay."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from corpus.language.config import LanguageConfig
from corpus.language.model import check

UNDETERMINED = "und"  # ISO 639-2
_PREFIX = "__label__"
IDENTIFIED = pa.struct(
    [
        # As the model names it (ISO 639-1 or -3), `und` where there is no letter.
        pa.field("language", pa.string(), nullable=False),
        # Its probability, 0 to 1.
        pa.field("language_score", pa.float32(), nullable=False),
    ]
)
DECISION = pa.schema(
    [
        # Position in the arrays given.
        pa.field("row", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("detail", pa.string()),
    ]
)


class Identifier:
    """A fastText classifier, loaded once its sha256 is checked (InputError when it differs)."""

    def __init__(self, model_path: Path, sha256: str | None = None, max_chars: int = 2000) -> None:
        if sha256 is not None:
            check(model_path, sha256)
        # The class of fasttext's own `load_model` warns on stderr and fails on numpy 2; the binding under it does not.
        from fasttext_pybind import fasttext  # type: ignore[import-not-found]

        self._model = fasttext()
        self._model.loadModel(str(model_path))
        self._max_chars = max_chars

    def identify(self, texts: pa.Array) -> pa.StructArray:
        """The first language of each text (string or large_string, no nulls), as an array of `IDENTIFIED`.

        Newlines count as spaces; only the first `max_chars` characters are looked at. Text without a letter is
        (`und`, 0).
        """
        lines = pc.utf8_slice_codeunits(texts, 0, self._max_chars)
        lines = pc.replace_substring(lines, "\n", " ")
        has_letters = pc.match_substring_regex(lines, r"\p{L}").to_pylist()
        labels, scores = self._model.multilinePredict([f"{line}\n" for line in lines.to_pylist()], 1, 0.0, "strict")
        found = [
            (label[0].removeprefix(_PREFIX), min(float(score[0]), 1.0)) if letters and label else (UNDETERMINED, 0.0)
            for label, score, letters in zip(labels, scores, has_letters, strict=True)
        ]
        return pa.StructArray.from_arrays(
            [pa.array([pair[i] for pair in found], field.type) for i, field in enumerate(IDENTIFIED)],
            fields=list(IDENTIFIED),
        )


def decide(language: pa.Array, score: pa.Array, config: LanguageConfig) -> pa.Table:
    """One row of `DECISION` for each rule that a document fails, by row and then by rule.

    `language`: not in `keep`; `detail` says what it is instead. `language_score`: `value` is below `threshold`;
    `detail` is the language.
    """
    rows = pa.array(range(len(language)), pa.int64())
    value = score.cast(pa.float64())
    tables = []
    if config.keep:
        wrong = pc.invert(pc.is_in(language, pa.array(config.keep, language.type)))
        # Not as `value`: a score of 0.99 does not read as the reason why a document went.
        shown = pc.round(value, 3).cast(pa.string())
        keep = f"), keep: {', '.join(config.keep)}"
        what = pc.binary_join_element_wise(language.cast(pa.string()), " (score ", shown, keep, "")
        tables.append(_failures(rows, what, pa.nulls(len(language), pa.float64()), wrong, "language", None))
    # The score is a float32: a threshold of 0.65 must not drop a score that prints as 0.65.
    low = pc.less(score, pa.scalar(config.threshold, pa.float32()))
    tables.append(_failures(rows, language, value, low, "language_score", config.threshold))
    return pa.concat_tables(tables).sort_by([("row", "ascending"), ("rule", "ascending")])


def _failures(
    rows: pa.Array, detail: pa.Array, value: pa.Array, mask: pa.Array, rule: str, threshold: float | None
) -> pa.Table:
    table = pa.table({"row": rows, "value": value, "detail": detail.cast(pa.string())}).filter(mask)
    size = len(table)
    return pa.table(
        [
            table["row"],
            pa.repeat(pa.scalar(rule), size),
            table["value"],
            pa.repeat(pa.scalar(threshold, pa.float64()), size),
            table["detail"],
        ],
        schema=DECISION,
    )
