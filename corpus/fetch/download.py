"""Whole files into a folder, so that a kill at any moment costs at most the bytes in flight.

A file grows as `NAME.part`, with `NAME.part.json` beside it: its URL, size and validator (RFC 9110, 13.1.5). A later
run asks for the rest only, and only of the same version (`If-Range`). A finished file is renamed, then listed in the
folder's manifest `fetch.json` with its size and sha256; what is listed is never fetched again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from corpus.errors import BusyError, InputError
from corpus.fetch.addresses import shown
from corpus.fetch.client import Client
from corpus.fetch.response import Damaged, Response, Transient
from corpus.store import TEMPORARY, fsync, sha256_file, write_atomic

MANIFEST = "fetch.json"
VERSION = 1
TAIL = 32 << 20  # the last gzip member begins in the last bytes of a file; records are far smaller
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class Observer(Protocol):
    """Told how many files there will be and their bytes in all, if known; then how much there is of each.

    Called by several threads. A file may shrink, when it begins anew; a finished one comes with `done` = `total`.
    """

    def expect(self, files: int, total: int | None) -> None: ...

    def update(self, name: str, done: int, total: int | None) -> None: ...


class Silent:
    """An observer that draws nothing."""

    def expect(self, files: int, total: int | None) -> None: ...

    def update(self, name: str, done: int, total: int | None) -> None: ...


class Manifest:
    """`fetch.json`: the finished files of a folder, name, URL, bytes, sha256 and facts. Written atomically."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / MANIFEST
        self._lock = threading.Lock()
        self.files: dict[str, dict[str, Any]] = {}
        try:
            found = json.loads(self.path.read_text("utf-8"))
            if found["version"] != VERSION:
                raise ValueError(f"version {found['version']}")
            self.files = {str(entry["name"]): entry for entry in found["files"]}
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path}: is no list of fetched files of this version ({error!r}); choose another folder (--to)"
            ) from error

    def has(self, name: str, url: str) -> bool:
        """Whether the file is there as it was fetched from `url`, by its size."""
        entry = self.files.get(name)
        with contextlib.suppress(FileNotFoundError):
            path = self.path.parent / name
            return entry is not None and entry["url"] == url and path.stat().st_size == entry["bytes"]
        return False

    def add(self, name: str, url: str, **facts: Any) -> dict[str, Any]:
        """List a file that is in place."""
        path = self.path.parent / name
        entry = {"name": name, "url": url, "bytes": path.stat().st_size, "sha256": sha256_file(path), **facts}
        with self._lock:
            self.files[name] = entry
            self._write()
        return entry

    def _write(self) -> None:
        files = [self.files[name] for name in sorted(self.files)]
        write_atomic(self.path, json.dumps({"version": VERSION, "files": files}, indent=1) + "\n")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder. Raises BusyError at once when another process fetches into it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(f"{folder}: another process fetches into it; wait for it to end, or stop it") from error
        for rubbish in folder.glob(f"{TEMPORARY}*"):  # of a killed process
            rubbish.unlink()
        yield
    finally:
        os.close(descriptor)


def file_name(path: str) -> str:
    """The last part of a path of a crawl's list, as a name in the output folder.

    Raises InputError for a path that is absolute, leads upwards, or has other characters than Common Crawl's paths.
    """
    parts = path.split("/")
    if not all(_NAME.fullmatch(part) and ".." not in part for part in parts):
        raise InputError(f"{shown(path)!r} is no path of a crawl's file; the list is damaged or not Common Crawl's")
    return parts[-1]


def download(client: Client, url: str, folder: Path, manifest: Manifest, limit: int, observer: Observer) -> bool:
    """Bring the gzip file at `url` into `folder`, unless it is there; True when anything had to be fetched.

    Raises InputError (one line) when it cannot be had, is larger than `limit` bytes, or a file that is not ours
    stands in its place.
    """
    name = file_name(url.rpartition("/")[2])
    path = folder / name
    part, state = work_files(path)
    if manifest.has(name, url):
        observer.update(name, path.stat().st_size, path.stat().st_size)
        return False
    if path.exists() and name not in manifest.files:
        # Killed between the rename and the manifest's entry; anything else there is not ours to replace.
        if _state(state, url).get("bytes") != path.stat().st_size:
            raise foreign(path)
    else:

        def attempt() -> None:
            _attempt(client, url, part, state, limit, observer)

        client.retry(url, attempt, lambda: _size(part))
        fsync(part)
        part.replace(path)
    manifest.add(name, url)
    state.unlink(missing_ok=True)
    return True


