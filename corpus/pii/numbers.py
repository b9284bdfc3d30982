"""Numbers with a check: payment cards, IBANs, US social security numbers, public IP addresses."""

from __future__ import annotations

import ipaddress
import re

from corpus.pii import words

Hit = tuple[str, tuple[int, int]]

_LEFT = re.compile(rb"(?<![A-Za-z0-9_@+$#])(?<![0-9][./-])(?<![A-Za-z0-9]-)")
_RIGHT = re.compile(rb"(?![A-Za-z0-9_@%])(?![./-][0-9])")


def left(data: bytes, at: int) -> bool:
    """Whether a number may begin at `at`: not inside a word, a longer number, a price or a part's name."""
    return _LEFT.match(data, at) is not None


def right(data: bytes, at: int) -> bool:
    """Whether a number may end before `at`."""
    return _RIGHT.match(data, at) is not None


def before(data: bytes, at: int, length: int = 40) -> bytes:
    """What stands in front of a value: its context."""
    return data[max(0, at - length) : at]


def named_otherwise(data: bytes, at: int) -> bool:
    """Whether the words in front say that a number is something else: `Order no. 4...`."""
    return words.OTHER.search(before(data, at, 32)) is not None


# Groups as cards print them, or all digits in a row (ISO/IEC 7812): Maestro's shortest, most (UnionPay's and others may
# go on), American Express, Diners.
_CARD = re.compile(
    rb"(?:(?P<most>\d{4}([ -])\d{4}\2\d{4}\2\d{4})(?:\2\d{1,3}(?!\d))?|\d{4}([ -])\d{4}\3\d{4}(?!\3?\d)|"
    rb"3[47]\d\d([ -])\d{6}\4\d{5}|3[0689]\d\d([ -])\d{6}\5\d{4}|\d{12,19})(?!\d)"
)
# Constants of programs: a factor, an argument.
_CONSTANT = re.compile(rb" ?[*^]|[uUlL]")
_ARGUMENT = re.compile(rb"[A-Za-z0-9_]\($")


def _issuer(digits: bytes) -> bool:
    """Whether prefix and length are American Express', Diners', Discover's, JCB's, Maestro's, Mastercard's, Mir's,
    UnionPay's or Visa's."""
    n, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[:1] == b"4":
        return n in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 2200 <= four <= 2204:
        return n == 16
    if four in (1800, 2131):
        return n == 15
    if two in (34, 37):
        return n == 15
    if 300 <= three <= 305 or two in (36, 38, 39):
        return n == 14 or (n == 16 and two != 36)
    if four == 6011 or 644 <= three <= 649 or two in (35, 62, 65):
        return n >= 16
    return four in (5018, 5020, 5038, 5893, 6304, 6390, 6759, 6761, 6762, 6763)


_DOUBLED = bytes.maketrans(b"0123456789", bytes(sum(divmod(2 * digit, 10)) for digit in range(10)))


