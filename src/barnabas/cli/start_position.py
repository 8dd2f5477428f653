"""Positions in topics as people write them: words, offsets, points in time, spans of time."""

import re
from datetime import datetime
from typing import NamedTuple

BEGINNING = "beginning"
END = "end"
EARLIEST = "earliest"
"""`beginning`, as configs have it."""
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdw]))+", re.ASCII)
_ISO_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
_MILLIS_MAX = 2**63 - 1
"""The last moment that the wire can say."""
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
    if text.startswith("-") and _DURATION.fullmatch(digits):
        return StartPosition(timestamp_ms=max(now_ms - parse_duration(digits), 0))
    try:
        return StartPosition(timestamp_ms=parse_moment(text))
    except ValueError:
        raise ValueError(f"'{text}' is no position. Write one of: {EXAMPLES}") from None


def parse_moment(text: str) -> int:
    """Milliseconds since 1970 of `@1795248000000` or `2026-11-21T08:00` (without a zone: local time)."""
    digits = text[1:]
    if text.startswith("@") and digits.isascii() and digits.isdigit() and int(digits) <= _MILLIS_MAX:
        return int(digits)
    try:
        seconds = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no point in time; write 2026-11-21T08:00 or @1795248000000") from None
    return max(int(seconds * 1000), 0)


def parse_duration(text: str) -> int:
    """Milliseconds of `1h30m`, or of `PT1H30M` as Kafka's tools have it."""
    if _DURATION.fullmatch(text):
        return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    iso = _ISO_DURATION.fullmatch(text.upper())
    if iso is None or not any(iso.groups()):
        raise ValueError(f"'{text}' is no span of time; write 90s, 1h30m or PT1H30M")
    return sum(int(count or 0) * _UNITS[unit] for count, unit in zip(iso.groups(), "dhms", strict=True))
