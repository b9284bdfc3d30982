"""How much memory the comparison of all documents may take, and where what does not fit goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from corpus.errors import CorpusError

UNLIMITED = 4 << 30
"""Bytes that are taken where there is no limit."""
PER_DOCUMENT = 160
"""Bytes of a document's numbers, id and keys, at most; these are always in memory."""
LEAST = 32 << 20
"""Bytes for all else; with less the disk is read in crumbs."""
LOADED = 272 << 20
"""Bytes that a worker takes before it holds a document: Python, Arrow, compiled kernels and their tables."""
_SIGNATURES = 10_240
"""Signatures that are in memory in any case: batches that are read ahead, a window of the second look."""
_SHARE = 0.6
"""Of what is free under the limit; the rest is for what Arrow and the allocator hold besides."""


@dataclass(frozen=True)
class Room:
    """Memory in bytes for what grows with the texts, and the folder for what does not fit."""

    folder: Path
    memory: int = UNLIMITED

    def share(self, part: float) -> int:
        return int(self.memory * part)


@dataclass(frozen=True)
class Budget:
    """What a task may take: `memory` bytes beside the `taken` ones that its worker needs in any case."""

    memory: int
    taken: int

    @classmethod
    def of(cls, memory_mb: int, permutations: int) -> Budget:
        """Of this process under a limit of so many MB (0: none), for signatures of so many values."""
        import psutil

        loaded = max(psutil.Process().memory_info().rss, LOADED)
        return cls.under(memory_mb, loaded + 4 * permutations * _SIGNATURES)

    @classmethod
    def under(cls, memory_mb: int, taken: int) -> Budget:
        """Of a process that needs `taken` bytes."""
        return cls(max(int(((memory_mb << 20) - taken) * _SHARE), 0) if memory_mb else UNLIMITED, taken)

    @property
    def documents(self) -> int:
        """How many documents can be compared."""
        return max(self.memory - LEAST, 0) // PER_DOCUMENT

    def room(self, folder: Path, documents: int) -> Room:
        """For what so many documents need beside their numbers. Raises CorpusError when these do not fit."""
        if documents > self.documents:
            needed = _needed(documents, self.taken)
            raise CorpusError(
                f"dedup/clusters: {documents:,} documents need {needed:,} MB of memory in one process; raise --memory, "
                f"at least --memory {_advised(needed)}"
            )
        return Room(folder, self.memory - documents * PER_DOCUMENT)


def _needed(documents: int, taken: int) -> int:
    """MB that so many documents need in a process that needs `taken` bytes in any case."""
    return math.ceil((math.ceil((documents * PER_DOCUMENT + LEAST) / _SHARE) + taken) / (1 << 20))


def _advised(needed: int) -> int:
    """What to name: a process of the next run may take some more."""
    return needed + needed // 10


def check(step: str, memory_mb: int, permutations: int) -> None:
    """Raise CorpusError for a limit (0: none) that a worker passes whatever the documents are."""
    needed = _needed(0, LOADED + 4 * permutations * _SIGNATURES)
    if 0 < memory_mb < needed:
        raise CorpusError(
            f"{step}: needs {needed:,} MB of memory; raise --memory, at least --memory {_advised(needed)}"
        )
