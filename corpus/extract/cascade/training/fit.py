"""Token weights and the two forests, each learned on sites other than those that it is then used on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import lightgbm
import numpy as np

from corpus.extract.cascade.context import with_context
from corpus.extract.cascade.features import features
from corpus.extract.cascade.forest import Forest, belief
from corpus.extract.cascade.model import Model
from corpus.extract.cascade.training.pages import FOLDS, TrainingPage
from corpus.kernels import html as h

ROUNDS = (160, 120)
THRESHOLD = 0.5
# A token that fewer sites use would be learned as a name.
MIN_HOSTS = 5
_PRIOR = 2.0
_MAX_CHARS = 300
_TABLE_BITS = 13
_BOOSTING = {
    "objective": "binary", "learning_rate": 0.08, "num_leaves": 31, "min_data_in_leaf": 60, "feature_fraction": 0.5,
    "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 5, "seed": 1, "verbose": -1,
    # One thread, by rows: sums have one order, so the same pages give the same trees.
    "num_threads": 1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip


class Example(NamedTuple):
    """A page, and of its blocks the labels and weights."""

    page: TrainingPage
    label: np.ndarray
    weight: np.ndarray


def fit(examples: Sequence[Example], rounds: tuple[int, int] = ROUNDS) -> Model:
    """The model of these pages."""
    rows: list[np.ndarray] = [np.zeros(0)] * len(examples)
    beliefs: list[np.ndarray] = [np.zeros(0)] * len(examples)
    folds = [example.page.fold for example in examples]
    for fold in range(FOLDS):
        others = [i for i in range(len(examples)) if folds[i] != fold]
        # The trees must see weights as good as they will be on a new site, so these come from yet other sites.
        inner = {f: _tokens([examples[i] for i in others if folds[i] != f]) for f in range(FOLDS) if f != fold}
        data = [_features(examples[i].page, inner[folds[i]]) for i in others]
        forest = _forest(_boost(data, [examples[i] for i in others], rounds[0]))
        table = _tokens([examples[i] for i in others])
        for i in range(len(examples)):
            if folds[i] == fold:
                rows[i] = _features(examples[i].page, table)
                beliefs[i] = belief(forest.score(rows[i]))
    first = _boost(rows, examples, rounds[0])
    seen = [
        with_context(row, believed, example.page.blocks, example.page.nodes)
        for row, believed, example in zip(rows, beliefs, examples, strict=True)
    ]
    second = _boost(seen, examples, rounds[1])
    return Model(*_tokens(examples), _forest(first), _forest(second), THRESHOLD)


def _features(page: TrainingPage, table: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return features(page.text, page.blocks, page.nodes, page.tokens, *table)


def _boost(rows: Sequence[np.ndarray], examples: Sequence[Example], rounds: int) -> Any:
    label = np.concatenate([example.label for example in examples])
    weight = np.concatenate([example.weight for example in examples])
    return lightgbm.train(_BOOSTING, lightgbm.Dataset(np.concatenate(rows), label, weight=weight), rounds)


def _tokens(examples: Sequence[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of each class token, as the table that `features` takes: text under it against boilerplate under it.

    Every page counts one of each, so that long pages do not rule.
    """
    text: defaultdict[int, float] = defaultdict(float)
    boilerplate: defaultdict[int, float] = defaultdict(float)
    hosts: defaultdict[int, set[str]] = defaultdict(set)
    for page, label, _ in examples:
        chars = np.minimum(page.blocks[:, h.CHARS], _MAX_CHARS).astype(float)
        both = chars[label > 0.5].sum(), chars[label <= 0.5].sum()
        if not all(both):
            continue
        for tokens, size, kind in zip(_around(page), chars, label, strict=True):
            for token in tokens:
                if kind > 0.5:
                    text[token] += size / both[0]
                else:
                    boilerplate[token] += size / both[1]
                hosts[token].add(page.host)
    table = np.zeros(1 << _TABLE_BITS, np.uint32), np.zeros(1 << _TABLE_BITS, np.float32)
    for token in sorted(hosts):
        if len(hosts[token]) >= MIN_HOSTS and token:
            slot = token & ((1 << _TABLE_BITS) - 1)
            while table[0][slot]:
                slot = (slot + 1) & ((1 << _TABLE_BITS) - 1)
            table[0][slot] = token
            table[1][slot] = math.log((text[token] + _PRIOR) / (boilerplate[token] + _PRIOR))
    return table


def _around(page: TrainingPage) -> list[frozenset[int]]:
    """The tokens of each block's element and of all above it."""
    tokens = page.tokens.tolist()
    inherited: list[frozenset[int]] = []
    for parent, _, begin, end in page.nodes[:, : h.TOKENS_END + 1].tolist():
        above = inherited[parent] if parent >= 0 else frozenset()
        own = frozenset(tokens[begin:end])
        inherited.append(above | own if own else above)
    return [inherited[node] for node in page.blocks[:, h.NODE].tolist()]


def _forest(booster: Any) -> Forest:
    roots: list[int] = []
    splits: list[list[float]] = []
    leaves: list[float] = []

    def add(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            leaves.append(node["leaf_value"])
            return -len(leaves)
        number = len(splits)
        # float32 rows are compared with a double: the next lower float32 decides the same.
        threshold = np.float32(node["threshold"])
        if float(threshold) > node["threshold"]:
            threshold = np.nextafter(threshold, np.float32(-np.inf))
        splits.append([node["split_feature"], float(threshold), 0, 0])
        splits[number][2], splits[number][3] = add(node["left_child"]), add(node["right_child"])
        return number

    for tree in booster.dump_model()["tree_info"]:
        roots.append(add(tree["tree_structure"]))
    columns = np.array(splits or np.zeros((0, 4)))
    return Forest(
        np.array(roots, np.int32),
        columns[:, [0, 2, 3]].astype(np.int32),
        columns[:, 1].astype(np.float32),
        np.array(leaves, np.float32),
    )
