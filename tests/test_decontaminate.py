"""Benchmarks in documents: what is found, what is left out, and what becomes of it."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.decontaminate import attribute
from corpus.decontaminate.attribute import Hits, common_grams, runs
from corpus.decontaminate.benchmarks import Item, digests, read
from corpus.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from corpus.decontaminate.decide import NAMED, decide, failures
from corpus.decontaminate.index import Benchmarks, build, likeness
from corpus.errors import InputError
from corpus.kernels.contamination import find
from corpus.kernels.shingles import fold, shingles
from corpus.pii.hide import hidden

CONFIG = DecontaminateConfig(benchmarks=(BenchmarkConfig(name="quiz", path=Path("quiz.jsonl")),))
QUESTION = "Which of the seven brass bells in the old harbour tower is rung when fog comes in from the sea at night?"
ANSWER = "The smallest bell, which hangs nearest the door."


def item(*texts: str | tuple[str, ...], label: str = "1") -> Item:
    """Strings are fields of one text, tuples lists."""
    fields = tuple((text,) if isinstance(text, str) else text for text in texts)
    return Item(label, fields, tuple(not isinstance(text, str) for text in texts))


def config(**keys: Any) -> DecontaminateConfig:
    return DecontaminateConfig.model_validate(CONFIG.model_dump() | keys)


def made(*items: Item, ordered: bool = False, **keys: Any) -> Benchmarks:
    return build([(items, ordered)], config(**keys))[0]


def held(texts: list[str], *items: Item, **keys: Any) -> list[tuple[int, int, str]]:
    """(document, item, the words that they share), as the stage finds them."""
    benchmarks = made(*items, **keys)
    found = find(pa.array(texts, pa.large_string()), benchmarks.index)
    hits = Hits(pa.array([b""] * len(texts)), found.pop("row"), found)
    common = common_grams([hits], benchmarks, config(**keys))
    result = runs(hits, benchmarks, common, np.zeros(len(items), np.int64))
    data = [text.encode() for text in texts]
    columns = (result[name].tolist() for name in ("document", "item", "start", "end"))
    return [(d, i, data[d][start:end].decode()) for d, i, start, end in zip(*columns, strict=True)]


def test_a_long_passage_is_found_by_any_of_its_ngrams() -> None:
    words = QUESTION.split()
    text = "Before it. " + " ".join(words[4:17]).upper() + ", and after it."
    assert held([text, " ".join(words[4:16])], item(QUESTION)) == [(0, 0, " ".join(words[4:17]).upper())]
    assert held([f"So: {QUESTION} {ANSWER}"], item(QUESTION, ANSWER)) == [(0, 0, f"{QUESTION} {ANSWER}"[:-1])]


def test_an_ngram_over_the_border_of_two_fields_counts() -> None:
    text = " ".join([*QUESTION.split()[-7:], *ANSWER.split()[:6]])
    other = " ".join([*ANSWER.split()[-7:], *QUESTION.split()[:6]])
    assert [found[0] for found in held([text, other], item(QUESTION, ANSWER))] == [0, 1]
    (index, _) = build([([item(QUESTION, ANSWER)], True)], CONFIG)
    found = find(pa.array([text, other], pa.large_string()), index.index)
    assert found["row"].tolist() == [0]


@pytest.mark.parametrize(
    ("passage", "found"),
    [
        ("Bells ring loudly.", True),  # a sentence of min_words
        ("Bells ring.", False),
        ("bells ring loudly", False),
        ("Bells ring very loudly", True),  # min_fragment_words
        ("Bells ring loudly", False),
        (("Bells ring very loudly.", "x"), True),
        (("Bells ring loudly.", "x"), False),
        ("bells ring very loudly at night.", False),
        (("bells ring very loudly at night here",), True),  # min_choice_words
    ],
)
def test_a_short_passage_counts_as_a_whole_if_it_is_long_enough(passage: Any, found: bool) -> None:
    words = passage if isinstance(passage, str) else passage[0]
    text = f"They say {words.strip('.').lower()} and more"
    assert bool(held([text, text.replace("ly", "er")], item(passage))) == found


def test_two_short_fields_count_in_a_row() -> None:
    texts = ["Foxes eat: mice", "foxes eat and mice", "mice foxes eat"]
    assert held(texts, item("Foxes eat", ("mice", "hay"))) == [(0, 0, "Foxes eat: mice"), (2, 0, "mice foxes eat")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("A bell rings.", 0), ('"Who?"', 0), ("¿Quién?", 0), ("他来了。", 0)],
        *[("A bell", 1), ("5 p.m.", 1), ("a bell.", 2), ("", 2), ("...", 1)],
    ],
)
def test_what_is_like_a_sentence(text: str, expected: int) -> None:
    assert likeness(text, False) == expected
    assert likeness(text, True) == min(2, expected + 1)


def test_scripts_without_spaces_count_double() -> None:
    passage = "在古老的港口塔楼里有七口铜钟每当夜晚大雾从海上飘来时就会敲响最小的那一口"
    assert held([f"他说{passage[3:29]}了", passage[3:28]], item(passage)) == [(0, 0, passage[3:29])]
    assert held(["我们都说他来了吗", "他来了"], item("他来了吗？")) == []
    assert held(["我们都说他来了没有呢吗", "他来了"], item("他来了没有呢？")) == [(0, 0, "他来了没有呢")]


def test_what_many_documents_have_is_common_unless_it_is_whole() -> None:
    phrase = " ".join(QUESTION.split()[:13])
    texts = [f"{phrase} {number}" for number in range(11)] + [f"x {QUESTION}"]
    short = "Ring the bell now."
    texts += [f"{short} {number}" for number in range(11)]
    items = [item(QUESTION), item(short)]
    assert held(texts, *items) == [(11, 0, QUESTION[:-1])]
    assert len(held(texts, *items, max_count=None)) == 23
    assert len(held(texts, *items, max_count=12)) == 23
    assert len(held(texts, *items, max_count=11)) == 12 + 11 - 12 + 1
    sentence = "Ring the smallest bell when fog comes."
    assert len(held([f"{sentence} {number}" for number in range(20)], item(sentence))) == 20


def test_an_ngram_of_several_items_is_put_down_to_the_likeliest() -> None:
    template = "Given the definition of the operator below compute the result and write it down: "
    tails = [f"the {word} of all {number} listed numbers" for number, word in enumerate(["sum", "mean", "least"] * 40)]
    items = [item(template + tail) for tail in tails]
    found = held([f"a {template}{tails[number]} b" for number in (77, 3, 119)], *items, max_count=None)
    assert [(d, i) for d, i, _ in found] == [(0, 77), (1, 3), (2, 119)]
    assert held([template], *items) == [(0, 0, template[:-2])]


def test_runs_of_one_item_are_one_where_they_touch() -> None:
    words = QUESTION.split()
    text = f"{' '.join(words[:14])} and {' '.join(words[5:])} so"
    assert [found for *_, found in held([text], item(QUESTION))] == [" ".join(words[:14]), " ".join(words[5:])[:-1]]


WORDS = [f"w{number}" for number in range(6)] + ["été", "钟", "x_1"]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=1, max_size=6),
    st.lists(st.lists(st.sampled_from(WORDS), max_size=30), max_size=6),
    st.integers(5, 7),
)
def test_agrees_with_sets_of_ngrams(passages: list[list[str]], documents: list[list[str]], ngram: int) -> None:
    keys = {"ngram": ngram, "min_words": 2, "min_fragment_words": 2, "min_choice_words": 2, "max_count": None}
    limits: list[set[tuple[str, ...]]] = []
    for passage in passages:
        unit = 2 if 2 * passage.count("钟") > len(passage) else 1
        size = ngram * unit if len(passage) >= ngram * unit else len(passage)
        enough = len(passage) >= min(2 * unit, ngram * unit) and size > 0
        limits.append({tuple(passage[k : k + size]) for k in range(len(passage) - size + 1)} if enough else set())
    benchmarks = made(*(item(" ".join(passage)) for passage in passages), **keys)
    texts = pa.array([" ".join(document) for document in documents], pa.large_string())
    found = find(texts, benchmarks.index)
    expected = set()
    for row, words in enumerate(documents):
        for grams in limits:
            expected |= {
                (row, k, len(gram))
                for gram in grams
                for k in range(len(words))
                if tuple(words[k : k + len(gram)]) == gram
            }
    assert set(zip(found["row"], found["first"], found["words"], strict=True)) == expected
    for row, first, count, start, end in zip(
        *(found[n] for n in ("row", "first", "words", "start", "end")), strict=True
    ):
        assert " ".join(documents[row]).encode()[start:end].decode().split() == documents[row][first : first + count]


def test_hashes_are_those_of_shingles() -> None:
    benchmarks = made(item(QUESTION))
    expected, _ = shingles(pa.array([QUESTION]), 13)
    assert benchmarks.grams.tolist() == expected.tolist()


def test_agrees_with_datatrove_on_verbatim_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its filter over its own hashes; words are split at spaces, since both agree on plain letters."""
    decont = pytest.importorskip("datatrove.pipeline.decont.n_grams")
    from datatrove.data import Document

    splitter = type("Splitter", (), {"word_tokenize": staticmethod(str.split)})
    monkeypatch.setattr(decont, "load_word_tokenizer", lambda language: splitter)
    # Only its tables of tasks need lighteval.
    monkeypatch.setattr(decont.NGramsDecontIndexer, "_requires_dependencies", [])
    rng = random.Random(3)
    vocabulary = "bell fog harbour lamp rope sail mast tide gull crab pier buoy".split()
    items = [" ".join(rng.choices(vocabulary, k=rng.randint(13, 25))) for _ in range(20)]
    texts = [" ".join(rng.choices(vocabulary, k=40)) for _ in range(40)]
    for number in range(0, 40, 2):
        texts[number] = f"{texts[number]} {items[number // 2]} {texts[number + 1]}"
    # Its xxhash is given strings, which xxhash 4 takes no more.
    settings = decont.NGramsDecontConfig(n_grams=13, hash_config=decont.HashConfig(hash_fc="sha1"))
    indexer = decont.NGramsDecontIndexer(str(tmp_path), config=settings)
    hashes = np.array([h for text in items for h in indexer.compute_hashes(text)], settings.hash_config.np_descr)
    hashes.tofile(tmp_path / "quiz.index.hashes")
    reference = decont.NGramsDecontFilter(str(tmp_path), config=settings)
    theirs = [reference.filter(Document(text=text, id=str(n))) is not True for n, text in enumerate(texts)]
    ours = {document for document, *_ in held(texts, *(item(text) for text in items), max_count=None)}
    assert [number in ours for number in range(40)] == theirs == [number % 2 == 0 for number in range(40)]


