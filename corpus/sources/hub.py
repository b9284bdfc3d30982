"""Hugging Face datasets: folders that `datasets` saved, and names on the hub, as files and shards.

A shard of a dataset on the hub is an `InputFile` with `path` `NAME#INDEX/SHARDS` and, as its identity, the commit that
the revision stood for and the builder's fingerprint: what is read is always that commit, whatever was pushed since.
A local folder of data files that `datasets` can load (`load_dataset("folder")`) is taken like a name on the hub; its
identity is that of its files.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from corpus.errors import InputError
from corpus.sources.config import DatasetOptions, SourceConfig
from corpus.sources.inputs import Found

_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
_DICT, _STATE = "dataset_dict.json", "state.json"
_FOLDER = "folder"  # stands where a dataset on the hub has its commit
_SECONDS = 30  # for the hub to answer


def is_saved(folder: str) -> bool:
    """Whether `Dataset.save_to_disk` or `DatasetDict.save_to_disk` made the folder."""
    return any((Path(folder) / name).is_file() for name in (_DICT, _STATE))


def saved_files(folder: str, config: SourceConfig, where: str) -> list[str]:
    """The Arrow files of a saved dataset, of a saved dictionary those of the split. Raises InputError."""
    if (Path(folder) / _DICT).is_file():
        splits = _json(f"{folder}/{_DICT}", where).get("splits")
        split = _options(config).split
        if not isinstance(splits, list) or split not in splits:
            there = ", ".join(map(str, splits)) if isinstance(splits, list) else "none"
            raise InputError(f"{where}: no split {split}; set `dataset: {{split: ...}}` to one of: {there}")
        folder = f"{folder}/{split}"
    state = _json(f"{folder}/{_STATE}", where)
    if state.get("_indices_data_files"):
        raise InputError(f"{where}: saved with a selection beside it by an old `datasets`; load and save it again")
    listed = state.get("_data_files")
    if listed == []:
        raise InputError(f"{where}: {folder} holds no rows; correct `path` or `dataset`")
    files = [item.get("filename") if isinstance(item, dict) else None for item in listed or ()]
    if not files or not all(isinstance(file, str) and file not in ("", "..") and "/" not in file for file in files):
        raise InputError(f"{where}: {folder}/{_STATE} names no files in its folder; save the dataset again")
    return [f"{folder}/{file}" for file in files]


def shards(name: str, config: SourceConfig, where: str) -> list[Found]:
    """The shards of a dataset on the hub, or of a local folder that `datasets` loads. Raises InputError."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        name = str(folder.absolute())
        label = folder.absolute().name
    elif not _NAME.fullmatch(name) or name.startswith("."):
        raise InputError(f"{where}: no such folder, and no name of a dataset (`owner/name`); correct `path`")
    else:
        label = name
    options = _options(config)
    commit = _commit(name, options.revision, where)
    dataset, fingerprint = _stream(name, options, commit, where)
    parts = [label, *([options.config] if options.config else []), options.split]
    top, count = "/hub:/", dataset.num_shards
    return [
        Found(top, f"{top}{'/'.join(parts)}/{i:05d}-of-{count:05d}", f"{name}#{i}/{count}", 0, 0, fingerprint)
        for i in range(count)
    ]


def is_unchanged(path: str, identity: str, config: SourceConfig) -> bool:
    """Whether a shard is still what `shards` found: a commit always is. Raises InputError."""
    name, commit = path.rpartition("#")[0], identity.split()[0]
    where = f"source {config.name}: {name}"
    return commit != _FOLDER or _stream(name, _options(config), commit, where)[1] == identity


def shard(path: str, identity: str, config: SourceConfig, where: str) -> Any:
    """One shard as a `datasets.IterableDataset`, at the commit of its identity. Raises InputError."""
    name, _, part = path.rpartition("#")
    index, _, count = part.partition("/")
    dataset, found = _stream(name, _options(config), identity.split()[0], where)
    if found != identity or dataset.num_shards != int(count):
        raise InputError(f"{where}: changed while the run was going; run again")
    return dataset.shard(num_shards=int(count), index=int(index))


def quiet() -> Any:
    """The `datasets` module, without its progress bars and advice between our own lines."""
    import datasets

    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity_error()
    return datasets


def _commit(name: str, revision: str | None, where: str) -> str:
    """The commit that a revision stands for now."""
    if name.startswith("/"):
        return _FOLDER
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        sha = HfApi().dataset_info(name, revision=revision, timeout=_SECONDS).sha
    except OfflineModeIsEnabled as error:
        raise InputError(f"{where}: the Hugging Face hub cannot be reached, HF_HUB_OFFLINE is set; unset it") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status not in (401, 403, 404):
            raise InputError(f"{where}: the Hugging Face hub answers {status}; run again later") from error
        revised = f" with revision {revision}" if revision else ""
        raise InputError(
            f"{where}: no such folder, and no dataset of that name{revised} that may be read on the Hugging Face hub; "
            "correct `path`, or log in (HF_TOKEN)"
        ) from error
    except Exception as error:  # of whichever HTTP library huggingface_hub has
        raise InputError(
            f"{where}: no such folder, and the Hugging Face hub cannot be reached ({_reason(error)}); check the "
            "network, or name a local folder"
        ) from error
    if not sha:
        raise InputError(f"{where}: the Hugging Face hub names no commit of it; run again later")
    return str(sha)


def _stream(name: str, options: DatasetOptions, commit: str, where: str) -> tuple[Any, str]:
    """(IterableDataset, identity) of a commit. A folder is looked at anew each time."""
    try:
        return (_open if commit == _FOLDER else _open_once)(name, options, commit)
    except (
        OSError,
        ValueError,
        RuntimeError,
        TypeError,
    ) as error:  # what `datasets` raises for a name, a split, a file
        raise InputError(
            f"{where}: `datasets` cannot load it ({_reason(error)}); correct `path` or `dataset`"
        ) from error


@functools.lru_cache(maxsize=8)
def _open_once(name: str, options: DatasetOptions, commit: str) -> tuple[Any, str]:
    return _open(name, options, commit)


def _open(name: str, options: DatasetOptions, commit: str) -> tuple[Any, str]:
    revision = None if commit == _FOLDER else commit
    builder = quiet().load_dataset_builder(name, options.config, revision=revision)
    by_split = builder.config.data_files or {}
    files = sorted({str(file) for files in by_split.values() for file in files})
    # A dataset's card may name any file and any address.
    below = f"{os.path.realpath(name)}/" if revision is None else f"hf://datasets/{name}@"
    for file in files:
        if not (os.path.realpath(file) if revision is None else file).startswith(below):
            raise ValueError(f"it names {file}, which lies outside of it")
    dataset = builder.as_streaming_dataset(split=options.split)
    if revision is not None:
        return dataset, f"{commit} {builder.hash}"
    digest = hashlib.blake2b(digest_size=20)
    for file in [*files, *(f"{name}/{card}" for card in ("README.md", ".huggingface.yaml"))]:
        if Path(file).exists():
            status = Path(file).stat()
            digest.update(f"{os.path.relpath(file, name)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return dataset, f"{commit} {digest.hexdigest()}"


def _options(config: SourceConfig) -> DatasetOptions:
    return config.dataset or DatasetOptions()


def _json(path: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: {path} cannot be read ({_reason(error)}); save the dataset again") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: {path} is not what `datasets` writes; save the dataset again")
    return value


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