def work_files(path: Path) -> tuple[Path, Path]:
    """(the file that grows until it becomes `path`, what is known of it)."""
    return path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")


def foreign(path: Path) -> InputError:
    return InputError(f"{path}: is there, but not listed in {MANIFEST}; move it away, or choose another folder (--to)")


def _attempt(client: Client, url: str, part: Path, state: Path, limit: int, observer: Observer) -> None:
    """Fetch what is missing of a part. Raises Transient when another try may bring the rest."""
    known = _state(state, url)
    have = _size(part) if known.get("validator") else 0
    if have > known.get("bytes", 0):
        have = 0
    if not have or have < known["bytes"]:
        headers = {"Range": f"bytes={have}-", "If-Range": known["validator"]} if have else {}
        with client.get(url, headers, 416) as response:
            if response.status == 200:
                have, known = 0, {"url": url, "bytes": response.length, "validator": _validator(response)}
                if response.length is None and not response.chunked:
                    raise Transient("the server does not say how long the file is")
                part.write_bytes(b"")
                write_atomic(state, json.dumps(known))
            elif not have or not _continues(response, have, known):
                part.unlink(missing_ok=True)
                raise Transient(f"the server answers {response.status} with another range than was asked for")
            with part.open("ab") as stream:
                for chunk in response.chunks(limit - have):
                    stream.write(chunk)
                    stream.flush()
                    have += len(chunk)
                    observer.update(part.stem, have, known["bytes"])
    if known["bytes"] is None:
        write_atomic(state, json.dumps(known | {"bytes": have}))
    observer.update(part.stem, have, have)
    if not ends_whole(part):
        part.unlink()
        raise Damaged("what came is no whole gzip file")


def _continues(response: Response, have: int, known: dict[str, Any]) -> bool:
    """Whether the answer is the rest of the same version; some servers know ranges but not If-Range."""
    same = (_validator(response) or known["validator"]) == known["validator"]
    return same and response.content_range == (have, known["bytes"] - 1, known["bytes"])


def _validator(response: Response) -> str | None:
    """What If-Range may hold: a strong ETag, or the date of the last change."""
    etag = response.headers.get("etag", "")
    return etag if etag.startswith('"') else response.headers.get("last-modified")


def _state(path: Path, url: str) -> dict[str, Any]:
    """What is known of a part of `url`; nothing, when it is a part of something else."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return found if found["url"] == url and isinstance(found["bytes"], int) else {}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def ends_whole(path: Path) -> bool:
    """Whether a gzip file ends where its last member does, checksum and all: a cut is found without reading it all."""
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        start = max(0, size - TAIL)
        tail = os.pread(stream.fileno(), size - start, start)
    at = len(tail)
    while (at := tail.rfind(b"\x1f\x8b\x08", 0, at)) >= 0:
        if whole_member(memoryview(tail)[at:]):
            return True
    return False


def whole_member(data: bytes | memoryview, limit: int = 1 << 30) -> bool:
    """Whether `data` is exactly one gzip member, by its checksum, that inflates to at most `limit` bytes."""
    inflate, total = zlib.decompressobj(31), 0
    try:
        for at in range(0, len(data), 1 << 15):  # each step gives 33 MB at most
            total += len(inflate.decompress(data[at : at + (1 << 15)]))
            if inflate.eof:
                return at + (1 << 15) >= len(data) and not inflate.unused_data
            if total > limit:
                return False
    except zlib.error:
        pass
    return False


def gunzip(data: bytes, limit: int) -> bytes:
    """The content of a whole gzip file of one or more members. Raises Damaged, also past `limit` bytes."""
    found = []
    try:
        while data:
            inflate = zlib.decompressobj(31)
            found.append(inflate.decompress(data, limit + 1))
            limit -= len(found[-1])
            if limit < 0 or not inflate.eof:
                raise Damaged("a gzip file that is cut, or larger than it may be")
            data = inflate.unused_data
    except zlib.error as error:
        raise Damaged(f"no gzip file ({error})") from error
    return b"".join(found)