def test_a_document_is_never_cut_between_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribute, "_ROWS", 3)
    ids = [bytes([letter]) * 16 for letter in b"aabbbbbbbcdd"]
    columns = {name: range(12) for name in ("gram", "first", "words", "start", "end", "of")}
    path = tmp_path / "matches.parquet"
    pq.write_table(pa.table({"id": pa.array(ids, pa.binary(16)), **{k: list(v) for k, v in columns.items()}}), path)
    parts = list(attribute.hits(path, lambda rows: None))
    assert [id_[0] for part in parts for id_ in part.ids.to_pylist()] == list(b"abcd")
    found = [
        (part.ids[d].as_py(), gram)
        for part in parts
        for d, gram in zip(part.document, part.columns["gram"], strict=True)
    ]
    assert found == list(zip(ids, range(12), strict=True))
    assert len(parts) > 1


def rows(fates: dict[int, Any]) -> list[tuple[int, float, str]]:
    table = failures(fates)
    return list(zip(*(table.column(name).to_pylist() for name in ("row", "value", "detail")), strict=True))


def found_table(*found: tuple[str, str, int, int, int, int, int]) -> pa.Table:
    from corpus.decontaminate.attribute import FOUND

    return pa.Table.from_pylist([dict(zip(FOUND.names, (b"i" * 16, *row), strict=True)) for row in found], FOUND)


