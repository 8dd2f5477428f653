"""JSON objects that stand one after the other, cut out of pieces that end anywhere.

Always true:
  a byte is looked at a bounded number of times, however small the pieces are
  what is kept of an object that is not complete is at most `OBJECT_BYTES_MAX`
"""

from __future__ import annotations

import re
from json import JSONDecoder, loads
from typing import Any

from barnabas.http.errors import HttpError

OBJECT_BYTES_MAX = 16 * 1024 * 1024
SPACE = b" \t\r\n"

_STRUCTURE = re.compile(rb'["{}\[\]]')
_IN_STRING = re.compile(rb'["\\]')
_DECODER = JSONDecoder()


class JsonObjects:
    """The object that has begun, and how deep in it the last piece has ended."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._at = 0
        self._depth = 0
        self._in_string = False

    def feed(self, piece: bytes) -> list[Any]:
        """The objects that are complete with this piece. Raises HttpError for what is none."""
        found: list[Any] = []
        if not self._kept:
            piece = _whole_objects(piece, found)
        self._kept += piece
        while (end := self._end()) is not None:
            found.append(_loaded(bytes(self._kept[:end])))
            rest = _whole_objects(bytes(self._kept[end:]), found)
            self._kept, self._at = bytearray(rest), 0
        if len(self._kept) > OBJECT_BYTES_MAX:
            raise HttpError(413, f"A JSON object is over {OBJECT_BYTES_MAX} bytes")
        return found

    def finish(self) -> None:
        """Raises HttpError when an object is not complete."""
        if self._kept:
            raise HttpError(400, "The request's body ends within a JSON object")

    def _end(self) -> int | None:
        """Behind the end of the object that has begun; None when that has not come."""
        kept = self._kept
        if self._at == 0 and kept and kept[0] != ord("{"):
            raise HttpError(400, f"A JSON object must begin with a brace, not with {bytes(kept[:20])!r}")
        while self._at < len(kept):
            match = (_IN_STRING if self._in_string else _STRUCTURE).search(kept, self._at)
            if match is None:
                self._at = len(kept)
                return None
            sign, self._at = match[0], match.end()
            if sign == b"\\":
                if self._at == len(kept):
                    self._at -= 1  # What it escapes comes with the next piece.
                    return None
                self._at += 1
            elif sign == b'"':
                self._in_string = not self._in_string
            elif sign in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    return self._at
        return None


def _whole_objects(piece: bytes, found: list[Any]) -> bytes:
    """Adds the objects that the piece has from its beginning on; the rest, which may be an object's
    beginning."""
    piece = piece.lstrip(SPACE)
    try:
        text = piece.decode()
    except UnicodeDecodeError:
        return piece  # Perhaps it ends within a character.
    at = 0
    while at < len(text) and text[at] == "{":
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        found.append(value)
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
    return piece if at == 0 else text[at:].encode()


def _loaded(data: bytes) -> Any:
    try:
        return loads(data)
    except (ValueError, RecursionError) as error:
        raise HttpError(400, f"The request's body is no JSON: {error}") from error
