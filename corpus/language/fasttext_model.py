"""A fastText model file (`.bin`, `.ftz`, supervised) as arrays for `corpus.kernels.fasttext`.

Every length in the file is checked against what is left of it: a cut or damaged file is an InputError.
"""

from __future__ import annotations

import itertools
import mmap
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpus.errors import InputError

LABEL = "__label__"
_EOS = b"</s>"
_MAGIC, _VERSIONS, _SUPERVISED = 793712314, (11, 12), 3
_LOSSES = (1, 2, 3, 4)  # hierarchical softmax, negative sampling, softmax, one-vs-all
_CENTROIDS = 256
# Of the table of a pruned model's n-grams; fastText's default is two million.
_MOST_KEPT = 1 << 26
# A label's bytes, and how many labels; the largest public tag models have some 300,000.
_LONGEST_LABEL, _MOST_LABELS = 256, 1 << 20
# Bytes of a restored matrix by byte of the file: fastText's default, two values a code, gives 8 at most.
_MOST_RESTORED = 64
# What the sums of remembered words may take.
_MEMORY_BYTES = 16 << 20


@dataclass(frozen=True)
class FastTextModel:
    """`labels` without their prefix, in the file's order; the arrays are those of `corpus.kernels.fasttext.predict`."""

    labels: tuple[str, ...]
    dictionary: tuple[np.ndarray, ...]
    shape: np.ndarray
    kept: np.ndarray
    rows: np.ndarray
    outputs: np.ndarray
    tree: tuple[np.ndarray, np.ndarray]
    memory: tuple[np.ndarray, np.ndarray, np.ndarray]

    def predict(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, k: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """(int32[n, k] labels, float32[n, k] scores) of the texts `data[starts:ends]`, UTF-8, by falling score.

        -1 and 0 where there are fewer labels, or nothing in the text that the model knows.
        """
        from corpus.kernels.fasttext import predict

        best = np.full((len(starts), k), -1, np.int32)
        scores = np.zeros((len(starts), k), np.float32)
        frozen = (starts.astype(np.int64), ends.astype(np.int64))
        for array in frozen:
            array.flags.writeable = False
        predict(
            data, *frozen, self.dictionary, self.shape, self.kept, self.rows, self.outputs, self.tree, self.memory,
            best, scores,
        )  # fmt: skip
        return best, np.minimum(scores, 1)


class _File:
    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 0
        try:
            with path.open("rb") as file:
                self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise InputError(f"fastText model {path}: cannot be read ({error}); give a .bin or .ftz file") from error

    def fault(self, what: str) -> InputError:
        return InputError(f"fastText model {self.path}: {what}; get the file again")

    def unpack(self, layout: str) -> tuple[Any, ...]:
        layout = f"<{layout}"
        size = struct.calcsize(layout)
        if self.at + size > len(self.data):
            raise self.fault(f"ends at byte {len(self.data):,}, in the middle of the model")
        found = struct.unpack_from(layout, self.data, self.at)
        self.at += size
        return found

    def array(self, kind: type, *shape: int) -> np.ndarray:
        count = int(np.prod([int(n) for n in shape], dtype=object))
        size = count * np.dtype(kind).itemsize
        if min(shape) < 0 or self.at + size > len(self.data):
            raise self.fault(f"ends at byte {len(self.data):,}, where {size:,} bytes were to come")
        found: np.ndarray = np.frombuffer(self.data, kind, count, self.at).reshape(shape)
        self.at += size
        return found


def read_model(path: Path) -> FastTextModel:
    """Raises InputError for what is no supervised fastText model, or is damaged."""
    file = _File(path)
    dim, bucket, shortest, longest, word_ngrams, loss = _arguments(file)
    labels, counts, words, dictionary, eos_row, kept, pruned = _dictionary(file, bucket)
    (quantised,) = file.unpack("?")
    needed = words + (bucket if pruned is None else pruned) if longest or word_ngrams > 1 else words
    rows = _matrix(file, quantised, needed, dim)
    (quantised_output,) = file.unpack("?")
    outputs = _matrix(file, quantised and quantised_output, len(labels), dim)
    # A sum needs no memory, and is not finite where a part is not.
    if not all(np.isfinite(float(matrix.sum(dtype=np.float64))) for matrix in (rows, outputs)):
        raise file.fault("its matrices hold what is no number")
    if loss == 1:
        outputs, tree = outputs[: len(labels)], _tree(counts)
    else:
        outputs, tree = np.ascontiguousarray(outputs[: len(labels)].T), (np.zeros(0, np.int32), np.zeros(0, np.int32))
    slots = 1 << max(4, (_MEMORY_BYTES // (4 * dim)).bit_length() - 1)
    memory = (np.zeros(slots, np.uint64), np.zeros(slots, np.int32), np.zeros((slots, dim), np.float32))
    shape = np.array([bucket, shortest, longest, words, word_ngrams, eos_row, loss], np.int64)
    for array in (shape, rows, outputs, *tree):
        array.flags.writeable = False
    return FastTextModel(labels, dictionary, shape, kept, rows, outputs, tree, memory)


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels alone, without their prefix."""
    file = _File(path)
    return _dictionary(file, _arguments(file)[1])[0]


def _arguments(file: _File) -> tuple[int, int, int, int, int, int]:
    magic, version = file.unpack("2i")
    if magic != _MAGIC or version not in _VERSIONS:
        raise InputError(f"fastText model {file.path}: is none; give a .bin or .ftz file")
    dim, _, _, _, _, word_ngrams, loss, model, bucket, shortest, longest, _, _ = file.unpack("12id")
    if model != _SUPERVISED:
        raise InputError(f"fastText model {file.path}: holds word vectors, no classifier; give a supervised model")
    if version == 11:
        longest = 0  # such classifiers used no character n-grams, whatever they say
    if not (0 < dim <= 1 << 16 and 0 <= bucket <= 1 << 30 and loss in _LOSSES and 0 <= longest <= 64):
        raise file.fault("holds settings that no model has")
    if bucket == 0 and (longest > 0 or word_ngrams > 1):
        raise file.fault("has n-grams and no room for them")
    return dim, bucket, shortest, longest, word_ngrams, loss


def _dictionary(
    file: _File, bucket: int
) -> tuple[tuple[str, ...], np.ndarray, int, tuple[np.ndarray, ...], int, np.ndarray, int | None]:
    """(labels, their counts, number of words, arrays, row of the end of line, kept n-grams, how many of them)."""
    from corpus.kernels.fasttext import TRAILER, fill_table, find_entry, scan_dictionary

    size, words, label_count, _, pruned = file.unpack("3i2q")
    if not (words >= 0 and label_count > 0 and size == words + label_count and size * TRAILER <= len(file.data)):
        raise file.fault("has a dictionary that does not add up")
    data = np.frombuffer(file.data, np.uint8)
    offsets, counts, kinds = np.zeros(size + 1, np.int64), np.zeros(size, np.int64), np.zeros(size, np.uint8)
    if not scan_dictionary(data, file.at, offsets, counts, kinds):
        raise file.fault("ends in its dictionary")
    if kinds[:words].any() or (kinds[words:] != 1).any():
        raise file.fault("has labels among its words")
    labels = _labels(file, offsets[words:])
    file.at = int(offsets[-1])
    word_bytes = data[: file.at].copy()
    table = np.full(max(2 * size, 16), -1, np.int32)
    fill_table(offsets, word_bytes, table)
    eos = np.frombuffer(_EOS, np.uint8)
    arrays = (table, offsets, word_bytes, eos, np.frombuffer(LABEL.encode(), np.uint8))
    for array in arrays:
        array.flags.writeable = False
    eos_row = find_entry(eos, table, offsets, word_bytes)
    if eos_row >= words:
        raise file.fault("has the end of line among its labels")
    kept = np.zeros(0, np.int32)
    if pruned >= 0:
        if bucket > _MOST_KEPT:
            raise file.fault("has more n-grams than can be pruned")
        pairs = file.array(np.int32, pruned, 2)
        kept = np.full(bucket, -1, np.int32)
        if pruned and not ((pairs >= 0).all() and (pairs[:, 0] < bucket).all() and (pairs[:, 1] < pruned).all()):
            raise file.fault("has n-grams outside its table")
        kept[pairs[:, 0]] = pairs[:, 1]
    kept.flags.writeable = False
    return labels, counts[words:], words, arrays, eos_row, kept, pruned if pruned >= 0 else None


def _labels(file: _File, offsets: np.ndarray) -> tuple[str, ...]:
    from corpus.kernels.fasttext import TRAILER

    if len(offsets) - 1 > _MOST_LABELS:
        raise file.fault(f"has {len(offsets) - 1:,} labels; {_MOST_LABELS:,} can be used")
    if int(np.diff(offsets).max()) - TRAILER > len(LABEL) + _LONGEST_LABEL:
        raise file.fault(f"has a label of over {_LONGEST_LABEL} bytes")
    labels = []
    for start, end in itertools.pairwise(offsets.tolist()):
        name = bytes(file.data[start : end - TRAILER])
        label = name.decode("utf-8", "replace").removeprefix(LABEL)
        if not label or not label.isprintable() or " " in label or "\ufffd" in label:
            raise file.fault(f"has a label that is none: {name!r}")
        labels.append(label)
    if len(set(labels)) < len(labels):
        raise file.fault(f"has the label {Counter(labels).most_common(1)[0][0]} twice")
    return tuple(labels)


def _matrix(file: _File, quantised: bool, least: int, dim: int) -> np.ndarray:
    """float32[rows, dim], `least` rows and more; a quantised one restored (Joulin et al. 2016, arXiv:1612.03651)."""
    has_norms = file.unpack("?")[0] if quantised else False
    rows, width = file.unpack("2q")
    if rows < least or width != dim:
        raise file.fault("its matrices do not fit its dictionary")
    if not quantised:
        return file.array(np.float32, rows, dim)
    if rows * dim * 4 > _MOST_RESTORED * len(file.data):
        raise file.fault(f"has a matrix of {rows:,} rows, more than so small a file holds")
    found = _restored(file, file.array(np.uint8, *file.unpack("i")), rows, dim)
    if has_norms:
        found *= _restored(file, file.array(np.uint8, rows), rows, 1)
    return found


def _restored(file: _File, codes: np.ndarray, rows: int, dim: int) -> np.ndarray:
    width, parts, part, last = file.unpack("4i")
    if (
        width != dim
        or parts < 1
        or (parts - 1) * part + last != dim
        or min(part, last) < 1
        or len(codes) != rows * parts
    ):
        raise file.fault("has a quantised matrix that does not add up")
    centroids = file.array(np.float32, dim * _CENTROIDS)
    codes = codes.reshape(rows, parts)
    # Only now: all that the size is made of is known to be in the file.
    found = np.empty((rows, dim), np.float32)
    for m in range(parts):
        width = last if m == parts - 1 else part
        table = centroids[m * _CENTROIDS * part :][: _CENTROIDS * width].reshape(_CENTROIDS, width)
        found[:, m * part : m * part + width] = table[codes[:, m]]
    return found


def _tree(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(left, right) of the Huffman tree that fastText builds from the labels' counts, which fall."""
    labels = len(counts)
    weights = [*(int(count) for count in counts), *([10**15] * (labels - 1))]
    left, right = np.full(2 * labels - 1, -1, np.int32), np.full(2 * labels - 1, -1, np.int32)
    leaf, node = labels - 1, labels
    for parent in range(labels, 2 * labels - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and (node >= parent or weights[leaf] < weights[node]):
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(node)
                node += 1
        left[parent], right[parent] = pair
        weights[parent] = weights[pair[0]] + weights[pair[1]]
    return left, right
