"""Common Crawl, from a small crawl on loopback: lists, an index and WARC files, whole and by ranges."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from corpus.errors import InputError
from corpus.fetch.client import Limits
from corpus.fetch.commoncrawl import fetch
from corpus.fetch.config import FetchConfig
from corpus.recipe import load

CRAWL = "CC-MAIN-2024-33"
QUICK = Limits(connect=2, read=2, window=2, tries=3, backoff=0.01, longest=0.1)
ROOT = Path(__file__).parent.parent
INDEX = f"cc-index/collections/{CRAWL}/indexes/"
SITES = ("example.org", "www.example.org", "news.example.org", "example.com", "myexample.org", "example.org:8080")


class Handler(BaseHTTPRequestHandler):
    """Files with ranges and ETags, as slow as `server.pace` says (seconds for 8 KB)."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Crawl

    def do_GET(self) -> None:
        path, asked = self.path.lstrip("/"), self.headers.get("Range")
        with self.server.lock:
            self.server.seen.append((path, asked))
        content = self.server.files.get(path)
        if content is None:
            return self.answer(404, b"")
        etag = f'"{len(content)}"'
        if asked and self.headers.get("If-Range", etag) == etag:
            first, last = asked.removeprefix("bytes=").split("-")
            start, stop = int(first), min(int(last or len(content)), len(content) - 1) + 1
            if start >= len(content):
                return self.answer(416, b"")
            return self.answer(206, content[start:stop], etag, f"bytes {start}-{stop - 1}/{len(content)}")
        return self.answer(200, content, etag)

    def answer(self, status: int, body: bytes, etag: str = "", content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if etag:
            self.send_header("ETag", etag)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        for at in range(0, len(body), 8192):
            if self.server.pace and self.path.endswith(".warc.gz"):
                time.sleep(self.server.pace)
            self.wfile.write(body[at : at + 8192])

    def log_message(self, *_: Any) -> None: ...


class Crawl(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.seen: list[tuple[str, str | None]] = []
        self.lock = threading.Lock()
        self.pace = 0.0
        # What the index says, and what lies there: line -> the record's bytes.
        self.lines: dict[str, bytes] = {}
        self.warcs: list[str] = []

    def handle_error(self, *_: Any) -> None: ...

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def asked(self, suffix: str) -> list[tuple[str, str | None]]:
        return [entry for entry in self.seen if entry[0].endswith(suffix)]


def member(kind: str, url: str, block: bytes) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-08-02T00:00:00Z\r\n"
    head += f"WARC-Record-ID: <urn:uuid:{hashlib.md5(kind.encode() + url.encode()).hexdigest()}>\r\n"
    head += f"Content-Type: application/http\r\nContent-Length: {len(block)}\r\n\r\n"
    return gzip.compress(head.encode() + block + b"\r\n\r\n", mtime=0)


def line(url: str, filename: str, offset: int, length: int, status: str, mime: str) -> str:
    """As in a crawl's index; the key as Internet Archive's canonicaliser makes it of these simple URLs."""
    host, _, path = url.partition("://")[2].partition("/")
    name, colon, port = host.removeprefix("www.").partition(":")
    key = ",".join(reversed(name.split("."))) + (f"{colon}{port}" if port else "") + ")/" + path.lower().rstrip("/")
    fields = {"url": url, "mime": mime, "mime-detected": mime, "status": status, "digest": "X", "length": str(length), "offset": str(offset), "filename": filename}  # fmt: skip
    return f"{key} 20240802000000 {json.dumps(fields)}"


def zipnum(lines: list[str], each: int) -> dict[str, bytes]:
    """A sorted index in members of `each` lines, over two files, with its cluster.idx."""
    ordered = sorted(text.encode() for text in lines)
    blocks = [ordered[at : at + each] for at in range(0, len(ordered), each)]
    files: dict[str, bytes] = {}
    cluster = []
    for number, block in enumerate(blocks):
        name = f"cdx-{2 * number // len(blocks):05}.gz"
        packed = gzip.compress(b"".join(text + b"\n" for text in block), mtime=0)
        before = files.get(name, b"")
        key = b" ".join(block[0].split(b" ", 2)[:2])
        cluster.append(b"%s\t%s\t%d\t%d\t%d\n" % (key, name.encode(), len(before), len(packed), number + 1))
        files[name] = before + packed
    return {**files, "cluster.idx": b"".join(cluster)}


def build(crawl: Crawl) -> None:
    """Four WARC files with the pages of six sites, requests and metadata between them; an index with much else."""
    rng = random.Random(5)
    words = "the of a house tree river and stone light under over green".split()
    for number in range(4):
        filename = f"crawl-data/{CRAWL}/segments/172.0/warc/CC-MAIN-2024080{number}-00000.warc.gz"
        content = member("warcinfo", f"info-{number}", b"software: test\r\n")
        for page, site in itertools.product(range(6), SITES):
            url = f"https://{site}/{('Path', 'other')[page % 2]}/{number}{page}"
            status, mime = (
                ("404", "text/html") if page == 4 else ("200", "application/pdf" if page == 5 else "text/html")
            )
            text = " ".join(rng.choice(words) for _ in range(300))
            body = f"<html><head><title>{url}</title></head><body><p>{text}.</p></body></html>".encode()
            http = f"HTTP/1.1 {status} X\r\nContent-Type: {mime}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            content += member("request", url, b"GET / HTTP/1.1\r\n\r\n")
            packed = member("response", url, http)
            crawl.lines[line(url, filename, len(content), len(packed), status, mime)] = packed
            content += packed + member("metadata", url, b"fetchTimeMs: 1\r\n")
        crawl.files[filename] = content
        crawl.warcs.append(filename)
    others = [
        line(f"https://site{n}.{d}/", "x/y.warc.gz", n, 9, "200", "text/html")
        for n in range(400)
        for d in ("net", "org")
    ]
    for name, content in zipnum([*crawl.lines, *others], 7).items():
        crawl.files[INDEX + name] = content
    crawl.files[f"crawl-data/{CRAWL}/warc.paths.gz"] = gzip.compress("".join(f"{p}\n" for p in crawl.warcs).encode())


@pytest.fixture
def crawl() -> Iterator[Crawl]:
    made = Crawl()
    build(made)
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def get(crawl: Crawl, to: Path, workers: int = 3, **given: Any) -> dict[str, Any]:
    config = FetchConfig(**{"crawl": CRAWL, "to": to, "base_url": crawl.base, "allow_private": True, **given})
    return fetch(config, workers=workers, limits=QUICK)


def listed(to: Path) -> list[str]:
    return sorted(path.name for path in to.iterdir())


def base_names(paths: list[str]) -> list[str]:
    return [path.rpartition("/")[2] for path in paths]


def test_whole_files(crawl: Crawl, tmp_path: Path) -> None:
    facts = get(crawl, tmp_path, files=2)
    assert [entry["name"] for entry in facts["files"]] == base_names(crawl.warcs[:2])
    for path, entry in zip(crawl.warcs, facts["files"], strict=False):
        assert (tmp_path / entry["name"]).read_bytes() == crawl.files[path]
        assert entry["sha256"] == hashlib.sha256(crawl.files[path]).hexdigest()
        assert entry["url"] == crawl.base + path
    assert facts["fetched"] == 2
    # More of them, and in another way: what is there is not fetched again.
    assert get(crawl, tmp_path, files=3)["fetched"] == 1
    assert get(crawl, tmp_path, files=3, first=1)["fetched"] == 1
    assert sorted(crawl.asked(".warc.gz")) == sorted((path, None) for path in crawl.warcs)
    assert listed(tmp_path) == [*base_names(crawl.warcs), "fetch.json"]


def test_a_larger_sample_holds_the_smaller_one(crawl: Crawl, tmp_path: Path) -> None:
    drawn = [
        {entry["name"] for entry in get(crawl, tmp_path / str(count), files=count, sample=3)["files"]}
        for count in (1, 2, 3)
    ]
    assert drawn[0] < drawn[1] < drawn[2]
    orders = {tuple(e["name"] for e in get(crawl, tmp_path / "one", files=1, sample=s)["files"]) for s in range(8)}
    assert len(orders) > 1


def test_a_file_that_is_gone_keeps_no_other_from_coming(crawl: Crawl, tmp_path: Path) -> None:
    del crawl.files[crawl.warcs[1]]
    with pytest.raises(InputError, match=rf"{re.escape(crawl.warcs[1])}: the server answers 404"):
        get(crawl, tmp_path, files=4)
    assert listed(tmp_path) == [*base_names([crawl.warcs[0], *crawl.warcs[2:]]), "fetch.json"]
    del crawl.files[crawl.warcs[0]]
    with pytest.raises(InputError, match=r"\(so with 2 of 4 files; the others are there\)"):
        get(crawl, tmp_path / "again", files=4)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(b"../../etc/x.warc.gz\n"), "is no path of a crawl's file"),
        (gzip.compress(b"/etc/x.warc.gz\n"), "is no path of a crawl's file"),
        (gzip.compress(b"a/x.warc.gz\na/b\\x.warc.gz\n"), "is no path of a crawl's file"),
        (gzip.compress(b"a/x.warc.gz\nb/X.warc.gz\n"), "names a file twice"),
        (gzip.compress(b"a/x.warc.gz\n"), "lists 1 file; ask for at most 1"),
        (gzip.compress(b"a/x\xff.warc.gz\n"), "a list that is not UTF-8"),
        (b"a/x.warc.gz\n", "no gzip file"),
        (gzip.compress(b"a/x.warc.gz\n" * 99)[:-9], "a gzip file that is cut"),
        (gzip.compress(bytes(2 << 20)), "larger than it may be"),
    ],
)
def test_a_list_that_is_no_list(
    crawl: Crawl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, why: str
) -> None:
    monkeypatch.setattr("corpus.fetch.commoncrawl.LIST", 1 << 20)
    crawl.files[f"crawl-data/{CRAWL}/warc.paths.gz"] = content
    with pytest.raises(InputError, match=why):
        get(crawl, tmp_path / "in", files=2)
    assert listed(tmp_path) == ["in"]
    assert listed(tmp_path / "in") == []


