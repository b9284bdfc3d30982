"""Where may something begin, and what is it? The one definition that batches and single texts share."""

from __future__ import annotations

import re

from corpus.pii import mail, numbers, phone, secrets

# Places at which one of the kinds may begin; `corpus.kernels.pii` finds the same ones, and fewer that lead nowhere.
_ANCHOR = re.compile(
    rb"@|(?<![0-9])[0-9]|-----BEGIN|AKIA|ASIA|AIza|xox[abeoprs]-|xapp-|eyJ|gh[pousr]_|github_pat_|hooks\.slack\.com/|"
    rb"(?i:secret)"
)
_AT, _DASH, _A, _X, _E, _G, _H = b"@-Axegh"


def match(data: bytes, at: int, floor: int) -> tuple[str, tuple[int, int]] | None:
    """(kind, (start, end)) of what the anchor at `at` belongs to, or None; `start` is never before `floor`."""
    first = data[at]
    if first == _AT:
        return mail.email(data, at, floor)
    if 48 <= first <= 57:
        return _number(data, at, floor)
    if first == _DASH:
        return secrets.private_key(data, at)
    if first == _A:
        return secrets.aws_or_google(data, at)
    if first == _X:
        return secrets.slack(data, at)
    if first == _E:
        return secrets.jwt(data, at)
    if first == _G:
        return secrets.github(data, at)
    if first == _H:
        found = secrets.webhook(data, at)
        return found if found and found[1][0] >= floor else None
    return secrets.aws_secret(data, at)


def _number(data: bytes, at: int, floor: int) -> tuple[str, tuple[int, int]] | None:
    return (
        numbers.iban(data, at, floor)
        or numbers.ipv6(data, at, floor)
        or numbers.payment_card(data, at)
        or numbers.us_ssn(data, at)
        or numbers.ipv4(data, at)
        or phone.phone(data, at, floor)
    )


def scan(data: bytes) -> list[tuple[int, int, str]]:
    """(start, end, kind) of all that is found in a text (UTF-8), in order and disjoint. Loads nothing heavy."""
    found: list[tuple[int, int, str]] = []
    floor = 0
    for anchor in _ANCHOR.finditer(data):
        at = anchor.start()
        if at >= floor and (hit := match(data, at, floor)):
            kind, (start, end) = hit
            found.append((start, end, kind))
            floor = end
    return found
