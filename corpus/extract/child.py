"""The process that runs an extractor, so that whatever a page does to it harms no one else.

It takes requests (an 8-byte length and a marshalled list of pages), answers each page with a 4-byte length and a
marshalled tuple, and notes in shared memory which page it is at, since when. It dies with its parent.
"""

from __future__ import annotations

import ctypes
import marshal
import mmap
import os
import resource
import select
import signal
import struct
import sys
import threading
import time

PROGRESS = struct.Struct("<qq")
REQUEST, REPLY = struct.Struct("<Q"), struct.Struct("<I")
_PR_SET_PDEATHSIG = 1

Answer = tuple[str, str | None, tuple[str | None, ...]]
"""(outcome, detail, (text, title, author, date, declared language))."""


def main(extractor: str, requests: int, replies: int, progress: int, parent: int, memory: int) -> None:
    """Serve until the request pipe closes. Descriptors as numbers, `memory` in bytes."""
    _die_with(parent, requests)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The parent watches resident memory; this only stops what grows faster than it looks.
    room = 2 * memory + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    with mmap.mmap(progress, PROGRESS.size) as at, open(requests, "rb") as incoming:
        try:
            from corpus.extract.registry import load

            function = load(extractor)
        except Exception as error:
            _send(replies, ("unusable", f"{type(error).__name__}: {error}", ()))
            return
        _send(replies, ("ready", None, ()))
        while head := incoming.read(REQUEST.size):
            pages = marshal.loads(incoming.read(REQUEST.unpack(head)[0]))
            for index, (content, charset, url) in enumerate(pages):
                at[:] = PROGRESS.pack(index, time.monotonic_ns())
                answer = _extract(function, content, charset, url)
                at[:] = PROGRESS.pack(index, 0)
                _send(replies, answer)


def _extract(function, content: bytes, charset: str | None, url: str | None) -> Answer:  # type: ignore[no-untyped-def]
    from corpus.extract.decode import clean, decode
    from corpus.extract.page import LimitError

    try:
        page = function(decode(content, charset)[0], url)
        return "ok", None, (clean(page.text), *page[1:])
    except LimitError as error:
        return "limit", str(error), ()
    except MemoryError:
        return "memory", None, ()
    except BaseException as error:  # even SystemExit is only this page's
        return "exception", f"{type(error).__name__}: {error}"[:300], ()


def _send(replies: int, answer: Answer) -> None:
    # Lone surrogates pass marshal; `clean` has taken them from the text, `valid` takes them from the rest.
    data = marshal.dumps(answer)
    view = memoryview(REPLY.pack(len(data)) + data)
    while view:
        view = view[os.write(replies, view) :]


def _die_with(parent: int, requests: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

    def watch() -> None:
        poll = select.poll()
        poll.register(requests, 0)
        poll.poll()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
