"""Trains the classifier: `python -m corpus.extract.cascade.training KIT PACKAGES [--out FOLDER]`; five to ten minutes.

Writes `model.npz`, `model.sha256` and `card.md`. The same pages, teachers and versions give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

from corpus.extract.cascade.model import PATH, Model
from corpus.extract.cascade.training.fit import ROUNDS, Example, fit
from corpus.extract.cascade.training.labels import labelled, teachers
from corpus.extract.cascade.training.pages import pages

CARD = """# The classifier of `cascade`

Judges blocks of text of a web page: main text or boilerplate. `corpus/extract/cascade/` holds what it sees
(`features.py`, `context.py`) and how it was trained (`training/`);
`make train-cascade KITS=FOLDER PACKAGES=FOLDER` makes it again.

- **Kind**: two boosted forests ({trees[0]} and {trees[1]} trees), and log-odds of {tokens:,} words of class and id
  attributes. The second forest sees what the first believed of a block's neighbours.
- **File**: `model.npz`, {size:,} bytes, sha256 `{sha256}`.
- **Pages**: {pages:,} with {blocks:,} blocks: {collections}.
- **Kept out**: one third of the labelled pages, by sha256 of the URL; `tests/gates.json` is measured there.
- **Labels**: people's where the pages have them; else trafilatura {trafilatura} (fast and full settings), weighed down
  where resiliparse {resiliparse} disagrees.
- **Trained with** lightgbm {lightgbm}, one thread, seed 1.
- **Languages**: no feature knows one. The pages are German, English, French and some twenty more.
- **Weak at** pages without a main text (lists, shops, start pages): their labels are the teacher's guesses.
"""


def main() -> None:
    """Parse the command line, train, write."""
    parser = argparse.ArgumentParser(prog="python -m corpus.extract.cascade.training")
    parser.add_argument(
        "kit", type=Path, help="folder with adbar, readability and htmldate pages (.warc.gz, .gold.jsonl)"
    )
    parser.add_argument("packages", type=Path, help="folder of the Debian packages that manuals.py lists")
    parser.add_argument("--out", type=Path, default=PATH.parent)
    given = parser.parse_args()
    learned = [page for page in pages(given.kit, given.packages) if not page.kept_out]
    print(f"{len(learned):,} pages; asking the teachers", file=sys.stderr)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        taught = list(pool.map(teachers, [page.html for page in learned], chunksize=8))
    examples = [Example(page, *labelled(page, texts)) for page, texts in zip(learned, taught, strict=True)]
    print(f"{sum(len(example.label) for example in examples):,} blocks; boosting", file=sys.stderr)
    print(f"sha256 {write(fit(examples), examples, given.out)}")


def write(model: Model, examples: list[Example], folder: Path) -> str:
    """The model, its digest and its card; returns the digest."""
    data = model.dump()
    sha256 = hashlib.sha256(data).hexdigest()
    counts: dict[str, int] = {}
    for example in examples:
        counts[example.page.collection] = counts.get(example.page.collection, 0) + 1
    facts = {
        "trees": ROUNDS,
        "tokens": int((model.keys > 0).sum()),
        "size": len(data),
        "sha256": sha256,
        "pages": len(examples),
        "blocks": sum(len(example.label) for example in examples),
        "collections": ", ".join(f"{name} {count}" for name, count in counts.items()),
    }
    packages = {name: version(name) for name in ("trafilatura", "resiliparse", "lightgbm")}
    (folder / "model.npz").write_bytes(data)
    (folder / "model.sha256").write_text(f"{sha256}  model.npz\n", encoding="ascii")
    (folder / "card.md").write_text(CARD.format(**facts, **packages), encoding="utf-8")
    return sha256


if __name__ == "__main__":
    main()
