"""Filters of datatrove through the adapter give what they give by themselves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from datatrove.data import Document
from datatrove.pipeline.filters import (
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
    unigram_log_probs,
)
from datatrove.utils.lid import FT176LID

from corpus.dataset import Layer, View
from corpus.engines.inline import InlineEngine
from corpus.errors import CorpusError
from corpus.kernels.edits import apply_edits
from corpus.quality.filters.config import FilterConfig
from corpus.quality.filters.datatrove_filter import DatatroveFilter
from corpus.recipe import load
from corpus.report.history import histories
from corpus.report.lookup import find
from corpus.report.outputs import Outputs
from corpus.report.tables import reconcile
from corpus.run import run

ENGLISH = (
    "The river runs past the old mill and under the bridge of the town, where a market stood with its many stalls."
)
TEXTS = [
    "\n".join([ENGLISH, "A menu without an end", ENGLISH, f"{ENGLISH} [1]", "Use of cookies is said here, as ever.", ENGLISH, ENGLISH]),
    "\n".join(f"{ENGLISH} It was the year {number}." for number in range(1900, 1912)),
    "Le petit chat est assis sur la table et regarde par la fenêtre de la maison. " * 8,
    "\n".join([f"{'long words of a paragraph ' * 10}{number}." for number in range(4)]),
    "short", "", "lorem ipsum and so on, said the page.", "# # # # hash signs # # # # everywhere # # #", "one line\n" * 30,
    "Größe und Maß — überall 😀.\nEin Satz endet hier.\nund hier nicht", "function() { return 1; } is in here, you see.",
]  # fmt: skip
URLS = [
    f"http://{host}/page" for host in ("a.example.org", "b.example.org", "example.net", "x.example.net", "example.com")
]


@pytest.fixture
def plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words and sentences that need no spaCy."""
    for module in (gopher_quality_filter, gopher_repetition_filter, fineweb_quality_filter, unigram_log_probs):
        monkeypatch.setattr(module, "split_into_words", lambda text, language: text.split())
    monkeypatch.setattr(
        c4_filters, "split_into_sentences", lambda text, language: [s for s in text.split(".") if s.strip()]
    )


def batch_of(texts: list[str]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "id": pa.array([number.to_bytes(16) for number in range(len(texts))], pa.binary(16)),
            "text": pa.array(texts, pa.large_string()),
            "url": pa.array([URLS[number % len(URLS)] for number in range(len(texts))]),
            "date": pa.nulls(len(texts), pa.string()),
        }
    )


def judged(config: FilterConfig, batch: pa.RecordBatch) -> tuple[dict[int, list[str]], dict[int, str]]:
    """(rules by failed row, texts by row that is kept), with the edits applied."""
    failures, spans = DatatroveFilter(config).judge(batch)
    edited = apply_edits(batch.column("text"), spans).to_pylist()
    rules = {row["row"]: [row["rule"]] for row in failures.to_pylist()}
    return rules, {row: text for row, text in enumerate(edited) if row not in rules}


def alone(config: FilterConfig, batch: pa.RecordBatch) -> tuple[dict[int, str | None], dict[int, str]]:
    """The same of datatrove's own `run`: (reason by row that is dropped, texts by row that is kept)."""
    import datatrove.pipeline.filters as filters

    dropped: dict[int, str | None] = {}

    class Excluded:
        def __enter__(self) -> Excluded:
            return self

        def __exit__(self, *error: object) -> None: ...

        def write(self, document: Document, rank: int) -> None:
            dropped[int(document.id)] = document.metadata.get("filter_reason")

    made = getattr(filters, config.attribute)(**config.options, exclusion_writer=Excluded())
    documents = [
        Document(row["text"], str(number), metadata={"url": row["url"]}) for number, row in enumerate(batch.to_pylist())
    ]
    return dropped, {int(document.id): document.text for document in made.run(iter(documents))}


