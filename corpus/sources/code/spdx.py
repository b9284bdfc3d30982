"""SPDX licence expressions (SPDX specification 2.3, annex D): in source files, and what people write instead.

Ids are those of SPDX's licence list, as `packaging.licenses` has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

UNKNOWN = "LicenseRef-unknown"
_SPDX_LINE = re.compile(
    rb"^[^\w\n]*(?:dnl |rem )?[^\w\n]*SPDX-License-Identifier:[ \t]*([^\r\n]{1,200})", re.MULTILINE | re.IGNORECASE
)
_EXPRESSION = re.compile(r"[\w.+:-]+|[()]")
# What people write where SPDX wants an id.
_NAMES = {
    "mit license": "MIT",
    "the mit license": "MIT",
    "expat": "MIT",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2 0": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2 0": "Apache-2.0",
    "apache license version 2 0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2 clause": "BSD-2-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "bsd 3 clause license": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license iscl": "ISC",
    "the unlicense unlicense": "Unlicense",
    "gplv2": "GPL-2.0-only",
    "gplv3": "GPL-3.0-only",
    "gnu general public license v2 gplv2": "GPL-2.0-only",
    "gnu general public license v3 gplv3": "GPL-3.0-only",
    "gnu general public license v2 or later gplv2": "GPL-2.0-or-later",
    "gnu general public license v3 or later gplv3": "GPL-3.0-or-later",
    "gnu lesser general public license v3 lgplv3": "LGPL-3.0-only",
    "gnu lesser general public license v3 or later lgplv3": "LGPL-3.0-or-later",
    "gnu affero general public license v3": "AGPL-3.0-only",
    "gnu affero general public license v3 or later agplv3": "AGPL-3.0-or-later",
    "mozilla public license 2 0 mpl 2 0": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "zope public license": "ZPL-2.1",
}


def spdx_line(content: bytes) -> str | None:
    """The expression of the `SPDX-License-Identifier:` lines at the beginning of a source file."""
    head = content[:4096]
    if b"SPDX" not in head:
        return None
    stated = [_ids(match.decode("utf-8", "replace")) for match in _SPDX_LINE.findall(head)]
    return join(dict.fromkeys(expression or UNKNOWN for expression in stated)) if stated else None


def join(expressions: Iterable[str]) -> str | None:
    """The expressions, all of which hold, as one."""
    parts = list(expressions)
    if len(parts) < 2:
        return parts[0] if parts else None
    return " AND ".join(f"({part})" if " OR " in part else part for part in parts)


def expression(stated: str) -> str:
    """The SPDX expression that people meant; `LicenseRef-unknown` when it names no licence on SPDX's list."""
    slashed = re.sub(r"\s*/\s*", " OR ", stated.strip())
    for attempt in (stated.strip(), slashed):
        try:
            return str(canonicalize_license_expression(attempt))
        except InvalidLicenseExpression:
            continue
    return _NAMES.get(plain(stated), UNKNOWN)


def _ids(rest: str) -> str | None:
    """The expression at the beginning of a line; what closes the comment is left away."""
    tokens = _EXPRESSION.findall(re.split(r"\*/|-->|#\}|\"\"\"", rest)[0])
    while tokens:
        try:
            stated = str(canonicalize_license_expression(" ".join(tokens)))
            return re.sub(r"^\(([^()]*)\)$", r"\1", stated)
        except InvalidLicenseExpression:
            tokens.pop()
    return None


def plain(text: str) -> str:
    """Its words alone, lower case, one space between them."""
    return re.sub(r"[\W_]+", " ", text.lower()).strip()
