"""What a rule is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """A document is kept when `signal op threshold` holds; NaN never does.

    Rules on signals of source files judge source files alone, all others judge everything else.
    """

    name: str
    """Unique over all sets: the recipe's key and the ledger's `rule`."""
    signal: str
    op: Literal[">=", "<="]
    threshold: float
    source: str
    """Paper and table or section."""