def config_of(kind: str, *columns: str, **options: Any) -> FilterConfig:
    use = f"datatrove.pipeline.filters.{kind}"
    return FilterConfig(name="theirs", use=use, columns=columns or ("text",), options=options)


SAMPLE = config_of("SamplerFilter", rate=0.5, seed=3)


@pytest.mark.usefixtures("plain_words")
@pytest.mark.parametrize(
    ("config", "reasons", "edited"),
    [
        (config_of("GopherQualityFilter"), {"gopher_short_doc"}, 0),
        (config_of("GopherQualityFilter", min_doc_words=1), {"gopher_enough_stop_words", "gopher_too_many_hashes"}, 0),
        (config_of("GopherRepetitionFilter"), {"dup_line_frac", "duplicated_5_n_grams", "empty", "top_2_gram"}, 0),
        (config_of("FineWebQualityFilter"), {"char_dup_ratio", "empty", "line_punct_ratio", "short_line_ratio"}, 0),
        (config_of("C4QualityFilter"), {"curly_bracket", "lorem_ipsum", "too_few_sentences"}, 1),
        (config_of("C4QualityFilter", min_num_sentences=-1), {"curly_bracket", "lorem_ipsum"}, 6),
        (config_of("C4ParagraphFilter"), {"< 3 paragraphs"}, 0),
        (config_of("RegexFilter", regex_exp="cookies|😀"), {None}, 0),
        (SAMPLE, {None}, 0),
    ],
    ids=lambda value: value.attribute if isinstance(value, FilterConfig) else None,
)
def test_verdicts_reasons_and_texts_are_those_of_the_filter_by_itself(
    config: FilterConfig, reasons: set[str | None], edited: int
) -> None:
    batch = batch_of(TEXTS * 3)
    rules, texts = judged(config, batch)
    dropped, expected = alone(config, batch)
    assert texts == expected
    assert rules.keys() == dropped.keys()
    assert reasons <= set(dropped.values())
    for row, (rule,) in rules.items():
        reason = dropped[row]
        assert rule == {None: "theirs", "< 3 paragraphs": "theirs_3_paragraphs"}.get(reason, f"theirs_{reason}")
    before = batch.column("text").to_pylist()
    assert sum(before[row] != text for row, text in texts.items()) == edited * 3


def test_a_reason_that_is_no_name_is_told_as_detail() -> None:
    failures, _ = DatatroveFilter(config_of("C4ParagraphFilter")).judge(batch_of(TEXTS[4:6]))
    assert failures.to_pylist()[0] == {
        "row": 0, "rule": "theirs_3_paragraphs", "value": None, "threshold": None, "detail": "< 3 paragraphs",
    }  # fmt: skip
    failures, _ = DatatroveFilter(config_of("RegexFilter", regex_exp="short")).judge(batch_of(TEXTS[4:6]))
    assert failures.select(["row", "rule", "detail"]).to_pylist() == [{"row": 0, "rule": "theirs", "detail": None}]


def test_a_sampler_goes_on_from_batch_to_batch() -> None:
    whole, _ = judged(SAMPLE, batch_of(TEXTS * 4))
    parts = DatatroveFilter(SAMPLE)
    size = len(TEXTS)
    found = [row + part * size for part in range(4) for row in parts.judge(batch_of(TEXTS))[0]["row"].to_pylist()]
    assert found == list(whole)


def test_url_filter() -> None:
    pytest.importorskip("ahocorasick")
    pytest.importorskip("tldextract")
    pytest.importorskip("fasteners")
    options: dict[str, Any] = {"use_integrated_lists": False, "extra_domains": ["example.net", "b.example.org"]}
    config = config_of("URLFilter", "url", "date", **options)
    rules, texts = judged(config, batch_of(TEXTS))
    dropped, expected = alone(config, batch_of(TEXTS))
    assert (texts, rules) == (expected, {row: [f"theirs_{reason}"] for row, reason in dropped.items()})
    assert set(dropped.values()) == {"domain", "subdomain"}
    with pytest.raises(
        CorpusError, match=r"AssertionError: Document does not have url in its metadata \(\S+\), document 0{32}$"
    ):
        judged(config_of("URLFilter", **options), batch_of(TEXTS))


