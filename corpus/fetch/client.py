"""Polite HTTP downloads: checked addresses, bounded bodies, bounded retries, nobody waited for without end.

urllib3's connections do the talking. A host is resolved once, its addresses are checked (`addresses`), and the
connection goes to one of those addresses; name and certificate stay those of the host. So a name server that answers
differently the second time (DNS rebinding) gains nothing. Redirects are followed here, each through the same check.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import TypeVar
from urllib.parse import quote, urljoin, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from corpus import __version__
from corpus.errors import InputError
from corpus.fetch.addresses import host_of, resolve, shown
from corpus.fetch.response import Damaged, Gone, Response, Stopped, Transfer, Transient, check, network, reason_of

AGENT = f"corpusmill/{__version__} (corpus fetch; urllib3)"
REDIRECTS = 5
WHOLE = 64 << 20  # from a server without byte ranges, no more than this is read past to get at a range
PROGRESS = 1 << 16  # bytes that make a further try worth it
_SAFE = "/%:=&~+!$,;@()*[]'"  # in a request's path and query, as they stand
T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """Seconds, bytes a second and tries; the defaults suit a server on the other side of the world."""

    connect: float = 10
    read: float = 30
    # Fewer bytes than `rate` times `window` within `window` seconds: the server trickles, the try has failed.
    window: float = 30
    rate: int = 1024
    tries: int = 6
    # Waits double from `backoff` to `longest`; `longest` also caps what a server asks for with Retry-After.
    backoff: float = 0.5
    longest: float = 60


class Client:
    """HTTP for a few threads; a context manager. Closing it ends every transfer, in whatever thread."""

    def __init__(self, *, allow_private: bool = False, limits: Limits = Limits()) -> None:
        self.limits = limits
        self._allow_private = allow_private
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._transfers: set[Transfer] = set()
        self._addresses: dict[tuple[str, int], tuple[str, ...]] = {}
        self._connections: set[HTTPConnection] = set()
        self._local = threading.local()
        self._context: ssl.SSLContext | None = None

    def __enter__(self) -> Client:
        threading.Thread(target=self._watch, name="fetch-watchdog", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    def stop(self) -> None:
        """End all transfers and waits; each raises Stopped."""
        self._stop.set()
        with self._lock:
            transfers = list(self._transfers)
        for transfer in transfers:
            _shut(transfer.socket)

    def retry(self, what: str, attempt: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
        """`attempt()`, again while it raises Transient, up to `limits.tries` times in a row.

        A try after which `progress()` (in bytes) is larger than ever does not count. Raises InputError in one line
        when the tries are used up (Gone after three that brought something damaged), Stopped after `stop`.
        """
        failures, best = 0, progress()
        while True:
            try:
                return attempt()
            except Transient as error:
                if self._stop.is_set():
                    raise _stopped() from error
                now = progress()
                failures = 1 if now - best >= PROGRESS else failures + 1
                best = max(best, now)
                damaged = isinstance(error, Damaged)
                if failures >= (min(3, self.limits.tries) if damaged else self.limits.tries):
                    raise (Gone if damaged else InputError)(
                        f"{shown(what)}: {error}, {failures} times in a row; run the same command again to go on"
                    ) from error
                wait = min(self.limits.longest, self.limits.backoff * 2 ** (failures - 1)) * (0.5 + random.random() / 2)
                if error.after is not None:
                    wait = min(self.limits.longest, max(wait, error.after))
                self._stop.wait(wait)

    def read(self, url: str, limit: int, decode: Callable[[bytes], T]) -> T:
        """`decode` of a whole body of at most `limit` bytes; it raises Damaged for one that is not whole."""

        def attempt() -> T:
            with self.get(url) as response:
                return decode(b"".join(response.chunks(limit)))

        return self.retry(url, attempt)

    def range(self, url: str, start: int, length: int) -> tuple[bytes, int]:
        """(`length` bytes from `start`, or those up to the end; size of the whole). One try.

        Raises Gone where nothing begins at `start`, InputError when the server knows no ranges and the file is large.
        """
        with self.get(url, {"Range": f"bytes={start}-{start + length - 1}"}) as response:
            if response.status == 200:
                if response.length is None or min(start + length, response.length) > WHOLE:
                    raise InputError(f"{shown(url)}: the server does not give byte ranges; use another base URL")
                body = b"".join(response.chunks(WHOLE if response.length <= WHOLE else response.length))
                return body[start : start + length], len(body)
            got = response.content_range
            if got is None or got[0] != start or got[1] != min(start + length, got[2]) - 1:
                raise Damaged(f"the server sent another range ({shown(response.headers.get('content-range', 'none'))})")
            body = b"".join(response.chunks(length))
            if len(body) != got[1] - start + 1:
                raise Damaged(f"the range has {len(body):,} bytes instead of {got[1] - start + 1:,}")
            return body, got[2]

    @contextlib.contextmanager
    def get(self, url: str, headers: Mapping[str, str] | None = None, *accept: int) -> Iterator[Response]:
        """The answer to one GET, redirects followed: status 200, 206 or one of `accept`.

        Raises Transient for what may pass (resets, timeouts, 408, 429, 5xx), Gone for any other status, InputError
        for redirects that lead in a circle, to plain http from https, or where `require_public` forbids.
        """
        if self._stop.is_set():
            raise _stopped()
        here = url
        for _ in range(REDIRECTS + 1):
            connection, raw, transfer = self._send(here, headers or {})
            response = Response(here, raw, transfer)
            try:
                if response.status not in (301, 302, 303, 307, 308):
                    check(response, accept)
                    yield response
                    return
                target = _target(here, response.headers.get("location", ""))
            finally:
                with self._lock:
                    self._transfers.discard(transfer)
                if not response.whole:
                    self._drop(connection)
            here = target
        raise InputError(f"{shown(url)}: redirects more than {REDIRECTS} times; use another base URL")

    def _send(self, url: str, headers: Mapping[str, str]) -> tuple[HTTPConnection, HTTPResponse, Transfer]:
        """Send a request, over this thread's open connection if there is one that still lives."""
        host, port = host_of(url)
        parts = urlsplit(url)
        target = quote(parts.path or "/", safe=_SAFE)
        if parts.query:
            target += "?" + quote(parts.query, safe=f"{_SAFE}?")
        name = f"[{host}]" if ":" in host else host
        sent = {
            "Host": name if port == (443 if parts.scheme == "https" else 80) else f"{name}:{port}",
            "User-Agent": AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **headers,
        }
        key = (parts.scheme, host, port)
        mine: dict[tuple[str, str, int], HTTPConnection] = self._local.__dict__.setdefault("connections", {})
        while True:
            connection = mine.pop(key, None)
            reused = connection is not None and connection.sock is not None
            if connection is None or not reused:
                connection = self._connect(url, *key)
            transfer = Transfer(connection.sock, time.monotonic())
            with self._lock:
                self._transfers.add(transfer)
            try:
                if self._stop.is_set():
                    raise _stopped()
                with network(transfer):
                    connection.request("GET", target, headers=sent, preload_content=False, decode_content=False)
                    raw = connection.getresponse()
            except BaseException as error:
                with self._lock:
                    self._transfers.discard(transfer)
                self._drop(connection)
                # The server may have closed an idle connection just now; that is no failure.
                if reused and isinstance(error, Transient) and not transfer.stalled and not self._stop.is_set():
                    continue
                raise
            mine[key] = connection
            return connection, raw, transfer

    def _connect(self, url: str, scheme: str, host: str, port: int) -> HTTPConnection:
        """A connection to one of the host's checked addresses. Raises Transient when none answers."""
        with self._lock:
            addresses = self._addresses.get((host, port))
        if addresses is None:
            addresses = resolve(url, allow_private=self._allow_private)
            with self._lock:
                self._addresses[host, port] = addresses
        failed: Exception | None = None
        for address in addresses:
            connection: HTTPConnection
            if scheme == "https":
                context = self._tls()
                connection = HTTPSConnection(
                    address, port, timeout=self.limits.connect, server_hostname=host, ssl_context=context
                )
            else:
                connection = HTTPConnection(address, port, timeout=self.limits.connect)
            try:
                connection.connect()
            except ssl.SSLCertVerificationError as error:
                raise InputError(
                    f"{shown(url)}: its certificate is not accepted ({error.verify_message}); check URL and clock"
                ) from error
            except (HTTPError, HTTPException, OSError) as error:
                connection.close()
                failed = error
                continue
            connection.timeout = self.limits.read
            connection.sock.settimeout(self.limits.read)
            with self._lock:
                self._connections.add(connection)
            return connection
        with self._lock:
            self._addresses.pop((host, port), None)  # the next try asks the name server again
        raise Transient(f"cannot connect to {host} ({reason_of(failed)})") from failed

    def _drop(self, connection: HTTPConnection) -> None:
        connection.close()
        with self._lock:
            self._connections.discard(connection)

    def _tls(self) -> ssl.SSLContext:
        """The system's certificates and certifi's: slim containers have none of their own."""
        with self._lock:
            if self._context is None:
                import certifi

                self._context = ssl.create_default_context()
                self._context.load_verify_locations(certifi.where())
            return self._context

    def _watch(self) -> None:
        """End transfers that trickle: a read timeout alone waits for ever for a byte a second."""
        window = self.limits.window
        while not self._stop.wait(window / 4):
            now = time.monotonic()
            with self._lock:
                for transfer in self._transfers:
                    if now - transfer.since < window:
                        continue
                    if transfer.bytes - transfer.seen < self.limits.rate * window:
                        transfer.stalled = True
                        _shut(transfer.socket)
                    transfer.seen, transfer.since = transfer.bytes, now


def _stopped() -> Stopped:
    return Stopped("the download was stopped; run the same command again to go on")


def _target(here: str, location: str) -> str:
    """Where a redirect leads. Raises InputError."""
    try:
        target = urljoin(here, location)
        safe = urlsplit(here).scheme == "http" or urlsplit(target).scheme == "https"
    except ValueError as error:
        raise InputError(f"{shown(here)}: redirects to {shown(location)}, which is no valid URL") from error
    if not safe:
        raise InputError(f"{shown(here)}: redirects from https to {shown(target)}; use another base URL")
    return target


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Not SSLSocket.shutdown, which pulls the TLS state away under the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
