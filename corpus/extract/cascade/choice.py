"""From beliefs to the blocks that are written."""

from __future__ import annotations

import numpy as np

from corpus.extract.cascade.structure import HEADING, inherited
from corpus.kernels import html as h
from corpus.kernels import html_names as names
from corpus.kernels.html_scan import HIDDEN
from corpus.kernels.jit import njit

_BODY = names.TAG["body"]
# When more than this share of the text is hidden, a script shows it: the rule would lose the page.
_HIDDEN_SHARE = 0.5


@njit
def kept(beliefs, threshold, blocks, nodes):  # type: ignore[no-untyped-def]
    """Numbers of the blocks to write: those believed in more than `threshold`, but for three rules.

    Where there are none, half of it does. A heading between two of them is kept. What the page hides (`hidden`,
    `display: none`) is left out.
    """
    n = beliefs.size
    context = inherited(nodes)
    keep = beliefs > threshold
    if not keep.any():
        keep = beliefs > threshold / 2
    choice = keep.copy()
    for i in range(1, n - 1):
        if context[blocks[i, h.NODE], HEADING] > 0 and keep[i - 1] and keep[i + 1]:
            choice[i] = True
    hidden = np.zeros(nodes.shape[0], np.bool_)
    for k in range(1, nodes.shape[0]):
        hidden[k] = hidden[nodes[k, h.PARENT]] or (nodes[k, h.FLAGS] & HIDDEN != 0 and nodes[k, h.TAG] != _BODY)
    total = unseen = 0
    for i in range(n):
        if choice[i]:
            total += blocks[i, h.CHARS]
            if hidden[blocks[i, h.NODE]]:
                unseen += blocks[i, h.CHARS]
    if 0 < unseen <= _HIDDEN_SHARE * total:
        for i in range(n):
            choice[i] &= not hidden[blocks[i, h.NODE]]
    return np.flatnonzero(choice)