def test_a_crawl_that_is_not_there(crawl: Crawl, tmp_path: Path) -> None:
    crawl.files.clear()
    for request in ({"files": 1}, {"match": ("domain=example.org",)}):
        with pytest.raises(InputError, match="the server answers 404; check the name of the crawl and the base URL"):
            get(crawl, tmp_path, **request)


def wanted(crawl: Crawl, accepts: Callable[[str], bool], **only: str) -> bytes:
    """The records whose URL is accepted, in the order of the files."""
    found = []
    for text, packed in crawl.lines.items():
        fields = json.loads(text.split(" ", 2)[2])
        if accepts(fields["url"]) and fields["status"] == only.get("status", "200") and fields["mime"] == only.get("mime", "text/html"):  # fmt: skip
            found.append((fields["filename"], int(fields["offset"]), packed))
    return b"".join(packed for _, _, packed in sorted(found))


MATCHES: list[tuple[tuple[str, ...], str]] = [
    (("domain=example.org",), r"https://(www\.|news\.)?example\.org(:8080)?/.*"),
    (("domain=EXAMPLE.org",), r"https://(www\.|news\.)?example\.org(:8080)?/.*"),
    (("host=example.org",), r"https://example\.org(:8080)?/.*"),
    (("host=www.example.org",), r"https://www\.example\.org/.*"),
    (("domain=www.example.org",), r"https://www\.example\.org/.*"),
    (("url=example.org/*",), r"https://(www\.)?example\.org/.*"),
    (("url=example.org/Path/*",), r"https://(www\.)?example\.org/Path/.*"),
    (("url=www.example.org/Path/0*",), r"https://(www\.)?example\.org/Path/0.*"),
    (("url=https://example.org/Path/02",), r"https://(www\.)?example\.org/Path/02"),
    (("url=example.org:8080/*",), r"https://example\.org:8080/.*"),
    (("host=example.com", "host=news.example.org"), r"https://(example\.com|news\.example\.org)/.*"),
    (("domain=org", "domain=example.org"), r"https://.*\.?(my)?example\.org(:8080)?/.*"),
]


