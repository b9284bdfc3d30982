"""One side of `bench/quality.py` in a process of its own: documents to verdicts or labels, timed from within.

Timed is the work on documents that lie in memory, several times over: not the interpreter's start, imports, models,
nor kernels that are compiled or loaded, which the warm-up does.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

ROWS = 4096
_WARM = 20
FILTERS = {
    "c4": "C4QualityFilter",
    "gopher_repetition": "GopherRepetitionFilter",
    "gopher_quality": "GopherQualityFilter",
    "fineweb": "FineWebQualityFilter",
}

Work = Callable[[Any], Any]
Side = tuple[Callable[[pa.Array], Any], Work, Callable[[Any], Any]]
"""(texts to what it works on, untimed; the work; its result to JSON, untimed)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("side", choices=sorted(SIDES))
    parser.add_argument("documents", type=Path, help="an Arrow file with a column `text`")
    parser.add_argument("out", type=Path)
    parser.add_argument("--passes", type=int, default=1)
    options = parser.parse_args()
    from extract_sides import Timer

    from corpus.kernels import compiling

    with pa.OSFile(str(options.documents)) as file:
        texts = pa.ipc.open_file(file).read_all().column("text").combine_chunks()
    ready, work, told = SIDES[options.side](options.documents.parent)
    work(ready(texts[:_WARM]))
    compiled = compiling.take()
    seconds = {"cpu": 0.0, "wall": 0.0}
    for _ in range(options.passes):
        given = ready(texts)
        timer = Timer()
        found = work(given)
        taken = timer.stop(len(texts))
        seconds = {clock: so_far + taken[clock] / options.passes for clock, so_far in seconds.items()}
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "timings.jsonl").open("a") as lines:
        size = sum(len(text.encode()) for text in texts.to_pylist())
        lines.write(json.dumps({"documents": len(texts), "bytes": size, **seconds, "compiled": compiled}) + "\n")
    (options.out / "found.json").write_text(json.dumps(told(found)))


def _batches(texts: pa.Array) -> list[pa.Array]:
    return [texts[first : first + ROWS] for first in range(0, len(texts), ROWS)]


def ours(folder: Path) -> Side:
    """What the stage does: C4's edits of the text, every signal of what is left, the rules of all four sets."""
    from corpus.kernels.edits import apply_edits
    from corpus.quality.config import QualityConfig
    from corpus.quality.decide import decide
    from corpus.quality.lines import edit_lines
    from corpus.quality.rules import SETS
    from corpus.quality.signals import compute

    rules = QualityConfig(presets=("gopher", "c4", "fineweb")).active_rules
    set_of = {rule.name: name for name, members in SETS.items() for rule in members}

    def judge(texts: pa.Array) -> pa.Table:
        return decide(pa.record_batch({"signals": compute(texts)}), rules)

    def work(batches: list[pa.Array]) -> list[tuple[pa.Array, pa.Array, pa.Table]]:
        edited = ((texts, apply_edits(texts, edit_lines(texts, ("c4",)))) for texts in batches)
        return [(before, after, judge(after)) for before, after in edited]

    def told(found: list[tuple[pa.Array, pa.Array, pa.Table]]) -> dict[str, Any]:
        """What passes all, with its text; and what fails each set when it is given the text as it came."""
        kept: dict[str, str] = {}
        failed: dict[str, set[int]] = {name: set() for name in FILTERS}
        first = 0
        for before, after, failures in found:
            rows = set(failures.column("row").to_pylist())
            kept |= {str(first + row): text for row, text in enumerate(after.to_pylist()) if row not in rows}
            alone = [row for row in judge(before).to_pylist() if set_of[row["rule"]] != "c4"]
            for row in [*alone, *(row for row in failures.to_pylist() if set_of[row["rule"]] == "c4")]:
                failed[set_of[row["rule"]]].add(first + row["row"])
            first += len(before)
        return {"kept": kept, "failed": {name: sorted(rows) for name, rows in failed.items()}}

    return _batches, work, told


