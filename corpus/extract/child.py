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
from pathlib import Path
from typing import Any

PROGRESS = struct.Struct("<qq")
REQUEST, REPLY = struct.Struct("<Q"), struct.Struct("<I")
_PR_SET_PDEATHSIG = 1

Answer = tuple[str, str | None, tuple[Any, ...]]
"""(outcome, detail, (text, title, author, date, declared language, canonical URL)).

For `limit` the last part is (value, threshold), or empty.
"""

_EXPANSION = 1.5  # bytes of text over bytes of its page: no page has that, some make an extractor write it


def main(extractor: str, markdown: bool, requests: int, replies: int, progress: int, parent: int, memory: int) -> None:
    """Serve until the request pipe closes. Descriptors as numbers, `memory` in bytes."""
    _die_with(parent, requests)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with mmap.mmap(progress, PROGRESS.size) as at, open(requests, "rb") as incoming:
        try:
            from corpus.extract.registry import load
            from corpus.kernels import compiling

            function = load(extractor)
            # What an extractor compiles or loads first is no page's time.
            getattr(sys.modules.get(function.__module__), "warm", lambda: None)()
            _bound_memory(memory)
        except Exception as error:
            _send(replies, marshal.dumps(("unusable", f"{type(error).__name__}: {error}", ())))
            return
        _send(replies, marshal.dumps(("ready", None, (compiling.take(),))))
        while head := incoming.read(REQUEST.size):
            pages = marshal.loads(incoming.read(REQUEST.unpack(head)[0]))
            for index, (content, media_type, charset, url) in enumerate(pages):
                at[:] = PROGRESS.pack(index, time.monotonic_ns())
                try:
                    answer = marshal.dumps(_extract(function, content, media_type, charset, url, markdown))
                except MemoryError:
                    answer = marshal.dumps(("memory", None, ()))
                at[:] = PROGRESS.pack(index, 0)
                _send(replies, answer)


def _extract(  # type: ignore[no-untyped-def]
    function, content: bytes, media_type: str | None, charset: str | None, url: str | None, markdown: bool
) -> Answer:
    from corpus.extract.decode import clean, decode
    from corpus.extract.page import LimitError, RefusedError
    from corpus.extract.pdf import PDF, extract_pdf

    try:
        if media_type == PDF:
            page = extract_pdf(content)
            return "ok", None, (clean(page.text), *page[1:])
        html = decode(content, charset)[0]
        page = function(html, url, markdown)
        text = clean(page.text)
        # A character is 1 to 4 bytes: most pages need no exact count.
        if 4 * len(text) > _EXPANSION * len(html):
            size, most = len(text.encode()), _EXPANSION * len(html.encode("utf-8", "replace"))
            if size > most:
                return "limit", "bytes of text", (size, most)
        return "ok", None, (text, *page[1:])
    except LimitError as error:
        return "limit", str(error), ()
    except RefusedError as error:
        return error.outcome, error.detail, ()
    except MemoryError:
        raise
    except BaseException as error:  # even SystemExit is only this page's
        return "exception", f"{type(error).__name__}: {error}"[:300], ()


def _bound_memory(limit: int) -> None:
    """Let the process take no more than `limit` bytes of memory of its own. Raises MemoryError when it has more."""
    pages = Path("/proc/self/statm").read_text().split()
    resident, private = (int(pages[i]) * resource.getpagesize() for i in (1, 5))
    if resident > limit:
        raise MemoryError(f"takes {resident >> 20} MB before any page, more than max_memory_mb")
    # What is private counts when it is mapped, not when it is used: the resident part can only be less.
    room = private + limit - resident
    resource.setrlimit(resource.RLIMIT_DATA, (room, room))


def _send(replies: int, answer: bytes) -> None:
    """An `Answer`, marshalled: lone surrogates pass, and the guard cleans every field."""
    for data in (REPLY.pack(len(answer)), answer):
        view = memoryview(data)
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