@pytest.mark.parametrize(("match", "pattern"), MATCHES)
def test_records_that_match(crawl: Crawl, tmp_path: Path, match: tuple[str, ...], pattern: str) -> None:
    if "domain=org" in match:  # the rest of .org leads nowhere
        crawl.files["x/y.warc.gz"] = b""
        for name, content in zipnum(list(crawl.lines), 7).items():
            crawl.files[INDEX + name] = content
    expected = wanted(crawl, lambda url: bool(re.fullmatch(pattern, url)))
    assert len(expected) > 500
    facts = get(crawl, tmp_path, match=match)
    (entry,) = facts["files"]
    assert (tmp_path / entry["name"]).read_bytes() == expected
    assert entry["missing"] == []
    # The second time nothing is asked for, not even the index.
    crawl.seen.clear()
    assert get(crawl, tmp_path, match=match) == facts | {"fetched": 0}
    assert crawl.seen == []


def test_status_and_mime(crawl: Crawl, tmp_path: Path) -> None:
    facts = get(crawl, tmp_path, match=("host=example.com",), status=(404,))
    expected = wanted(crawl, lambda url: "//example.com" in url, status="404")
    assert (tmp_path / facts["files"][0]["name"]).read_bytes() == expected
    assert get(crawl, tmp_path, match=("host=example.com",), mime=("application/pdf",))["files"][0]["records"] == 4
    assert get(crawl, tmp_path, match=("host=example.com",), status=(), mime=())["files"][0]["records"] == 24
    with pytest.raises(InputError, match=r"no record matches host=example\.com; widen match, status or mime"):
        get(crawl, tmp_path, match=("host=example.com",), status=(500,))


