"""Rules of URLs: block and allow lists, patterns, list files, and what makes their step stale."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.documents import RAW
from corpus.errors import InputError, RecipeError
from corpus.extract.admission import Admission
from corpus.extract.config import ExtractConfig, UrlConfig
from corpus.extract.url_lists import list_digests, load_lists
from corpus.extract.urls import UrlRules, address, hash_entries, plain
from corpus.kernels.addresses import hash_lines
from corpus.recipe import dump, load, parse
from corpus.run import run
from corpus.status import status


def rules(**config) -> UrlRules:
    made = UrlConfig(**config)
    return UrlRules(made, load_lists(made, list_digests(made)))


def verdict(url: str | None, **config) -> tuple[str, str | None] | None:
    return rules(**config).judge(pa.array([url], pa.string())).get(0)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("http://Example.COM/Path?Q#f", "http://example.com/Path?Q"),
        ("HTTPS://user:pass@example.com:8443/", "https://example.com/"),
        ("http://example.com./x", "http://example.com/x"),
        ("http:\\\\example.com\\x", "http://example.com/x"),
        ("http:/example.com/x", "http://example.com/x"),
        (" http://exa\tmple.com\n", "http://example.com"),
        ("http://ex%61mple.com/%61", "http://example.com/%61"),
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
        ("http://B\u00dcCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
        ("http://\uff45xample\u3002com/", "http://example.com/"),
        ("http://[::1]:80/x", "http://[::1]/x"),
        ("http://a@b@example.com/", "http://example.com/"),
        ("http://example.com?x", "http://example.com?x"),
        ("ftp://example.com/x", "ftp://example.com/x"),
        ("example.com:80/x", "example.com/x"),
        ("folder/page.html", "folder/page.html"),
        ("", ""),
        ("http://", "http://"),
        # Longer than DNS takes: a label, and a name.
        (f"http://\u00dc{'a' * 63}.\u00fc.example/", f"http://\u00fc{'a' * 63}.xn--tda.example/"),
        ("http://" + "\u00dc." * 127 + "example/", "http://" + "\u00fc." * 127 + "example/"),
    ],
)
def test_address(url, normal):
    assert str(address(url)) == normal


def test_a_host_as_long_as_a_url_costs_nothing():
    # Punycode of these 20,000 letters, all different, would take half a minute.
    url = "http://" + "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))) + "/x"
    assert str(address(url)) == url[:8192]


def test_a_url_is_looked_at_up_to_8192_characters():
    url = "http://example.com/" + "a" * 8168 + "/in-ad"
    assert len(url) == 8193
    assert verdict(url, block=["*/in-a"]) == ("url_blocked", "*/in-a")
    assert verdict(url, block=["/in-ad/"]) is None


@given(st.one_of(st.text(), st.text("htp:/\\@.%[]#?*aA\u00fc\u3002\0 ").map("http://".__add__)))
def test_address_never_fails_and_its_host_is_ascii(url):
    assert address(url).host.isascii() or "%" in url or not url.isascii()


@pytest.mark.parametrize(
    ("url", "entry", "hit"),
    [
        ("http://example.com/", "example.com", "example.com"),
        ("https://user@WWW.Example.com.:8080/x", "example.com", "example.com"),
        ("http://a.b.example.com", "b.example.com", "b.example.com"),
        ("http://example.com/", "b.example.com", None),
        ("http://notexample.com/", "example.com", None),
        ("http://example.com.evil.net/", "example.com", None),
        ("http://evil.net/example.com", "example.com", None),
        ("http://example.com@evil.net/", "example.com", None),
        ("http://a.example.com/", "*.example.com", "example.com"),
        ("http://a.example.com/", ".example.com", "example.com"),
        ("http://a.xxx/", "xxx", "xxx"),
        ("http://xn--bcher-kva.example/", "B\u00fccher.example", "xn--bcher-kva.example"),
        ("http://b\u00fccher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("http://example.com/a/b", "https://example.com/a/", "example.com/a"),
        ("http://www.example.com/a?b", "example.com/a", "example.com/a"),
        ("http://example.com/ab", "example.com/a", None),
        ("http://example.com/A", "example.com/a", None),
        ("http://example.com/a?id=1&x=2", "example.com/a?id=1", "example.com/a?id=1"),
        ("http://example.com/a?id=12", "example.com/a?id=1", None),
        ("http://example.com/wp-login.php", "*://*/wp-login*", "*://*/wp-login*"),
        ("http://example.com/x/wp-login", "*://*/wp-admin*", None),
        ("http://example.com/a.b", "*/a?b", None),
        ("http://example.com/x?session=1", "/[?&]session=/", "/[?&]session=/"),
        ("http://example.com/x", "/^https:/", None),
        (None, "example.com", None),
    ],
)
def test_block(url, entry, hit):
    assert verdict(url, block=[entry]) == (hit and ("url_blocked", hit))


def test_an_allow_list_keeps_only_what_it_names_and_block_wins():
    urls = [
        "http://a.example/",
        "http://www.a.example/private",
        "http://b.example/",
        "http://c.example/ok",
        None,
        "x.html",
        "http:\\\\d.example",
    ]
    found = rules(allow=["a.example", "*/ok"], block=["a.example/private", "www.a.example/private"]).judge(
        pa.array(urls)
    )
    assert found == {
        1: ("url_blocked", "www.a.example/private"),
        2: ("url_not_allowed", None),
        6: ("url_not_allowed", None),
    }


@pytest.mark.parametrize("url", ["b.example/page.html", "folder/a?u=http://b.example/", "mailto:a@b.example", None])
def test_a_record_without_a_web_address_is_not_judged(url):
    section = {"urls": {"allow": ["a.example"], "block": ["b.example", "*page*"]}}
    rows = [{"locator": "x", "url": url}, {"locator": "y", "url": "http://b.example/"}]
    batch = pa.RecordBatch.from_pylist(rows, schema=RAW)
    found = Admission(ExtractConfig.model_validate(section), {}).judge(batch)
    assert found == {1: [("url_blocked", "b.example")]}


def test_an_expression_takes_linear_time():
    # Backtracking would take 2**5000 steps.
    assert verdict("http://a/" + "a" * 5000, block=["/(a+)+$b/", "*a*a*a*a*a*a*a*b"]) is None


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"block": ["/(/"]}, r"^extract\.urls\.block of the recipe: /\(/: is no expression of RE2"),
        ({"block": [r"/(a)\1/"]}, "is no expression of RE2"),
        ({"allow": ["http://"]}, "is no domain"),
        ({"block": ["/"]}, "is no domain"),
    ],
)
def test_entries_that_mean_nothing(config, why):
    with pytest.raises(RecipeError, match=why):
        UrlRules(UrlConfig(**config), {})


@pytest.mark.parametrize("config", [{"block": [" "]}, {"lists": ["a/x", "b/x"]}, {"block": ""}, {"block": 7}])
def test_sections_that_mean_nothing(config):
    with pytest.raises(ValidationError):
        UrlConfig(**config)


def test_one_entry_needs_no_list():
    assert UrlConfig(block="example.com", lists="ut1") == UrlConfig(block=["example.com"], lists=["ut1"])


def test_a_list_file(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(
        "\ufeff# a comment\r\n\nExample.com\r\n  b.example  # why\n#c.example\nhttps://d.example/x/\n"
        "b\u00fccher.example\n*.e.example\nf.example./\n.g.example\nh.example:80/Y\nl.example".encode()
    )
    hosts = "a.example example.com b.example c.example d.example d.example/x xn--bcher-kva.example a.e.example"
    urls = [f"http://{host}" for host in [*hosts.split(), "f.example", "g.example", "h.example/Y/z", "l.example"]]
    found = rules(lists=[str(path)]).judge(pa.array(urls))
    assert {urls[i]: detail for i, (_, detail) in found.items()} == {
        "http://example.com": "bad.txt: example.com",
        "http://b.example": "bad.txt: b.example",
        "http://d.example/x": "bad.txt: d.example/x",
        "http://xn--bcher-kva.example": "bad.txt: xn--bcher-kva.example",
        "http://a.e.example": "bad.txt: e.example",
        "http://f.example": "bad.txt: f.example",
        "http://g.example": "bad.txt: g.example",
        "http://h.example/Y/z": "bad.txt: h.example/Y",
        "http://l.example": "bad.txt: l.example",
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a.example\n0.0.0.0 b.example\n", "`0.0.0.0 b.example` is more than one"),
        (b"http://\n", "is no domain"),
        (b"x" * 200_000, "a line of over 65,536 bytes"),
        (None, "no such file"),
    ],
)
def test_a_list_file_that_is_none(tmp_path, content, why):
    path = tmp_path / "list"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=why):
        rules(lists=[str(path)])


def test_a_list_that_changes_while_it_is_in_use(tmp_path):
    path = tmp_path / "list"
    path.write_text("a.example")
    config = UrlConfig(lists=(str(path),))
    digests = list_digests(config)
    path.write_text("b.example")
    with pytest.raises(InputError, match="changed while it was in use"):
        load_lists(config, digests)


@given(st.lists(st.text("aZ09-._/?=&%", min_size=1, max_size=12), max_size=6))
@example(["A.b/C/"])
def test_the_kernel_and_the_slow_way_agree(lines):
    text = "\n".join(lines).encode()
    hashes, others, bad = hash_lines(np.frombuffer(text, np.uint8))
    assert bad == -1
    odd = {text[begin:end].decode() for begin, end in others.tolist()}
    assert hashes.tolist() == hash_entries([plain(line) for line in lines if line not in odd]).tolist()


def test_the_list_that_datatrove_ships():
    config = UrlConfig(lists=("ut1",))
    ((name, digest),) = list_digests(config).items()
    assert (name, len(digest)) == ("url list ut1", 64)
    (table,) = load_lists(config, {name: digest}).values()
    assert len(table) > 4_000_000
    urls = pa.array(["https://www.wikipedia.org/wiki/Block", "http://www.0-1sex.com/x", "http://0-800-email.com:80"])
    assert UrlRules(config, {"ut1": table}).judge(urls) == {
        1: ("url_blocked", "ut1: 0-1sex.com"),
        2: ("url_blocked", "ut1: 0-800-email.com"),
    }


@pytest.fixture
def crawl(tmp_path, recipe):
    """A recipe over five rows with URLs, and a list file."""
    text = "A page with enough text to be kept by anyone who reads it."
    urls = [
        "http://good.example/1",
        "http://sub.bad.example/2",
        "http://worse.example/3",
        None,
        "http://good.example/wp-login",
    ]
    rows = [json.dumps({"text": text, "url": url}) for url in urls]
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    (tmp_path / "bad.txt").write_text("bad.example\n")
    source = {"name": "rows", "kind": "jsonl", "path": str(tmp_path / "rows.jsonl.gz"), "columns": {"url": "url"}}
    section = {"urls": {"block": ["*/wp-login"], "lists": [str(tmp_path / "bad.txt")]}}
    return recipe(sources=[source], extract=section)


def ledger(recipe) -> Counter:
    folder = load(recipe).output / "extract"
    return Counter((r["rule"], r["detail"]) for r in pq.read_table(folder / "_ledger").to_pylist())


def test_a_run_obeys_the_rules_and_a_changed_list_makes_it_stale(crawl, tmp_path):
    blocked = {("url_blocked", "bad.txt: bad.example"): 1, ("url_blocked", "*/wp-login"): 1}
    assert run(load(crawl), until="extract").done == {"extract": 1}
    assert ledger(crawl) == blocked
    assert run(load(crawl), until="extract").kept == {"extract": 1}
    (tmp_path / "bad.txt").write_text("bad.example\nworse.example\n")
    reasons = [reason for step in status(load(crawl)) if step.step == "extract" for reason in step.reasons]
    assert any("url list bad.txt changed" in str(reason) for reason in reasons)
    assert run(load(crawl), until="extract").done == {"extract": 1}
    assert ledger(crawl) == blocked | {("url_blocked", "bad.txt: worse.example"): 1}


def test_a_list_that_moves_makes_nothing_stale(crawl, tmp_path):
    run(load(crawl), until="extract")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "bad.txt").rename(tmp_path / "elsewhere" / "bad.txt")
    moved = load(crawl, [f"extract.urls.lists=[{tmp_path / 'elsewhere' / 'bad.txt'}]"])
    assert run(moved, until="extract").kept == {"extract": 1}


def test_a_written_recipe_names_lists_by_their_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "{name: x, sources: [{name: s, kind: text, path: a}], extract: {urls: {lists: [bad.txt, ut1]}}}"
    again = parse(dump(parse(text, "here")), "there")
    assert again.extract.urls == UrlConfig(lists=(str(tmp_path / "bad.txt"), "ut1"))
    assert ExtractConfig().urls is None
