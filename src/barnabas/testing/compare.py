"""What a topic holds beside what it should hold, for people to read."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from barnabas.testing.literals import ProducerRecord, record_of

if TYPE_CHECKING:
    from barnabas.serde import ConsumerRecord
    from barnabas.testing.literals import Literal

TEXT_SHOWN_MAX = 120
RECORDS_SHOWN_MAX = 200

PLAIN = (str, bytes, bytearray, memoryview, int, float, dict, list, type(None), type(...))
"""Literals that are a value, whose key is not compared."""

Agrees = Callable[["Literal", "ConsumerRecord[Any, Any]"], bool]
Row = tuple[str, str]
"""A mark (' ' right, '-' expected and not there, '+' there and not expected) and a line."""


def matched(
    wanted: Sequence[Literal], found: Sequence[ConsumerRecord[Any, Any]], agrees: Agrees, *, in_order: bool
) -> list[tuple[int | None, int | None]]:
    """Pairs of places in `wanted` and `found`; None where the other has nothing there."""
    if in_order:
        return _aligned(wanted, found, agrees)
    left = list(range(len(found)))
    pairs: list[tuple[int | None, int | None]] = []
    for index, literal in enumerate(wanted):
        match = next((place for place in left if agrees(literal, found[place])), None)
        if match is not None:
            left.remove(match)
        pairs.append((index, match))
    return pairs + [(None, place) for place in left]


def _aligned(
    wanted: Sequence[Literal], found: Sequence[ConsumerRecord[Any, Any]], agrees: Agrees
) -> list[tuple[int | None, int | None]]:
    same = [agrees(one, other) for one, other in zip(wanted, found, strict=False)]
    if len(wanted) == len(found) and all(same):
        return [(index, index) for index in range(len(found))]
    # Each record gets the number of the first literal that it agrees with, so that equal numbers are equal.
    numbers = [next((n for n, one in enumerate(wanted) if agrees(one, record)), -1) for record in found]
    literals = [next(n for n, two in enumerate(wanted) if two == one) for one in wanted]
    pairs: list[tuple[int | None, int | None]] = []
    matcher = difflib.SequenceMatcher(None, literals, numbers, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            pairs += zip(range(i1, i2), range(j1, j2), strict=True)
        else:
            pairs += [(index, None) for index in range(i1, i2)]
            pairs += [(None, index) for index in range(j1, j2)]
    return pairs


def rows(
    wanted: Sequence[Literal],
    found: Sequence[ConsumerRecord[Any, Any]],
    pairs: Sequence[tuple[int | None, int | None]],
) -> list[Row]:
    """The lines of a difference."""
    lines: list[Row] = []
    for index, place in pairs:
        if place is not None:
            mark = " " if index is not None else "+"
            lines.append((mark, shown_record(found[place])))
        elif index is not None:
            lines.append(("-", shown_literal(wanted[index])))
    return lines


def report(topic: str, lines: Sequence[Row], count: int, wanted: int) -> str:
    """The message of an assertion that has failed."""
    marked = [f"  {mark} {text}" for mark, text in lines[:RECORDS_SHOWN_MAX]]
    if len(lines) > RECORDS_SHOWN_MAX:
        marked.append(f"    … and {len(lines) - RECORDS_SHOWN_MAX} more")
    head = f"{topic} has {_records(count)}, expected {_records(wanted)} (- missing, + not expected):"
    return "\n".join([head, *marked])


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def shown_record(record: ConsumerRecord[Any, Any]) -> str:
    """A record in one line."""
    key = "" if record.key is None else f"{shown(record.key)}: "
    headers = "".join(f"  {name}={shown(value)}" for name, value in record.headers)
    return f"{record.partition}@{record.offset}  {key}{shown(record.value)}{headers}"


def shown_literal(literal: Literal) -> str:
    """What was expected, in one line."""
    record = record_of(literal)
    key = "" if record.key is None else f"{shown(record.key)}: "
    extra = "".join(
        f"  {name}={shown(value)}"
        for name, value in (
            *record.headers.items(),
            *(() if record.partition is None else (("partition", record.partition),)),
            *(() if record.timestamp is None else (("timestamp", record.timestamp),)),
        )
    )
    return f"{key}{shown(record.value)}{extra}"


def shown(value: Any) -> str:
    """A key or a value: text where bytes are text."""
    if value is ...:
        return "…"
    if isinstance(value, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            value = value.decode()
    if not isinstance(value, str | bytes | None | bool | int | float | ProducerRecord):
        from barnabas.serde.models import dump

        with contextlib.suppress(TypeError, ValueError):
            value = dump(value).decode()
    text = repr(value)
    return text if len(text) <= TEXT_SHOWN_MAX else f"{text[:TEXT_SHOWN_MAX]}… ({len(text)} characters)"
