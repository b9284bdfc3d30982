"""What bands and rows find, and what others would: the S-curve, and a table of alternatives."""

from __future__ import annotations

import math
from typing import Any

from corpus.dedup.banding import Banding
from corpus.dedup.config import DedupConfig

# The Jaccard indices of the table: from .5 to 1 in steps of .05.
_INDICES = tuple(k / 20 for k in range(10, 21))
_BESIDE = 3


def points(config: DedupConfig) -> list[tuple[float, float]]:
    """(Jaccard index, probability that a pair at it is compared), from .5 to 1 and at the threshold."""
    banding = config.banding
    return [(j, banding.probability(j)) for j in sorted({*_INDICES, config.jaccard_threshold})]


def alternatives(config: DedupConfig) -> list[Banding]:
    """The banding of `config` and those of a few rows fewer or more that fit into its permutations, by rows."""
    chosen = config.banding
    rows = range(max(1, chosen.rows - _BESIDE), min(config.permutations, chosen.rows + _BESIDE) + 1)
    return [chosen if r == chosen.rows else Banding(config.permutations // r, r) for r in rows]


def figures(config: DedupConfig) -> dict[str, Any]:
    """JSON of what the settings give: bands, rows, curve and alternatives.

    `recall` is the probability that a pair at the threshold is compared; `false_candidates` the area under the curve
    below the threshold, which is the share of all pairs that are compared in vain were all indices equally frequent;
    `precision` (without verification) the share of the pairs which agree in a band that reach the threshold.
    """
    at = config.jaccard_threshold

    def row(banding: Banding) -> dict[str, Any]:
        return {
            "bands": banding.bands,
            "rows": banding.rows,
            "recall": banding.probability(at),
            "false_candidates": banding.area(0, at),
            "precision": None if config.verify else banding.precision(at),
        }

    return {
        "measure": config.measure,
        "threshold": config.threshold,
        "jaccard_threshold": at,
        "permutations": config.permutations,
        "asked_recall": config.recall,
        "asked_precision": config.precision,
        "chosen": config.bands is None,
        "verify": config.verify,
        **row(config.banding),
        "curve": [{"jaccard": j, "probability": p} for j, p in points(config)],
        "alternatives": [row(banding) for banding in alternatives(config)],
    }


def headline(found: dict[str, Any]) -> str:
    """Bands, rows and what they find, in one line."""
    at = f"J = {found['jaccard_threshold']:.4g}"
    if found["measure"] == "containment":
        at += f" (containment {found['threshold']:g} at equal sizes)"
    how = f"chosen for recall {found['asked_recall']:g}" if found["chosen"] else "given"
    if found["chosen"] and found["asked_precision"] is not None:
        how += f" and precision {found['asked_precision']:g}"
    line = f"{found['bands']} bands x {found['rows']} rows ({how}), recall {share(found, found['recall'])} at {at}"
    return line if found["verify"] else f"{line}, precision {found['precision']:.3f} if indices are equally frequent"


def share(found: dict[str, Any], probability: float) -> str:
    """A probability in as many digits as the asked recall has, at least four; rounded down, so that what falls short of
    it is seen to."""
    digits = max(4, len(f"{found['asked_recall']}".partition(".")[2]))
    return f"{math.floor(probability * 10**digits + 1e-6) / 10**digits:.{digits}f}"
