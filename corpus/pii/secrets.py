"""Keys and tokens: exact patterns, tried at places where one may begin. All are linear: every repeat is bounded,
possessive, or walks over bytes that no other match will look at again."""

from __future__ import annotations

import base64
import binascii
import json
import re

Span = tuple[int, int]

# What may stand before a key, besides what is no part of a word: escapes of strings, of addresses, of mail.
_ESCAPE = re.compile(rb"(?:\\[nrtbf]|%[0-9A-Fa-f]{2}|=3D|\\u00[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2})$")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html: AKIA is a user's key, ASIA a session's.
# The secret goes with it, where it follows at once.
_AWS_ID = re.compile(
    rb"A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])(?:(?:[\s\"',:;|]|\\[nrt\"]){1,8}+(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=]))?"
)
_AWS_SECRET = re.compile(rb"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])")
# Between the word `secret` and the value: the rest of a name, signs, and words of formats.
_AWS_BETWEEN = re.compile(rb"(?P<name>[\w. -]{0,24}+)(?:[^A-Za-z0-9]|name|value|string|[nrt](?=[^A-Za-z])){0,24}+")
_AWS_REACH = 96  # bytes from the word to the end of the value
_AWS = re.compile(rb"(?i:aws|amazon|\bs3a?\b|AKIA|ASIA)")
_GOOGLE = re.compile(rb"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9])")
# The last 6 characters of a classic token are a CRC; they are not asked for: a scheme that changed would let keys by.
_GITHUB = re.compile(rb"(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{60,255}+)(?![A-Za-z0-9])")
_SLACK = re.compile(
    rb"(?:xox[abceoprs]-[A-Za-z0-9-]{15,250}+|xoxd-[A-Za-z0-9%/+=-]{15,400}+|"
    rb"xapp-\d-[A-Za-z0-9]{1,40}-\d{1,40}-[A-Za-z0-9]{16,128})(?![A-Za-z0-9])"
)
_WEBHOOK = re.compile(
    rb"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z][A-Z0-9]{6,20}/[A-Z0-9]{6,24}/[A-Za-z0-9/]{16,80}"
)
_JWT = re.compile(
    rb"(?P<head>eyJ[A-Za-z0-9_-]{8,4096}+)\.[A-Za-z0-9_-]{2,}+\.[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]++){0,2}"
)
_PEM = re.compile(rb"-----BEGIN ((?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?)-----")
# Between the lines of a key: white space, escapes, signs of quotations, comments and strings, line breaks of HTML.
_PEM_BREAK = rb"(?:\s|\\+[nrt]|[>#*/\"'+,;\\]|<br ?/?>|&#1[03];){0,32}+"
_PEM_LINES = re.compile(
    rb"(?:" + _PEM_BREAK + rb"(?:(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]{0,120}|"
    rb"[A-Za-z0-9+/=]{40,128}(?![A-Za-z0-9+/=])))*+"
    # The last line: shorter, ends with a sign or is no word.
    rb"(?:" + _PEM_BREAK + rb"(?:[A-Za-z0-9+/]{4,128}={1,2}|"
    rb"(?=[A-Za-z]{0,38}(?:[0-9+/]|[a-z][A-Z]))[A-Za-z0-9+/]{8,39}(?![A-Za-z0-9+/=])))?"
)
_PEM_LONGEST = 65_536
_PEM_BODY = re.compile(rb"[A-Za-z0-9+/]{16}")


def _varied(value: bytes) -> bool:
    """Not `xxxxxxxx` or another stand-in."""
    return len(set(value)) >= 8


def _free(data: bytes, at: int, joined: bytes = b"") -> bool:
    """Whether a key may begin at `at`: not inside a word, but after an escape, and after the signs `joined`."""
    ahead = data[at - 1 : at] if at else b""
    if not (ahead.isalnum() or ahead in (b"_", b"-")) or ahead >= b"\x80":
        return True
    return (ahead in joined and joined != b"") or _ESCAPE.search(data, max(0, at - 6), at) is not None


def _mixed(value: bytes) -> bool:
    """Capital and small letters and digits: no digest."""
    return any(65 <= c <= 90 for c in value) and any(97 <= c <= 122 for c in value) and any(48 <= c < 58 for c in value)


def aws_or_google(data: bytes, at: int) -> tuple[str, Span] | None:
    if (found := _AWS_ID.match(data, at)) and _free(data, at, b"_-"):
        with_secret = found["secret"] and _mixed(found["secret"])
        return "aws_key", (at, found.end() if with_secret else at + 20)
    if (found := _GOOGLE.match(data, at)) and _varied(found.group()) and _free(data, at, b"_-"):
        return "google_api_key", found.span()
    return None


def aws_secret(data: bytes, at: int) -> tuple[str, Span] | None:
    """40 characters after a name such as `aws_secret_access_key`: the value alone is the span."""
    found = _AWS_SECRET.search(data, at + 6, at + _AWS_REACH + 1)
    between = _AWS_BETWEEN.fullmatch(data, at + 6, found.start()) if found and found.end() <= at + _AWS_REACH else None
    if not found or not between or not _mixed(found.group()):
        return None
    told = (
        b"access" in between["name"].lower()
        or _AWS.search(data, max(0, at - 160), found.start())
        or _AWS.search(data, found.end(), found.end() + 48)
    )
    return ("aws_key", found.span()) if told else None


def github(data: bytes, at: int) -> tuple[str, Span] | None:
    found = _GITHUB.match(data, at)
    return ("github_token", found.span()) if found and _varied(found.group()[4:]) and _free(data, at, b"_-") else None


def slack(data: bytes, at: int) -> tuple[str, Span] | None:
    found = _SLACK.match(data, at) if _free(data, at, b"_") else None
    digits = found and any(48 <= c < 58 for c in found.group())
    return ("slack_token", found.span()) if found and digits else None


def webhook(data: bytes, at: int) -> tuple[str, Span] | None:
    """A Slack webhook's address is its secret; the scheme before it goes with it."""
    found = _WEBHOOK.match(data, at)
    if not found:
        return None
    start = at - 8 if data[max(0, at - 8) : at] == b"https://" else at
    return "slack_token", (start, found.end())


def jwt(data: bytes, at: int) -> tuple[str, Span] | None:
    """RFC 7519, in compact form: a header that is JSON and names an algorithm."""
    found = _JWT.match(data, at) if _free(data, at) else None
    if not found:
        return None
    head = found["head"]
    try:
        said = json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return ("jwt", found.span()) if isinstance(said, dict) and "alg" in said else None


def private_key(data: bytes, at: int) -> tuple[str, Span] | None:
    """A PEM or PGP block (RFC 7468, RFC 4880) from its first to its last line; of a cut one, the lines of the key."""
    head = _PEM.match(data, at)
    if not head:
        return None
    end = b"-----END " + head[1] + b"-----"
    close = data.find(b"-----", head.end(), head.end() + _PEM_LONGEST)
    if close >= 0 and data.startswith(end, close):
        return ("private_key", (at, close + len(end))) if _PEM_BODY.search(data, head.end(), close) else None
    lines = _PEM_LINES.match(data, head.end())
    return ("private_key", (at, lines.end())) if lines and _PEM_BODY.search(lines.group()) else None
