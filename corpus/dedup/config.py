"""Configuration of `dedup`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from corpus.config import Config


class DedupConfig(Config):
    """Which documents count as the same, and which one of them stays."""

    exact: bool = True
    """Remove documents whose text is equal but for case and white space."""
    minhash: bool = True
    """Remove near duplicates, found by MinHash and locality-sensitive hashing."""
    ngram: int = Field(5, ge=1, le=64)
    """Words in a shingle; the Jaccard index is that of the sets of shingles."""
    bands: int = Field(20, ge=1, le=1024)
    """Bands of a signature: two documents are compared when one band agrees."""
    rows: int = Field(5, ge=1, le=64)
    """MinHash values in a band. A pair at J is compared with probability 1 - (1 - J^rows)^bands."""
    threshold: float = Field(0.8, gt=0, le=1)
    """Jaccard index from which on two documents are near duplicates."""
    verify: bool = True
    """Compute the exact Jaccard index of every pair that the bands suggest; without it, the bands alone
    decide."""
    seed: int = Field(1, ge=0)
    """Seed of the MinHash permutations."""
    keep: Literal["longest", "first_id"] = "longest"
    """Which document of a cluster stays, among those of highest priority: the longest, or the one with the
    smallest id (which also settles between equally long ones)."""
