"""Downloads from a server on loopback that misbehaves in every way that servers do."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import BusyError, InputError
from corpus.fetch.client import Client, Limits
from corpus.fetch.download import Manifest, Silent, alone, download
from corpus.fetch.response import Damaged, Gone, Stopped

QUICK = Limits(connect=2, read=1, window=0.6, rate=200, tries=3, backoff=0.01, longest=0.2)
NAME = "pages.warc.gz"
Behave = Callable[["Handler", bytes], None]


def member(seed: int, size: int) -> bytes:
    return gzip.compress(b"WARC/1.0\r\n\r\n" + random.Random(seed).randbytes(size), mtime=0)


BODY = member(1, 90_000) + member(2, 200_000) + member(3, 50_000)
OTHER = member(4, 90_000) + member(5, 250_000)


class Handler(BaseHTTPRequestHandler):
    """Does what the server's script says next, and after its end serves BODY with ranges, as it should."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.seen.append((self.path, self.headers.get("Range"), dict(self.headers)))
            behave = self.server.script.pop(0) if self.server.script else good
        behave(self, BODY)

    def answer(self, status: int, body: bytes = b"", /, *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def hang_up(self) -> None:
        """Reset, not close: the client sees ECONNRESET."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True

    def log_message(self, *_: Any) -> None: ...


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Behave] = []
        self.seen: list[tuple[str, str | None, dict[str, str]]] = []
        self.lock = threading.Lock()

    def handle_error(self, *_: Any) -> None: ...

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{NAME}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def good(handler: Handler, body: bytes, etag: str = '"one"') -> None:
    asked = handler.headers.get("Range")
    if asked and handler.headers.get("If-Range", etag) == etag:
        first, last = asked.removeprefix("bytes=").split("-")
        start, stop = int(first), min(int(last or len(body)), len(body) - 1) + 1
        handler.answer(206, body[start:stop], ETag=etag, Content_Range=f"bytes {start}-{stop - 1}/{len(body)}")
    else:
        handler.answer(200, body, ETag=etag)


def cut(handler: Handler, body: bytes) -> None:
    """Half of what it says, then a reset."""
    handler.answer(200, body[: len(body) // 2], length=len(body), ETag='"one"')
    time.sleep(0.05)
    handler.hang_up()


def short(handler: Handler, body: bytes) -> None:
    handler.answer(200, body[: len(body) // 2], length=len(body), ETag='"one"')
    handler.close_connection = True


def too_small(handler: Handler, body: bytes) -> None:
    """The length leaves out the end: only the gzip framing can tell."""
    handler.answer(200, body, length=len(body) - 30_000, ETag='"one"')
    handler.close_connection = True


def silent(handler: Handler, body: bytes) -> None:
    time.sleep(1.5)


def trickle(handler: Handler, body: bytes) -> None:
    handler.answer(200, body[:1000], length=len(body), ETag='"one"')
    for at in range(1000, 1040):
        time.sleep(0.1)
        handler.wfile.write(body[at : at + 1])


def trickling_headers(handler: Handler, body: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(40):
        time.sleep(0.1)
        handler.wfile.write(b"X")


def changed(handler: Handler, body: bytes) -> None:
    good(handler, OTHER, '"two"')


def careless(handler: Handler, body: bytes) -> None:
    """Knows ranges, not If-Range: the rest of another version."""
    asked = handler.headers.get("Range")
    del handler.headers["If-Range"]
    assert asked
    good(handler, OTHER, '"two"')


def wrong_range(handler: Handler, body: bytes) -> None:
    handler.answer(206, body[:100], ETag='"one"', Content_Range=f"bytes 0-99/{len(body)}")


def no_ranges(handler: Handler, body: bytes) -> None:
    handler.answer(200, body, ETag='"one"')


def chunked(handler: Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for at in range(0, len(body), 50_000):
        piece = body[at : at + 50_000]
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def garbage(handler: Handler, body: bytes) -> None:
    handler.wfile.write(b"\0\1\2 this is not HTTP\r\n\r\n")
    handler.close_connection = True


def refuse(status: int, **headers: str) -> Behave:
    return lambda handler, body: handler.answer(status, length=None, **headers)


def fetch(server: Server, folder: Path, limit: int = 1 << 30, limits: Limits = QUICK) -> bool:
    with Client(allow_private=True, limits=limits) as client:
        return download(client, server.url, folder, Manifest(folder), limit, Silent())


def ranges(server: Server) -> list[str | None]:
    return [asked for _, asked, _ in server.seen]


HALF = f"bytes={len(BODY) // 2}-"


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ([], [None]),
        ([chunked], [None]),
        ([cut], [None, HALF]),
        ([short], [None, HALF]),
        ([cut, no_ranges], [None, HALF]),
        ([cut, refuse(503)], [None, HALF, HALF]),
        ([cut, wrong_range], [None, HALF, None]),
        ([cut, refuse(416)], [None, HALF, None]),
        ([refuse(500), refuse(429, Retry_After="0")], [None, None, None]),
        ([refuse(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), refuse(408)], [None, None, None]),
        ([refuse(503, Retry_After="3600")], [None, None]),  # capped at `longest`
        ([silent], [None, None]),
        ([trickle], [None, "bytes=1"]),
        ([trickling_headers], [None, None]),
        ([too_small], [None, None]),
        ([garbage], [None, None]),
        ([refuse(302, Location=f"/{NAME}"), refuse(307, Location=NAME)], [None, None, None]),
    ],
    ids=lambda value: "-".join(getattr(one, "__name__", "?") for one in value) if value and callable(value[0]) else "",
)
def test_the_file_comes_whole(server: Server, tmp_path: Path, script: list[Behave], asked: list[str | None]) -> None:
    server.script = list(script)
    assert fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == BODY
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fetch.json", NAME]
    (entry,) = json.loads((tmp_path / "fetch.json").read_text())["files"]
    digest = hashlib.sha256(BODY).hexdigest()
    assert entry == {"name": NAME, "url": server.url, "bytes": len(BODY), "sha256": digest}
    assert len(server.seen) == len(asked)
    for found, wanted in zip(ranges(server), asked, strict=True):
        assert found == wanted or (wanted == "bytes=1" and found and found.startswith("bytes=10"))
    assert server.seen[0][2]["User-Agent"].startswith("corpusmill/")
    # What is there is never asked for again.
    assert not fetch(server, tmp_path)
    assert len(server.seen) == len(asked)


@pytest.mark.parametrize("second", [changed, careless])
def test_a_file_that_changed_begins_anew(server: Server, tmp_path: Path, second: Behave) -> None:
    server.script = [cut, second, changed]
    assert fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == OTHER
    assert ranges(server)[:2] == [None, HALF]
    assert server.seen[1][2]["If-Range"] == '"one"'


def test_a_reset_with_progress_is_no_failed_try(server: Server, tmp_path: Path) -> None:
    def steps(handler: Handler, body: bytes) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        stop = min(start + 70_000, len(body))
        status, headers = (206, {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}) if start else (200, {})
        handler.answer(status, body[start:stop], length=len(body) - start, ETag='"one"', **headers)
        handler.close_connection = True

    server.script = [steps] * 5
    assert fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == BODY
    assert len(server.seen) == 5 > QUICK.tries


def endless(handler: Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def no_length(handler: Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(body)
    handler.close_connection = True


@pytest.mark.parametrize(
    ("behave", "kind", "why", "requests"),
    [
        (refuse(404), Gone, "the server answers 404; check the name of the crawl", 1),
        (refuse(403), Gone, "the server answers 403", 1),
        (refuse(503), InputError, "the server answers 503, 3 times in a row; run the same command again", 3),
        (cut, InputError, "the connection broke off, 3 times in a row", 3),
        (garbage, InputError, "3 times in a row", 3),
        (too_small, Gone, "what came is no whole gzip file, 3 times in a row", 3),
        (endless, Gone, "sends more than 1,048,576 bytes", 1),
        (no_length, InputError, "the server does not say how long the file is, 3 times", 3),
        (refuse(200, ETag='"x"', **{"Content-Length": "9" * 5000}), InputError, "3 times in a row", 3),
        (refuse(206, Content_Range=f"bytes 0-9/{'9' * 5000}"), InputError, "answers 206 with another range", 3),
        (refuse(302, Location=f"/{NAME}"), InputError, "redirects more than 5 times", 6),
        (refuse(302, Location="file:///etc/passwd"), InputError, "is not an http or https URL", 1),
        (refuse(302, Location="http://[::1"), InputError, "is no valid URL", 1),
        (refuse(302), InputError, "redirects more than 5 times", 6),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(
    server: Server, tmp_path: Path, behave: Behave, kind: type, why: str, requests: int
) -> None:
    server.script = [behave] * 10
    with pytest.raises(InputError, match=why) as caught:
        fetch(server, tmp_path, 1 << 20)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert not (tmp_path / NAME).exists()
    assert not (tmp_path / "fetch.json").exists()
    assert len(server.seen) == requests
    # And nothing of it spoils a later run.
    server.script = []
    assert fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == BODY


def test_a_server_that_is_not_there(server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        Client(allow_private=True, limits=QUICK) as client,
        pytest.raises(InputError, match=r"\(Connection refused\), 3 times"),
    ):
        client.read(f"http://127.0.0.1:{port}/x", 10, bytes)


def test_a_private_host_is_refused_before_anything_is_sent(server: Server, tmp_path: Path) -> None:
    with (
        Client(limits=QUICK) as client,
        pytest.raises(InputError, match=r"127\.0\.0\.1, which is not a public address"),
    ):
        download(client, server.url, tmp_path, Manifest(tmp_path), 1 << 30, Silent())
    with Client(limits=QUICK) as client, pytest.raises(InputError, match="is not an http or https URL"):
        client.read("ftp://127.0.0.1/x", 10, bytes)
    assert server.seen == []


def names(monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[str]]) -> list[str]:
    """A name server that gives each name its answers in turn; returns the names that were asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def lookup(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host in answers:
            asked.append(host)
            return real(answers[host].pop(0), port, *rest, **more)
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


def test_a_redirect_to_a_private_address_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, {"public.example": ["127.0.0.1"]})
    # The test's server passes for a public one, its other name does not.
    monkeypatch.setattr("corpus.fetch.addresses.is_public", lambda address: address == "127.0.0.1")
    server.script = [refuse(302, Location="http://10.1.2.3/x")]
    url = f"http://public.example:{server.server_port}/{NAME}"
    with (
        Client(limits=QUICK) as client,
        pytest.raises(InputError, match=r"http://10\.1\.2\.3/x: the host is 10\.1\.2\.3, which is not"),
    ):
        download(client, url, tmp_path, Manifest(tmp_path), 1 << 30, Silent())
    assert server.seen[0][2]["Host"] == f"public.example:{server.server_port}"


def test_the_connection_goes_to_the_address_that_was_checked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names(monkeypatch, {"rebinding.example": ["127.0.0.1", "10.1.2.3"]})
    monkeypatch.setattr("corpus.fetch.addresses.is_public", lambda address: address == "127.0.0.1")
    server.script = [cut]
    url = f"http://rebinding.example:{server.server_port}/{NAME}"
    with Client(limits=QUICK) as client:
        assert download(client, url, tmp_path, Manifest(tmp_path), 1 << 30, Silent())
    assert asked == ["rebinding.example"]
    assert len(server.seen) == 2


def test_tls_checks_the_certificate_of_the_name_at_the_checked_address(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=secure.example -addext subjectAltName=DNS:secure.example"
    subprocess.run(
        [*command.split(), "-keyout", tmp_path / "key", "-out", tmp_path / "pem"], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    names(monkeypatch, {"secure.example": ["127.0.0.1"] * 9, "another.example": ["127.0.0.1"] * 9})
    port = server.server_port
    with Client(allow_private=True, limits=QUICK) as client:
        with pytest.raises(InputError, match="certificate is not accepted"):
            client.read(f"https://secure.example:{port}/{NAME}", 1 << 20, len)
        monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "pem"))
        client._context = None
        assert client.read(f"https://secure.example:{port}/{NAME}", 1 << 20, len) == len(BODY)
        with pytest.raises(InputError, match=r"certificate is not accepted .*another\.example"):
            client.read(f"https://another.example:{port}/{NAME}", 1 << 20, len)
        server.script = [refuse(302, Location="http://secure.example/x")]
        with pytest.raises(InputError, match=r"redirects from https to http://secure\.example/x"):
            client.read(f"https://secure.example:{port}/{NAME}", 1 << 20, len)


def test_ranges(server: Server) -> None:
    with Client(allow_private=True, limits=QUICK) as client:
        server.script = [good, no_ranges, good, wrong_range, refuse(416)]
        assert client.range(server.url, 1000, 500) == (BODY[1000:1500], len(BODY))
        assert client.range(server.url, 1000, 500) == (BODY[1000:1500], len(BODY))
        assert client.range(server.url, len(BODY) - 10, 500) == (BODY[-10:], len(BODY))
        with pytest.raises(Damaged, match="another range"):
            client.range(server.url, 1000, 500)
        with pytest.raises(Gone, match="416"):
            client.range(server.url, len(BODY), 500)
        server.script = [lambda handler, body: handler.answer(200, b"", length=1 << 30)]
        with pytest.raises(InputError, match="does not give byte ranges"):
            client.range(server.url, 1 << 29, 500)


def test_connections_are_used_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        opened.append(address)
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    with Client(allow_private=True, limits=QUICK) as client:
        for start in range(5):
            assert client.range(server.url, start, 100)[0] == BODY[start : start + 100]
    assert len(opened) == 1


def test_stopping_the_client_ends_a_transfer(server: Server, tmp_path: Path) -> None:
    server.script = [silent]
    with Client(allow_private=True) as client:
        timer = threading.Timer(0.2, client.stop)
        timer.start()
        with pytest.raises(Stopped):
            client.read(server.url, 1 << 20, len)
        timer.join()


def test_a_file_that_is_not_ours_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"mine")
    with pytest.raises(InputError, match=r"is there, but not listed in fetch\.json"):
        fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"mine"
    assert server.seen == []


