"""How sure a share is: Wilson's score interval (Wilson 1927), 95%."""

from __future__ import annotations

import numpy as np

Z = 1.959963984540054


def wilson(right: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals of the shares right / n, element by element; (0, 1) of nothing."""
    right, n = np.asarray(right, np.float64), np.asarray(n, np.float64)
    size = np.maximum(n, 1)
    share, square = right / size, Z * Z / size
    middle, half = share + square / 2, Z * np.sqrt(share * (1 - share) / size + square / size / 4)
    # At the ends the formula gives 0 and 1, but for rounding.
    low = np.where(right > 0, (middle - half) / (1 + square), 0.0)
    return low, np.where(right < n, (middle + half) / (1 + square), 1.0)


def share_interval(right: int, n: int) -> tuple[float, float]:
    """`wilson` of one share."""
    low, high = wilson(np.array(right), np.array(n))
    return float(low), float(high)