def test_filters_on_fasttext_run_on_the_one_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fasteners")
    model = Path(os.environ.get("CORPUSMILL_CACHE", "~/.cache/corpusmill")).expanduser() / "lid.176.ftz"
    if not model.is_file():
        pytest.skip("no language model in the cache")
    monkeypatch.setattr("huggingface_hub.utils._cache_assets.HF_ASSETS_CACHE", str(tmp_path))
    config = config_of("LanguageFilter", languages=["en"], language_threshold=0.3)
    monkeypatch.setattr(FT176LID, "MODEL_URL", (tmp_path / "lid.176.bin").as_uri())
    with pytest.raises(CorpusError) as caught:
        judged(config, batch_of(TEXTS[:4]))
    place = tmp_path / "datatrove" / "lid" / "ft176" / str(tmp_path / "lid.176.bin").replace("/", "_")
    assert f"; put {FT176LID.MODEL_URL} as {place}, with an empty file of that name + .completed" in str(caught.value)
    shutil.copyfile(model, place)
    place.with_name(f"{place.name}.completed").touch()
    rules, texts = judged(config, batch_of(TEXTS[:4]))
    assert (rules, sorted(texts)) == ({2: ["theirs"]}, [0, 1, 3])
    labels = config_of(
        "FastTextClassifierFilter", model_url=str(model), keep_labels=["fr", 0.5], filter_mode="PARAGRAPH"
    )
    rules, texts = judged(labels, batch_of([f"{ENGLISH}\n\n{TEXTS[2]}", ENGLISH]))
    assert (rules, {row: text.strip() for row, text in texts.items()}) == ({1: ["theirs"]}, {0: TEXTS[2].strip()})


@pytest.mark.usefixtures("plain_words")
def test_unigram_log_probs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unigram_log_probs, "cached_assets_path", lambda **place: str(tmp_path))
    (tmp_path / "unigram_freq.csv").write_text("word,count\nthe,60\nriver,20\nold,20\n")
    config = config_of("UnigramLogProbFilter", logprobs_threshold=-15)
    rules, texts = judged(config, batch_of(TEXTS))
    dropped, expected = alone(config, batch_of(TEXTS))
    assert (texts, rules.keys()) == (expected, dropped.keys())
    assert 0 < len(dropped) < len(TEXTS)
    (tmp_path / "unigram_freq.csv").unlink()
    monkeypatch.setattr(unigram_log_probs, "UNIGRAM_DOWNLOAD", (tmp_path / "nowhere").as_uri())
    with pytest.raises(CorpusError) as caught:
        DatatroveFilter(config)
    message = str(caught.value)
    assert message.startswith(
        "filter theirs (datatrove.pipeline.filters.UnigramLogProbFilter): cannot download what it needs ("
    )
    assert message.endswith(f"; put it as {tmp_path}/unigram_freq.csv")


