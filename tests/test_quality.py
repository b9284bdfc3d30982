"""Rules, configuration and decisions of the quality stage."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.errors import CorpusError
from corpus.quality.config import QualityConfig
from corpus.quality.decide import VERDICTS, decide
from corpus.quality.names import CODE
from corpus.quality.rules import PRESETS, RULES, SETS
from corpus.quality.signals import SIGNALS, compute

NAMES = [rule.name for rule in RULES]
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-1000, 1000))


def test_every_rule_reads_a_signal_and_every_preset_is_made_of_sets() -> None:
    assert {rule.signal for rule in RULES} <= {*SIGNALS.names, *(signal.name for signal in CODE)}
    assert {name for sets in PRESETS.values() for name in sets} == set(SETS)
    assert all(SIGNALS.field(name).metadata[b"doc"] for name in SIGNALS.names)
    assert not {"presets", "line_rules"} & set(NAMES)


def test_the_configuration_loads_nothing_heavy() -> None:
    code = "import sys, corpus.quality.config; print([m for m in ('numba', 'numpy', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_presets_resolve_to_thresholds() -> None:
    config = QualityConfig(presets=("gopher", "fineweb"), min_words=80, max_dup_lines=None, min_sentences=3)
    thresholds = {rule.name: rule.threshold for rule in config.active_rules}
    parts = ("gopher_quality", "gopher_repetition", "fineweb")
    expected = {rule.name: rule.threshold for name in parts for rule in SETS[name]}
    assert thresholds == {name: expected[name] for name in expected if name != "max_dup_lines"} | {
        "min_words": 80,
        "min_sentences": 3,
    }
    order = [rule.name for rule in config.active_rules]
    assert order == [name for name in NAMES if name in thresholds]
    assert QualityConfig(presets="none").active_rules == ()
    assert QualityConfig.model_validate({"presets": "c4"}).active_rules == SETS["c4"]


@given(
    st.lists(st.sampled_from(sorted(PRESETS)), max_size=3),
    st.dictionaries(st.sampled_from(NAMES), numbers, max_size=5),
    st.lists(st.sampled_from(["c4", "c4_policy", "refinedweb"]), max_size=2),
)
def test_a_dump_reads_back_equal(presets: list[str], overrides: dict[str, float | None], lines: list[str]) -> None:
    try:
        config = QualityConfig.model_validate({"presets": presets, "line_rules": lines, **overrides})
    except ValidationError as error:
        assume("would together keep no document" not in str(error))
        raise
    dumped = json.loads(json.dumps(config.model_dump(mode="json")))
    again = QualityConfig.model_validate(dumped)
    assert again == config == pickle.loads(pickle.dumps(config))
    assert again.active_rules == config.active_rules
    on = {rule.name for name in presets for part in PRESETS[name] for rule in SETS[part]} | set(overrides)
    assert {rule.name for rule in config.active_rules} == on - {k for k, v in overrides.items() if v is None}


@pytest.mark.parametrize(
    ("recipe", "kind", "where"),
    [
        ({"min_wrods": 3}, "extra_forbidden", "min_wrods"),
        ({"min_words": "many"}, "float_parsing", "min_words"),
        ({"min_words": [1]}, "float_type", "min_words"),
        ({"min_words": False}, "value_error", "min_words"),
        ({"min_words": math.nan}, "finite_number", "min_words"),
        ({"presets": ["gophr"]}, "value_error", "presets"),
        ({"presets": 3}, "tuple_type", "presets"),
        ({"line_rules": ["c5"]}, "value_error", "line_rules"),
    ],
)
def test_wrong_recipes(recipe: dict[str, object], kind: str, where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        QualityConfig.model_validate(recipe)
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [(kind, (where,))]


def test_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        QualityConfig().min_words = 3


def documents(measured: pa.StructArray) -> pa.RecordBatch:
    return pa.record_batch({"signals": measured})


def signals(**columns: list[float | None]) -> pa.RecordBatch:
    arrays = [pa.array(c, pa.float64()) for c in columns.values()]
    return documents(pa.StructArray.from_arrays(arrays, names=list(columns)))


def test_one_row_for_every_failed_rule_in_order() -> None:
    config = QualityConfig(presets=("none",), min_words=50, max_words=100, max_hash_ratio=0.5)
    table = decide(signals(hash_ratio=[0.5, 0.6, 0.1, 0.7], words=[50, 10, 100, 101]), config.active_rules)
    assert table.schema == VERDICTS
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (1, "min_words", 10, 50),
        (1, "max_hash_ratio", 0.6, 0.5),
        (3, "max_words", 101, 100),
        (3, "max_hash_ratio", 0.7, 0.5),
    ]


def test_nan_and_null_never_pass() -> None:
    config = QualityConfig(presets=("none",), min_words=0, max_hash_ratio=1)
    table = decide(signals(words=[math.nan, None, 1], hash_ratio=[math.nan, None, 0]), config.active_rules)
    assert table.column("row").to_pylist() == [0, 0, 1, 1]
    assert np.isnan(table.column("value").to_numpy()).all()


def test_no_rules_no_documents_and_missing_signals() -> None:
    assert decide(signals(words=[1.0]), QualityConfig(presets="none").active_rules).num_rows == 0
    config = QualityConfig(presets=("gopher", "c4", "fineweb", "refinedweb"))
    assert decide(documents(pa.array([], SIGNALS)), config.active_rules).schema == VERDICTS
    with pytest.raises(CorpusError, match=r"no words.*run the quality stage again"):
        decide(signals(other=[1.0]), QualityConfig(presets="none", min_words=1).active_rules)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=30), st.just("The cat and the dog. " * 30)), max_size=6))
def test_decide_is_the_plain_comparison(texts: list[str]) -> None:
    measured = compute(pa.array(texts, pa.large_string()))
    config = QualityConfig(presets=("gopher", "c4", "fineweb"))
    expected = []
    for row, values in enumerate(measured.to_pylist()):
        for rule in config.active_rules:
            value = values[rule.signal]
            if not (value >= rule.threshold if rule.op == ">=" else value <= rule.threshold):
                expected.append((row, rule.name))
    table = decide(documents(measured), config.active_rules)
    assert list(zip(table.column("row").to_pylist(), table.column("rule").to_pylist(), strict=True)) == expected


def test_signals_do_not_depend_on_the_batch() -> None:
    texts = ["", "One two. Three?\n\n- four\n- four", "a b " * 500, "ends in …", "世界。你好。"]
    whole = compute(pa.array(["x", *texts], pa.large_string())[1:])
    assert whole.type == SIGNALS
    for kind in (pa.string(), pa.large_string()):
        alone = [compute(pa.array([text], kind))[0].as_py() for text in texts]
        assert str(alone) == str(whole.to_pylist())


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="not a string array"):
        compute(pa.array([1]))
    with pytest.raises(ValueError, match="nulls"):
        compute(pa.array(["x", None]))
    with pytest.raises(ValueError, match="one value a text"):
        compute(pa.array(["x"]), sentences=pa.array([1, 2]))
    with pytest.raises(ValueError, match="shape"):
        compute(pa.array(["x"]), removed=np.zeros((1, 2)))
    injected = compute(pa.array(["x", "y"]), sentences=pa.array([7, 8]))
    assert injected.field("sentences").to_pylist() == [7, 8]