def test_actions_by_task() -> None:
    both = [BenchmarkConfig(name="quiz", path=Path("q.jsonl")), BenchmarkConfig(name="maths", path=Path("m.jsonl"))]
    keys = DecontaminateConfig(benchmarks=tuple(both), action="mask", actions={"maths": "flag"})
    table = found_table(
        ("quiz", "7", 10, 20, 2, 3, 90), ("quiz", "7", 40, 50, 9, 3, 90), ("maths", "a", 15, 30, 4, 4, 90)
    )
    fate = decide(np.array([5, 5, 5]), table, keys)[5]
    assert fate.masks == [(10, 20), (40, 50)]
    assert fate.flags == [
        {"task": "quiz", "item": "7", "start": 10, "end": 20},
        {"task": "maths", "item": "a", "start": 15, "end": 30},
    ]
    assert rows({5: fate}) == []
    whole = decide(np.array([1, 1]), found_table(("quiz", "7", 0, 9, 0, 3, 5), ("quiz", "8", 9, 20, 3, 2, 5)), keys)
    assert rows(whole) == [(1, 3.0, "quiz item 7, bytes 0 to 9"), (1, 2.0, "quiz item 8, bytes 9 to 20")]


def test_the_ledger_names_some_items_and_counts_the_rest() -> None:
    table = found_table(
        *(("quiz", str(number), number * 10, number * 10 + 9, number * 3, 3, 999) for number in range(14))
    )
    named = rows(decide(np.full(14, 2), table, CONFIG))
    assert len(named) == NAMED + 1
    assert named[0] == (2, 3.0, "quiz item 0, bytes 0 to 9")
    assert named[-1] == (2, 12.0, "and 4 more items")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_ledger_row_is_never_taken_for_a_telephone_number(start: int, size: int, label: int) -> None:
    row = f"quiz item {label}, bytes {start} to {start + size}"
    assert hidden(row) == row


