"""What pages and their transport ask for: not to be indexed, not to be trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.extract import opt_out
from corpus.extract.opt_out import opt_outs
from corpus.recipe import load
from corpus.run import run

NOINDEX, NOAI, NOIMAGEAI, TDM = (f"opt_out_{name}" for name in ("noindex", "noai", "noimageai", "tdm"))
ROBOTS = "meta robots"


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("", {}),
        ("<meta name=robots content=noindex>", {NOINDEX: ROBOTS}),
        ("<META CONTENT='NoIndex, NoFollow' NAME='ROBOTS'>", {NOINDEX: ROBOTS}),
        ("<meta\nname = robots\ncontent = 'none' />", {NOINDEX: ROBOTS}),
        ('<meta name="robots" content="noai, noimageai">', {NOAI: ROBOTS, NOIMAGEAI: ROBOTS}),
        ("<meta name=robots content='index,follow'><meta name=robots content=noai>", {NOAI: ROBOTS}),
        ("<meta name=robots content='index; noindex'>", {NOINDEX: ROBOTS}),
        ("<meta name=robots content='index, follow, max-snippet:-1'>", {}),
        ("<meta name=robots content='noindexed nofollow'>", {}),
        ("<meta name=description content='robots and noindex'>", {}),
        ("<meta name=googlebot content=noindex>", {}),
        ("<meta data-name=robots content=noindex>", {}),
        ("<meta/name=robots content=noindex>", {NOINDEX: ROBOTS}),
        ("<meta name='robots'content=\"noindex\">", {NOINDEX: ROBOTS}),
        # HTML: one tag up to `>`, and of two attributes of one name the first.
        ("<meta charset=x <meta name=robots content=noindex>", {NOINDEX: ROBOTS}),
        ("<meta name=x <meta name=robots content=noindex>", {}),
        ("<meta name content=noindex name=robots>", {}),
        (f"<meta {'x' * 3000}<meta name=robots content=noindex>", {NOINDEX: ROBOTS}),
        ("<metadata name=robots content=noindex>", {}),
        ("<!-- <meta name=robots content=noindex> -->", {}),
        ("<!--><meta name=robots content=noindex>", {NOINDEX: ROBOTS}),
        ("<!-- x --!><meta name=robots content=noindex>", {NOINDEX: ROBOTS}),
        ("<!-- never ends <meta name=robots content=noindex>", {}),
        ("<script>'<meta name=robots content=noindex>'</script>", {}),
        ("<script>x</script><meta name=robots content=noindex>", {NOINDEX: ROBOTS}),
        ("<script-like><meta name=robots content=noindex>", {NOINDEX: ROBOTS}),
        ("<textarea><meta name=robots content=noindex></textarea >", {}),
        ("<noscript><meta name=robots content=noindex></noscript>", {NOINDEX: ROBOTS}),
        ("<meta name=tdm-reservation content=1>", {TDM: "meta tdm-reservation"}),
        ("<meta name=TDM-Reservation content=' 1 '>", {TDM: "meta tdm-reservation"}),
        ("<meta name=tdm-reservation content=0>", {}),
        ("<meta name=tdm-policy content=1>", {}),
        (" " * (256 << 10) + "<meta name=robots content=noindex>", {}),
    ],
)
def test_meta_tags(page, found):
    assert opt_outs(page.encode()) == found
    assert opt_outs(page.encode("utf-16-le")) == (found if len(page) < 100_000 else {})


@pytest.mark.parametrize(
    ("transport", "found"),
    [
        (None, {}),
        ("x-robots-tag: noindex", {NOINDEX: "x-robots-tag"}),
        ("x-robots-tag: nofollow, NONE", {NOINDEX: "x-robots-tag"}),
        ("x-robots-tag: noai\nx-robots-tag: noimageai", {NOAI: "x-robots-tag", NOIMAGEAI: "x-robots-tag"}),
        ("x-robots-tag: googlebot: noindex", {}),
        ("x-robots-tag: googlebot: noindex, nofollow, noai", {}),
        ("x-robots-tag: noai, otherbot: noindex", {NOAI: "x-robots-tag"}),
        ("x-robots-tag: robots: noindex", {NOINDEX: "x-robots-tag"}),
        ("x-robots-tag: unavailable_after: 25 Jun 2010 15:00:00 PST", {}),
        ("x-robots-tag: unavailable_after: Friday, 25-Jun-10 15:00:00 PST, noindex", {NOINDEX: "x-robots-tag"}),
        ("x-robots-tag: max-snippet: 20, noai", {NOAI: "x-robots-tag"}),
        ("x-robots-tag:", {}),
        ("tdm-reservation: 1", {TDM: "tdm-reservation"}),
        ("tdm-reservation: 0", {}),
        ("tdm-policy: 1", {}),
        ("noindex", {}),
    ],
)
def test_what_the_transport_says(transport, found):
    assert opt_outs(b"", transport) == found


def test_the_transport_is_named_first_and_each_rule_once():
    page = b"<meta name=robots content='noindex,noai'><meta name=robots content=none>"
    assert opt_outs(page, "x-robots-tag: noindex") == {NOAI: ROBOTS, NOINDEX: "x-robots-tag"}


@given(
    st.lists(st.sampled_from("<meta |name=|robots|content=|noindex|'|\"|>|<!--|-->|<script>|</script>| |\0".split("|")))
)
def test_any_order_of_pieces_ends(pieces):
    assert set(opt_outs("".join(pieces).encode())) <= {NOINDEX}


@pytest.mark.parametrize(
    "piece", [b"<meta ", b"<meta name=robots ", b"<meta name='robots", b"<!--", b"<script ", b"</script"]
)
def test_opt_outs_are_linear(piece):
    # A quadratic search would take minutes here.
    assert opt_outs(b"<meta name=robots content=noai>" + piece * (300_000 // len(piece))) == {NOAI: ROBOTS}


ROBOTS_TAG = b"<meta name=robots content=noindex>"


@pytest.mark.parametrize("end", [b">", b""])
@pytest.mark.parametrize(
    "piece",
    [b"<meta robots ", b"<meta robots " + b"a" * 115, b"<meta robots>", b"<meta " * 9 + b"robots", b"<meta robots x='"],
)
def test_each_byte_is_parsed_once(piece, end, monkeypatch):
    class Counted:
        parsed = 0

        def findall(self, tag):
            self.parsed += len(tag)
            return attributes.findall(tag)

    attributes, counted = opt_out._ATTRIBUTE, Counted()
    monkeypatch.setattr(opt_out, "_ATTRIBUTE", counted)
    head = (piece + end) * ((255 << 10) // len(piece + end)) + b"'>" + ROBOTS_TAG
    assert opt_outs(head) == {NOINDEX: ROBOTS}
    # Once to see whether there is anything, once without comments and scripts.
    assert 0 < counted.parsed <= 2 * len(head)


@pytest.fixture
def pages(tmp_path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    body = "<body><p>A page with enough text to be kept by anyone who reads it.</p></body>"
    for name, head in {
        "a": "",
        "b": "<meta name=robots content='noindex, noai'>",
        "c": "<meta name=tdm-reservation content=1>",
        "d": "<meta name=googlebot content=noindex>",
    }.items():
        (folder / f"{name}.html").write_text(f"<html><head>{head}</head>{body}</html>")
    return folder


def extracted(recipe: Path, *overrides: str) -> tuple[list[tuple[str, str, str | None]], list[str], dict]:
    """(ledger as (URL, rule, detail), URLs kept, the manifest entry)."""
    loaded = load(recipe, overrides)
    run(loaded, until="extract")
    folder = loaded.output / "extract"
    ledger = [(r["url"], r["rule"], r["detail"]) for r in pq.read_table(folder / "_ledger").to_pylist()]
    kept = pq.read_table(folder, columns=["url"]).column("url").to_pylist()
    (entry,) = (folder / "_manifest").glob("*.json")
    return ledger, kept, json.loads(entry.read_text())


def test_signals_are_honoured_and_counted(pages, recipe):
    sources = [{"name": "web", "kind": "html", "path": str(pages)}]
    ledger, kept, entry = extracted(recipe(sources=sources))
    assert ledger == [
        ("b.html", NOAI, ROBOTS),
        ("b.html", NOINDEX, ROBOTS),
        ("c.html", TDM, "meta tdm-reservation"),
    ]
    assert kept == ["a.html", "d.html"]
    # A document counts once, under its first rule.
    assert entry["dropped"] == {NOAI: 1, TDM: 1}
    assert entry["failed"] == {NOAI: 1, NOINDEX: 1, TDM: 1}
    assert entry["facts"]["opt_out"] == {NOAI: 1, NOINDEX: 1, TDM: 1}


def test_a_page_with_two_signals_reconciles(pages, recipe, corpus_command):
    path = recipe(sources=[{"name": "web", "kind": "html", "path": str(pages)}])
    assert corpus_command("run", path, "--until", "extract").returncode == 0
    done = corpus_command("stats", load(path).output)
    assert (done.returncode, "does not reconcile" in done.stdout) == (0, False)


def test_signals_are_counted_when_they_are_not_honoured(pages, recipe):
    sources = [{"name": "web", "kind": "html", "path": str(pages)}]
    ledger, kept, entry = extracted(recipe(sources=sources), "extract.honour_opt_out=false")
    assert (ledger, len(kept)) == ([], 4)
    assert entry["facts"]["opt_out"] == {NOAI: 1, NOINDEX: 1, TDM: 1}
