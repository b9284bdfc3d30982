"""Kills the process groups of the workers when the driver is gone, however it went (kill -9 too).

Run as a script, apart from the package, so that it starts in milliseconds: lines `+GROUP` and `-GROUP` on
stdin register and forget a group; the end of stdin means that the driver is gone. PR_SET_PDEATHSIG alone
would end the workers but not the processes that they started, and a thread in the worker cannot act while C
code holds the GIL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Watch stdin until the driver is gone, then kill what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
