"""Made-up personal data and secrets in the forms of real life, with their checksums, each in a line of text."""

from __future__ import annotations

import base64
import json
import re
import string
import zlib
from collections.abc import Callable
from random import Random

_UPPER, _DIGITS = string.ascii_uppercase, string.digits
_ALNUM = string.ascii_letters + _DIGITS
_BASE62 = _DIGITS + _UPPER + string.ascii_lowercase
_NAMES = ("ada", "karim", "lucie", "mateo", "ines", "tomasz", "yuki", "noor")
_PLACES = ("harbor", "meadow", "lantern", "orchid", "cobalt", "juniper", "fjord", "birch", "atlas", "cedar")


def _draw(rng: Random, alphabet: str, count: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(count))


def _fill(rng: Random, pattern: str) -> str:
    """`N`: 2 to 9, `D`: any digit."""
    return re.sub("[ND]", lambda found: rng.choice(_DIGITS[2:] if found[0] == "N" else _DIGITS), pattern)


def _email(rng: Random) -> str:
    name, place = rng.choice(_NAMES), rng.choice(_PLACES)
    local = rng.choice((f"{name}.{place}", f"{name}_{place}{rng.randint(1, 99)}", name, f"{name}+{place}"))
    domain = rng.choice((f"{place}{rng.randint(2, 99)}", f"mail.{place}-{rng.choice(_PLACES)}"))
    return f"{local}@{domain}.{rng.choice(('com', 'org', 'co.uk', 'de', 'edu', 'com.br'))}"


_PHONES = (
    *("+1 NDN-NDD-DDDD", "+1 (NDN) NDD-DDDD", "(NDN) NDD-DDDD", "NDN-NDD-DDDD", "+44 20 7DDD DDDD", "07NDD DDDDDD"),
    *("+33 1 NN DD DD DD", "01 NN DD DD DD", "+49 30 NDDDDDD", "+34 9NN DDD DDD", "+39 06 NDDD DDDD"),
    *("+81 3-NDDD-DDDD", "+91 9DDDD DDDDD", "+55 11 9DDDD-DDDD", "+61 4DD DDD DDD", "+86 13D DDDD DDDD"),
)
_NETWORKS = (5, 23, 34, 46, 52, 77, 81, 91, 104, 130, 142, 151, 176, 185, 194, 212, 217)


def _ipv6(rng: Random) -> str:
    groups = [f"{rng.randint(4096, 65535):x}" for _ in range(7)]
    head = rng.choice(("2001", "2a00", "2a02", "2607", "2400"))
    return rng.choice((":".join([head, *groups]), ":".join([head, *groups[:3]]) + "::" + groups[6]))


_CARDS = (("4", (4, 4, 4, 4)), ("51", (4, 4, 4, 4)), ("2221", (4, 4, 4, 4)), ("37", (4, 6, 5)), ("6011", (4, 4, 4, 4)))


def _payment_card(rng: Random) -> str:
    prefix, groups = rng.choice(_CARDS)
    digits = prefix + _draw(rng, _DIGITS, sum(groups) - 1 - len(prefix))
    total = sum(sum(divmod(int(digit) * (2 - at % 2), 10)) for at, digit in enumerate(reversed(digits)))
    digits += str(-total % 10)
    parts = [digits[sum(groups[:at]) : sum(groups[: at + 1])] for at in range(len(groups))]
    return rng.choice(("", " ", "-")).join(parts)


_IBANS = {
    "DE": "D" * 18,
    "FR": "D" * 10 + "A" * 11 + "DD",
    "GB": "UUUU" + "D" * 14,
    "NL": "UUUU" + "D" * 10,
    "CH": "D" * 17,
}


