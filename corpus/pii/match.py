"""Where may something begin, and what is it? The one definition that batches and single texts share."""

from __future__ import annotations

import re

from corpus.pii import mail, numbers, phone, secrets

# Places at which one of the kinds may begin; `corpus.kernels.pii` finds the same ones, and fewer that lead nowhere.
_ANCHOR = re.compile(
    rb"@|(?<![0-9])[0-9]|-----BEGIN|AKIA|ASIA|AIza|xox[abcdeoprs]-|xapp-|eyJ|gh[pousr]_|github_pat_|hooks\.slack\.com/|"
    rb"(?i:secret)"
)
_AT, _DASH, _A, _X, _E, _G, _H = b"@-Axegh"


def match(data: bytes, at: int, floor: int, last: str = "") -> tuple[str, tuple[int, int]] | None:
    """(kind, (start, end)) of what the anchor at `at` belongs to, or None; `start` is never before `floor`, where
    a value of the kind `last` ends."""
    first = data[at]
    if first == _AT:
        return mail.email(data, at, floor)
    if 48 <= first <= 57:
        return _number(data, at, floor, last)
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


# Eight digits with no more than a bracket, a dash in spaces and a bracket between two of them; or an address's dot.
_NUMBER = re.compile(rb"(?:[0-9][ ./()\-\xc2\xa0\xe2\x80\xaf\x90-\x95]{0,7}+){8}|[0-9]{1,3}\.[0-9]")


def _number(data: bytes, at: int, floor: int, last: str) -> tuple[str, tuple[int, int]] | None:
    if 65 <= data[at - 1] <= 90 and (hit := numbers.iban(data, at, floor)):
        return hit
    if b":" in data[max(0, at - 4) : at + 5] and (hit := numbers.ipv6(data, at, floor)):
        return hit
    if not _NUMBER.match(data, at):
        return None
    return (
        numbers.payment_card(data, at)
        or numbers.us_ssn(data, at)
        or numbers.ipv4(data, at)
        or phone.phone(data, at, floor, last == "phone")
    )


def scan(data: bytes) -> list[tuple[int, int, str]]:
    """(start, end, kind) of all that is found in a text (UTF-8), in order and disjoint. Loads nothing heavy."""
    found: list[tuple[int, int, str]] = []
    floor, kind = 0, ""
    for anchor in _ANCHOR.finditer(data):
        at = anchor.start()
        if at >= floor and (hit := match(data, at, floor, kind)):
            kind, (start, end) = hit
            found.append((start, end, kind))
            floor = end
    return found
