"""Which document of a cluster stays: criteria, dates, and a total order."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.dedup import criteria
from corpus.dedup.config import DedupConfig
from corpus.dedup.deduplicate import deduplicate_texts
from corpus.dedup.keep import dates, preference, sort_keys
from corpus.errors import CorpusError, RecipeError
from corpus.flow import Flow
from corpus.recipe import load

NUMBER = st.one_of(
    st.none(), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0]), st.integers(-3, 3).map(float)
)
ROW = st.tuples(NUMBER, st.sampled_from([None, "2024", "2024-01-01", "2023-05", "soon", "2024-03-01T10:00:00+02:00"]))


def ids(count: int) -> pa.Array:
    return pa.array([bytes([255 - k % 7, *([0] * 14), k]) for k in range(count)], pa.binary(16))


def batch(values: list[float | None], texts: list[str | None]) -> pa.RecordBatch:
    signals = pa.array([{"words": value} for value in values], pa.struct([("words", pa.float64())]))
    return pa.RecordBatch.from_arrays(
        [ids(len(values)), signals, pa.array(texts, pa.string())], ["id", "signals", "date"]
    )


@settings(deadline=None)
@given(
    st.lists(st.tuples(ROW, st.integers(0, 3)), max_size=20), st.permutations(["highest:words", "oldest", "shortest"])
)
def test_the_order_is_that_of_a_plain_sort(
    rows: list[tuple[tuple[float | None, str | None], int]], keep: list[str]
) -> None:
    instants = {"2024": 0, "2024-01-01": 0, "2023-05": -245, "2024-03-01T10:00:00+02:00": 60}

    def last(value: float | None) -> tuple[bool, float]:
        return (True, 0.0) if value is None or math.isnan(value) else (False, value)

    def key(k: int) -> tuple[object, ...]:
        (value, date), size = rows[k]
        of = {
            "highest:words": last(None if value is None else -value),
            "oldest": last(instants.get(date or "")),
            "shortest": (False, size),
        }
        return (*(of[name] for name in keep), ids(len(rows))[k].as_py())

    documents = batch([value for (value, _), _ in rows], [date for (_, date), _ in rows])
    keys = sort_keys(keep, documents, np.array([size for _, size in rows]))
    assert preference(ids(len(rows)), keys).tolist() == sorted(range(len(rows)), key=key)


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("highest:words", [1, 0, 2, 3]),
        ("lowest:words", [0, 1, 2, 3]),
        ("newest", [3, 0, 2, 1]),
        ("oldest", [0, 3, 2, 1]),
        ("longest", [2, 1, 0, 3]),
        ("shortest", [3, 0, 1, 2]),
        ("first_id", [3, 2, 1, 0]),
    ],
)
def test_each_criterion(criterion: str, expected: list[int]) -> None:
    names = pa.array([bytes([*([0] * 15), 9 - k]) for k in range(4)], pa.binary(16))
    documents = batch([1.0, 2.0, None, math.nan], ["2024-02-29", None, "nonsense", "2024-03"])
    keys = sort_keys([criterion], documents, np.array([2, 3, 4, 1]))
    # Null and NaN come last, the smaller id first.
    expected = [*expected[:2], 3, 2] if "words" in criterion else expected
    assert preference(names, keys).tolist() == expected


def test_ids_decide_by_their_bytes() -> None:
    found = preference(ids(30), np.zeros((0, 30)))
    assert found.tolist() == sorted(range(30), key=lambda k: ids(30)[k].as_py())
    assert preference(ids(30).slice(4), np.zeros((0, 26))).tolist() == [k - 4 for k in found if k >= 4]


def test_dates_of_any_precision() -> None:
    texts = [
        "1970",
        "1970-02",
        "19700102",
        "1970-01-01T00:00:01.5",
        "1970-01-01T01:00:00+01:00",
        "1970-W02-1",
        " 1970 ",
    ]
    texts += ["0001-01-01T00:00:00+14:00", "2024-13", "2024-02-30", "", "٢٠٢٤", "99999"]
    days = [0, 31, 1, 1.5 / 86400, 0, 4, 0, -719162 - 14 / 24]
    found = dates(pa.array([None, *texts], pa.string()))
    assert found[1:9] == pytest.approx([day * 86400 for day in days])
    assert np.isnan(found[[0, 9, 10, 11, 12, 13]]).all()
    assert len(dates(pa.array([], pa.string()))) == 0


def test_a_signal_that_is_not_stored_is_named() -> None:
    with pytest.raises(CorpusError, match="perplexity"):
        sort_keys(["lowest:perplexity"], batch([1.0], [None]), np.array([1]))


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("newst", "did you mean newest"),
        ("highst:words", "did you mean highest:words"),
        ("highest:wrds", "did you mean words"),
        ("highest", "needs a signal"),
        ("longest:words", "did you mean longest"),
        ("zzz", "give highest:SIGNAL"),
        (["first_id", "longest"], "longest comes after first_id, .* put first_id last"),
    ],
)
def test_a_wrong_criterion_is_refused_with_the_nearest(keep: str | list[str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DedupConfig.model_validate({"keep": keep})


def test_columns_that_the_criteria_look_at() -> None:
    keep = DedupConfig.model_validate(
        {
            "keep": [
                "highest:score_edu",
                "lowest:perplexity",
                "highest:words",
                "newest",
                "oldest",
                "longest",
                "lowest:lines",
            ]
        }
    ).keep
    assert criteria.columns(keep) == ("scores", "perplexity", "signals", "date")
    assert criteria.columns(["longest", "first_id"]) == ()


@pytest.mark.parametrize(
    ("keep", "stays"),
    [("highest:words", 1), (["newest", "longest"], 2), (["newest", "lowest:words"], 2), ("oldest", 0)],
)
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_the_survivor_of_a_cluster_is_the_preferred(keep: object, stays: int, order: list[int]) -> None:
    text = " ".join(f"w{k}" for k in range(60))
    texts = pa.array([text, f"{text} more", f"{text} or less"], pa.large_string()).take(pa.array(order))
    documents = batch([1.0, 3.0, 2.0], ["2023", "2024-01-01", "2024"]).take(pa.array(order))
    table = deduplicate_texts(documents.column("id"), texts, DedupConfig.model_validate({"keep": keep}), documents)
    assert table["cluster"].unique().to_pylist() == [ids(3)[stays].as_py()]


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (
            "highest:score_edu",
            "dedup.keep: score_edu needs a classifier edu in quality.classifiers of the recipe; it has none",
        ),
        ("lowest:perplexity", "dedup/clusters needs column perplexity, which nothing before it in the recipe gives"),
        (
            "newst",
            "dedup.keep.0: newst is no criterion; did you mean newest? give highest:SIGNAL, lowest:SIGNAL, newest, "
            "oldest, longest, shortest or first_id",
        ),
    ],
)
def test_a_criterion_that_the_recipe_cannot_give_is_named(
    keep: str, message: str, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    def prove() -> None:
        flow = Flow.of(load(recipe(dedup={"keep": keep})), tmp_path)
        flow.prove(flow.steps)

    with pytest.raises(RecipeError) as error:
        prove()
    assert message in str(error.value)
