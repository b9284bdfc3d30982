"""Canonical form of a URL, so that spellings of one address have one key (RFC 3986, section 6.2).

What leads to the same page on nearly every server counts as equal: http and https, the case and spelling of the host,
user and default port, dot segments, percent-encoding, the last slash of a path and an index page, parameters that
only track a visitor, the order of the others, and the fragment, unless it names a page (`#!...`, `#/...`). `www.`
stays: without it an address may lead elsewhere. Only http and https have keys; a file's path is no address.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from corpus.dedup import exact
from corpus.extract.urls import address

_TRACKING = re.compile(
    # Campaigns: Google's and Urchin's, Matomo's, HubSpot's, Mailchimp's, Vero's, Omeda's, Marketo's.
    r"(?:utm|mtm|pk|piwik|matomo|hsa|vero|oly)_\w+|_hs(?:enc|mi)|__hs(?:sc|tc|fp)|hsctatracking|mc_[ce]id|_openstat|mkt_tok"
    # Clicks: Google, Facebook, Microsoft, Yandex, TikTok, X, LinkedIn, Instagram, Pinterest and others.
    r"|gclid|dclid|gclsrc|gbraid|wbraid|gad_source|gad_campaignid|srsltid|_g[al]|fbclid|fb_(?:action_ids|action_types|ref)"
    r"|fb_source|msclkid|yclid|ysclid|ttclid|twclid|li_fat_id|igshid|igsh|epik|wickedid|zanpid|rb_clickid"
    # Sessions.
    r"|phpsessid|jsessionid|aspsessionid\w*|cfid|cftoken|oscsid|zenid|session_?id",
    re.IGNORECASE,
)
_SESSION = re.compile(r";jsessionid=[^/;]*", re.IGNORECASE)
_HASHED_SID = re.compile(r"sid=[0-9a-f]{32}", re.IGNORECASE)  # phpBB's
_INDEX = ("/index.html", "/index.htm", "/index.php")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ODD = re.compile(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]")
_OCTET = re.compile(rb"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]")
_URL = re.compile(r"(https?):[/\\]*([^/\\?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.IGNORECASE | re.DOTALL)
_PLAIN_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*")
_PORT = re.compile(r":(\d*)$")
_DEFAULT = {"http": "80", "https": "443"}
_IGNORED = re.compile(r"[\t\r\n]")
_OUTER = "".join(map(chr, range(33)))


def _escape(match: re.Match[bytes]) -> bytes:
    octet = match[0]
    point = octet[0] if len(octet) == 1 else int(octet[1:], 16)
    return bytes([point]) if len(octet) == 3 and point in _UNRESERVED else b"%%%02X" % point


def _encoded(part: str) -> str:
    """Percent-encoded where it must be, and nowhere else."""
    return _OCTET.sub(_escape, part.encode("utf-8", "surrogatepass")).decode("ascii") if _ODD.search(part) else part


def _path(path: str) -> str:
    path = _encoded(path)
    if ";" in path:
        path = _SESSION.sub("", path)
    if "/." in path:
        kept: list[str] = []
        segments = path.split("/")[1:]
        for segment in segments:
            if segment == "..":
                del kept[-1:]
            elif segment != ".":
                kept.append(segment)
        path = "/" + "/".join(kept)
    path = path.rstrip("/")
    while path.endswith(_INDEX):
        path = path[: path.rindex("/")].rstrip("/")
    return path


def _query(query: str) -> str:
    kept = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        name, value = _encoded(name), equals + _encoded(value).replace("%20", "+")
        if part and not _TRACKING.fullmatch(name) and not _HASHED_SID.fullmatch(name + value):
            kept.append((name, value))
    # Stable: the order of equal names may mean something.
    return "&".join(name + value for name, value in sorted(kept, key=lambda item: item[0]))


def _host(authority: str, scheme: str) -> str:
    if _PLAIN_HOST.fullmatch(authority):
        return authority
    port = _PORT.search(authority)
    number = port[1].lstrip("0") if port else ""
    host = address(f"http://{authority}").host
    return f"{host}:{number}" if number and number != _DEFAULT[scheme.lower()] else host


def canonical(url: str) -> str | None:
    """The canonical form, `http://` for https too; None for what is no address of http or https."""
    match = _URL.fullmatch(_IGNORED.sub("", url.strip(_OUTER)))
    if match is None or not match[2]:
        return None
    scheme, authority, path, query, fragment = match.groups()
    found = f"http://{_host(authority, scheme)}{_path(path.replace(chr(92), '/'))}"
    if query and (query := _query(query)):
        found += f"?{query}"
    return f"{found}#{_encoded(fragment)}" if fragment and fragment[0] in "!/" else found


def url_keys(urls: pa.Array) -> pa.Array:
    """binary(16)[n]: equal for URLs (string[n]) of one canonical form, null for a null and for what has none.

    128 bits of a fixed, non-cryptographic hash, as of `exact_keys`.
    """
    forms = pa.array([None if url is None else canonical(url) for url in urls.to_pylist()], pa.large_string())
    keys = exact.plain_keys(forms.fill_null(""))
    return pc.if_else(forms.is_valid(), keys, pa.scalar(None, pa.binary(16)))
