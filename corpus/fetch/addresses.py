"""Which network addresses a download may go to: those of the public internet, unless the recipe says otherwise.

A recipe or a redirect may name a host inside the network of whoever runs it (a cloud's metadata service, a router).
The ranges are those of IANA's special-purpose registries (RFC 6890 and its successors), as `ipaddress` knows them,
and what it lets pass: multicast, transition mechanisms that carry an IPv4 address inside, deprecated ranges.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from corpus.errors import InputError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291, all that was ever given out
_NOT_PUBLIC = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # IETF protocol assignments
    ipaddress.IPv4Network("192.88.99.0/24"),  # 6to4 relays, deprecated by RFC 7526
    ipaddress.IPv6Network("2001::/23"),  # IETF protocol assignments; Teredo, ORCHID
    ipaddress.IPv6Network("2002::/16"),  # 6to4
    ipaddress.IPv6Network("3fff::/20"),  # documentation, RFC 9637
)
# What the WHATWG URL standard reads as an IPv4 address: the last label is a number, decimal, octal or hexadecimal.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?", re.DOTALL)
_DOTTED = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
_SCHEMES = ("http", "https")
_USER = re.compile(r"(?<=//)[^/\\?#\s]*@")


def require_public(url: str, *, allow_private: bool) -> None:
    """Nothing when every address of the host of an http or https `url` is public; other schemes are not looked at.

    Raises InputError, in one line, when the host is or resolves to an address that is not public (unless
    `allow_private`), when it cannot be resolved, and when URL parsers could disagree about what the host is.
    """
    if url.strip().partition(":")[0].lower() not in _SCHEMES:
        return
    if allow_private:
        host_of(url)
    else:
        resolve(url, allow_private=False)


def resolve(url: str, *, allow_private: bool) -> tuple[str, ...]:
    """The addresses of an http or https URL's host, checked: connect to these, so that a second look-up cannot differ.

    Raises InputError as `require_public` does.
    """
    host, port = host_of(url)
    if not allow_private:
        if "%" in host:
            raise _refusal(url, host, "an address with a zone")
        if ":" not in host and _NUMBER.fullmatch(host) and not _DOTTED.fullmatch(host):
            raise _refusal(url, host, "an IPv4 address in an unusual form")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "no such name"
        raise InputError(
            f"{shown(url)}: the host {shown(host)} cannot be resolved ({why}); check the URL and the network"
        ) from error
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in () if allow_private else addresses:
        if not is_public(address):
            raise _refusal(url, host, address)
    return addresses


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address in its usual form is one of the public internet."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.scope_id is not None:
            return False
        if parsed in _NAT64:  # on networks without IPv4 every name resolves to these
            return is_public(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
        if parsed not in _GLOBAL_UNICAST:
            return False
    if any(parsed.version == network.version and parsed in network for network in _NOT_PUBLIC):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def host_of(url: str) -> tuple[str, int]:
    """(host in ASCII, port) of an http or https URL.

    Raises InputError for another scheme, for no host, and for characters that parsers read differently.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
    except (ValueError, UnicodeError) as error:
        raise InputError(f"{shown(url)}: is no valid URL; correct its host or port") from error
    if parts.scheme not in _SCHEMES:
        raise InputError(f"{shown(url)}: is not an http or https URL; give one")
    if not host or re.search(r"[\x00-\x20\x7f\\]", url):
        raise InputError(f"{shown(url)}: has no clear host; write it as https://host/path, percent-encoded")
    return host, port if port is not None else (443 if parts.scheme == "https" else 80)


def shown(text: str) -> str:
    """Foreign text, made fit for one line of a message, without user and password of a URL."""
    text = _USER.sub("", text)
    text = text if len(text) <= 200 else text[:197] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _refusal(url: str, host: str, what: str) -> InputError:
    where = f"the host {shown(host)} is {what}" if host != what else f"the host is {what}"
    return InputError(
        f"{shown(url)}: {where}, which is not a public address; only when you trust it, allow it with "
        "`allow_private: true` in the recipe or --allow-private"
    )
