"""Bands and rows of MinHash signatures, chosen from what they should find (Leskovec, Rajaraman, Ullman: Mining of
Massive Datasets, 3.4.2).

A pair at Jaccard index J agrees in one of b bands of r rows with probability 1 - (1 - J^r)^b.
"""

from __future__ import annotations

from dataclasses import dataclass

_STEPS = 400


@dataclass(frozen=True)
class Banding:
    """`bands` of `rows` values each."""

    bands: int
    rows: int

    def probability(self, jaccard: float) -> float:
        """That a pair at `jaccard` agrees in a band."""
        return 1 - (1 - jaccard**self.rows) ** self.bands

    def area(self, low: float, high: float) -> float:
        """Integral of the probability from `low` to `high`, by the midpoint rule."""
        step = (high - low) / _STEPS
        return sum(self.probability(low + (i + 0.5) * step) for i in range(_STEPS)) * step

    def precision(self, threshold: float) -> float:
        """Share of the pairs that agree in a band which reach `threshold`, were all indices equally frequent."""
        above = self.area(threshold, 1)
        return above / (above + self.area(0, threshold))


def choose(threshold: float, recall: float, permutations: int, precision: float | None = None) -> Banding:
    """The banding within `permutations` that compares a pair at `threshold` with probability `recall` or more and
    suggests the fewest pairs below it.

    Raises ValueError when none reaches `recall`, or `precision` (see `Banding.precision`) with it.
    """
    fitting = [
        banding
        for rows in range(1, permutations + 1)
        if (banding := Banding(permutations // rows, rows)).probability(threshold) >= recall
    ]
    if not fitting:
        best = Banding(permutations, 1).probability(threshold)
        raise ValueError(
            f"no bands x rows within {permutations} permutations compare a pair at {threshold:g} with probability "
            f"{recall:g} (the most is {best:.4g}); raise permutations or lower recall"
        )
    found = min(fitting, key=lambda banding: banding.area(0, threshold))
    if precision is not None and found.precision(threshold) < precision:
        raise ValueError(
            f"{found.bands} bands x {found.rows} rows, the most precise within {permutations} permutations at recall "
            f"{recall:g}, have precision {found.precision(threshold):.3f}; raise permutations, lower precision or "
            "recall, or let `verify` see to it"
        )
    return found
