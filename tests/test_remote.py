"""Remote paths: listed, copied, checked and refused. A server on loopback, and fsspec's file system in memory."""

from __future__ import annotations

import builtins
import gzip
import http.server
import threading
from collections import Counter

import fsspec
import pytest

import corpus.sources.remote
from corpus.documents import RAW
from corpus.engines.inline import InlineEngine
from corpus.errors import InputError
from corpus.recipe import load
from corpus.run import run
from corpus.sources import SourceConfig, discover, read
from corpus.status import status

BODY = b'{"text": "one"}\n{"text": "two"}\n'


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(corpus.sources.remote, "WAITS", (0.0, 0.0, 0.0))


@pytest.fixture
def memory():
    """An empty file system in memory; call it to write a file."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield lambda path, data: fs.pipe_file(path, data)
    fs.store.clear()


class Server(http.server.ThreadingHTTPServer):
    """Serves `bodies`; `faults` holds what goes wrong with the next answers, `headers` what is sent besides."""

    def __init__(self):
        self.bodies, self.headers, self.faults, self.log = {}, {"ETag": '"1"'}, [], []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.log.append((self.command, self.path, self.headers["Accept-Encoding"]))
        fault = self.server.faults.pop(0) if self.server.faults and self.command == "GET" else None
        body = self.server.bodies.get(path)
        if path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", path.removeprefix("/to/"))
            return self.end_headers()
        if isinstance(fault, int) or body is None:
            return self.send_error(fault or 404)
        if fault == "reset":
            return self.connection.close()
        self.send_response(200)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        sent = {"short": body[:-3], "long": body + b"more", "cut": body[:-3]}.get(fault, body)
        if "Content-Length" not in self.server.headers:
            self.send_header("Content-Length", len(body) if fault == "cut" else len(sent))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(sent)

    do_HEAD = do_GET

    def log_message(self, *arguments): ...


@pytest.fixture
def server():
    with Server() as made:
        made.bodies["/a.jsonl"] = BODY
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def source(path, kind="jsonl", **options):
    return SourceConfig(name="s", kind=kind, path=path, **{"allow_private": True, **options})


def rows(config, work=None):
    found = []
    for piece in discover(config):
        for batch in read(piece, config, Counter(), work):
            assert batch.schema == RAW
            found += [(row["locator"], row["content"], row["problem"]) for row in batch.to_pylist()]
    return found


def files(config):
    return [(file.path, file.relative, file.size) for piece in discover(config) for file in piece.files]


def test_files_folders_and_globs_in_memory(memory):
    for name in ("b/x.jsonl", "b/sub/y.jsonl.gz", "b/z.txt", "b/.hidden.jsonl", "b/.h/z.jsonl", "c/x.jsonl"):
        memory(f"/{name}", gzip.compress(BODY) if name.endswith("gz") else BODY)
    assert [name for _, name, _ in files(source("memory://b"))] == ["sub/y.jsonl.gz", "x.jsonl"]
    assert [name for _, name, _ in files(source("memory://*/x.jsonl"))] == ["b/x.jsonl", "c/x.jsonl"]
    assert [name for _, name, _ in files(source("memory://b/**/*.gz"))] == ["sub/y.jsonl.gz"]
    assert [name for _, name, _ in files(source("memory://b/z.txt"))] == ["z.txt"]
    assert [name for _, name, _ in files(source(("memory://b/x.jsonl", "memory://c/x.jsonl")))] == [
        "b/x.jsonl",
        "c/x.jsonl",
    ]
    assert rows(source("memory://b")) == [
        ("sub/y.jsonl.gz#1", b"one", None),
        ("sub/y.jsonl.gz#2", b"two", None),
        ("x.jsonl#1", b"one", None),
        ("x.jsonl#2", b"two", None),
    ]
    for path in ("memory://nothing", "memory://b/*.warc"):
        with pytest.raises(InputError, match=r"^source s: memory://\S+: no .*; correct `path`"):
            discover(source(path))


def test_local_and_remote_paths_together(memory, tmp_path):
    memory("/b/x.txt", b"far")
    (tmp_path / "x.txt").write_bytes(b"near")
    found = rows(source(("memory://b/x.txt", f"file://{tmp_path}"), kind="text"))
    assert [content for _, content, _ in found] == [b"far", b"near"]
    assert len({locator for locator, *_ in found}) == 2


def test_a_file_from_a_web_server(server, tmp_path):
    config = source(f"{server.url}/a.jsonl?download=1")
    assert files(config) == [(f"{server.url}/a.jsonl?download=1", "a.jsonl", len(BODY))]
    assert rows(config, tmp_path / "work") == [("a.jsonl#1", b"one", None), ("a.jsonl#2", b"two", None)]
    assert list((tmp_path / "work").iterdir()) == []
    assert {coding for *_, coding in server.log} == {"identity"}
    assert {path for _, path, _ in server.log} == {"/a.jsonl?download=1"}


def test_a_compressed_file_stays_as_it_is(server):
    server.bodies["/a.jsonl.gz"] = gzip.compress(BODY)
    server.headers["Content-Encoding"] = "gzip"  # of the file itself, as many servers say
    with pytest.raises(InputError, match="does not say how large it is"):
        discover(source(f"{server.url}/a.jsonl.gz"))
    del server.headers["Content-Encoding"]
    assert len(rows(source(f"{server.url}/a.jsonl.gz"))) == 2


@pytest.mark.parametrize("faults", [[503], ["reset"], ["cut"], ["short", "long", 429]])
def test_what_passes_is_tried_again(server, faults, tmp_path):
    config = source(f"{server.url}/a.jsonl")
    (piece,) = discover(config)
    server.faults[:] = faults
    assert sum(len(batch) for batch in read(piece, config, Counter(), tmp_path)) == 2
    assert server.faults == []
    assert [method for method, *_ in server.log].count("GET") == len(faults) + 1


@pytest.mark.parametrize(
    ("fault", "tries", "reason"),
    [
        (503, 4, "503"),
        (403, 1, "403"),
        ("reset", None, ""),  # aiohttp tries once more by itself
        ("short", 4, "29 bytes came, 32 were announced"),
        ("long", 4, "more than 32 bytes came, 32 were announced"),
    ],
)
def test_what_does_not_pass_ends_in_one_line_and_leaves_nothing(server, fault, tries, reason, tmp_path):
    config = source(f"{server.url}/a.jsonl?k=v")
    (piece,) = discover(config)
    server.log.clear()
    server.faults[:] = [fault] * 10
    with pytest.raises(InputError) as caught:
        list(read(piece, config, Counter(), tmp_path))
    message = str(caught.value)
    assert message.startswith(f"source s: {server.url}/a.jsonl: cannot be read (")
    assert reason in message
    assert "k=v" not in message
    assert "\n" not in message
    assert tries in (None, [method for method, *_ in server.log].count("GET"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there(server):
    with pytest.raises(InputError, match=rf"^source s: {server.url}/b.jsonl: no such file or folder; correct `path`$"):
        discover(source(f"{server.url}/b.jsonl"))


@pytest.mark.parametrize("when", ["before", "while"])
@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_a_file_that_changes_stops_the_task(server, header, when):
    server.headers = {header: "one"}
    config = source(f"{server.url}/a.jsonl")
    (piece,) = discover(config)
    assert piece.files[0].identity == f"{header} one size {len(BODY)}"
    batches = read(piece, config, Counter())
    if when == "while":
        assert next(batches).num_rows == 2
    server.headers = {header: "two"}
    with pytest.raises(InputError, match=rf"^{server.url}/a.jsonl: changed while the run was going; run again$"):
        next(batches)


def test_damage_is_told_with_the_url(server):
    server.bodies["/a.parquet"] = b"no parquet"
    with pytest.raises(InputError, match=rf"^source s: {server.url}/a.parquet: not readable as Parquet"):
        rows(source(f"{server.url}/a.parquet", kind="parquet"))


def test_a_killed_try_leaves_nothing_behind(memory, tmp_path):
    memory("/a.jsonl", BODY)
    (tmp_path / "remote-abc").mkdir()
    (tmp_path / "remote-abc" / "half").write_text("left")
    (tmp_path / "mine").write_text("stays")
    config = source("memory://a.jsonl")
    batches = read(discover(config)[0], config, Counter(), tmp_path)
    next(batches)
    assert len(list(tmp_path.iterdir())) == 2
    batches.close()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("path", ["http://127.0.0.1:9/x.jsonl", "http://169.254.169.254/x.jsonl", "http://[::1]/x"])
def test_private_hosts_are_refused(path):
    with pytest.raises(InputError, match=r"not a public address.*allow_private") as caught:
        discover(source(path, allow_private=False))
    assert "\n" not in str(caught.value)


def test_a_redirect_to_a_private_host_is_refused(server, monkeypatch):
    # The first address counts as public here; the one that it leads to does not.
    monkeypatch.setattr(corpus.sources.remote, "require_public", lambda url, *, allow_private: None)
    monkeypatch.setattr(corpus.sources.remote, "is_public", lambda address: address == "127.0.0.1")
    other = f"http://127.0.0.2:{server.server_port}/a.jsonl"
    assert len(discover(source(f"{server.url}/a.jsonl", allow_private=False))) == 1
    with pytest.raises(InputError, match=r"leads to 127\.0\.0\.2, which is not a public address"):
        discover(source(f"{server.url}/to/{other}", allow_private=False))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("https://ann:hunter2@host.example/x.jsonl", "holds a user or password"),
        ("http://hunter2@host.example/x.jsonl", "holds a user or password"),
        ("HTTP://hunter2@host.example/x.jsonl", "holds a user or password"),
        ("s3://ann:hunter2@bucket/x.jsonl", "holds a password"),
        ("https://host.example/x.jsonl?h=1&Policy=hunter2", "`Policy`, which looks like a secret"),
        ("https://host.example/x.jsonl?a=1;s%69g=hunter2", "`sig`, which looks like a secret"),
        ("https://host.example/x.jsonl?code=hunter2", "`code`, which looks like a secret"),
        ("https://host.example/x.jsonl?id_jwt=hunter2", "`id_jwt`, which looks like a secret"),
        ("https://host.example/x.jsonl?PHPSESSION=hunter2", "`PHPSESSION`, which looks like a secret"),
        ("https://host.example/x.jsonl#sig=hunter2", "has a fragment"),
        ("https://ann:hunter2@[host/x.jsonl", "is no valid URL"),
        ("https://host.example/x.jsonl?X-Amz-Signature=hunter2", "`X-Amz-Signature`, which looks like a secret"),
        ("https://host.example/*.jsonl", "a web server cannot be listed; name each file"),
        ("https://host.example/folder/", "a web server cannot be listed; name each file"),
        ("nosuch://host/x.jsonl", "Protocol not known"),
    ],
)
def test_urls_that_are_refused(path, message):
    with pytest.raises(InputError) as caught:
        discover(source(path))
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_chain_of_file_systems_is_refused():
    with pytest.raises(ValueError, match="is a chain of file systems"):
        source("zip://*.jsonl::http://127.0.0.1/x.zip")


@pytest.mark.parametrize(
    ("path", "package", "module"),
    [
        ("s3://b/x.jsonl", "s3fs", "s3fs"),
        ("gs://b/x.jsonl", "gcsfs", "gcsfs"),
        ("https://h.example/x", "'fsspec.http.'", "aiohttp"),
    ],
)
def test_a_missing_library_is_named(path, package, module, monkeypatch):
    original = builtins.__import__

    def missing(name, *arguments, **options):
        if name.split(".")[0] == module:
            raise ImportError(f"No module named {name}")
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    monkeypatch.setattr("importlib.import_module", lambda name, *rest: missing(name))
    with pytest.raises(InputError, match=f"needs a library that is not installed: pip install {package}$"):
        discover(source(path))


def test_two_urls_of_one_name(server):
    config = source((f"{server.url}/a.jsonl?part=1", f"{server.url}/a.jsonl?part=2"))
    with pytest.raises(InputError, match=r"would both be called a\.jsonl in ids"):
        discover(config)


def test_only_the_tasks_of_a_changed_file_are_stale(server, recipe, tmp_path, capsys):
    server.bodies["/b.jsonl"] = BODY
    server.headers = {}
    path = recipe(
        sources=[{"name": "s", "kind": "jsonl", "allow_private": True, "path": [f"{server.url}/{n}.jsonl?v=7" for n in "ab"]}],
        extract={}, language=None, quality=None, dedup=None, tokenizer=None, pack=None,
    )  # fmt: skip
    loaded = load(path)
    said = []

    class Told:
        def begin(self, *_): ...
        def progress(self, *_): ...
        def end(self, *_): ...
        def committed(self, step, entry):
            said.extend(entry.facts.get("warnings", ()))

    summary = run(loaded, until="extract", engine=lambda limits: InlineEngine(), observer=Told())
    assert summary.done == {"extract": 2}
    assert said == [
        f"s: {n}.jsonl: the server names no version of it; one of the same size would not be noticed" for n in "ab"
    ]
    out = tmp_path / "out"
    assert not [path for path in (out / "extract").rglob("*") if "remote-" in path.name]
    assert run(loaded, until="extract", engine=lambda limits: InlineEngine()).done == {}
    server.bodies["/b.jsonl"] = BODY * 2
    (extract, *_) = status(loaded)
    assert (extract.state, extract.stale, extract.reasons) == ("stale", 1, ("input b.jsonl changed",))
    assert run(loaded, until="extract", engine=lambda limits: InlineEngine()).done == {"extract": 1}
    assert load(out).sources[0].paths == loaded.sources[0].paths
