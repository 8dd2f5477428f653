"""States of runs of records, as they are written down.

Always true of a tuple of batches: in order of offsets, none overlaps another, and neighbours that say the
same are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

AVAILABLE, ACQUIRED, ACKNOWLEDGED, ARCHIVED = 0, 1, 2, 4
"""Delivery states, by Kafka's numbers."""
DONE = (ACKNOWLEDGED, ARCHIVED)
"""What is done with is never delivered again."""


class StateBatch(NamedTuple):
    """All records from `first_offset` to `last_offset` are in one state."""

    first_offset: int
    last_offset: int
    delivery_state: int
    delivery_count: int


StateBatches = tuple[StateBatch, ...]


def combine(before: StateBatches, news: Iterable[StateBatch], start_offset: int) -> StateBatches:
    """What is known after `news`, which count more than what was known; nothing below `start_offset`."""
    known = list(before)
    for batch in news:
        known = _overlaid(known, batch)
    result: list[StateBatch] = []
    for batch in known:
        if batch.last_offset < start_offset:
            continue
        if batch.first_offset < start_offset:
            batch = batch._replace(first_offset=start_offset)
        last = result[-1] if result else None
        if last is not None and last.last_offset + 1 == batch.first_offset and last[2:] == batch[2:]:
            result[-1] = last._replace(last_offset=batch.last_offset)
        else:
            result.append(batch)
    return tuple(result)


def _overlaid(known: list[StateBatch], news: StateBatch) -> list[StateBatch]:
    first, last = news.first_offset, news.last_offset
    result: list[StateBatch] = []
    behind: list[StateBatch] = []
    for batch in known:
        if batch.first_offset < first:
            result.append(batch._replace(last_offset=min(batch.last_offset, first - 1)))
        if batch.last_offset > last:
            behind.append(batch._replace(first_offset=max(batch.first_offset, last + 1)))
    return [*result, news, *behind]
