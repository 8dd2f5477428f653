"""A checker of histories of transactions, in the manner of Elle: what producers did and were told, against
what a consumer of committed records sees.

Each partition is a list that transactions append unique values to. The anomalies are named as Jepsen names
them: lost write, duplicate, aborted read (G1a), torn transaction, reordering.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

Place = tuple[str, int]
"""(topic, partition)"""


class Outcome(Enum):
    """What the producer knows of its transaction."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Done:
    """One transaction."""

    producer: str
    number: int
    """Counts the producer's transactions."""
    appended: list[tuple[Place, bytes]] = field(default_factory=list)
    outcome: Outcome = Outcome.UNKNOWN


def anomalies(history: Sequence[Done], seen: Mapping[Place, Sequence[bytes]]) -> list[str]:
    """What is wrong with what was read of each partition, from its first record to its last; empty when all
    is well."""
    writer = {value: done for done in history for _, value in done.appended}
    visible = {value for values in seen.values() for value in values}
    return [
        *_duplicates(seen),
        *_strangers(seen, writer),
        *(anomaly for done in history for anomaly in _fate(done, visible)),
        *_reorderings(seen, writer),
    ]


def _duplicates(seen: Mapping[Place, Sequence[bytes]]) -> list[str]:
    counts = Counter(value for values in seen.values() for value in values)
    return [f"duplicate: {value!r} is there {count} times" for value, count in counts.items() if count > 1]


def _strangers(seen: Mapping[Place, Sequence[bytes]], writer: Mapping[bytes, Done]) -> list[str]:
    found = []
    for place, values in seen.items():
        for value in values:
            if value not in writer:
                found.append(f"nobody has written {value!r} to {place}")
            elif (place, value) not in writer[value].appended:
                found.append(f"{value!r} was written, but not to {place}")
    return found


def _fate(done: Done, visible: set[bytes]) -> list[str]:
    name = f"transaction {done.number} of {done.producer}"
    there = [value for _, value in done.appended if value in visible]
    missing = [value for _, value in done.appended if value not in visible]
    if done.outcome is Outcome.COMMITTED and missing:
        return [f"lost: {name} is committed, and {missing} is not there"]
    if done.outcome is Outcome.ABORTED and there:
        return [f"aborted read: {name} is aborted, and {there} is there"]
    if there and missing:
        return [f"torn: of {name} {there} is there, and {missing} is not"]
    return []


def _reorderings(seen: Mapping[Place, Sequence[bytes]], writer: Mapping[bytes, Done]) -> list[str]:
    """A producer's values stand in each partition in the order in which it has appended them."""
    ranks: dict[bytes, tuple[int, int]] = {}
    for value, done in writer.items():
        ranks[value] = done.number, [each for _, each in done.appended].index(value)
    found = []
    for place, values in seen.items():
        last: dict[str, bytes] = {}
        for value in values:
            if value not in writer:
                continue
            before = last.get(writer[value].producer)
            if before is not None and ranks[before] > ranks[value]:
                found.append(f"reordered: {value!r} comes after {before!r} in {place}")
            last[writer[value].producer] = value
    return found


def by_place(rows: Sequence[tuple[Place, int, bytes]]) -> tuple[dict[Place, list[bytes]], list[str]]:
    """Values of (place, offset, value) as they were polled, and whatever was polled out of order."""
    values: dict[Place, list[bytes]] = defaultdict(list)
    offsets: dict[Place, int] = {}
    wrong = []
    for place, offset, value in rows:
        if offset <= offsets.get(place, -1):
            wrong.append(f"non-monotone poll: offset {offset} after {offsets[place]} of {place}")
        offsets[place] = offset
        values[place].append(value)
    return dict(values), wrong
