"""Words of scripts without spaces: ICU's, pinned as of 78.2, and node's own where it is installed."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus.errors import CorpusError
from corpus.kernels import dictionaries
from corpus.kernels.dictionaries.build import archived, words
from corpus.kernels.quality_flags import UNSPACED, flags
from corpus.quality.signals import compute, split_words

# The Universal Declaration of Human Rights, article 1, and what is hard: katakana, marks, repetition, unknown words.
ICU = {
    "人人生而自由，在尊严和权利上一律平等。": "人|人生|而|自由|，|在|尊严|和|权利|上|一律|平等|。",
    "人人生而自由，在尊嚴和權利上一律平等。": "人|人生|而|自由|，|在|尊嚴|和|權利|上|一律|平等|。",
    "すべての人間は、生まれながらにして自由であり": "すべて|の|人間|は|、|生まれながら|にし|て|自由|で|あり",
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน": "มนุษย์|ทั้ง|หลาย|เกิด|มา|มี|อิสระ|และ|เสมอ|ภาค|กัน",
    "ເພື່ອນມະນຸດທຸກຄົນເກີດມາມີສິດເທົ່າທຽມກັນ": "ເພື່ອນ|ມະນຸດ|ທຸກຄົນ|ເກີດ|ມາ|ມີ|ສິດ|ເທົ່າທຽມ|ກັນ",
    "មនុស្សទាំងអស់កើតមកមានសេរីភាពនិងភាពស្មើៗគ្នា": "មនុស្ស|ទាំងអស់|កើតមក|មាន|សេរីភាព|និង|ភា|ពស្មើៗ|គ្នា",
    "လူတိုင်းသည်တူညီလွတ်လပ်သောဂုဏ်သိက္ခာဖြင့်မွေးဖွားလာ": "လူ|တိုင်း|သည်|တူညီ|လွတ်လပ်|သော|ဂုဏ်သိက္ခာ|ဖြင့်|မွေး|ဖွား|လာ",
    "インターネットでデータベースを調べる。": "インターネット|で|データベース|を|調べる|。",
    "ﾊﾟｿｺﾝﾃﾞｰﾀ": "ﾊﾟｿｺﾝ|ﾃﾞｰﾀ",
    "ฯลฯ กรุงเทพฯเป็นเมืองต่างๆ": "ฯลฯ|กรุงเทพฯ|เป็น|เมือง|ต่างๆ",
    "二〇二四年": "二|〇|二|四年",
    "時々々": "時々|々",
    "กกกกกก": "กก|กก|กก",
    "์์ก": "์์|ก",
    "อักขระฃฅฃฅฃฅแปลก": "อักข|ระฃฅฃฅฃฅ|แปลก",
    "龘靐齉": "龘|靐|齉",
}
SEGMENTER = """
const s = new Intl.Segmenter("en", {granularity: "word"});
const lines = JSON.parse(require("fs").readFileSync(0, "utf8"));
const words = lines.map(line => [...s.segment(line)].map(found => found.segment));
console.log(JSON.stringify({icu: process.versions.icu, words}));
"""


def boundaries(text: str, pieces: list[str]) -> set[int]:
    """Where one of `pieces`, found in order, begins or ends inside a run of letters of these scripts."""
    table = flags()
    found, at = set(), 0
    for piece in pieces:
        at = text.index(piece, at)
        found |= {at, at + len(piece)}
        at += len(piece)
    inside = {i for i in range(1, len(text)) if table[ord(text[i - 1])] & table[ord(text[i])] & UNSPACED}
    return found & inside


def icu(lines: list[str]) -> tuple[bool, list[list[str]]]:
    """(whether it is the version whose dictionaries we have, the words of each line)."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; the table of examples stands for it")
    answer = subprocess.run(
        [node, "-e", SEGMENTER], input=json.dumps(lines), capture_output=True, text=True, check=True
    )
    found = json.loads(answer.stdout)
    return (found["icu"] or "").split(".")[0] == "78", found["words"]


def check(lines: list[str]) -> None:
    same, expected = icu(lines)
    pairs = [
        (boundaries(line, split_words(line)), boundaries(line, pieces))
        for line, pieces in zip(lines, expected, strict=True)
    ]
    if same:
        assert [line for line, (ours, theirs) in zip(lines, pairs, strict=True) if ours != theirs] == []
    else:  # other dictionaries, the same rules
        assert sum(len(ours & theirs) for ours, theirs in pairs) > 0.95 * sum(
            len(ours | theirs) for ours, theirs in pairs
        )


@pytest.mark.parametrize("text", ICU)
def test_icu_s_words(text: str) -> None:
    assert "|".join(split_words(text)) == ICU[text]


def test_icu_agrees_on_generated_text() -> None:
    random.seed(1)
    lines = []
    with np.load(dictionaries.PATH) as arrays:
        letters = arrays["letters"].tobytes().decode("utf-16-le")
    for script in ("กฮ", "ກຮ", "កអ", "ကအ", "ぁ龠"):
        known = [letter for letter in dict.fromkeys(letters) if script[0] <= letter <= script[1]]
        lines += ["".join(random.choices(known, k=random.randint(1, 30))) for _ in range(300)]
    assert len(lines) == 1500
    check(lines)


