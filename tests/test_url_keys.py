"""Canonical forms of URLs and their keys."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.urls import canonical, url_keys

Command = Callable[..., subprocess.CompletedProcess[str]]

SAME = [
    # RFC 3986, 6.2.2 and 6.2.3
    [
        "http://example.org",
        "HTTP://EXAMPLE.org/",
        "http://example.org:80/",
        "http://example.org:/",
        "https://example.org",
    ],
    [
        "https://example.org:443/a",
        "https://user:pw@example.org/a",
        "https://example.org./a",
        "http://example.org/a#part",
    ],
    ["http://example.org/%7Eme/%c3%a9", "http://example.org/~me/é", "http://example.org/%7eme/%C3%A9"],
    [
        "http://example.org/a/c",
        "http://example.org/./a/b/../c",
        "http://example.org/../a/%2e%2e/a/c/.",
        "http://example.org/a/c/",
    ],
    ["http://example.org/a%20b", "http://example.org/a b", " http://example.org/a\n b\t"],
    # hosts
    ["http://bücher.example/", "http://xn--bcher-kva.example", "http://BÜCHER.example"],
    # what tracks, and the order of the rest
    [
        "http://example.org/p?a=1&b=2",
        "http://example.org/p?b=2&a=1",
        "http://example.org/p?utm_source=x&a=1&&b=2&gclid=3",
    ],
    ["http://example.org/p", "http://example.org/p?", "http://example.org/p?UTM_Medium=e&fbclid=z&msclkid=1&mc_cid=2"],
    [
        "http://example.org/t.php",
        "http://example.org/t.php?PHPSESSID=12",
        "http://example.org/t.php;jsessionid=A1?sid=" + "0f" * 16,
    ],
    ["http://example.org/s?q=a+b", "http://example.org/s?q=a%20b", "http://example.org/s?q=a b"],
    # index pages
    [
        "http://example.org/d",
        "http://example.org/d/",
        "http://example.org/d/index.html",
        "http://example.org/d/index.php",
    ],
    ["http://example.org", "http://example.org/index.htm", "http:\\\\example.org\\"],
]
DIFFERENT = [
    *(
        "http://example.org/",
        "http://www.example.org/",
        "http://example.org:8080/",
        "http://example.org/A",
        "http://example.org/a",
    ),
    *("http://example.org/a,b", "http://example.org/a%2Cb", "http://example.org/a//b", "http://example.org/a/b"),
    *("http://example.org/?a", "http://example.org/?a=", "http://example.org/?a=1&a=2", "http://example.org/?a=2&a=1"),
    *(
        "http://example.org/?A=1",
        "http://example.org/?gallery=1",
        "http://example.org/?sid=7",
        "http://example.org/?reference=1",
    ),
    *(
        "http://example.org/?a=b%26c=d",
        "http://example.org/?a=b&c=d",
        "http://example.org/#!/one",
        "http://example.org/#/two",
    ),
    *(
        "http://example.org/myindex.html",
        "http://example.org/index.html5",
        "http://example.org/?a=%2B",
        "http://example.org/?a=+",
    ),
    *(
        "http://example.org/%25",
        "http://example.org/%2525",
        "http://[::1]:8080/",
        "http://[::1]/",
        "http://e\u0301x.example",
    ),
]


@pytest.mark.parametrize("urls", SAME, ids=lambda urls: urls[0])
def test_spellings_of_one_address_have_one_key(urls: list[str]) -> None:
    forms = {canonical(url) for url in urls}
    assert len(forms) == 1
    assert None not in forms
    assert len(set(url_keys(pa.array(urls)).to_pylist())) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a/index.html/index.php/",
        "http://example.org/a;%6asessionid=1;jsession;jsessionid=2id=3/b",
        "http://example.org/?s%69d=" + "a" * 32 + "&g%63lid=1",
        "http://example.org/%%34%31?%%32%35",
        "http://example.org/a/..;jsessionid=1/b",
        "http://example.org/////..//./x/",
    ],
)
def test_canonical_forms_stay_what_they_are(url: str) -> None:
    form = canonical(url)
    assert form is not None
    assert canonical(form) == form


def test_what_may_lead_elsewhere_has_another_key() -> None:
    assert len({canonical(url) for url in DIFFERENT}) == len(DIFFERENT)
    assert len(set(url_keys(pa.array(DIFFERENT)).to_pylist())) == len(DIFFERENT)


def test_what_is_no_web_address_has_no_key() -> None:
    urls = [
        None,
        "",
        "books/one.txt",
        "example.org/a",
        "ftp://example.org/a",
        "mailto:a@example.org",
        "http://",
        "urn:isbn:1",
    ]
    keys = url_keys(pa.array(urls, pa.string()))
    assert keys.type == pa.binary(16)
    assert keys.null_count == len(urls)
    assert url_keys(pa.array([], pa.string())).type == pa.binary(16)
    assert url_keys(pa.array([None, None], pa.string())).null_count == 2


PIECES = st.text(st.sampled_from('aZ09-._~%/?#&=+;:@ é漢[]\\\n"<2eE5'), max_size=30)


@settings(deadline=None, max_examples=500)
@given(PIECES)
def test_a_canonical_form_is_its_own(rest: str) -> None:
    form = canonical(f"https://example.org/{rest}")
    assert form is not None
    assert form.isascii()
    assert not set(form) & set(' "<>\\^`{|}\n')
    assert canonical(form) == form


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), min_size=1, max_size=4))
def test_percent_encoding_of_any_text_does_not_count(segments: list[str]) -> None:
    whole = "".join(f"%{octet:02x}" for segment in segments for octet in segment.encode())
    plain = canonical("http://example.org/x" + quote("".join(segments), safe=""))
    assert plain == canonical(f"http://example.org/x{whole}")
    assert plain is not None
    assert unquote_to_bytes(urlsplit(plain).path[2:]) == "".join(segments).encode()


def test_documents_of_one_address_are_one(corpus_command: Command, tmp_path: Path) -> None:
    def text(seed: int) -> str:
        return " ".join(f"w{seed}x{k}" for k in range(40))

    rows = [
        {"url": "https://example.org/a?utm_source=x", "text": text(1), "date": "2024-05"},
        {"url": "http://example.org/a/", "text": text(2), "date": "2024-06-01"},
        {"url": "http://example.org/b", "text": text(3), "date": "2023"},
        {"url": "notes/a.txt", "text": text(4), "date": "2023"},
        {"url": "notes/a.txt", "text": text(5), "date": "2023"},
        {"url": "http://example.org/c", "text": text(3), "date": "2022"},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    section = {"url": True, "keep": ["newest"]}
    columns = {"text": "text", "url": "url", "date": "date"}
    recipe: dict[str, object] = {"name": "urls", "output": str(out), "dedup": section}
    recipe["sources"] = [{"name": "rows", "kind": "jsonl", "path": str(source), "columns": columns}]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    done = corpus_command("run", tmp_path / "recipe.yaml")
    assert done.returncode == 0, done.stderr
    url = {
        row["id"]: row["url"] for path in (out / "extract").glob("*.parquet") for row in pq.read_table(path).to_pylist()
    }
    gone = {}
    for path in (out / "dedup" / "decision" / "_ledger").glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            gone[url[row["id"]]] = (row["rule"], url[bytes.fromhex(row["detail"])])
    assert gone == {
        "https://example.org/a?utm_source=x": ("url_duplicate", "http://example.org/a/"),
        "http://example.org/c": ("exact_duplicate", "http://example.org/b"),
    }

    found = json.loads(corpus_command("stats", out, "--json").stdout)["duplicates"]
    assert found["sizes"] == [
        {"first": 1, "last": 1, "clusters": 2, "documents": 2},
        {"first": 2, "last": 2, "clusters": 2, "documents": 4},
    ]
    assert (found["banding"]["bands"], found["banding"]["rows"]) == (20, 5)
    shown = corpus_command("stats", out).stdout
    assert "Bands: 20 bands x 5 rows (chosen for recall 0.999), recall 0.9996 at J = 0.8" in shown
    page = (out / "report" / "index.html").read_text()
    assert '<section id="duplicates">' in page
    assert "20 bands x 5 rows (chosen for recall 0.999), recall 0.9996 at J = 0.8" in page
