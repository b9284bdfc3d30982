"""What the check on planted documents found, as it is stored and shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus.intervals import share_interval

STEP = "selfcheck/planted"
FILE = "planted.json"
EXACT, NEAR = "exact_duplicate", "near_duplicate"
VERBATIM, CHANGED = "benchmark_item", "changed_item"
PII = "pii_"  # and the kind


@dataclass(frozen=True)
class Share:
    """`found` of `judged`."""

    judged: int
    found: int

    @property
    def share(self) -> float | None:
        return self.found / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval (Wilson 1927)."""
        return share_interval(self.found, self.judged)


@dataclass(frozen=True)
class Recall(Share):
    """One kind of plant at one level of similarity.

    `wanted` >= `planted` (documents in which it could not be planted, or too few of them) >= `judged` (dropped by an
    earlier stage, or changed by it). `expected`: whether it should be found; a pair below the threshold should not.
    `promised`: the share that the recipe promises, where it does.
    """

    kind: str
    level: float | None
    expected: bool
    wanted: int
    planted: int
    promised: float | None = None

    @property
    def short(self) -> bool:
        """Whether less was found than the recipe promises."""
        return self.promised is not None and self.share is not None and self.share < self.promised

    @property
    def by_chance(self) -> bool:
        """Whether the interval reaches what is promised."""
        return self.promised is not None and self.interval[1] >= self.promised

    @property
    def lacking(self) -> bool:
        """Whether fewer were planted than should have been."""
        return self.planted < self.wanted

    @property
    def label(self) -> str:
        """`near_duplicate 0.9`"""
        return self.kind if self.level is None else f"{self.kind} {self.level:g}"


@dataclass(frozen=True)
class Precision(Share):
    """Of what `stage` removed or found in the copy (`judged`), how much was rightly so (`found`)."""

    stage: str


@dataclass(frozen=True)
class Planted:
    """`documents` were copied, to `clean` of them nothing was done; `left_out`: stage -> why nothing was planted."""

    seed: int
    documents: int
    clean: int
    kinds: tuple[Recall, ...]
    precision: tuple[Precision, ...]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def short(self) -> tuple[Recall, ...]:
        """The kinds of which less was found than the recipe promises."""
        return tuple(kind for kind in self.kinds if kind.short)

    def groups(self) -> dict[str, list[Recall]]:
        """The kinds in a few groups, by what these are called."""
        found: dict[str, list[Recall]] = {}
        for kind in self.kinds:
            name = kind.kind.replace("_", " ") + "s"
            if kind.level is not None:
                name = f"{name}, below the threshold" if not kind.expected else name
            elif kind.kind.startswith(PII):
                name = "personal data and secrets"
            found.setdefault(name, []).append(kind)
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in ("seed", "documents", "clean", "left_out")},
            "kinds": [_json(kind) for kind in self.kinds],
            "precision": [_json(row) for row in self.precision],
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Planted:
        rows = {
            name: tuple(kind(**{key: row[key] for key in kind.__dataclass_fields__}) for row in raw[name])
            for name, kind in (("kinds", Recall), ("precision", Precision))
        }
        return cls(**(raw | rows))

    @classmethod
    def read(cls, root: Path) -> Planted:
        """What the run in output folder `root` committed."""
        return cls.from_json(json.loads((root / STEP / FILE).read_text(encoding="utf-8")))


def _json(row: Share) -> dict[str, Any]:
    low, high = row.interval
    share = None if row.share is None else round(row.share, 4)
    return {**vars(row), "share": share, "low": round(low, 4), "high": round(high, 4)}