def write(path: Path, *lines: Any) -> Path:
    data = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def items_of(path: Path, **keys: Any) -> list[tuple[str, tuple[tuple[str, ...], ...], tuple[bool, ...]]]:
    found = read(BenchmarkConfig.model_validate({"name": "quiz", "path": path, **keys}))
    return [(one.label, one.fields, one.several) for one in found]


def test_reads_jsonl(tmp_path: Path) -> None:
    row = {
        "id": "q1",
        "question": "Who?",
        "choices": {"text": ["a", "b"], "label": ["A", "B"]},
        "gold": 1,
        "note": None,
    }
    path = write(tmp_path / "quiz.jsonl.gz", row, "", {"id": 2, "question": "What?", "choices": {"text": ["c"]}})
    every = (("q1",), ("Who?",), ("a", "b"), ("A", "B"))
    assert items_of(path)[0] == ("1", every, (False, False, True, True))
    assert items_of(path, fields=["question", "choices.text"], id="id") == [
        ("q1", (("Who?",), ("a", "b")), (False, True)),
        ("2", (("What?",), ("c",)), (False, True)),
    ]
    assert items_of(path, fields="id")[1] == ("3", (("2",),), (False,))


def test_labels_that_a_field_shares_are_no_part_of_it(tmp_path: Path) -> None:
    rows: list[Any] = [
        {"q": f"Question: Where does gull {n} sleep?\n\n### The Answer:", "a": f"Note {n}: on a mast"} for n in range(9)
    ]
    rows.append({"q": "question： A gull (so: Answer:", "a": "Note: no"})
    path = write(tmp_path / "quiz.jsonl", *rows)
    # One of the ten ends with another word before `Answer:`.
    assert [fields for _, fields, _ in items_of(path)] == [
        *(((f"Where does gull {n} sleep?",), (f"Note {n}: on a mast",)) for n in range(9)),
        (("A gull (so: Answer:",), ("Note: no",)),
    ]
    assert items_of(path, fields="q")[8:] == [
        ("9", (("Where does gull 8 sleep?",),), (False,)),
        # It does not end like a sentence.
        ("10", (("A gull (so: Answer:",),), (True,)),
    ]
    rows[9]["q"] = "The answer is not here"
    del rows[8]
    path = write(tmp_path / "quiz.jsonl", *rows)
    assert items_of(path)[0][1][0] == (rows[0]["q"],)


def test_a_question_is_found_without_its_label(tmp_path: Path) -> None:
    rows = [{"q": f"Question: {' '.join(QUESTION.split()[n:-n])}", "a": "x"} for n in range(1, 10)]
    path = write(tmp_path / "quiz.jsonl", *rows, {"q": f"Question: {QUESTION}\nAnswer:", "a": "x"})
    found = list(read(BenchmarkConfig(name="quiz", path=path, fields=("q", "a"))))
    words = " ".join(QUESTION.split()[9:-9])
    assert len(words.split()) == 4
    assert held([f"The {words}"], *found) == []
    assert held([f"so {QUESTION} too"], *found)[-1][2] == QUESTION[:-1]