def test_icu_agrees_on_real_text(kits: Path) -> None:
    lines = []
    for name in ("lingua-word-pairs", "tatoeba_long", "cld2-unittest"):
        for line in (kits / "language" / f"{name}.tsv").read_text().splitlines():
            language, _, text = line.partition("\t")
            if language.split("_")[0].split("-")[0] in ("zh", "ja", "th", "lo", "km", "my"):
                lines.append(text)
    assert len(lines) > 3000
    check(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("请访问http://example.com/a-b查看详情", "请|访问|http://example.com/a-b|查看|详情"),
        ("他说：“你好！”然后走了", "他|说|：|“|你好|！|”|然后|走了"),
        ("3月5日のGDP成長率", "3|月|5|日|の|GDP|成長率"),
        ("ราคา100บาท", "ราคา|100|บาท"),
        ("ភាសា\u200bខ្មែរ", "ភាសា|ខ្មែរ"),
        ("東京 Tokyo don't", "東京|Tokyo|do|n't"),
        ("ありか\u3099とう、ありがとう", "ありか\u3099とう|、|ありがとう"),  # decomposed
        ("葛\U000e0100城市", "葛\U000e0100|城市"),
        ("한국어 단어", "한국어|단어"),
        ("¯\\(ツ)/¯ ツ", "¯\\(ツ)/¯|ツ"),
    ],
)
def test_mixed_text(text: str, expected: str) -> None:
    assert "|".join(split_words(text)) == expected


@pytest.mark.parametrize("unit", "中 の ア ｶﾞ ก กา ฯๆ า ກ ສະ ក ្ က အား \u3099 \U000e0100 ဃ".split())
def test_a_run_of_equal_characters_of_any_length(unit: str) -> None:
    text = unit * 30_000
    assert "".join(split_words(text)) == text


def test_signals_are_of_these_words() -> None:
    found = compute(pa.array(["人人生而自由，在尊严和权利上一律平等。真的？"]))[0].as_py()
    assert found["words"] == 12  # punctuation is none
    assert found["mean_word_length"] == 19 / 12
    assert found["sentences"] == 2


def test_dictionaries_are_loaded_when_a_text_needs_them() -> None:
    dictionaries.load.cache_clear()
    split_words("Plain text — “with” Ελληνικά, 한국어 and ©.")
    assert dictionaries.load.cache_info().currsize == 0
    split_words("text 中")
    assert dictionaries.load.cache_info().currsize == 1


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "words.npz"
    path.write_bytes(dictionaries.PATH.read_bytes()[:-1])
    monkeypatch.setattr(dictionaries, "PATH", path)
    dictionaries.load.cache_clear()
    with pytest.raises(CorpusError, match="install corpusmill again"):
        dictionaries.load()


def test_a_dumped_dictionary_is_the_one_that_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "words.npz"
    path.write_bytes(dictionaries.dump({"中": 200, "中国": 20, "国": 30, "人": 30, "国人": 254}))
    digest = tmp_path / "words.sha256"
    digest.write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(dictionaries, "PATH", path)
    monkeypatch.setattr(dictionaries, "DIGEST", digest)
    dictionaries.load.cache_clear()
    assert split_words("中国人中人龘国") == ["中国", "人", "中", "人", "龘", "国"]
    dictionaries.load.cache_clear()


def archive(trie: bytes, kind: int, transform: int) -> bytes:
    """An ICU archive of one dictionary."""
    indexes = np.array([32, 0, 0, 32 + len(trie), kind, transform, 0, 0], "<i4").tobytes()
    item = (8).to_bytes(2, "little") + bytes(6) + indexes + trie
    name = b"icudt78l/brkitr/some.dict\0"
    contents = np.array([1, 12, 12 + len(name)], "<u4").tobytes()
    return (4).to_bytes(2, "little") + bytes(2) + contents + name + item


def test_the_builder_reads_icu_s_tries() -> None:
    # A branch of two: a final value; a run of one letter whose end has a value and goes on. Values 0, 3, 7 (as leads).
    small = bytes([0x01, 0x01, 0x21, 0x02, 0x10, 0x05, (0x10 + 3) << 1, 0x10, 0x06, ((0x10 + 7) << 1) | 1])
    found = dict(words(archived(archive(small, 8, 0x1000E00), "some")))
    assert found == {"\u0e01": 0, "\u0e02\u0e05": 3, "\u0e02\u0e05\u0e06": 7}
    units = np.array([0x01, ord("中"), 0x8005, ord("国"), (3 + 1) << 6 | 0x30, ord("人"), 0x8007], "<u2").tobytes()
    assert dict(words(archived(archive(units, 9, 0), "some"))) == {"中": 5, "国": 3, "国人": 7}
    with pytest.raises(ValueError, match="no brkitr/other"):
        archived(archive(units, 9, 0), "other")