def _datatrove_documents(texts: pa.Array) -> list[Any]:
    from datatrove.data import Document

    return [Document(text, str(number)) for number, text in enumerate(texts.to_pylist())]


def datatrove(folder: Path) -> Side:
    """A pipeline of the four filters: a document that one drops goes no further.

    C4, which edits the text, comes first: so datatrove, which caches the words of a text, splits them but once.
    """
    import datatrove.pipeline.filters as filters

    chain = [getattr(filters, kind)() for kind in FILTERS.values()]

    def work(documents: list[Any]) -> list[Any]:
        stream = iter(documents)
        for part in chain:
            stream = part.run(stream)
        return list(stream)

    return _datatrove_documents, work, lambda kept: {"kept": {document.id: document.text for document in kept}}


def datatrove_all(folder: Path) -> Side:
    """The four filters, each on every document as it came: C4 last, because it edits."""
    import datatrove.pipeline.filters as filters

    made = {name: getattr(filters, kind)() for name, kind in reversed(FILTERS.items())}

    def work(documents: list[Any]) -> dict[str, list[Any]]:
        verdicts: dict[str, list[Any]] = {name: [] for name in made}
        for document in documents:
            for name, part in made.items():
                verdicts[name].append(part.filter(document))
        return verdicts

    def told(verdicts: dict[str, list[Any]]) -> dict[str, Any]:
        failed = {name: [row for row, v in enumerate(verdicts[name]) if v is not True] for name in made}
        return {"failed": failed}

    return _datatrove_documents, work, told


def language_ours(folder: Path) -> Side:
    from corpus.language.config import LanguageConfig
    from corpus.language.identify import Identifier
    from corpus.language.model import locate

    identifier = Identifier(locate(LanguageConfig()))
    return (
        _batches,
        lambda batches: [identifier.identify(texts) for texts in batches],
        lambda found: [label for part in found for label in part.field("language").to_pylist()],
    )


def language_datatrove(folder: Path) -> Side:
    """Its model put where it would be downloaded to, as the compressed lid.176.ftz; the whole text, as it does."""
    import chain
    from datatrove.pipeline.filters import LanguageFilter

    chain._put_model()
    identifier = LanguageFilter(languages=["en"])

    def work(documents: list[Any]) -> list[Any]:
        for document in documents:
            identifier.filter(document)
        return documents

    return _datatrove_documents, work, lambda found: [document.metadata["language"] for document in found]


def perplexity(folder: Path) -> Side:
    """Under an n-gram model of the project's own (`quality_documents.models`)."""
    from corpus.quality.perplexity.config import PerplexityConfig
    from corpus.quality.perplexity.score import Scorer

    scorer = Scorer(PerplexityConfig(**_model(folder, "perplexity")))
    return _batches, lambda batches: [scorer.perplexity(texts) for texts in batches], _count


def classifier(folder: Path) -> Side:
    """A fastText classifier trained by the project."""
    from corpus.quality.classifier.config import ClassifierConfig
    from corpus.quality.classifier.model import Scorer

    scorer = Scorer(ClassifierConfig(**_model(folder, "classifiers")[0]))
    return _batches, lambda batches: [scorer.score(texts) for texts in batches], _count


def pii(folder: Path) -> Side:
    """All kinds of personal data and secrets found."""
    from corpus.pii.detect import detect

    return _batches, lambda batches: [detect(texts) for texts in batches], _count


def _model(folder: Path, section: str) -> Any:
    return json.loads((folder / "models.json").read_text())[section]


def _count(found: list[Any]) -> int:
    return sum(map(len, found))


EXTRAS = ("perplexity", "classifier", "pii")
_ALL = (ours, datatrove, datatrove_all, language_ours, language_datatrove, perplexity, classifier, pii)
SIDES: dict[str, Callable[[Path], Side]] = {made.__name__: made for made in _ALL}

if __name__ == "__main__":
    main()
