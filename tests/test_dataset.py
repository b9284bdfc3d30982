"""Reading through layers: filters, columns and edits, merged as streams by id."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.dataset import EDITED_BYTES, Layer, View
from corpus.documents import DOCUMENT, EDITS, ID
from corpus.errors import CorpusError, InputError
from corpus.store import StepFolder, Writer


def base(root: Path, texts: list[str]) -> list[bytes]:
    ids = [hashlib.blake2b(str(i).encode(), digest_size=16).digest() for i in range(len(texts))]
    rows = {
        "id": ids,
        "text": texts,
        "source": ["s"] * len(ids),
        "locator": [f"f#{i}" for i in range(len(ids))],
        "content_sha": [hashlib.sha256(t.encode()).digest() for t in texts],
        "bytes": [len(t.encode()) for t in texts],
        "extractor": ["none"] * len(ids),
    }
    columns = [pa.array(rows.get(f.name, [None] * len(ids)), f.type) for f in DOCUMENT]
    with Writer(StepFolder(root / "extract"), "p") as out:
        out.table(DOCUMENT).write(pa.RecordBatch.from_arrays(columns, schema=DOCUMENT))
        out.count(len(ids), len(ids))
        out.commit("k", "1", {}, {})
    return ids


def layer(
    root: Path,
    step: str,
    ids: list[bytes],
    edits: list[tuple[bytes, int, int, str]] | None = None,
    **columns: list[object],
) -> None:
    arrays = {"id": pa.array(ids, ID), **{name: pa.array(values) for name, values in columns.items()}}
    with Writer(StepFolder(root / step), "p") as out:
        out.table(pa.schema([(name, array.type) for name, array in arrays.items()])).write(pa.table(arrays))
        if edits is not None:
            rows = [{"id": i, "start": a, "end": b, "replacement": r, "rule": "x"} for i, a, b, r in edits]
            out.table(EDITS, "edits").write(pa.Table.from_pylist(rows, EDITS))
        out.count(0, 0)
        out.commit("k", "1", {}, {})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_layers_merge_like_dictionaries(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("view")
    texts = data.draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=30))
    ids = base(root, texts)
    alive, want = list(ids), dict(zip(ids, texts, strict=True))
    layers, numbers = [], {}
    for number in range(data.draw(st.integers(0, 4))):
        kind = data.draw(st.sampled_from(["filter", "column", "edit"]))
        step = f"step{number}"
        if kind == "filter":
            alive = [i for i in alive if data.draw(st.booleans())]
            layer(root, step, alive)
            layers.append(Layer(step, filters=True))
        elif kind == "column":
            numbers[f"c{number}"] = {i: data.draw(st.integers(0, 99)) for i in alive}
            layer(root, step, alive, **{f"c{number}": list(numbers[f"c{number}"].values())})
            layers.append(Layer(step, columns=(f"c{number}",)))
        else:
            edits = []
            for i in alive:
                if want[i] and data.draw(st.booleans()):
                    a = data.draw(st.integers(0, len(want[i])))
                    b = data.draw(st.integers(a, len(want[i])))
                    new = data.draw(st.sampled_from(["", "é", "masked"]))
                    edits.append((i, len(want[i][:a].encode()), len(want[i][:b].encode()), new))
                    want[i] = want[i][:a] + new + want[i][b:]
            layer(root, step, alive, edits)
            layers.append(Layer(step, edits=True))
    view = View(root, tuple(layers))
    names = ["id", "text", *numbers]
    rows = data.draw(st.sampled_from([1, 3, 4096]))
    got = [row for batch in view.batches("p", names, rows) for row in batch.to_pylist()]
    assert [row["id"] for row in got] == alive
    assert [row["text"] for row in got] == [want[i] for i in alive]
    sizes = [batch.column(EDITED_BYTES) for batch in view.batches("p", [EDITED_BYTES], rows)]
    assert [size for part in sizes for size in part.to_pylist()] == [len(want[i].encode()) for i in alive]
    for name, values in numbers.items():
        assert [row[name] for row in got] == [values[i] for i in alive]


def test_inputs_are_exactly_the_files_that_are_read(tmp_path: Path) -> None:
    ids = base(tmp_path, ["a", "b"])
    layer(tmp_path, "scores", ids, score=[1, 2])
    layer(tmp_path, "decision", ids[:1])
    layer(tmp_path, "lines", ids[:1], [])
    layers = (Layer("scores", ("score",)), Layer("decision", filters=True), Layer("lines", ("n",), edits=True))
    view = View(tmp_path, layers)
    assert set(view.inputs("p", ["id"])) == {"extract/p.parquet", "decision/p.parquet"}
    assert set(view.inputs("p", ["score"])) == {"extract/p.parquet", "scores/p.parquet", "decision/p.parquet"}
    assert "lines/_edits/p.parquet" in view.inputs("p", ["text"])
    assert view.inputs("p", [EDITED_BYTES]) == view.inputs("p", ["text"])


def test_a_layer_of_another_base_is_refused(tmp_path: Path) -> None:
    ids = base(tmp_path, ["a", "b", "c"])
    layer(tmp_path, "decision", [ids[2], ids[0]])
    with pytest.raises(CorpusError, match="another order"):
        list(View(tmp_path, (Layer("decision", filters=True),)).batches("p", ["id"]))
    layer(tmp_path, "scores", ids[:1], score=[1])
    with pytest.raises(CorpusError, match="holds 1 of 3 documents"):
        list(View(tmp_path, (Layer("scores", ("score",)),)).batches("p", ["id", "score"]))


def test_unknown_columns_and_missing_steps(tmp_path: Path) -> None:
    base(tmp_path, ["a"])
    view = View(tmp_path, (Layer("scores", ("score",)),))
    with pytest.raises(CorpusError, match="no column colour; there are: author"):
        list(view.batches("p", ["colour"]))
    with pytest.raises(CorpusError, match="partition p is not committed"):
        view.inputs("p", ["score"])
    with pytest.raises(InputError, match="cannot be read"):
        list(view.batches("p", ["score"]))
