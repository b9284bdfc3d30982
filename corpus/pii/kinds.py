"""The kinds of personal data and secrets, without anything heavy: recipes name them."""

from __future__ import annotations

PERSONAL = ("email", "phone", "ipv4", "ipv6", "payment_card", "iban", "us_ssn")
SECRETS = ("aws_key", "github_token", "slack_token", "google_api_key", "jwt", "private_key")
KINDS: tuple[str, ...] = (*PERSONAL, *SECRETS)
"""In the order of the fields of column `pii`, of rules and of tables."""

RULE = "pii_"  # and the kind: what ledgers and edits call it
