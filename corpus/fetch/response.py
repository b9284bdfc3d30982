"""One answer of a server: its status, its body under a bound, and what its failures mean."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.response import HTTPResponse

from corpus.errors import CorpusError, InputError
from corpus.fetch.addresses import shown

CHUNK = 1 << 16


class Transient(Exception):
    """A try failed in a way that another one may not; `after` is what the server asked to wait, in seconds."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Damaged(Transient):
    """What came is not what it should be; another try seldom helps."""


class Gone(InputError):
    """One thing that the server will not give, or only damaged; the others may well be had."""


class Stopped(CorpusError):
    """The client was closed while it worked."""


@dataclass(eq=False)
class Transfer:
    """A connection in use, as the watchdog sees it."""

    socket: socket.socket
    since: float
    bytes: int = 0
    seen: int = 0
    stalled: bool = False


class Response:
    """Status, headers and the body, as a stream, of one answer."""

    def __init__(self, url: str, raw: HTTPResponse, transfer: Transfer) -> None:
        self.url, self.status, self.headers = url, raw.status, raw.headers
        length = raw.headers.get("content-length", "").strip()
        self.length = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        self.chunked = raw.headers.get("transfer-encoding", "").strip().lower() == "chunked"
        self.whole = False
        self._raw, self._transfer = raw, transfer

    @property
    def content_range(self) -> tuple[int, int, int] | None:
        """(first byte, last byte, size of the whole), from Content-Range."""
        found = re.fullmatch(
            r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", self.headers.get("content-range", "").strip()
        )
        return (int(found[1]), int(found[2]), int(found[3])) if found else None

    def chunks(self, limit: int) -> Iterator[bytes]:
        """The body as it was sent, in pieces. Raises Transient when it is cut or stalls, InputError past `limit`."""
        total = 0
        if self.length is not None and self.length > limit:
            raise _too_long(self.url, limit)
        while True:
            with network(self._transfer):
                data = self._raw.read1(CHUNK)
            if not data:
                break
            total += len(data)
            self._transfer.bytes += len(data)
            if total > limit:
                raise _too_long(self.url, limit)
            yield data
        if self.length is not None and total != self.length:
            raise Transient(f"the body ended after {total:,} of {self.length:,} bytes")
        self.whole = True


def check(response: Response, accept: tuple[int, ...]) -> None:
    """Raises Transient for a status that may pass (408, 429, 5xx), Gone for others than 200, 206 and `accept`."""
    status = response.status
    if status in (200, 206, *accept):
        return
    if status in (408, 429) or status >= 500:
        raise Transient(f"the server answers {status}", _retry_after(response.headers.get("retry-after")))
    raise Gone(f"{shown(response.url)}: the server answers {status}; check the name of the crawl and the base URL")


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number or an HTTP date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


@contextlib.contextmanager
def network(transfer: Transfer) -> Iterator[None]:
    """Errors of the network as Transient; those of the disk stay what they are."""
    try:
        yield
        if transfer.stalled:  # http.client takes the end of the stream for the end of the headers
            raise Transient("the server sends almost nothing")
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        why = "the server sends almost nothing" if transfer.stalled else reason_of(error)
        raise Transient(why) from error


def reason_of(error: Exception | None) -> str:
    """What went wrong, in the words of the operating system where it has any."""
    cause = error
    while cause is not None and not isinstance(cause, OSError) and (cause.__cause__ or cause.__context__):
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return shown(cause.strerror)
    return (
        "the connection broke off"
        if isinstance(error, ProtocolError)
        else f"{type(error).__name__}: {shown(str(error))}"
    )


def _too_long(url: str, limit: int) -> InputError:
    return Gone(
        f"{shown(url)}: sends more than {limit:,} bytes, the most that is taken; raise max_file_mb if it is right"
    )
