"""Where `consume --from` begins: words, offsets, points in time."""

import re
from datetime import datetime
from typing import NamedTuple

BEGINNING = "beginning"
END = "end"
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"-(?:\d+(?:ms|[smhdw]))+", re.ASCII)
_PART = re.compile(r"(\d+)(ms|[smhdw])")

EXAMPLES = "beginning, end, 42, -10, -1h30m, 2026-11-21, 2026-11-21T08:00, @1795248000000"


class StartPosition(NamedTuple):
    """Exactly one of the fields is set."""

    word: str | None = None
    """`beginning` or `end`."""
    offset: int | None = None
    """This offset in each partition."""
    before_end: int | None = None
    """This many records before the end of each partition."""
    timestamp_ms: int | None = None
    """The first record that is not older, in milliseconds since 1970."""


def parse_start(text: str, now_ms: int) -> StartPosition:
    """The position that a text names. ValueError says what may be written."""
    if text in (BEGINNING, "earliest"):
        return StartPosition(word=BEGINNING)
    if text in (END, "latest"):
        return StartPosition(word=END)
    digits = text[1:]
    if text.isascii() and text.isdigit():
        return StartPosition(offset=int(text))
    if text.startswith("-") and digits.isascii() and digits.isdigit():
        return StartPosition(before_end=int(digits))
    if text.startswith("@") and digits.isascii() and digits.isdigit():
        return StartPosition(timestamp_ms=int(digits))
    if _DURATION.fullmatch(text):
        ago = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
        return StartPosition(timestamp_ms=max(now_ms - ago, 0))
    try:
        seconds = datetime.fromisoformat(text).timestamp()  # Without a zone it is local time.
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no position. Write one of: {EXAMPLES}") from None
    return StartPosition(timestamp_ms=max(int(seconds * 1000), 0))
