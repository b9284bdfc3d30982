"""Finds pages in a crawl's index, by byte ranges of its files.

The index is a ZipNum CDXJ (Common Crawl's `cc-index`): lines `KEY TIMESTAMP {JSON}`, sorted as bytes, in gzip members
of 3,000 lines (`cdx-NNNNN.gz`), and `cluster.idx` with the first key of each member and where it lies. KEY is the URL
in SURT form, `org,example)/path`, in lower case, without a leading `www.`. A binary search over ranges of
`cluster.idx` leads to the members to read; a page costs some 20 requests of 64 KB in all.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from corpus.errors import InputError
from corpus.fetch.addresses import shown
from corpus.fetch.client import Client
from corpus.fetch.config import FetchConfig
from corpus.fetch.download import file_name, gunzip

WINDOW = 1 << 16  # bytes of cluster.idx a request
KEPT = 256  # windows that are remembered
MEMBER = 64 << 20  # bytes that a member of the index may have, stored or decompressed
MERGED = 4 << 20  # bytes of neighbouring members that one request brings
RECORD = 64 << 20  # stored bytes of a record; Common Crawl cuts pages at 1 MB, later 5 MB
_WWW = re.compile(r"^(?:www[0-9]*\.)+(?=[^.]*\.)")
_NUMBER = re.compile(r"[0-9]{1,15}")
_CDX = re.compile(r"cdx-[0-9]{1,6}\.gz")
# What the canonical form of a path leaves as it is, but for case; a prefix ends before anything else.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?", re.ASCII)


class Record(NamedTuple):
    """Where a record lies, and what the index says of it; sorts in the order of the files."""

    filename: str
    offset: int
    length: int
    url: str
    timestamp: str


@dataclass(frozen=True)
class Rule:
    """One of `match`: prefixes of the keys to look at, and which URLs under them count."""

    prefixes: tuple[bytes, ...]
    accepts: Callable[[str], bool]


def rule(text: str) -> Rule:
    """Read `domain=example.org`, `host=www.example.org` or `url=[scheme://]example.org/path/*`.

    `domain` takes subdomains too, `host` exactly that host. In `url`, a leading `www.` does not count, nor does the
    scheme where none is given; a `*` at the end stands for anything. Raises InputError.
    """
    kind, _, value = text.partition("=")
    if kind == "url":
        return _url_rule(value, text)
    host = _ascii(value.replace(":", ".."), text)  # a port is no part of a host
    key, below = _surt(_WWW.sub("", host)), _surt(host) + b","
    if kind == "host":
        return Rule((key + b")", key + b":"), lambda url: _host(url) == host)
    return Rule((key + b")", below, key + b":"), lambda url: (name := _host(url)) == host or name.endswith(f".{host}"))


def _url_rule(value: str, text: str) -> Rule:
    scheme, _, rest = value.rpartition("://")
    place = re.split(r"[/?#*]", rest, maxsplit=1)[0]
    tail = rest[len(place) :].partition("#")[0]
    place = _WWW.sub("", _ascii(place, text))
    host, _, port = place.partition(":")
    wanted, open_end = tail.removesuffix("*"), tail.endswith("*")
    plain = _PLAIN.match(wanted)
    stem = plain[0].lower() if plain else ""
    if stem != wanted.lower():  # a component that ends here may go on there
        stem = stem[: stem.rfind("/") + 1]
    prefix = _surt(host) + (b":" if port else b")" + stem.rstrip("/").encode())

    def accepts(url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        here = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if scheme.lower() not in ("", parts.scheme) or _WWW.sub("", parts.netloc.lower()) != place:
            return False
        return here.startswith(wanted) if open_end else here == (wanted or "/")

    return Rule((prefix,), accepts)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _ascii(host: str, text: str) -> str:
    try:
        found = host.strip().rstrip(".").lower().encode("idna").decode("ascii")
    except UnicodeError:
        found = ""
    if not found or found.startswith((".", ":")):
        raise InputError(f"{shown(text)}: names no host; write it as in domain=example.org")
    return found


def _surt(host: str) -> bytes:
    return ",".join(reversed(host.split("."))).encode()


class Index:
    """The index of one crawl under a base URL (that ends in a slash)."""

    def __init__(self, client: Client, base: str, crawl: str) -> None:
        self._client = client
        self._folder = f"{base}cc-index/collections/{crawl}/indexes/"
        self._windows: OrderedDict[int, bytes] = OrderedDict()
        self._size = WINDOW  # of cluster.idx, told by the first answer

    def lines(self, prefix: bytes) -> Iterator[bytes]:
        """The index's lines that begin with `prefix`, in order. Raises InputError when it cannot be had or read."""
        end = prefix[:-1] + bytes([prefix[-1] + 1])
        for cdx, start, lengths in _merged(self._members(prefix, end)):
            for line in self._read(cdx, start, lengths):
                if line >= end:
                    return
                if line >= prefix:
                    yield line

    def _read(self, cdx: str, start: int, lengths: list[int]) -> Iterator[bytes]:
        url = self._folder + cdx

        def attempt() -> list[bytes]:
            body, _ = self._client.range(url, start, sum(lengths))
            ends = list(itertools.accumulate(lengths, initial=0))
            return [gunzip(body[a:b], MEMBER) for a, b in itertools.pairwise(ends)]

        for member in self._client.retry(url, attempt):
            yield from member.splitlines()

    def _members(self, prefix: bytes, end: bytes) -> Iterator[tuple[str, int, int]]:
        """(cdx file, offset, length) of each member that may hold lines from `prefix` up to `end`."""
        self._window(0)
        low, high = 0, -(-self._size // WINDOW)
        while high - low > 1:
            middle = (low + high) // 2
            if next(self._from(self._first(middle)), end) < prefix:
                low = middle
            else:
                high = middle
        before = None
        for line in self._from(self._first(low)):
            if line >= end:
                break
            if line < prefix:
                before = line
                continue
            if before is not None:
                yield self._member(before)
                before = None
            yield self._member(line)
        if before is not None:
            yield self._member(before)

    def _member(self, line: bytes) -> tuple[str, int, int]:
        fields = line.decode("utf-8", "replace").split("\t")
        if (
            len(fields) >= 4
            and _CDX.fullmatch(fields[1])
            and _NUMBER.fullmatch(fields[2])
            and _NUMBER.fullmatch(fields[3])
        ):
            offset, length = int(fields[2]), int(fields[3])
            if 0 < length <= MEMBER:
                return fields[1], offset, length
        raise self._foreign()

    def _foreign(self) -> InputError:
        return InputError(f"{self._folder}cluster.idx: is no index as Common Crawl writes it; check the base URL")

    def _first(self, window: int) -> int:
        """Where the first line that begins in a window begins, or behind it."""
        if window == 0:
            return 0
        at = self._window(window).find(b"\n")
        if at < 0 and (window + 1) * WINDOW < self._size:
            raise self._foreign()
        return window * WINDOW + at + 1 if at >= 0 else self._size

    def _from(self, at: int) -> Iterator[bytes]:
        """The lines of cluster.idx from the one that begins at byte `at`."""
        rest = b""
        for window in range(at // WINDOW, -(-self._size // WINDOW)):
            data = rest + self._window(window)[max(0, at - window * WINDOW) :]
            *lines, rest = data.split(b"\n")
            if len(rest) > WINDOW:
                raise self._foreign()
            yield from lines
        if rest:
            yield rest

    def _window(self, number: int) -> bytes:
        if number not in self._windows:
            url = f"{self._folder}cluster.idx"
            data, self._size = self._client.retry(url, lambda: self._client.range(url, number * WINDOW, WINDOW))
            self._windows[number] = data
            if len(self._windows) > KEPT:
                self._windows.popitem(last=False)
        return self._windows[number]


def find(client: Client, base: str, config: FetchConfig) -> tuple[list[Record], int]:
    """(the records that `config.match` asks for, in the order of the files; lines of the index that cannot be read)."""
    index = Index(client, base, config.crawl)
    found: dict[tuple[str, int], Record] = {}
    bad = 0
    lines = ((line, r) for r in map(rule, config.match) for prefix in r.prefixes for line in index.lines(prefix))
    for line, each in lines:
        try:
            fields = json.loads(line.split(b" ", 2)[2])
            record = _record(fields, line)
        except (ValueError, KeyError, IndexError, TypeError, InputError, RecursionError):
            bad += 1
            continue
        if each.accepts(record.url) and _wanted(fields, config):
            found.setdefault((record.filename, record.offset), record)
            if config.limit is not None and len(found) >= config.limit:
                break
    return sorted(found.values()), bad


def _record(fields: dict[str, Any], line: bytes) -> Record:
    """Raises one of several errors for what is no record of a WARC file."""
    file_name(fields["filename"])
    offset, length = int(fields["offset"]), int(fields["length"])
    if offset < 0 or not 0 < length <= RECORD:
        raise ValueError
    return Record(fields["filename"], offset, length, str(fields["url"]), line.split(b" ", 2)[1].decode("ascii"))


def _wanted(fields: dict[str, Any], config: FetchConfig) -> bool:
    status = not config.status or str(fields.get("status")) in {str(code) for code in config.status}
    return status and (not config.mime or bool({fields.get("mime"), fields.get("mime-detected")} & set(config.mime)))


def _merged(members: Iterator[tuple[str, int, int]]) -> Iterator[tuple[str, int, list[int]]]:
    """Neighbouring members as (file, offset, lengths), so that one request brings several."""
    cdx, start, lengths = "", 0, list[int]()
    for name, offset, length in members:
        if lengths and (name != cdx or offset != start + sum(lengths) or sum(lengths) + length > MERGED):
            yield cdx, start, lengths
            lengths = []
        if not lengths:
            cdx, start = name, offset
        lengths.append(length)
    if lengths:
        yield cdx, start, lengths