def _iban(rng: Random) -> str:
    country = rng.choice(tuple(_IBANS))
    alphabets = {"D": _DIGITS, "U": _UPPER, "A": _UPPER + _DIGITS}
    body = "".join(rng.choice(alphabets[kind]) for kind in _IBANS[country])
    check = 98 - int("".join(str(int(c, 36)) for c in f"{body}{country}00")) % 97
    value = f"{country}{check:02}{body}"
    return " ".join(value[at : at + 4] for at in range(0, len(value), 4)) if rng.random() < 0.5 else value


def _us_ssn(rng: Random) -> str:
    area = rng.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03}-{rng.randint(1, 99):02}-{rng.randint(1, 9999):04}"


def _github_token(rng: Random) -> str:
    body, number, check = _draw(rng, _ALNUM, 30), 0, ""
    number = zlib.crc32(body.encode())
    while number:
        number, digit = divmod(number, 62)
        check = _BASE62[digit] + check
    return f"gh{rng.choice('pousr')}_{body}{check.rjust(6, '0')}"


def _jwt(rng: Random) -> str:
    header = {"alg": rng.choice(("HS256", "RS256")), "typ": "JWT"}
    claims = {"sub": _draw(rng, _DIGITS, 8), "iat": rng.randint(10**9, 2 * 10**9)}
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, rng.randbytes(32)))


def _private_key(rng: Random) -> str:
    name = rng.choice(("", "RSA ", "EC ", "OPENSSH "))
    body = base64.b64encode(rng.randbytes(rng.choice((118, 609)))).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {name}PRIVATE KEY-----", *lines, f"-----END {name}PRIVATE KEY-----"])


def _slack_token(rng: Random) -> str:
    return f"xoxb-{_draw(rng, _DIGITS, 12)}-{_draw(rng, _DIGITS, 12)}-{_draw(rng, _ALNUM, 24)}"


# kind -> (a value, what stands around it)
_MAKERS: dict[str, tuple[Callable[[Random], str], tuple[str, ...]]] = {
    "email": (_email, ("Write to {} for details.", "Contact: {}", "({}), 2019")),
    "phone": (lambda rng: _fill(rng, rng.choice(_PHONES)), ("Call us at {} today.", "Tel: {}", "Phone {} (mornings)")),
    "ipv4": (
        lambda rng: ".".join(map(str, (rng.choice(_NETWORKS), *(rng.randint(1, 254) for _ in range(3))))),
        ("Failed login from {} port 22", "http://{}:8080/index", "edited by {} (talk)"),
    ),
    "ipv6": (_ipv6, ("Address {} answered.", "http://[{}]/", "IPv6: {}")),
    "payment_card": (_payment_card, ("Card number: {}", "I paid with {}, exp 12/27", "Credit card {} was declined.")),
    "iban": (_iban, ("IBAN: {}", "Transfer it to {}, please.", "({})")),
    "us_ssn": (_us_ssn, ("SSN: {}", "His number {} was stolen.", "social security number {}")),
    "aws_key": (lambda rng: "AKIA" + _draw(rng, _UPPER + "234567", 16), ("aws_access_key_id = {}", "key '{}'")),
    "github_token": (_github_token, ("token: {}", "Authorization: token {}")),
    "slack_token": (_slack_token, ("SLACK_BOT_TOKEN={}", "token: '{}'")),
    "google_api_key": (
        lambda rng: "AIza" + _draw(rng, _ALNUM + "-_", 34) + rng.choice(_ALNUM),
        ('apiKey: "{}",', "the key {} works"),
    ),
    "jwt": (_jwt, ("Authorization: Bearer {}", "token={}; Path=/")),
    "private_key": (_private_key, ("{}", "My key:\n{}\nkeep it safe")),
}
KINDS = tuple(_MAKERS)


def personal(kind: str, rng: Random) -> tuple[str, str]:
    """A value of a kind of `corpus.pii.kinds.KINDS`, and a line (or lines) of text with it."""
    make, around = _MAKERS[kind]
    value = make(rng)
    return value, rng.choice(around).format(value)
