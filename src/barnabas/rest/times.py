"""Times as the APIs write them: RFC 3339, and milliseconds since the Unix epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from barnabas.http.errors import HttpError

MILLISECONDS_MAX = 253_402_300_799_999
"""The end of the year 9999."""


def iso_time(milliseconds: int) -> str:
    """A time in UTC; without a fraction where it is none."""
    seconds, rest = divmod(min(max(milliseconds, 0), MILLISECONDS_MAX), 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:03}Z" if rest else f"{text}Z"


def milliseconds(value: Any, name: str) -> int:
    """The time that a text or a number of a body stands for."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MILLISECONDS_MAX:
        return value
    try:
        found = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise HttpError(400, f"{name} must be a time as 2021-02-05T19:14:42Z") from None
    if found.tzinfo is None:
        raise HttpError(400, f"{name} needs a time zone, or Z")
    moment = found - datetime(1970, 1, 1, tzinfo=UTC)
    result = moment.days * 86_400_000 + moment.seconds * 1000 + moment.microseconds // 1000
    if not 0 <= result <= MILLISECONDS_MAX:
        raise HttpError(400, f"{name} must not be before 1970")
    return result
