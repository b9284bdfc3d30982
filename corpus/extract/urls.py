"""URL rules: what may not become a document because of where it lies, decided before anything is parsed."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import RecipeError
from corpus.extract.config import UrlConfig

# After WHATWG's URL parser: tabs and line ends inside do not count, a backslash is a slash, http needs no slashes.
_URL = re.compile(r"(?:(https?):[/\\]*|([a-z][a-z0-9+.-]*):[/\\]{2,})?([^/\\?#]*)([^#]*)", re.IGNORECASE)
_IGNORED = str.maketrans("", "", "\t\r\n")
_OUTER = "".join(map(chr, range(33)))
_PORT = re.compile(r":\d*$")
_STOPS = re.compile("[\u3002\uff0e\uff61]")  # East Asia's full stops, which part labels too
_LONGEST_URL = 8192  # characters of it that are looked at
_LONGEST_PATH = 2048  # characters of it that entries of a list are compared with
# DNS takes no longer ones (RFC 1035); punycode takes time that grows with the square of a label.
_LONGEST_HOST, _LONGEST_LABEL = 253, 63


class Address(NamedTuple):
    """A URL without what does not change where it leads: user, port, fragment, case and spelling of the host."""

    scheme: str
    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}" if self.scheme else f"{self.host}{self.path}"


def address(url: str) -> Address:
    """The parts of a URL's first 8,192 characters. Never fails: anything has a first part, which is its host.

    The host is in ASCII (punycode); one that is too long for DNS stays as it is, in lower case.
    """
    match = _URL.match(url.strip(_OUTER)[:_LONGEST_URL].translate(_IGNORED))
    assert match is not None  # every part may be empty
    http, other, authority, path = match.groups()
    return Address((http or other or "").lower(), _host(authority), path.replace("\\", "/"))


def _host(authority: str) -> str:
    host = _PORT.sub("", authority.rpartition("@")[2])
    if "%" in host:
        host = unquote(host)
    host = host.lower()
    if not host.isascii():
        # UTS 46 without its table of forbidden characters: an address must not escape a rule by being odd.
        host = _STOPS.sub(".", unicodedata.normalize("NFKC", host).lower())
    if not host.isascii() and len(host) <= _LONGEST_HOST:
        host = ".".join(
            x if x.isascii() or len(x) > _LONGEST_LABEL else "xn--" + x.encode("punycode").decode()
            for x in host.split(".")
        )
    return host.rstrip(".")


def plain(entry: str) -> str:
    """A domain or URL as `corpus.kernels.addresses` has it: `host/path`. Raises ValueError for what is neither."""
    item = address(entry)
    host = item.host.removeprefix("*.").lstrip(".")
    if not host:
        raise ValueError(f"`{entry[:80]}` is no domain, URL, glob or /expression/")
    return f"{host}{item.path.rstrip('/')}"


def hash_entries(entries: Sequence[str]) -> np.ndarray:
    """uint64[n] of what `plain` gives."""
    from corpus.kernels.addresses import hash_entry

    return np.array([hash_entry(np.frombuffer(entry.encode(), np.uint8)) for entry in entries], np.uint64)


class UrlRules:
    """The rules of a recipe, ready to judge; `lists` of `corpus.extract.url_lists.load_lists`.

    Raises RecipeError for an entry that means nothing and for an expression that RE2 does not take.
    """

    def __init__(self, config: UrlConfig, lists: Mapping[str, np.ndarray]) -> None:
        self._block, self._allow = _Entries(config.block, "block"), _Entries(config.allow, "allow")
        self._lists = lists
        self._selective = bool(config.allow)

    def judge(self, urls: pa.Array) -> dict[int, tuple[str, str | None]]:
        """Row -> (rule, detail) of the URLs (string[n]) that are refused.

        What has no scheme is no web address but the path of a file; neither it nor a null is judged. `url_blocked`
        names the entry, behind its list's name; `url_not_allowed` is what an allow list leaves out.
        """
        parsed = {row: address(url) for row, url in enumerate(urls.to_pylist()) if url is not None}
        rows = [row for row, item in parsed.items() if item.scheme]
        addresses = _Addresses([parsed[row] for row in rows])
        blocked = self._block.find(addresses)
        for name, table in self._lists.items():
            for i, entry in addresses.find(table).items():
                blocked.setdefault(i, f"{name}: {entry}")
        allowed = self._allow.find(addresses) if self._selective else {}
        refused: dict[int, tuple[str, str | None]] = {}
        for i, row in enumerate(rows):
            if i in blocked:
                refused[row] = "url_blocked", blocked[i]
            elif self._selective and i not in allowed:
                refused[row] = "url_not_allowed", None
        return refused


class _Addresses:
    """Addresses of one batch: as text for patterns, as bytes for tables."""

    def __init__(self, addresses: list[Address]) -> None:
        self.texts = pa.array([str(item) for item in addresses], pa.string())
        parts: list[bytes] = []
        spans, at = np.empty((len(addresses), 3), np.int64), 0
        for i, item in enumerate(addresses):
            host, path = item.host.encode(), item.path[:_LONGEST_PATH].rstrip("/").encode()
            parts += host, path
            spans[i] = at, at + len(host), at + len(host) + len(path)
            at += len(host) + len(path)
        self._data, self._spans = b"".join(parts), spans

    def find(self, table: np.ndarray) -> dict[int, str]:
        """Position -> entry of the table that names the address there."""
        from corpus.kernels.addresses import find

        found = find(np.frombuffer(self._data, np.uint8), self._spans, table)
        hits = np.flatnonzero(found[:, 0] >= 0).tolist()
        return {i: self._data[found[i, 0] : found[i, 1]].decode("utf-8", "replace") for i in hits}


class _Entries:
    """Domains, addresses and patterns that stand in the recipe."""

    def __init__(self, entries: Sequence[str], key: str) -> None:
        patterns = {entry: _pattern(entry) for entry in entries}
        self._patterns = {entry: pattern for entry, pattern in patterns.items() if pattern is not None}
        for entry, pattern in self._patterns.items():
            try:
                pc.match_substring_regex(pa.array([""]), pattern)
            except pa.ArrowInvalid as error:
                why = " ".join(str(error).split())
                raise RecipeError(
                    f"extract.urls.{key} of the recipe: {entry}: is no expression of RE2 ({why})"
                ) from error
        try:
            self._plain = [plain(entry) for entry in entries if patterns[entry] is None]
        except ValueError as error:
            raise RecipeError(f"extract.urls.{key} of the recipe: {error}") from error

    @functools.cached_property
    def _table(self) -> np.ndarray:
        # Not before it is needed: a recipe is checked without a kernel.
        return np.sort(hash_entries(self._plain))

    def find(self, addresses: _Addresses) -> dict[int, str]:
        """Position -> entry that names the address there."""
        found = addresses.find(self._table)
        for entry, pattern in self._patterns.items():
            hits = pc.match_substring_regex(addresses.texts, pattern).to_numpy(zero_copy_only=False)
            for i in np.flatnonzero(hits).tolist():
                found.setdefault(i, entry)
        return found


def _pattern(entry: str) -> str | None:
    """The RE2 expression of `/expression/` (anywhere in the URL) or of a glob (all of it); None for a plain entry."""
    if len(entry) > 2 and entry[0] == entry[-1] == "/":
        return entry[1:-1]
    if "*" in entry.removeprefix("*."):
        return "(?s)^(?:" + ".*".join(re.escape(part) for part in entry.split("*")) + ")$"
    return None