def test_reads_folders_globs_and_text(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", {"q": "Second?"})
    write(tmp_path / "a.txt", "First line", "goes on.", "", "Another.")
    (tmp_path / "notes.csv").write_text("x")
    expected = [
        ("a.txt:1", (("First line\ngoes on.\n", "First line\n", "goes on.\n"),), (True,)),
        ("a.txt:4", (("Another.\n",),), (True,)),
        ("b.jsonl:1", (("Second?",),), (False,)),
    ]
    assert items_of(tmp_path) == items_of(tmp_path / "*[lt]") == expected


@pytest.mark.parametrize(
    ("lines", "keys", "message"),
    [
        (["{"], {}, r"quiz\.jsonl:1: not a JSON object a line \(.+\); mend or remove it"),
        ([{"q": "x"}, {"p": "y"}], {"fields": ["q"]}, r"quiz\.jsonl:2: has no field q; there is: p"),
        ([{"q": "x"}], {"fields": ["q.x"]}, r"quiz\.jsonl:1: has no field q\.x; there is: q"),
        (
            [{"p": "x"}] * 3,
            {"fields": ["p", "q.text", "r"]},
            r"^.*quiz\.jsonl:1: has no field q\.text; there is: p \(3 lines in all\)\n"
            r".*quiz\.jsonl:1: has no field r; there is: p \(3 lines in all\)$",
        ),
        ([{"q": "x"}], {"id": "i"}, r"quiz\.jsonl:1: has no field i; there is: q"),
        ([], {}, r"benchmark quiz: .*quiz\.jsonl: holds no item; correct `path` or leave it out"),
        (["{"] * 12, {}, r"(?s)quiz\.jsonl:10: .*\nand 2 more lines$"),
    ],
)
def test_a_fault_has_one_line_with_file_and_number(tmp_path: Path, lines: Any, keys: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        items_of(write(tmp_path / "quiz.jsonl", *lines), **keys)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path / "*.jsonl", tmp_path):
        with pytest.raises(InputError, match=re.escape(f"benchmark quiz: {path}: ")):
            digests(config(benchmarks=[{"name": "quiz", "path": path}]))
    (tmp_path / "quiz.csv").write_text("x")
    with pytest.raises(InputError, match=r"quiz\.csv is neither JSONL nor text by its name"):
        digests(config(benchmarks=[{"name": "quiz", "path": tmp_path / "quiz.csv"}]))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"q": "x"}\n' * 50)[:-9])
    with pytest.raises(InputError, match=r"cut\.jsonl\.gz: its compressed data is damaged"):
        items_of(tmp_path / "cut.jsonl.gz")


def test_half_characters_do_no_harm() -> None:
    assert len(held(["Ring the bell now"], item("Ring the bell now.", "\ud800 x"))) == 1
    assert fold()[ord("a")] == ord("a")


PAGES = 10


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source of ten texts, of which two hold the item that the benchmark's second line has."""
    folder = tmp_path_factory.mktemp("planted")
    rng = random.Random(1)
    vocabulary = "bell fog harbour lamp rope sail mast tide gull crab pier buoy stone cloud".split()
    texts = [" ".join(rng.choices(vocabulary, k=60)) + "." for _ in range(PAGES)]
    texts[3] += f" {QUESTION} {ANSWER} The end."
    texts[7] = QUESTION
    write(folder / "web.jsonl", *({"text": text, "url": f"http://{at}.example"} for at, text in enumerate(texts)))
    write(folder / "benchmark.jsonl", {"q": "Where do gulls sleep?", "a": "On a mast."}, {"q": QUESTION, "a": ANSWER})
    known = {"kind": "benchmark", "expected": {"stage": "kept"}, "planted": f"{QUESTION} {ANSWER}"}
    write(folder / "truth.jsonl", {"url": "http://3.example", **known})
    return folder


