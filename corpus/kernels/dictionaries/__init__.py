"""ICU's word lists of Chinese and Japanese, Thai, Lao, Khmer and Burmese, as one trie (see README.md beside this)."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from corpus.errors import CorpusError

PATH = Path(__file__).with_name("words.npz")
DIGEST = Path(__file__).with_name("words.sha256")
SLOTS = 1 << 21


def dump(words: Mapping[str, int]) -> bytes:
    """The file of `words` and their costs (0 to 254): sorted, each as what it does not share with the one before."""
    texts = sorted(words)
    shared = [
        next((i for i, (one, other) in enumerate(zip(before, text, strict=False)) if one != other), len(before))
        for before, text in zip(["", *texts], texts, strict=False)
    ]
    rests = [text[first:] for text, first in zip(texts, shared, strict=True)]
    out = io.BytesIO()
    np.savez_compressed(
        out,
        shared=np.array(shared, np.uint8),
        rest=np.array([len(rest) for rest in rests], np.uint8),
        cost=np.array([words[text] for text in texts], np.uint8),
        letters=np.frombuffer("".join(rests).encode("utf-16-le"), "<u2"),
    )
    return out.getvalue()


def needed(data: np.ndarray) -> np.ndarray:
    """The trie for UTF-8 `data` (uint8): an empty one while no text had a character that needs a dictionary."""
    from corpus.kernels.quality_flags import flags
    from corpus.kernels.segment import has_unspaced

    return load() if load.cache_info().currsize or has_unspaced(data, flags()) else _empty()


@functools.cache
def _empty() -> np.ndarray:
    trie = np.zeros(1, np.uint64)
    trie.flags.writeable = False
    return trie


@functools.cache
def load() -> np.ndarray:
    """The trie, uint64[SLOTS] (16 MB, read-only); `corpus.kernels.segment.child` walks it.

    Raises CorpusError when the file is not the one that its digest names.
    """
    from corpus.kernels.segment import plant

    data = PATH.read_bytes()
    found, expected = hashlib.sha256(data).hexdigest(), DIGEST.read_text().strip()
    if found != expected:
        raise CorpusError(f"{PATH}: sha256 {found[:16]}..., not {expected[:16]}...: install corpusmill again")
    trie = np.zeros(SLOTS, np.uint64)
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        plant(arrays["shared"], arrays["rest"], arrays["cost"], arrays["letters"], trie)
    trie.flags.writeable = False
    return trie
