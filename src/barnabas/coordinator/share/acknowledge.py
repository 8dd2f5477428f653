"""What members say about records: types of acknowledgement, and what is wrong with a list of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from barnabas.coordinator.share.batches import ACKNOWLEDGED, ARCHIVED, AVAILABLE
from barnabas.errors import InvalidRequest

GAP, ACCEPT, RELEASE, REJECT, RENEW = range(5)
"""Types by their numbers on the wire. GAP: there is no record at this offset."""
ARCHIVE = GAP
"""What is done with by itself, and by nobody's word."""

STATES = {GAP: ARCHIVED, ACCEPT: ACKNOWLEDGED, RELEASE: AVAILABLE, REJECT: ARCHIVED}
"""What becomes of a record."""


class Run(NamedTuple):
    """One type for consecutive records."""

    first: int
    last: int
    type: int


def validate(batches: Sequence[tuple[int, int, Sequence[int]]], *, renews: bool) -> None:
    """Raises InvalidRequest for what is wrong by itself, and for renewals that the request has not announced:
    nobody may wait behind them."""
    runs(batches)
    if not renews and any(RENEW in types for _, _, types in batches):
        raise InvalidRequest("A request with renewals must say so.")


def runs(batches: Sequence[tuple[int, int, Sequence[int]]]) -> list[Run]:
    """(first offset, last offset, types) as runs; raises InvalidRequest where offsets are out of order, or
    types are unknown or not as many as records."""
    found: list[Run] = []
    end = -1
    for first, last, types in batches:
        if first > last or first <= end:
            raise InvalidRequest("The offsets of acknowledgement batches are out of order.")
        if not types or (len(types) > 1 and len(types) != last - first + 1):
            raise InvalidRequest("There are not as many acknowledgement types as offsets.")
        if not all(GAP <= one <= RENEW for one in types):
            raise InvalidRequest("An acknowledgement type is unknown.")
        found += _runs(first, last, types)
        end = last
    return found


def _runs(first: int, last: int, types: Sequence[int]) -> Iterator[Run]:
    if len(types) == 1:
        yield Run(first, last, types[0])
        return
    begin = first
    for offset, one in enumerate(types, first):
        if offset == last or types[offset + 1 - first] != one:
            yield Run(begin, offset, one)
            begin = offset + 1
