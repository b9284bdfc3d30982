"""Quality never falls: each figure of `gates.json` has a floor, and the sha256 of what it was measured on."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
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


def near_duplicates(documents: Path, pairs: Path, *, at: float) -> Figures:
    """`at`: the Jaccard index from which on a pair is one."""
    from corpus.dedup.config import DedupConfig
    from corpus.dedup.deduplicate import deduplicate_texts

    rows = [json.loads(line) for line in gzip.decompress(documents.read_bytes()).splitlines()]
    row_of = {row["id"]: i for i, row in enumerate(rows)}
    listed = [line.split("\t") for line in gzip.decompress(pairs.read_bytes()).decode().splitlines()[1:]]
    true = [(row_of[a], row_of[b]) for jaccard, a, b in listed if float(jaccard) >= at]
    ids = [hashlib.blake2b(row["id"].encode(), digest_size=16).digest() for row in rows]
    texts = pa.array([row["text"] for row in rows], pa.large_string())
    found = deduplicate_texts(pa.array(ids, pa.binary(16)), texts, DedupConfig(threshold=at))
    removed = [rule is not None for rule in found.column("rule").to_pylist()]
    result = metrics.removal(true, found.column("cluster").to_pylist(), removed)
    return {"pair_recall": result.recall, "removed_with_partner": result.precision}


MEASURES: dict[str, Callable[..., Figures]] = {
    "adbar": adbar,
    "readability": readability,
    "language": language,
    "near_duplicates": near_duplicates,
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
