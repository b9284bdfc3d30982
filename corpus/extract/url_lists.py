"""Lists of domains and URLs, files of any length, as tables that are small and quick to look up in."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from corpus.errors import InputError
from corpus.extract.config import UrlConfig
from corpus.extract.urls import hash_entries, plain

SHIPPED = "ut1"
_BLOCK = 4 << 20
_LONGEST_LINE = 64 << 10
_WHERE = "extract.urls.lists"


def list_digests(config: UrlConfig | None) -> dict[str, str]:
    """`url list NAME` -> sha256 of each list's file. Raises InputError for one that is not there or not readable."""
    found = {}
    for entry in config.lists if config else ():
        path = _file(entry)
        try:
            with path.open("rb") as stream:
                found[f"url list {path.name if entry != SHIPPED else SHIPPED}"] = _digest(stream)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise InputError(f"{_WHERE}: {path}: no such file; give a file of yours, or the name {SHIPPED}") from error
        except PermissionError as error:
            raise InputError(f"{_WHERE}: {path}: may not be read; change its permissions") from error
    return found


def load_lists(config: UrlConfig, digests: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Name -> table for `corpus.kernels.addresses.find` (uint64[k], sorted, 8 bytes an entry), in the recipe's order.

    `digests` is what `list_digests` gave. Raises InputError when a file is no longer that, or when a line of it is no
    domain or URL.
    """
    names = (key.removeprefix("url list ") for key in list_digests(config))
    return {
        name: _load(_file(entry), name, digests[f"url list {name}"])
        for name, entry in zip(names, config.lists, strict=True)
    }


def _file(entry: str) -> Path:
    return _shipped() if entry == SHIPPED else Path(entry)


def _shipped() -> Path:
    """The block list of Université Toulouse 1 (CC BY-SA 4.0), its subsets merged into one, in datatrove's wheel."""
    spec = importlib.util.find_spec("datatrove")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted((Path(folder) / "assets").glob("url_filterblacklists*.tar.gz"), reverse=True):
            return path
    raise InputError(f"{_WHERE}: {SHIPPED} comes with datatrove 0.10, which is not here; run: pip install datatrove")


@functools.lru_cache(maxsize=8)  # the next task of this process wants the same
def _load(path: Path, name: str, digest: str) -> np.ndarray:
    with path.open("rb") as stream:
        if _digest(stream) != digest:
            raise InputError(f"{_WHERE}: {path} changed while it was in use; run again")
    parts = _archive(path) if name == SHIPPED else _plain(path, name)
    table = np.concatenate([np.zeros(0, np.uint64), *parts])
    table.sort()
    return table


def _digest(stream) -> str:  # type: ignore[no-untyped-def]
    return hashlib.file_digest(stream, "sha256").hexdigest()


def _plain(path: Path, name: str) -> Iterator[np.ndarray]:
    with path.open("rb") as stream:
        yield from _tables(iter(lambda: stream.read(_BLOCK), b""), name)


def _archive(path: Path) -> Iterator[np.ndarray]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                yield from _tables(iter(lambda file=content: file.read(_BLOCK), b""), member.name)  # type: ignore[misc]


def _tables(blocks: Iterable[bytes], name: str) -> Iterator[np.ndarray]:
    rest = b""
    for number, block in enumerate(blocks):
        whole, _, rest = (rest + (block if number else block.removeprefix(b"\xef\xbb\xbf"))).rpartition(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise InputError(f"{_WHERE}: {name}: has a line of over {_LONGEST_LINE:,} bytes; write one entry a line")
        yield _table(whole, name)
    yield _table(rest, name)


def _table(lines: bytes, name: str) -> np.ndarray:
    from corpus.kernels.addresses import hash_lines

    hashes, others, bad = hash_lines(np.frombuffer(lines, np.uint8))
    if bad >= 0:
        line = lines[bad : bad + 80].partition(b"\n")[0].decode("utf-8", "replace").strip()
        raise InputError(f"{_WHERE}: {name}: `{line}` is more than one domain or URL; write one a line")
    odd = (lines[begin:end].decode("utf-8", "replace") for begin, end in others.tolist())
    try:
        return np.concatenate([hashes, hash_entries([plain(entry) for entry in odd])])
    except ValueError as error:
        raise InputError(f"{_WHERE}: {name}: {error}") from error
