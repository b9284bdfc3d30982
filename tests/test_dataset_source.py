"""Hugging Face datasets, made and saved by `datasets` itself; the hub's place is taken by a folder."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import datasets
import huggingface_hub
import pytest

import corpus.sources.hub as hub
from corpus.documents import RAW
from corpus.engines.inline import InlineEngine
from corpus.errors import InputError
from corpus.recipe import load
from corpus.run import run
from corpus.sources import SourceConfig, discover, read
from corpus.status import status

TEXTS = [f"text {i} é" for i in range(700)]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    hub._open_once.cache_clear()


def table(**columns):
    return datasets.Dataset.from_dict({"body": TEXTS, "key": range(len(TEXTS))} | columns)


def source(path, **options):
    return SourceConfig(name="s", kind="dataset", path=str(path), **{"columns": {"text": "body"}, **options})


def rows(config):
    """(rows, what was skipped)"""
    found, skipped = [], Counter()
    for piece in discover(config):
        for batch in read(piece, config, skipped):
            assert batch.schema == RAW
            batch.validate(full=True)
            assert 0 < batch.num_rows <= 256
            found += batch.to_pylist()
    return found, skipped


def test_a_saved_dataset(tmp_path):
    table(link=["http://x.example/"] * 700).save_to_disk(tmp_path / "mine", num_shards=2)
    config = source(tmp_path / "mine", columns={"text": "body", "url": "link", "id": "key"})
    assert [[file.relative for file in piece.files] for piece in discover(config)] == [
        ["mine/data-00000-of-00002.arrow"],
        ["mine/data-00001-of-00002.arrow"],
    ]
    found, skipped = rows(config)
    assert [row["content"].decode() for row in found] == TEXTS
    assert [row["locator"] for row in found][349:351] == [
        "mine/data-00000-of-00002.arrow#349:349",
        "mine/data-00001-of-00002.arrow#0:350",
    ]
    assert {(row["url"], row["media_type"], row["problem"]) for row in found} == {
        ("http://x.example/", "text/plain", None)
    }
    assert skipped == {}


def test_rows_that_were_selected_and_shuffled_are_as_saved(tmp_path):
    saved = table().shuffle(seed=1).select(range(0, 700, 7))
    saved.save_to_disk(tmp_path / "mine")
    assert [row["content"].decode() for row in rows(source(tmp_path / "mine"))[0]] == saved["body"][:]


def test_a_split_of_a_saved_dictionary(tmp_path):
    both = datasets.DatasetDict({"train": table(), "test": table().select(range(3))})
    both.save_to_disk(tmp_path / "mine")
    assert len(rows(source(tmp_path / "mine"))[0]) == 700
    found, _ = rows(source(tmp_path / "mine", dataset={"split": "test"}))
    assert [row["locator"] for row in found] == [f"mine/test/data-00000-of-00001.arrow#{i}" for i in range(3)]
    with pytest.raises(InputError, match=r"no split dev; set `dataset: \{split: ...\}` to one of: train, test$"):
        discover(source(tmp_path / "mine", dataset={"split": "dev"}))


def test_rows_that_give_no_document(tmp_path):
    datasets.Dataset.from_dict({"text": ["one", None, "x" * ((1 << 20) + 1), ""]}).save_to_disk(tmp_path / "mine")
    found, _ = rows(source(tmp_path / "mine", columns={}, max_record_mb=1))
    assert [(row["content"], row["problem"]) for row in found] == [
        (b"one", None),
        (None, "no_text"),
        (None, "too_large"),
        (b"", None),
    ]
    datasets.Dataset.from_dict({"text": []}, datasets.Features(text=datasets.Value("string"))).save_to_disk(
        tmp_path / "empty"
    )
    with pytest.raises(InputError, match="empty holds no rows; correct `path` or `dataset`"):
        discover(source(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("feature", "values", "kind"),
    [
        (datasets.ClassLabel(names=["no", "yes"]), [0, 1], "int64"),
        (datasets.List(datasets.Value("string")), [["a"], ["b"]], "list"),
        (datasets.Value("float32"), [0.5, 1.5], "float"),
    ],
)
def test_a_feature_that_is_not_text(tmp_path, feature, values, kind):
    made = datasets.Dataset.from_dict({"body": values}, datasets.Features(body=feature))
    made.save_to_disk(tmp_path / "mine")
    with pytest.raises(InputError, match=rf"column `body` is {kind}.*, not text; correct `columns`"):
        rows(source(tmp_path / "mine"))
    with pytest.raises(InputError, match=r"no column `text`; .* to one of: body"):
        rows(source(tmp_path / "mine", columns={}))


@pytest.mark.parametrize("hurt", ["cut", "empty", "flipped", "no arrow", "gone"])
def test_a_shard_that_is_damaged(tmp_path, hurt):
    table().save_to_disk(tmp_path / "mine")
    path = tmp_path / "mine" / "data-00000-of-00001.arrow"
    data = bytearray(path.read_bytes())
    if hurt == "cut":
        del data[len(data) // 2 :]
    elif hurt == "flipped":
        # The last offset of the texts: what it says lies far beyond the file.
        at = data.index("text 0 é".encode()) - 64
        data[at : at + 64] = b"\xff\x7f" * 32
    else:
        data = bytearray(b"hello there" if hurt == "no arrow" else b"")
    path.write_bytes(data)
    if hurt == "gone":
        path.unlink()
    with pytest.raises(
        InputError, match=r"^source s: .*data-00000-of-00001\.arrow: `datasets` cannot read it"
    ) as caught:
        rows(source(tmp_path / "mine"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("state", ["{", "[]", "{}", '{"_data_files": [{"filename": "../../etc/passwd"}]}'])
def test_a_state_that_is_damaged(tmp_path, state):
    table().save_to_disk(tmp_path / "mine")
    (tmp_path / "mine" / "state.json").write_text(state)
    with pytest.raises(InputError, match="save the dataset again"):
        discover(source(tmp_path / "mine"))


def folder(path, kind="parquet", parts=3):
    """A folder of data files, as they lie on the hub."""
    path.mkdir()
    for part in range(parts):
        shard = table().shard(parts, part)
        getattr(shard, "to_parquet" if kind == "parquet" else "to_json")(path / f"train-{part}.{kind}")
    return path


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_folder_of_data_files_is_streamed(tmp_path, kind):
    config = source(folder(tmp_path / "mine", kind), columns={"text": "body", "id": "key"})
    before = discover(config)
    assert [file.relative for piece in before for file in piece.files] == [
        f"mine/train/0000{i}-of-00003" for i in range(3)
    ]
    found, _ = rows(config)
    assert [row["content"].decode() for row in found] == TEXTS
    assert found[234]["locator"] == "mine/train/00001-of-00003#0:234"
    assert discover(config) == before


def test_a_folder_that_changes(tmp_path):
    path = folder(tmp_path / "mine")
    config = source(path)
    piece = discover(config)[0]
    batches = read(piece, config, Counter())
    next(batches)
    os.utime(path / "train-2.parquet", ns=(1, 1))
    with pytest.raises(InputError, match="changed while the run was going; run again"):
        list(batches)
    assert discover(config)[0].files[0].identity != piece.files[0].identity


def test_a_card_that_names_files_elsewhere_is_refused(tmp_path):
    path = folder(tmp_path / "mine")
    table().to_parquet(tmp_path / "secret.parquet")
    card = f"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {tmp_path}/secret.parquet\n---\n"
    (path / "README.md").write_text(card)
    with pytest.raises(InputError, match=r"names .*secret\.parquet, which lies outside of it"):
        discover(source(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"split": "nope"}, "Bad split: nope. Available splits"), ({"config": "nope"}, "BuilderConfig 'nope' not found")],
)
def test_a_part_that_a_folder_lacks(tmp_path, options, message):
    with pytest.raises(InputError, match=rf"`datasets` cannot load it \(.*{message}"):
        discover(source(folder(tmp_path / "mine"), dataset=options))


@pytest.mark.parametrize("path", ["owner/name", "name"])
def test_the_hub_cannot_be_reached(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^source s: {path}: .*hub cannot be reached, HF_HUB_OFFLINE is set"):
        discover(source(path))

    def fail(*arguments, **options):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", fail)
    with pytest.raises(
        InputError, match=r"hub cannot be reached \(Name or service not known\); check the network"
    ) as caught:
        discover(source(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["no/such/folder", "./name", "/nowhere", "s3://bucket/mine"])
def test_what_is_no_dataset(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"no such folder, and no name of a dataset|read from a local folder or the hub"
    ):
        discover(source(path))


@pytest.fixture
def fake_hub(tmp_path, monkeypatch):
    """`owner/name` on a hub that answers; its commit may be moved, and what is loaded is noted."""
    path, state = folder(tmp_path / "files"), SimpleNamespace(sha=COMMIT, loaded=[])
    original = datasets.load_dataset_builder

    def builder(name, config, revision):
        state.loaded.append((name, config, revision))
        made = original(str(path), config)
        at = f"hf://datasets/{name}@{revision}"
        made.config.data_files = {
            k: [f"{at}/{Path(file).name}" for file in v] for k, v in made.config.data_files.items()
        }
        streamed = original(str(path), config).as_streaming_dataset(split="train")
        return SimpleNamespace(config=made.config, hash="f00d", as_streaming_dataset=lambda split: streamed)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset_builder", builder)
    monkeypatch.setattr(
        huggingface_hub.HfApi, "dataset_info", lambda self, name, *, revision, timeout: SimpleNamespace(sha=state.sha)
    )
    return state


def test_a_name_on_the_hub_is_pinned_to_its_commit(fake_hub):
    config = source("owner/name", dataset={"config": "default", "revision": "main"})
    pieces = discover(config)
    (file,) = pieces[1].files
    assert (file.path, file.relative) == ("owner/name#1/3", "owner/name/default/train/00001-of-00003")
    assert file.identity == f"{COMMIT} f00d"
    # Somebody pushes; what was found is still what is read.
    fake_hub.sha = "f" * 40
    found = [row for piece in pieces for batch in read(piece, config, Counter()) for row in batch.to_pylist()]
    assert [row["content"].decode() for row in found] == TEXTS
    assert found[0]["locator"] == "owner/name/default/train/00000-of-00003#0"
    assert fake_hub.loaded == [("owner/name", "default", COMMIT)]
    assert discover(config)[0].files[0].identity == f"{'f' * 40} f00d"


def test_a_new_commit_makes_the_shards_stale(fake_hub, recipe):
    sections = dict.fromkeys(("language", "quality", "dedup", "tokenizer", "pack"))
    sections["sources"] = [{"name": "s", "kind": "dataset", "path": "owner/name", "columns": {"text": "body"}}]
    loaded = load(recipe(**sections))
    assert run(loaded, until="extract", engine=lambda limits: InlineEngine()).done == {"extract": 3}
    assert run(loaded, until="extract", engine=lambda limits: InlineEngine()).done == {}
    fake_hub.sha = "f" * 40
    assert (status(loaded)[0].state, status(loaded)[0].stale) == ("stale", 3)
    manifest = json.loads(next((loaded.output / "extract" / "_manifest").glob("*.json")).read_text())
    assert list(manifest["inputs"].values()) == [f"{COMMIT} f00d"]
    assert load(loaded.output).sources[0].paths == ("owner/name",)
