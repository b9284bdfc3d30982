"""`python -m corpus.quality.classifier.fit SETTINGS.json`: one fastText training, in a process of its own.

fastText reads memory that it has not written: `train.py` starts this process with `MALLOC_PERTURB_=255`, which glibc
answers with memory of zeros, so that one thread over the same lines gives the same bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from corpus.engines.worker import die_with


def fit(settings: dict[str, Any]) -> dict[str, Any]:
    """Train on `settings["input"]`, save to `settings["output"]`; words, labels and whether a number is none."""
    from fasttext_pybind import args, fasttext, loss_name, model_name, train  # type: ignore[import-not-found]

    given = args()
    given.model, given.loss = model_name.supervised, loss_name.softmax
    given.minn = given.maxn = given.minCountLabel = 0
    given.thread, given.verbose = 1, 0
    for ours, theirs in (
        ("input", "input"),
        ("dim", "dim"),
        ("epochs", "epoch"),
        ("lr", "lr"),
        ("word_ngrams", "wordNgrams"),
        ("buckets", "bucket"),
        ("min_count", "minCount"),
        ("seed", "seed"),
    ):
        setattr(given, theirs, settings[ours])
    model = fasttext()
    train(model, given)
    finite = all(np.isfinite(np.asarray(matrix)).all() for matrix in (model.getInputMatrix(), model.getOutputMatrix()))
    words = len(model.getVocab("strict")[0])
    if settings["quantize"]:
        model.quantize("", False, 0, False, settings["epochs"], settings["lr"], 1, 0, 2, True)
    model.saveModel(settings["output"])
    return {"finite": bool(finite), "words": words}


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    die_with(asked["parent"])
    print(json.dumps(fit(asked)))