OWN = """
from datatrove.pipeline.filters.base_filter import BaseFilter

class Needy(BaseFilter):
    _requires_dependencies = ["a_package_that_is_not_there"]
    def filter(self, document):
        return True

class Batches(BaseFilter):
    def __init__(self, wrong=False):
        super().__init__(batch_size=2)
        self.wrong = wrong
    def filter(self, document):
        return True
    def filter_batch(self, batch):
        return [len(batch[0].text) > 3 for _ in batch][: 1 if self.wrong else 2]

class Breaks(BaseFilter):
    def filter(self, document):
        if "short" in document.text:
            raise ValueError("no\\nsuch\\nthing")
        document.text = "\\ud800"
        return True

def plain(batch): ...
"""


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"use": "own.Needy"}, "Please install `a_package_that_is_not_there` to use Needy (`pip install a_package_that_is_not_there`). (_import_utils.py:"),
        ({"use": "own.plain"}, "is no filter of datatrove; a function is named as module:function"),
        ({"use": "own.Batches", "options": {"wrong": True}}, "gave 1 verdicts for 2 documents, document 00000000000000000000000000000000 or one of the 1 after it"),
        ({"use": "own.Batches", "options": {"worng": True}}, "TypeError: Batches.__init__() got an unexpected keyword argument 'worng'"),
        ({"use": "own.Breaks"}, "its text is no Unicode: 'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed, document 00000000000000000000000000000000"),
        ({"use": "datatrove.pipeline.filters.SamplerFilter"}, "needs `options: {seed: 1}`, so that the same input gives the same output"),
        ({"use": "datatrove.pipeline.filters.RegexFilter", "options": {"exclusion_writer": "x"}}, "takes no exclusion_writer here; the ledger tells what is dropped"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_in_one_line(tmp_path: Path, config: dict[str, Any], complaint: str) -> None:
    (tmp_path / "own.py").write_text(OWN)
    made = FilterConfig.model_validate({"name": "theirs", "folder": str(tmp_path)} | config)
    with pytest.raises(CorpusError) as caught:
        DatatroveFilter(made).judge(batch_of(TEXTS))
    message = str(caught.value).replace("ImportError: ", "")
    assert message.startswith(f"filter theirs ({made.use}): {complaint}")
    assert "\n" not in message


def test_batches_are_those_that_the_filter_asks_for(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    config = FilterConfig(name="theirs", use="own.Batches", folder=str(tmp_path))
    rules, _ = judged(config, batch_of(["long text", "a", "b", "long text", "long text"]))
    assert sorted(rules) == [2, 3]
    broken = FilterConfig(name="theirs", use="own.Breaks", folder=str(tmp_path))
    with pytest.raises(
        CorpusError, match=rf"ValueError: no such thing \(own.py:\d+\), document {(0).to_bytes(16).hex()}$"
    ):
        DatatroveFilter(broken).judge(batch_of(["short"]))


def test_edits_lose_nothing(recipe: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c4_filters, "split_into_sentences", lambda text, language: text.split("."))
    filters = [
        {"name": "cut", "use": "datatrove.pipeline.filters.C4QualityFilter", "options": {"min_words_per_line": 30}},
        {"name": "late", "use": "datatrove.pipeline.filters.RegexFilter", "options": {"regex_exp": "^The (room|time)"}},
    ]
    path = recipe(quality={"presets": "none", "filters": filters}, dedup=None, tokenizer=None, pack=None)
    run(load(path), engine=lambda limits: InlineEngine())
    outputs = Outputs.open(tmp_path / "out")
    assert reconcile(outputs) == []
    base = View(tmp_path / "out", (Layer("language/decision", (), True),))
    cut = View(tmp_path / "out", (*base.layers, Layer("quality/filter-cut", (), True, True)))
    (name, *_) = base.partitions()
    before, after = (
        pa.Table.from_batches(list(view.batches(name, ["id", "text"]))).to_pydict() for view in (base, cut)
    )
    texts = dict(zip(before["id"], before["text"], strict=True))
    changed = {id_: text for id_, text in zip(after["id"], after["text"], strict=True) if text != texts[id_]}
    edits = pq.read_table(tmp_path / "out" / "quality" / "filter-cut" / "_edits" / f"{name}.parquet")
    assert pc.unique(edits.column("rule")).to_pylist() == ["cut"]
    assert set(edits.column("id").to_pylist()) == changed.keys()
    assert len(changed) > 20
    # Edits are of documents that stay, and what they took away can be told.
    (history,) = histories(outputs, find(outputs, next(iter(changed)).hex()))
    (edit,) = next(step for step in history.steps if step.step == "quality/filter-cut").edits
    assert edit.before in texts[history.id]
    assert (edit.rule, texts[history.id].replace(edit.before, edit.after, 1)) == ("cut", changed[history.id])
    again = run(load(path), engine=lambda limits: InlineEngine())
    assert not again.done
