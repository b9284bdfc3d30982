"""In which scripts a language is written, and the scripts of letters (`scripts.txt`, from Unicode's database)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa

from corpus.language.codes import LID176, canonical

# Codes of several scripts together (ISO 15924).
_TOGETHER = {
    "Jpan": ("Hira", "Kana", "Hani"),
    "Kore": ("Hang", "Hani"),
    "Hans": ("Hani", "Bopo"),
    "Hant": ("Hani", "Bopo"),
    "Hani": ("Hani", "Bopo"),
}
# Of the languages that lid.176 knows, those not written in Latin letters alone (after CLDR's language data).
_WRITTEN = {
    "Cyrl": "av ba be bg bxr ce cv krc kv lez mhr mk mrj myv os ru rue sah tyv uk xal",
    "Arab": "ar arz azb ckb fa lrc mzn pnb ps ur",
    "Deva": "bh dty hi mai mr ne new",
    "Beng": "as bn bpy",
    "Geor": "ka xmf",
    "Hebr": "he yi",
    "Hani": "zh wuu yue",
    "Gujr": "gu",
    "Orya": "or",
    "Taml": "ta",
    "Telu": "te",
    "Knda": "kn",
    "Mlym": "ml",
    "Sinh": "si",
    "Thai": "th",
    "Laoo": "lo",
    "Khmr": "km",
    "Mymr": "my",
    "Tibt": "bo",
    "Armn": "hy",
    "Ethi": "am",
    "Grek": "el",
    "Thaa": "dv",
    "Jpan": "ja",
    "Kore": "ko",
    "Cyrl Latn": "sr tt",
    "Latn Cyrl": "bs sh uz",
    "Cyrl Arab": "ky tg",
    "Cyrl Arab Latn": "kk",
    "Cyrl Mong": "mn",
    "Arab Cyrl Latn": "ug",
    "Arab Deva": "sd",
    "Latn Arab": "ku ms",
    "Latn Arab Cyrl": "az tk",
    "Guru Arab": "pa",
    "Deva Latn": "hif sa",
    "Deva Latn Knda": "gom",
    "Latn Java": "jv",
    "Latn Sund": "su",
}


@cache
def written_in(label: str) -> frozenset[str] | None:
    """ISO 15924 codes of the scripts in which a label's language is written; None where that is not known.

    A script that the label names (`srp_Cyrl`) is the only one.
    """
    language, script = canonical(label)
    if script is not None:
        return frozenset(_TOGETHER.get(script, (script,)))
    for scripts, languages in _WRITTEN.items():
        if language in {canonical(code)[0] for code in languages.split()}:
            return frozenset(part for script in scripts.split() for part in _TOGETHER.get(script, (script,)))
    return frozenset(("Latn",)) if language in {canonical(code)[0] for code in LID176} else None


def disagreements(language: pa.Array, script: pa.Array) -> pa.BooleanArray:
    """Of each document, whether its language is not written in its script; null where either is not known."""

    def differ(label: str, name: str) -> bool | None:
        known = written_in(label)
        return None if known is None else name not in known

    return by_pair(language, script, differ)


def by_pair(left: pa.Array, right: pa.Array, judge: Callable[[str, str], bool | None]) -> pa.BooleanArray:
    """`judge` of each pair of strings, asked once a different pair; null where a string is."""
    codes = [array.dictionary_encode() for array in (left, right)]
    names = [array.dictionary.to_pylist() for array in codes]
    i, j = (array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) for array in codes)
    pairs, which = np.unique(i * (len(names[1]) + 1) + j + 1, return_inverse=True)
    split = [divmod(int(pair), len(names[1]) + 1) for pair in pairs]
    answers = [judge(names[0][a], names[1][b - 1]) if a >= 0 and b > 0 else None for a, b in split]
    return pa.array(answers, pa.bool_()).take(pa.array(which.ravel()))


@cache
def letters() -> tuple[np.ndarray, tuple[str, ...]]:
    """(uint8[0x110000]: 0 for what is no letter, else an index; ISO 15924 codes by index, of which 1 is Zyyy: letters
    of no one script)."""
    from corpus.kernels.unicode import ALPHA, classes

    is_letter = classes() & ALPHA > 0
    table = is_letter.astype(np.uint8)
    names = ["", "Zyyy"]
    text = files("corpus.language").joinpath("scripts.txt").read_text(encoding="ascii")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, *ranges = line.split()
        for part in ranges:
            first, _, last = part.partition("-")
            span = slice(int(first, 16), int(last or first, 16) + 1)
            table[span] = np.where(is_letter[span], len(names), 0)
        names.append(name)
    table.flags.writeable = False
    return table, tuple(names)