def luhn(digits: bytes) -> bool:
    """ISO/IEC 7812-1, annex B."""
    single = digits[-1::-2]
    return (sum(single) - 48 * len(single) + sum(digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def payment_card(data: bytes, at: int) -> Hit | None:
    """15 or 16 digits in a row, or groups, or any length after a word such as `card`."""
    found = _CARD.match(data, at)
    if not found or not left(data, at):
        return None
    # A last group may be no part of it, but the code on its back.
    for end in sorted({found.end(), found.end("most")} - {-1}, reverse=True):
        digits = data[at:end].translate(None, b" -")
        if luhn(digits) and len(set(digits)) > 1 and _issuer(digits) and right(data, end):
            told = words.CARD.search(before(data, at, 64))
            return ("payment_card", (at, end)) if told or _tells_card(data, at, end, digits) else None
    return None


def _tells_card(data: bytes, at: int, end: int, digits: bytes) -> bool:
    """Whether prefix, check digit and groups say enough, without a word."""
    if len(digits) < end - at:
        return len(digits) > 12
    if len(digits) not in (15, 16) or named_otherwise(data, at):
        return False
    return not _CONSTANT.match(data, end) and not _ARGUMENT.search(before(data, at, 2))


# SWIFT's IBAN registry: length by country.
_IBAN_LENGTHS = {
    country: length
    for length, countries in (
        (15, "NO"),
        (16, "BE"),
        (18, "DK FI FK FO GL NL SD"),
        (19, "MK SI"),
        (20, "AT BA EE KZ LT LU MN XK"),
        (21, "CH HR LI LV"),
        (22, "BG BH CR DE GB GE IE ME RS VA"),
        (23, "AE GI IL IQ OM SO TL"),
        (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
        (25, "LY PT ST"),
        (26, "IS TR"),
        (27, "BI DJ FR GR IT MC MR SM"),
        (28, "AL AZ BY CY DO GT HN HU LB PL SV NI"),
        (29, "BR EG PS QA UA"),
        (30, "JO KW MU YE"),
        (31, "MT SC"),
        (32, "LC"),
        (33, "RU"),
    )
    for country in countries.split()
}
_IBAN = re.compile(rb"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?:(?:[ -]|\xc2\xa0|\xe2\x80\xaf)?[A-Z0-9]){11,40}")


_ALNUM = [chr(byte).isalnum() and byte < 128 for byte in range(256)]


def iban(data: bytes, at: int, floor: int) -> Hit | None:
    """ISO 13616 around the check digits at `at`: the country's length, and 1 modulo 97."""
    start = at - 2
    found = _IBAN.match(data, start) if start >= floor else None
    length = _IBAN_LENGTHS.get(found.group()[:2].decode()) if found else None
    if not found or not length:
        return None
    end, value = start, ""
    while end < found.end() and len(value) < length:
        value += chr(data[end]) if _ALNUM[data[end]] else ""
        end += 1
    if (
        len(value) < length
        or not right(data, end)
        or int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 != 1
    ):
        return None
    return "iban", (start, end)


# Hyphens (U+2010 and U+2011 too) tell; others need a word.
_SSN = re.compile(rb"(?!000|666|9)\d{3}([ .-]?|\xe2\x80[\x90-\x93])(?!00)\d\d\1(?!0000)\d{4}(?!\d)")
_HYPHENS = (b"-", b"\xe2\x80\x90", b"\xe2\x80\x91")
# Numbers that were printed in advertisements and are nobody's.
_SSN_VOID = (b"078051120", b"219099999")


def us_ssn(data: bytes, at: int) -> Hit | None:
    """Ranges as the Social Security Administration gives them out, with hyphens or after a word that says so."""
    found = _SSN.match(data, at)
    if not found or not left(data, at) or not right(data, found.end()):
        return None
    if found.group().replace(found[1], b"") in _SSN_VOID:
        return None
    told = found[1] in _HYPHENS or words.SSN.search(before(data, at, 48))
    return ("us_ssn", found.span()) if told else None


_IPV4 = re.compile(
    rb"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?![0-9A-Za-z_])(?!\.\d)"
)
# IANA's special-purpose registry: private, shared, loopback, link-local, documentation, benchmarks, multicast, future.
_NOT_PUBLIC = tuple(
    (int(network.network_address), int(network.netmask))
    for network in map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
            *("203.0.113.0/24", "224.0.0.0/3"),
        ),
    )
)
_DIGITS = b"0123456789. "
# As `_LEFT`, but `root@23.1.2.3` and `host_8.8.4.4` are written.
_IPV4_LEFT = re.compile(rb"(?<![A-Za-z0-9+$#])(?<![0-9][./-])")


def ipv4(data: bytes, at: int) -> Hit | None:
    """A public address. One of small parts (`1.2.3.4`) is more often a version, a section or an object identifier: a
    word must say otherwise."""
    found = _IPV4.match(data, at)
    if not found or not _IPV4_LEFT.match(data, at):
        return None
    parts = [int(part) for part in found.group().split(b".")]
    address = int.from_bytes(bytes(parts))
    if any(address & mask == base for base, mask in _NOT_PUBLIC):
        return None
    context = before(data, at)
    small = max(parts) < 32 or (parts[0] < 3 and parts[1] < 17)
    if small and not (context.strip(_DIGITS) and words.ADDRESS.search(context)):
        return None
    if words.VERSION.search(context[-24:]) and not words.HOST.search(context):
        return None
    return "ipv4", found.span()


_IPV6 = re.compile(rb"(?<![A-Za-z0-9_.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:.]{3,41}(?![A-Za-z0-9_]|:[0-9A-Fa-f:])")
_IPV6_LONGEST = 45
_HEX = b"0123456789abcdefABCDEF:"
_GLOBAL = ipaddress.IPv6Network("2000::/3")
# Documentation; loopback, mapped and other special ones; private, link-local, multicast.
_NOT_PUBLIC_6 = tuple(
    map(ipaddress.IPv6Network, ("2001:db8::/32", "3fff::/20", "::/8", "100::/8", "fc00::/7", "fe80::/10", "ff00::/8"))
)


def ipv6(data: bytes, at: int, floor: int) -> Hit | None:
    """A public address around the digit at `at`: global unicast (2000::/3), or in any range written out in full."""
    window = before(data, at, _IPV6_LONGEST)
    name = window.rstrip(_HEX)
    if len(window) == _IPV6_LONGEST and not name:
        return None
    start = max(floor, at - len(window) + len(name))
    if name[-1:].isalpha():  # `addr:2a00:...`, `node:2a00:...`, `IPv6:2a00:...`
        start = data.find(b":", start, at) + 1 or start
    found = _IPV6.match(data, start)
    if not found:
        return None
    text = found.group().rstrip(b".")
    text = text[:-1] if text.endswith(b":") and not text.endswith(b"::") else text
    try:
        address = ipaddress.IPv6Address(text.decode())
    except ValueError:
        return None
    groups = text.split(b":")
    full = len(groups) == 8 and sum(len(group) > 2 for group in groups) > 3
    if not (full or address in _GLOBAL) or any(address in network for network in _NOT_PUBLIC_6):
        return None
    return "ipv6", (start, start + len(text))
