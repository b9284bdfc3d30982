"""Codes that mean the same, and the scripts of letters and languages."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from corpus.kernels.scripts import dominant_scripts
from corpus.language.codes import LID176, near, same, unknown
from corpus.language.scripts import disagreements, letters, written_in


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("en", "eng"), ("eng", "eng_Latn"), ("en", "en-GB"), ("de", "ger"), ("deu", "ger"), ("zh", "cmn_Hani"),
        ("zho_Hans", "cmn_Hani"), ("zh", "zh-Hant"), ("zh-TW", "zho_Hant"), ("iw", "he"), ("nob", "no"), ("als", "gsw"),
        ("als_Latn", "sqi"), ("arb_Arab", "ar"), ("fil", "tgl"), ("PT-br", "por_Latn"), ("diq", "zza"), ("sr", "srp_Cyrl"),
    ],
)  # fmt: skip
def test_the_same(a: str, b: str) -> None:
    assert same(a, b)
    assert same(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [("zh-Hans", "zho_Hant"), ("zh-CN", "zh-TW"), ("srp_Cyrl", "srp_Latn"), ("als", "als_Latn"), ("nn", "nb"), ("wuu", "zh"), ("en", "sco")],
)  # fmt: skip
def test_not_the_same(a: str, b: str) -> None:
    assert not same(a, b)


def test_near() -> None:
    assert near("english", ["en", "eng_Latn", "ang_Latn"]) == []
    assert near("eng", LID176) == ["en"]
    assert near("eng_latn", ["eng_Latn", "deu_Latn", "enm_Latn"]) == ["eng_Latn"]
    assert near("deu_Lat", ["eng_Latn", "deu_Latn"])[0] == "deu_Latn"
    assert unknown(["en", "und"], LID176, "lid.176") is None
    assert unknown(["qqq"], ["en"], "m.bin") == "m.bin has no label 'qqq'; it has 1 others"


def test_written_in() -> None:
    assert written_in("ru") == {"Cyrl"}
    assert written_in("eng_Latn") == {"Latn"}
    assert written_in("ja") == {"Hira", "Kana", "Hani"}
    assert written_in("kor_Hang") == {"Hang"}
    assert written_in("cmn_Hans") == {"Hani", "Bopo"}
    assert written_in("sr") == {"Cyrl", "Latn"}
    assert written_in("de") == {"Latn"}
    assert written_in("qqq") is None
    assert all(written_in(label) for label in LID176)


def test_disagreements() -> None:
    language = pa.array(["ru", "ru", "ja", None, "qqq", "en", "ru"])
    script = pa.array(["Latn", "Cyrl", "Hira", "Latn", "Latn", None, "Latn"])
    assert disagreements(language, script).to_pylist() == [True, False, False, None, None, None, True]
    assert disagreements(language[:0], script[:0]).to_pylist() == []


def test_scripts_of_letters() -> None:
    table, names = letters()
    of = {char: names[table[ord(char)]] for char in "aZé_1[ßжЯ漢ひカー한אمกกα🎉µ"}
    assert [of[char] for char in "aZéß"] == ["Latn"] * 4
    assert [of[char] for char in "жЯ漢ひカ한אمกα"] == [
        "Cyrl",
        "Cyrl",
        "Hani",
        "Hira",
        "Kana",
        "Hang",
        "Hebr",
        "Arab",
        "Thai",
        "Grek",
    ]
    assert [of[char] for char in "_1[🎉"] == [""] * 4
    for point in range(0x20000):
        assert (table[point] > 0) == chr(point).isalpha(), hex(point)


def test_scripts_agree_with_regex_on_every_letter() -> None:
    regex = pytest.importorskip("regex")
    table, names = letters()
    for script in ("Latn", "Cyrl", "Hani", "Hira", "Kana", "Hang", "Arab", "Hebr", "Deva", "Geor", "Ethi", "Cans"):
        pattern = regex.compile(rf"\p{{Script={script}}}")
        own = [p for p in range(0x10000) if names[table[p]] == script]
        # What Unicode calls common to several scripts stands among the letters of one.
        strange = [
            p
            for p in own
            if not pattern.match(chr(p)) and not regex.match(r"\p{Script=Common}|\p{Script=Inherited}", chr(p))
        ]
        missing = [p for p in range(0x10000) if table[p] > 0 and pattern.match(chr(p)) and names[table[p]] != script]
        assert (strange, missing) == ([], []), script


def test_dominant_script_of_the_first_characters() -> None:
    table, names = letters()
    texts = ["abc жз", "ж" * 3 + "abcd", "12", "", "aaжж", "éé", "𝒳𝒴"]
    data = np.frombuffer("".join(texts).encode(), np.uint8)
    offsets = np.cumsum([0, *(len(text.encode()) for text in texts)])
    ends, found = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.uint8)
    dominant_scripts(data, offsets, 4, table, ends, found)
    assert [names[i] for i in found] == ["Latn", "Cyrl", "", "", "Cyrl", "Latn", "Zyyy"]
    assert (ends - offsets[:-1]).tolist() == [4, 7, 2, 0, 6, 4, 8]
