"""Keys and tokens: exact patterns, tried at places where one may begin. All are linear: every repeat is bounded,
possessive, or walks over bytes that no other match will look at again."""

from __future__ import annotations

import base64
import binascii
import json
import re

Span = tuple[int, int]

_WORD = rb"[A-Za-z0-9_]"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html: AKIA is a user's key, ASIA a session's.
_AWS_ID = re.compile(rb"(?<!" + _WORD + rb")A[KS]IA[A-Z0-9]{16}(?!" + _WORD + rb")")
_AWS_SECRET = re.compile(
    rb"(?i:secret)(?P<name>[\w. -]{0,24}?)[\"']?\s{0,4}(?:=>|[:=,>]{0,2})\s{0,4}[\"'`]?"
    rb"(?<![A-Za-z0-9/+])(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=_-])"
)
_AWS = re.compile(rb"(?i:aws|amazon|AKIA|ASIA)")
_GOOGLE = re.compile(rb"(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")
# The last 6 characters of a classic token are a CRC; they are not asked for: a scheme that changed would let keys by.
_GITHUB = re.compile(rb"(?<!" + _WORD + rb")(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{60,255}+)(?!\w)")
_SLACK = re.compile(
    rb"(?<![A-Za-z0-9_-])(?:xox[abeoprs]-[A-Za-z0-9-]{15,250}|xapp-\d-[A-Za-z0-9]+-\d+-[A-Za-z0-9]{16,128})(?!\w)"
)
_WEBHOOK = re.compile(
    rb"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z][A-Z0-9]{6,20}/[A-Z0-9]{6,24}/[A-Za-z0-9/]{16,80}"
)
_JWT = re.compile(
    rb"(?<![A-Za-z0-9_-])(?P<head>eyJ[A-Za-z0-9_-]{8,4096}+)\.[A-Za-z0-9_-]{2,}+\.[A-Za-z0-9_-]*+"
    rb"(?:\.[A-Za-z0-9_-]++){0,2}"
)
_PEM = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(rb"-----END [A-Z0-9 ]{11,60}-----")
_PEM_LINES = re.compile(
    rb"(?:(?:\s|\\[nr]){0,4}(?:(?:Proc-Type|DEK-Info|Version|Comment): [^\n\\]{0,120}|"
    rb"[A-Za-z0-9+/=]{40,128}(?![A-Za-z0-9+/=])))*+(?:(?:\s|\\[nr]){0,4}[A-Za-z0-9+/]{4,128}={1,2})?"
)
_PEM_LONGEST = 65_536
_PEM_BODY = re.compile(rb"[A-Za-z0-9+/]{16}")


def _varied(value: bytes) -> bool:
    """Not `xxxxxxxx` or another stand-in."""
    return len(set(value)) >= 8


def aws_or_google(data: bytes, at: int) -> tuple[str, Span] | None:
    if found := _AWS_ID.match(data, at):
        return "aws_key", found.span()
    if (found := _GOOGLE.match(data, at)) and _varied(found.group()):
        return "google_api_key", found.span()
    return None


def aws_secret(data: bytes, at: int) -> tuple[str, Span] | None:
    """40 characters after a name such as `aws_secret_access_key`: the value alone is the span."""
    found = _AWS_SECRET.match(data, at)
    if not found:
        return None
    value = found["value"]
    mixed = (
        any(65 <= c <= 90 for c in value) and any(97 <= c <= 122 for c in value) and any(48 <= c < 58 for c in value)
    )
    told = b"access" in found["name"].lower() or _AWS.search(data[max(0, at - 160) : at])
    return ("aws_key", found.span("value")) if mixed and told else None


def github(data: bytes, at: int) -> tuple[str, Span] | None:
    found = _GITHUB.match(data, at)
    return ("github_token", found.span()) if found and _varied(found.group()[4:]) else None


def slack(data: bytes, at: int) -> tuple[str, Span] | None:
    found = _SLACK.match(data, at)
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
    found = _JWT.match(data, at)
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
    close = data.find(b"-----", head.end())
    end = _PEM_END.match(data, close) if 0 <= close <= head.end() + _PEM_LONGEST else None
    if end:
        return ("private_key", (at, end.end())) if _PEM_BODY.search(data, head.end(), close) else None
    lines = _PEM_LINES.match(data, head.end())
    return ("private_key", (at, lines.end())) if lines and _PEM_BODY.search(lines.group()) else None