def test_a_file_that_lost_bytes_comes_again(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    (tmp_path / NAME).write_bytes(BODY[:-5])
    assert fetch(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == BODY


def test_killed_between_the_rename_and_the_manifest(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    entry = json.loads((tmp_path / "fetch.json").read_text())
    (tmp_path / "fetch.json").unlink()
    state = {"url": server.url, "bytes": len(BODY), "validator": '"one"'}
    (tmp_path / f"{NAME}.part.json").write_text(json.dumps(state))
    assert fetch(server, tmp_path)
    assert json.loads((tmp_path / "fetch.json").read_text()) == entry
    assert len(server.seen) == 1


@pytest.mark.parametrize("state", ["", "null", "[]", '{"url": 1}', '{"url": "x", "bytes": 9}', "\0"])
def test_a_damaged_state_begins_anew(server: Server, tmp_path: Path, state: str) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(OTHER[:1000])
    (tmp_path / f"{NAME}.part.json").write_text(state)
    assert fetch(server, tmp_path)
    assert ranges(server) == [None]
    assert (tmp_path / NAME).read_bytes() == BODY


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 2, "files": []}', '{"version": 1, "files": [1]}'])
def test_a_foreign_manifest_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "fetch.json").write_text(content)
    with pytest.raises(InputError, match="is no list of fetched files"):
        Manifest(tmp_path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    (tmp_path / ".tmp-1").write_text("of a killed process")
    with alone(tmp_path), pytest.raises(BusyError, match="another process fetches"), alone(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
