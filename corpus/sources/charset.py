"""A stream of text in any charset, as UTF-8."""

from __future__ import annotations

import codecs
import re
from typing import IO

MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_HIGH = re.compile(rb"[\x80-\xff]")


class Utf8Stream:
    """Reads `stream` as UTF-8, without a byte order mark; bytes that have no meaning become U+FFFD.

    The charset is decided once: by a byte order mark, or else where the first byte that is not ASCII comes, which
    all before it has no part in: UTF-8 if what is read from there on at once is valid, else what uchardet finds.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder: codecs.IncrementalDecoder | None = None
        self._held = b""
        self._begun = False
        self._error: Exception | None = None
        self.charset = "utf-8"
        """Name of the charset, as far as it is decided."""
        self.ended = False
        """Whether `read` has given all."""

    def read(self, size: int) -> bytes:
        """About `size` bytes, at least one unless the stream has ended.

        Raises what reading `stream` raises, once all that came before has been given.
        """
        while True:
            data = self._fill(size)
            ended = len(data) < size and self._error is None
            text = self._to_utf8(self._held + data, ended)
            if text or ended:
                self.ended = ended
                return text
            if self._error is not None and not data:
                raise self._error

    def _fill(self, size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing > 0 and self._error is None:
            try:
                part = self._stream.read1(missing)  # type: ignore[attr-defined]
            except Exception as error:  # kept, and raised by `read`
                self._error = error
                break
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _to_utf8(self, data: bytes, ended: bool) -> bytes:
        self._held = b""
        if not self._begun:
            self._begun = True
            for mark, name in MARKS:
                if data.startswith(mark):
                    self._set(name)
                    break
        if self._decoder is None:
            first = _HIGH.search(data)
            if first is None:
                return data
            if first.start() > len(data) - 4 and not ended:  # perhaps half of a letter
                self._held = data[first.start() :]
                return data[: first.start()]
            self._set(_detect(data, ended))
        assert self._decoder is not None
        return self._decoder.decode(data, ended).encode()

    def _set(self, name: str) -> None:
        self._decoder = codecs.getincrementaldecoder(name)("replace")
        self.charset = name.removesuffix("-sig")


def _detect(data: bytes, ended: bool) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, ended)
        return "utf-8"
    except UnicodeDecodeError:
        from resiliparse.parse.encoding import detect_encoding

        return detect_encoding(data) or "utf-8"
