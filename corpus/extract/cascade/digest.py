"""Which model file belongs to this version, without loading it."""

from __future__ import annotations

from pathlib import Path

PATH = Path(__file__).with_name("model.npz")
# `python -m corpus.extract.cascade.training` writes both.
SHA256 = Path(__file__).with_name("model.sha256")


def digest() -> str:
    """sha256 of the model file, as the file beside it says."""
    return SHA256.read_text(encoding="ascii").split()[0]