def test_the_stage(planted: Path, recipe: Callable[..., Path], corpus_command: Any, tmp_path: Path) -> None:
    source = {"name": "web", "kind": "jsonl", "path": str(planted / "web.jsonl"), "columns": {"url": "url"}}
    left_out = dict.fromkeys(("language", "quality", "tokenizer", "pack"))
    path, out = recipe(sources=[source], truth=str(planted / "truth.jsonl"), **left_out), tmp_path / "out"
    assert corpus_command("run", path).returncode == 0

    done = corpus_command("decontaminate", out, "--benchmark", f"quiz={planted / 'benchmark.jsonl'}", "--json")
    assert done.returncode == 0, done.stderr
    expected = {"task": "quiz", "action": "remove", "items": 2, "searched": 2, "found": 1, "documents": 2, "common": 0}
    assert json.loads(done.stdout) == [expected]
    ledger = pq.read_table(out / "decontaminate/decision/_ledger")
    assert ledger.column("rule").to_pylist() == ["contaminated"] * 2
    assert ledger.column("value").to_pylist() == [30.0, 22.0]
    details = ledger.column("detail").to_pylist()
    text = json.loads((planted / "web.jsonl").read_text().splitlines()[3])["text"]
    start = text.index("Which")
    assert details == [
        f"quiz item 2, bytes {start} to {start + len(QUESTION + ANSWER)}",
        f"quiz item 2, bytes 0 to {len(QUESTION) - 1}",
    ]
    stats = json.loads(corpus_command("stats", out, "--json").stdout)
    assert stats["reconciles"]
    assert stats["decontamination"] == [expected]
    assert (stats["self_check"]["right"], stats["self_check"]["judged"]) == (1, 1)
    assert [row["rows_out"] for row in stats["funnel"] if row["stage"] == "decontaminate"] == [PAGES - 2]

    done = corpus_command("decontaminate", out, "--action", "mask")
    assert "decontaminate/matches: " not in done.stderr
    assert "decontaminate.action remove -> mask" in done.stderr
    export = tmp_path / "masked.jsonl"
    assert corpus_command("export", out, export, "--format", "jsonl").returncode == 0
    texts = [json.loads(line)["text"] for line in export.read_text().splitlines()]
    stats = json.loads(corpus_command("stats", out, "--json").stdout)
    assert (stats["self_check"]["right"], stats["self_check"]["judged"]) == (1, 1)
    # Of the other one nothing is left to keep.
    assert texts[3] == f"{text[:start]}. The end."
    assert len(texts) == PAGES - 1

    done = corpus_command("decontaminate", out, "--action", "flag", "--set", "max_count=1")
    assert done.returncode == 0, done.stderr
    flags = pq.read_table(out / "decontaminate/decision").column("contamination").to_pylist()
    assert [len(found) for found in flags] == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0]
    assert flags[7] == [{"task": "quiz", "item": "2", "start": 0, "end": len(QUESTION) - 1}]


def test_benchmarks_that_are_gone_stop_a_run_and_no_report(
    planted: Path, recipe: Callable[..., Path], corpus_command: Any, tmp_path: Path
) -> None:
    source = {"name": "web", "kind": "jsonl", "path": str(planted / "web.jsonl"), "columns": {"url": "url"}}
    benchmark = write(tmp_path / "quiz.jsonl", {"q": QUESTION}, {"q": "x"})
    section = {"benchmarks": [{"name": "quiz", "path": str(benchmark)}]}
    left_out = dict.fromkeys(("language", "quality", "dedup", "tokenizer", "pack"))
    path = recipe(sources=[source], decontaminate=section, **left_out)
    assert corpus_command("run", path).returncode == 0
    at = 1 + next(i for i, line in enumerate(path.read_text().splitlines()) if "- name: quiz" in line)
    for verb, where in (("check", f"{path}:{at}: "), ("run", "")):
        stopped = corpus_command(verb, path, "--set", "decontaminate.benchmarks.0.fields=[text]")
        assert stopped.returncode == 1
        assert stopped.stderr == f"corpus: {where}{benchmark}:1: has no field text; there is: q (2 lines in all)\n"
    moved = benchmark.rename(tmp_path / "moved.jsonl")
    stopped = corpus_command("run", path)
    assert stopped.returncode == 2
    assert stopped.stderr == f"corpus: benchmark quiz: {benchmark}: no such file, folder or glob; correct `path`\n"
    stats = json.loads(corpus_command("stats", tmp_path / "out", "--json").stdout)
    assert stats["reconciles"]
    assert stats["decontamination"][0]["documents"] == 2
    moved.rename(benchmark)
    write(benchmark, {"q": "x"})
    stopped = corpus_command("run", path)
    assert stopped.returncode == 1
    assert "benchmark quiz: none of its 1 items is long enough to be looked for" in stopped.stderr
