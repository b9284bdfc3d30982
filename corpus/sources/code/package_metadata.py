"""The licence that package metadata states: Python, Rust, JavaScript, PHP."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable

from corpus.sources.code.spdx import UNKNOWN, expression


def from_metadata(name: str, content: bytes) -> str | None:
    """What package metadata (a file in `METADATA`) states; None when it states nothing, or is not well formed."""
    try:
        stated = METADATA[name](content.decode("utf-8", "replace"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return expression(stated) if stated and stated.strip() else None


def _python_project(text: str) -> str | None:
    data = tomllib.loads(text)
    stated = data.get("project", {}).get("license") or data.get("tool", {}).get("poetry", {}).get("license")
    return _string(stated.get("text") if isinstance(stated, dict) else stated)


def _cargo(text: str) -> str | None:
    data = tomllib.loads(text)
    return _string((data.get("package") or data.get("workspace", {}).get("package", {})).get("license"))


def _node(text: str) -> str | None:
    data = json.loads(text)
    stated = data.get("license") or data.get("licenses")
    if isinstance(stated, dict):
        stated = stated.get("type")
    if isinstance(stated, list):
        stated = " OR ".join(item["type"] if isinstance(item, dict) else item for item in stated)
    return _string(stated)


def _python_metadata(text: str) -> str | None:
    """Core metadata: the header lines before the first blank one."""
    head = text.replace("\r\n", "\n").split("\n\n", 1)[0]
    fields = [line.split(": ", 1) for line in head.split("\n") if ": " in line and line[0] not in " \t"]
    classifiers = [value for key, value in fields if key == "Classifier" and value.startswith("License :: ")]
    named = [expression(value.rpartition(" :: ")[2]) for value in classifiers]
    stated = [value for key, value in fields if key == "License-Expression"]
    stated += [value for key, value in fields if key == "License" and expression(value) != UNKNOWN]
    if stated:
        return stated[0]
    known = [name for name in named if name != UNKNOWN]
    return known[0] if len(known) == 1 else (UNKNOWN if named else None)


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= 500 else None


METADATA: dict[str, Callable[[str], str | None]] = {
    "pyproject.toml": _python_project,
    "Cargo.toml": _cargo,
    "package.json": _node,
    "composer.json": _node,
    "PKG-INFO": _python_metadata,
    "METADATA": _python_metadata,
}
"""Files that state the licence of the package that they describe, and what reads them."""
