"""Common Crawl: whole files of a crawl, or the records of the pages that match, into a folder of WARC files."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from corpus.errors import CorpusError, InputError
from corpus.fetch import index, records
from corpus.fetch.addresses import host_of, shown
from corpus.fetch.client import Client, Limits
from corpus.fetch.config import FetchConfig
from corpus.fetch.download import Manifest, Observer, Silent, alone, download, file_name, gunzip
from corpus.fetch.response import Damaged, Gone
from corpus.store import fingerprint, sha256_file, write_atomic

LIST = 256 << 20  # bytes of a crawl's list of paths; 90,000 paths of 140 bytes are usual


def fetch(
    config: FetchConfig, *, workers: int = 4, observer: Observer | None = None, limits: Limits | None = None
) -> dict[str, Any]:
    """Bring what `config` asks for into its folder; what is there stays. Returns an account of it, for JSON.

    `files`: name, url, bytes, sha256 of each file, as in `fetch.json`; `fetched`: how many of them came now;
    `missing`: records that could not be had. The same request gives the same files, whatever the number of workers.

    Raises InputError when a part of it cannot be had, BusyError when another process fetches into the folder,
    CorpusError when the folder cannot be written. What was fetched stays and is not fetched again.
    """
    host_of(config.base_url)
    base = config.base_url.rstrip("/") + "/"
    try:
        with alone(config.to):
            manifest = Manifest(config.to)
            with (
                Client(allow_private=config.allow_private, limits=limits or Limits()) as client,
                ThreadPoolExecutor(workers, thread_name_prefix="fetch") as pool,
            ):
                run = _matches if config.match else _files
                try:
                    names, fetched = run(config, base, manifest, client, pool, workers, observer or Silent())
                except BaseException:
                    client.stop()
                    pool.shutdown(cancel_futures=True)
                    raise
    except OSError as error:
        raise CorpusError(
            f"{error.filename or config.to}: cannot be written ({error.strerror or error}); make room or choose "
            "another folder (--to), then run the same command again to go on"
        ) from error
    entries = [manifest.files[name] for name in names]
    missing = [record for entry in entries for record in entry.get("missing", ())]
    size = sum(entry["bytes"] for entry in entries)
    return {
        "crawl": config.crawl,
        "to": str(config.to),
        "bytes": size,
        "fetched": fetched,
        "missing": missing,
        "files": entries,
    }


def _files(
    config: FetchConfig, base: str, manifest: Manifest, client: Client, pool: ThreadPoolExecutor, workers: int,
    observer: Observer,
) -> tuple[list[str], int]:  # fmt: skip
    """Whole files, side by side. One that the server does not have keeps no other from coming."""
    source = f"{base}crawl-data/{config.crawl}/{config.kind}.paths.gz"
    paths = _choose(config, client.read(source, LIST, _paths), source)
    most = config.max_file_mb << 20
    observer.expect(len(paths), None)
    waiting: set[Future[bool]] = {
        pool.submit(download, client, base + path, config.to, manifest, most, observer) for path in paths
    }
    fetched, gone = 0, list[Gone]()
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            try:
                fetched += future.result()
            except Gone as error:
                gone.append(error)
    if gone:
        first = min(map(str, gone))
        raise InputError(
            first if len(gone) == 1 else f"{first} (so with {len(gone)} of {len(paths)} files; the others are there)"
        )
    return [file_name(path) for path in paths], fetched


def _paths(data: bytes) -> list[str]:
    try:
        return [path for path in gunzip(data, LIST).decode("utf-8").splitlines() if path]
    except UnicodeDecodeError as error:
        raise Damaged("a list that is not UTF-8") from error


def _choose(config: FetchConfig, paths: list[str], source: str) -> list[str]:
    """The paths that were asked for, in the order of the list. Raises InputError."""
    names = [file_name(path).lower() for path in paths]
    count = config.files or 0
    if count + config.first > len(paths):
        most = len(paths) - config.first
        way = f"ask for at most {most:,}" if most > 0 else "set `first` lower"
        raise InputError(f"{shown(source)}: lists {len(paths):,} file{'s' * (len(paths) != 1)}; {way}")
    chosen = list(range(config.first, config.first + count))
    if config.sample is not None:
        # By a hash of the path: a larger sample holds the smaller one.
        def draw(at: int) -> bytes:
            return hashlib.blake2b(f"{config.sample}\0{paths[at]}".encode()).digest()

        chosen = sorted(sorted(range(len(paths)), key=draw)[:count])
    if len({names[at] for at in chosen}) < count:
        raise InputError(f"{shown(source)}: names a file twice; the list is damaged or not Common Crawl's")
    return [paths[at] for at in chosen]


def _matches(
    config: FetchConfig, base: str, manifest: Manifest, client: Client, pool: ThreadPoolExecutor, workers: int,
    observer: Observer,
) -> tuple[list[str], int]:  # fmt: skip
    """Records by the index; the look-up is kept beside them, so that going on asks for nothing twice."""
    asked = config.model_dump(mode="json", include={"crawl", "match", "limit", "status", "mime"})
    name = f"match-{fingerprint(asked)[:8]}"
    source = f"{base}cc-index/collections/{config.crawl}/indexes/"
    found = _looked_up(config.to / f"{name}.jsonl", source, manifest)
    if found is None:
        found, bad = index.find(client, base, config)
        if not found:
            raise InputError(
                f"{config.crawl}: no record matches {', '.join(config.match)}; widen match, status or mime"
            )
        rows = [json.dumps(record._asdict()) + "\n" for record in found]
        write_atomic(config.to / f"{name}.jsonl", "".join(rows))
        manifest.add(f"{name}.jsonl", source, match=asked, bad_lines=bad)
    names, fetched = [], 0
    parts = list(records.files(found))
    observer.expect(len(parts), sum(record.length for record in found))
    for number, part in enumerate(parts):
        path = config.to / f"{name}-{number:05}.warc.gz"
        fetched += records.write(client, pool, base, part, path, source, manifest, workers, observer)
        names.append(path.name)
    return names, fetched


def _looked_up(path: Path, source: str, manifest: Manifest) -> list[index.Record] | None:
    """What an earlier look-up found, if it is there unchanged."""
    if not manifest.has(path.name, source) or sha256_file(path) != manifest.files[path.name]["sha256"]:
        return None
    return [index.Record(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
