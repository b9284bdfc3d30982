"""Planted pages against ledgers: what counts as right, as wrong, and as not asked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpus.dedup.clusters import CLUSTERS
from corpus.documents import DOCUMENT, ID, LEDGER
from corpus.errors import InputError
from corpus.intervals import share_interval
from corpus.recipe import Recipe, parse
from corpus.report.outputs import Outputs
from corpus.report.selfcheck import KindResult, SelfCheck, check, read_truth
from corpus.store import StepFolder, Writer

PARTITIONS = ("a", "b")
RECIPE = """\
name: planted
sources: [{name: s, kind: text, path: nowhere}]
language: {keep: [en]}
quality: {}
dedup: {threshold: 0.8}
"""
# url -> (stage that drops it, rules), or the URL of the document whose cluster it is in.
FATES: dict[str, tuple[str, ...] | str] = {
    "kept": "kept",
    "lost": ("quality", "min_words"),
    "gone": ("extract", "status"),
    "broken": ("extract", "timeout"),
    "french": ("language", "language", "language_score"),
    "german": "german",
    "short": ("quality", "max_short_lines"),
    "long": "long",
    "p1": "p1",
    "n1": ("dedup", "near_duplicate", "p1"),
    "p2": "p2",
    "n2": "n2",
    "p3": ("quality", "min_words"),
    "n3": "n3",
    "p4": ("dedup", "near_duplicate", "n4"),
    "n4": "n4",
    "p5": "p5",
    "s5": "s5",
    "p6": "p6",
    "s6": ("dedup", "near_duplicate", "p6"),
    "p7": ("language", "language"),
    "e7": "e7",
    "e8": ("dedup", "exact_duplicate", "p8"),
    "p8": "p8",
    "c9": ("extract", "payload_duplicate"),
    "p9": "p9",
    "c10": ("extract", "payload_duplicate"),
    "p10": ("language", "language"),
    "c11": ("extract", "payload_duplicate"),
    "p11": "p11",
    "c12": ("extract", "payload_duplicate"),
    "p12": "p12",
    "c13": ("extract", "payload_duplicate"),
    "c14": ("extract", "payload_duplicate"),
}
# What the ledger names as the first page with the same bytes.
FIRST = {"c9": "p9", "c10": "p10", "c11": "kept", "c12": "p12", "c13": "kept", "c14": "kept"}
ORDER = ("extract", "language", "quality", "dedup")


def id_of(url: str) -> bytes:
    return hashlib.blake2b(url.encode(), digest_size=16).digest()


def stage_of(url: str) -> str | None:
    fate = FATES[url]
    return fate[0] if isinstance(fate, tuple) else None


def commit(root: Path, step: str, partition: str, tables: dict[str, pa.Table], **files: pa.Table) -> None:
    with Writer(StepFolder(root / step), partition) as out:
        for kind, table in tables.items():
            out.table(table.schema, kind).write(table)
        for path, table in files.items():
            out.table_at(f"{path}.parquet", table.schema).write(table)
        out.commit("k", "1", {}, {})


def folder(root: Path) -> None:
    """The steps of RECIPE by hand, over two partitions."""
    clusters = {}
    for number, name in enumerate(PARTITIONS):
        alive = [url for url in FATES if len(url) % 2 == number]
        for stage in ORDER:
            gone = [url for url in alive if stage_of(url) == stage]
            rows = [
                {
                    "id": id_of(url),
                    "rule": rule,
                    "url": url,
                    "locator": f"file#{url}",
                    "detail": f"file#{FIRST[url]}" if url in FIRST else None,
                }
                for url in gone
                for rule in FATES[url][1 : 2 if stage == "dedup" else None]
            ]
            ledger = pa.Table.from_pylist(rows, LEDGER)
            if stage == "dedup":
                kin = {url: FATES[url][2] if stage_of(url) == "dedup" else url for url in alive}
                members = [{"id": id_of(url), "cluster": id_of(kin[url]), "cluster_size": 1} for url in alive]
                clusters[name] = pa.Table.from_pylist(members, CLUSTERS)
            alive = [url for url in alive if url not in gone]
            ids = pa.table({"id": pa.array([id_of(url) for url in alive], ID)})
            if stage == "extract":
                base = [
                    {
                        "id": id_of(url),
                        "text": url,
                        "source": "s",
                        "url": url,
                        "locator": f"file#{url}",
                        "content_sha": bytes(32),
                        "bytes": len(url),
                        "extractor": "none",
                    }
                    for url in alive
                ]
                commit(root, "extract", name, {"": pa.Table.from_pylist(base, DOCUMENT), "ledger": ledger})
            else:
                commit(root, f"{stage}/decision", name, {"": ids, "ledger": ledger})
        for step in ("language/scores", "quality/signals", "dedup/signatures"):
            commit(root, step, name, {"": ids})
    commit(root, "dedup/clusters", "all", {}, **clusters)


def row(kind: str, url: str, stage: str, rule: str | None = None, **known: Any) -> dict[str, Any]:
    return {"url": url, "kind": kind, "expected": {"stage": stage} | ({"rule": rule} if rule else {}), **known}


TRUTH = [
    row("kept", "kept", "kept"),
    row("kept", "lost", "kept"),
    row("kept", "absent", "kept"),
    row("status", "gone", "extract", "status"),
    row("status", "broken", "extract", "status"),
    row("language", "french", "language", "language", language="fr"),
    row("language", "german", "language", "language", language="de"),
    row("language", "long", "language", "language", language="en"),  # the recipe keeps English
    row("short", "short", "quality"),
    row("short", "long", "quality"),
    row("near_duplicate", "n1", "dedup", "near_duplicate", partner_url="p1", jaccard=0.9),  # found
    row("near_duplicate", "n2", "dedup", "near_duplicate", partner_url="p2", jaccard=0.9),  # missed
    row("near_duplicate", "n3", "dedup", "near_duplicate", partner_url="p3", jaccard=0.9),  # partner dropped before
    row("near_duplicate", "n4", "dedup", "near_duplicate", partner_url="p4", jaccard=0.9),  # the partner went
    row("near_duplicate", "s5", "dedup", "near_duplicate", partner_url="p5", jaccard=0.79),  # below the threshold
    row("similar", "s5", "kept", partner_url="p5", jaccard=0.6),  # rightly left alone
    row("similar", "s6", "kept", partner_url="p6", jaccard=0.6),  # wrongly taken for one
    row("exact_duplicate", "e7", "dedup", "exact_duplicate", partner_url="p7", jaccard=1.0),  # partner dropped before
    row("exact_duplicate", "e8", "dedup", "exact_duplicate", partner_url="p8", jaccard=1.0),  # found
]
# Pages that were dropped for having the bytes of an earlier page.
PAYLOADS = [
    row("exact_duplicate", "c9", "dedup", "exact_duplicate", partner_url="p9", jaccard=1.0),  # found
    row("exact_duplicate", "p10", "dedup", "exact_duplicate", partner_url="c10", jaccard=1.0),  # the partner went
    row("exact_duplicate", "c11", "dedup", "exact_duplicate", partner_url="p11", jaccard=1.0),  # for another page
    row("near_duplicate", "c12", "dedup", "near_duplicate", partner_url="p12", jaccard=0.99),  # not the same bytes
    row("exact_duplicate", "c13", "dedup", "exact_duplicate", partner_url="c14", jaccard=1.0),  # both, for a third
    row("kept", "c13", "kept"),
]


@pytest.fixture
def judged(tmp_path: Path) -> Any:
    folder(tmp_path)
    path = tmp_path / "truth.jsonl"

    def judge(*overrides: str, truth: list[dict[str, Any]] = TRUTH) -> SelfCheck:
        path.write_text("".join(json.dumps(item) + "\n" for item in truth))
        return check(Outputs.of(recipe(*overrides), tmp_path), path)

    return judge


def recipe(*overrides: str) -> Recipe:
    return parse(RECIPE, "r", overrides)


def counts(found: SelfCheck) -> dict[str, tuple[int, int, int, int, int]]:
    return {k.kind: (k.planted, k.judged, k.right, k.apart, k.unasked) for k in found.kinds}


def test_every_verdict(judged: Any) -> None:
    found = judged()
    assert counts(found) == {
        "kept": (3, 3, 1, 0, 0),
        "exact_duplicate": (2, 1, 1, 1, 0),
        "near_duplicate": (5, 4, 3, 1, 0),
        "similar": (2, 2, 1, 0, 0),
        "language": (3, 2, 1, 0, 1),
        "short": (2, 2, 1, 0, 0),
        "status": (2, 2, 1, 0, 0),
    }
    pairs = found.duplicates
    assert (pairs.planted, pairs.judged, pairs.right, pairs.apart) == (6, 4, 3, 2)
    assert found.right == 9
    assert found.judged == 16
    missed = {miss.url: miss for miss in found.misses}
    assert set(missed) == {"lost", "absent", "n2", "s6", "german", "long", "broken"}
    assert missed["lost"].found == "dropped by quality: min_words"
    assert missed["absent"].found == "not in the input"
    assert missed["broken"].expected == "dropped by extract: status"
    assert missed["n2"].expected == "found as a duplicate of p2 (Jaccard 0.900)"
    assert missed["s6"].expected.startswith("not taken for a duplicate of p6")


def test_a_payload_duplicate_is_right_only_as_the_copy_of_its_partner(judged: Any) -> None:
    found = judged(truth=PAYLOADS)
    assert counts(found) == {
        "kept": (1, 1, 0, 0, 0),
        "exact_duplicate": (4, 4, 3, 0, 0),
        "near_duplicate": (1, 1, 0, 0, 0),
    }
    assert {miss.url: miss.found for miss in found.misses} == {
        url: "dropped by extract: payload_duplicate" for url in ("c11", "c12", "c13")
    }


def test_the_threshold_decides_which_pairs_are_duplicates(judged: Any) -> None:
    low = judged("dedup.threshold=0.5")
    assert counts(low)["similar"] == (2, 2, 1, 0, 0)
    assert {miss.url for miss in low.misses if miss.kind == "similar"} == {"s5"}
    high = judged("dedup.threshold=0.95")
    assert counts(high)["near_duplicate"][2] == 2  # n2 and s5: rightly left alone


@pytest.mark.parametrize(
    ("override", "unasked"),
    [
        ("language=false", {"language": 3}),
        ("language.keep=[]", {"language": 3}),
        ("language.keep=[fr, en]", {"language": 2}),
        ("quality=false", {"short": 2, "language": 1}),
        ("quality.presets=none", {"short": 2, "language": 1}),
        ("dedup.minhash=false", {"near_duplicate": 5, "similar": 2, "language": 1}),
        ("dedup=false", {"near_duplicate": 5, "similar": 2, "exact_duplicate": 2, "language": 1}),
    ],
)
def test_what_the_recipe_leaves_out_is_not_asked(judged: Any, override: str, unasked: dict[str, int]) -> None:
    found = judged(override)
    assert {kind: row[4] for kind, row in counts(found).items() if row[4]} == unasked
    assert all(kind.judged + kind.apart + kind.unasked == kind.planted for kind in found.kinds)


def test_the_json_is_json(judged: Any) -> None:
    raw = json.loads(json.dumps(judged().to_json(misses=2)))
    assert raw["right"] == 9
    assert len(raw["misses"]) == 2
    assert raw["duplicates"]["share"] == 0.75


def test_wilson_against_published_values() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    for right, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert share_interval(right, n) == pytest.approx((low, high), abs=5e-5)
    assert share_interval(0, 0) == (0.0, 1.0)
    assert share_interval(20, 20)[1] == 1.0
    assert KindResult("x", 3, 0, 0, 0, 3).share is None


@pytest.mark.parametrize("line", ["{", "[]", '{"url": "u"}', '{"url": 3, "kind": "k", "expected": {"stage": "kept"}}'])
def test_a_line_that_is_no_truth(tmp_path: Path, line: str) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text(json.dumps(TRUTH[0]) + "\n" + line + "\n")
    with pytest.raises(InputError, match=r"truth\.jsonl:2: not a line of truth"):
        read_truth(path)
    with pytest.raises(InputError, match="truth cannot be read"):
        read_truth(tmp_path / "nothing.jsonl")