def test_a_limit_takes_the_first_of_the_index(crawl: Crawl, tmp_path: Path) -> None:
    facts = get(crawl, tmp_path, match=("domain=example.org",), limit=3)
    (rows,) = tmp_path.glob("*.jsonl")
    urls = [json.loads(row)["url"] for row in rows.read_text().splitlines()]
    first = [
        text for text in sorted(crawl.lines) if text.startswith("org,example)") and '"200"' in text and "html" in text
    ]
    assert sorted(urls) == sorted(json.loads(text.split(" ", 2)[2])["url"] for text in first[:3])
    assert facts["files"][0]["records"] == 3


def test_neighbours_come_with_one_request(crawl: Crawl, tmp_path: Path) -> None:
    get(crawl, tmp_path, match=("domain=example.org", "domain=example.com", "domain=myexample.org"))
    assert len(crawl.asked("warc.gz")) == 4  # one a file: what lies between is small


def test_the_same_bytes_whatever_the_workers(crawl: Crawl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corpus.fetch.records.FILE", 9000)
    monkeypatch.setattr("corpus.fetch.records.GAP", 0)
    made = []
    for workers in (1, 5):
        facts = get(crawl, tmp_path / str(workers), workers, match=("domain=example.org",))
        made.append({entry["name"]: entry["sha256"] for entry in facts["files"]})
    assert made[0] == made[1]
    assert len(made[0]) > 3


def test_a_record_that_is_not_there_is_left_out_and_listed(crawl: Crawl, tmp_path: Path) -> None:
    lines = dict(crawl.lines)
    broken = {text: packed for text, packed in lines.items() if "//example.com/Path/" in text and '"200"' in text}
    one, two, three, *_ = broken
    for old, (a, b) in {one: ("/warc/", "/gone/"), two: ('"offset": "', '"offset": "9999'), three: ('"offset": "', '"offset": "1')}.items():  # fmt: skip
        lines[old.replace(a, b)] = lines.pop(old)
    for name, content in zipnum(
        [*lines, "com,example)/x 2024 {", "com,example)/y 2024 {}", "com,example)/z"], 7
    ).items():
        crawl.files[INDEX + name] = content
    facts = get(crawl, tmp_path, match=("host=example.com",))
    (entry,) = facts["files"]
    expected = wanted(crawl, lambda url: "//example.com/" in url)
    for gone in (one, two, three):
        expected = expected.replace(crawl.lines[gone], b"")
    assert (tmp_path / entry["name"]).read_bytes() == expected
    assert sorted(record["url"] for record in facts["missing"]) == sorted(json.loads(t.split(" ", 2)[2])["url"] for t in (one, two, three))  # fmt: skip
    whys = " ".join(record["why"] for record in facts["missing"])
    assert "answers 404" in whys
    assert "answers 416" in whys
    assert "what the index calls a record is none, or is cut" in whys
    (rows,) = tmp_path.glob("*.jsonl")
    manifest = json.loads((tmp_path / "fetch.json").read_text())
    assert next(e for e in manifest["files"] if e["name"] == rows.name)["bad_lines"] == 3


def test_when_no_record_can_be_had(crawl: Crawl, tmp_path: Path) -> None:
    warcs = {path: crawl.files.pop(path) for path in crawl.warcs}
    with pytest.raises(InputError, match=r"answers 404.* \(none of the 16 records can be had\)"):
        get(crawl, tmp_path, match=("host=example.com",))
    with pytest.raises(InputError, match=r"answers 404.* \(20 of the first 20 records\)"):
        get(crawl, tmp_path, match=("domain=example.org",))
    # What was missing then is asked for again.
    crawl.files |= warcs
    facts = get(crawl, tmp_path, match=("domain=example.org",))
    assert facts["missing"] == []
    assert facts["files"][0]["records"] == 64


def command(crawl: Crawl, to: Path, *options: str) -> list[str]:
    shared = ["--crawl", CRAWL, "--to", str(to), "--base-url", crawl.base, "--allow-private", "--json"]
    return [sys.executable, "-m", "corpus", "fetch", "commoncrawl", *shared, *options]


@pytest.mark.parametrize(
    "options", [("--files", "4", "--workers", "2"), ("--match", "domain=example.org", "--workers", "1")]
)
def test_killed_at_any_moment_the_same_command_goes_on(crawl: Crawl, tmp_path: Path, options: tuple[str, ...]) -> None:
    crawl.pace = 0.2
    kills, left = 0, set[str]()
    for wait in (0.05, 1.3, 0.4, 60.0):
        process = subprocess.Popen(command(crawl, tmp_path, *options), stdout=subprocess.PIPE, text=True, cwd=ROOT)
        begun = len(crawl.asked(".warc.gz"))
        while process.poll() is None and len(crawl.asked(".warc.gz")) == begun:
            time.sleep(0.01)
        try:
            out, _ = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            left |= {path.name for path in tmp_path.glob("*.part") if path.stat().st_size}
        else:
            break
    assert process.returncode == 0
    assert (kills, bool(left)) == (3, True)
    names = [entry["name"] for entry in json.loads(out)["files"]]
    made = b"".join((tmp_path / name).read_bytes() for name in names)
    if options[0] == "--files":
        assert made == b"".join(crawl.files[path] for path in crawl.warcs)
        # Each file was begun once, and then continued.
        starts = [path for path, asked in crawl.asked(".warc.gz") if asked is None]
        assert len(starts) <= len(crawl.warcs) + kills
    else:
        assert made == wanted(crawl, lambda url: bool(re.match(r"https://(www\.|news\.)?example\.org", url)))
    assert [name for name in listed(tmp_path) if name not in names] in (["fetch.json"], ["fetch.json", *base_names([str(p) for p in tmp_path.glob("*.jsonl")])])  # fmt: skip


def test_a_finished_file_is_not_fetched_again_after_a_kill(crawl: Crawl, tmp_path: Path) -> None:
    crawl.pace = 0.03
    process = subprocess.Popen(
        command(crawl, tmp_path, "--files", "4", "--workers", "1"), stdout=subprocess.PIPE, cwd=ROOT
    )
    manifest = tmp_path / "fetch.json"
    while process.poll() is None and not (manifest.exists() and len(json.loads(manifest.read_text())["files"]) >= 2):
        time.sleep(0.01)
    assert process.poll() is None
    process.kill()
    process.communicate()
    done = [entry["name"] for entry in json.loads(manifest.read_text())["files"]]
    crawl.seen.clear()
    facts = get(crawl, tmp_path, files=4)
    assert facts["fetched"] == 4 - len(done)
    assert not set(base_names([path for path, _ in crawl.seen])) & set(done)


def test_interrupted_it_ends_at_once(crawl: Crawl, tmp_path: Path) -> None:
    crawl.pace = 5
    process = subprocess.Popen(command(crawl, tmp_path, "--files", "2"), stderr=subprocess.PIPE, text=True, cwd=ROOT)
    while not crawl.asked(".warc.gz"):
        time.sleep(0.02)
    process.terminate()
    _, said = process.communicate(timeout=4)
    assert process.returncode == 143
    assert said == "corpus: interrupted; what is committed stays, run the same command to go on\n"


def test_from_the_crawl_to_documents(
    crawl: Crawl, tmp_path: Path, corpus_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    facts = get(crawl, tmp_path / "in", match=("domain=example.org",))
    assert (facts["crawl"], facts["missing"], len(facts["files"])) == (CRAWL, [], 1)
    ran = corpus_command("extract", tmp_path / "in" / "*.warc.gz", tmp_path / "out", "--workers", 1)
    assert ran.returncode == 0, ran.stderr
    documents = pq.read_table(tmp_path / "out" / "extract").to_pylist()
    assert len(documents) == facts["files"][0]["records"] == 64
    assert all(re.match(r"https://(www\.|news\.)?example\.org", row["url"]) for row in documents)


def test_a_disk_that_is_full_is_one_line(crawl: Crawl, tmp_path: Path) -> None:
    done = subprocess.run(
        command(crawl, tmp_path / "in", "--files", "1"), capture_output=True, text=True, cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(r"corpus: \S+in: cannot be written \(File too large\); make room or choose another folder \(--to\), .*\n", done.stderr)  # fmt: skip
    (tmp_path / "file").write_text("")
    done = subprocess.run(command(crawl, tmp_path / "file", "--files", "1"), capture_output=True, text=True, cwd=ROOT)
    assert re.fullmatch(r"corpus: \S+file: cannot be written \(File exists\); .*\n", done.stderr)


def test_the_recipe(
    crawl: Crawl, tmp_path: Path, corpus_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    recipe = load(ROOT / "pipelines" / "commoncrawl.yaml")
    assert recipe.fetch is not None
    assert recipe.fetch.base_url == "https://data.commoncrawl.org/"
    assert recipe.sources[0].path == f"{recipe.fetch.to}/*.warc.gz"
    raw = yaml.safe_load((ROOT / "pipelines" / "commoncrawl.yaml").read_text())
    raw["fetch"] |= {"base_url": crawl.base, "to": str(tmp_path / "in")}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(raw))
    refused = corpus_command("fetch", "commoncrawl", "--recipe", tmp_path / "r.yaml")
    assert refused.returncode == 1
    assert "127.0.0.1, which is not a public address; only when you trust it" in refused.stderr
    done = corpus_command("fetch", "commoncrawl", "--recipe", tmp_path / "r.yaml", "--allow-private", "--files", 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path}/in: 3 files, {sum(p.stat().st_size for p in (tmp_path / 'in').glob('*.gz')):,} bytes, 3 of them fetched now\n"  # fmt: skip
