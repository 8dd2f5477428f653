"""Where a reset moves a group: plain values, nothing is asked and nothing done here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from barnabas.cli.brokers.offsets import Partition
from barnabas.cli.errors import CommandFailed


class Way(Enum):
    """How a reset finds the new offset of a partition."""

    EARLIEST = auto()
    LATEST = auto()
    CURRENT = auto()
    """Where the group is, brought into the partition's bounds."""
    OFFSET = auto()
    SHIFT = auto()
    """So many records on, or back."""
    TIME = auto()


class Destination(NamedTuple):
    """A way to go, and how far where the way asks for it."""

    way: Way
    value: int = 0
    """An offset, a number of records, or milliseconds since 1970."""


class Bounds(NamedTuple):
    """The partitions that a plan is about: what is known of each."""

    first: Mapping[Partition, int]
    """The log start offset."""
    end: Mapping[Partition, int]
    """The high watermark."""
    at_time: Mapping[Partition, int]
    """The first record that is not older than the time asked for; left out where all are."""


class Move(NamedTuple):
    """One partition of a plan."""

    topic: str
    partition: int
    old: int | None
    new: int

    @property
    def place(self) -> Partition:
        return self.topic, self.partition

    def as_document(self, group: str) -> dict[str, Any]:
        """What `moves_of` reads again."""
        return {
            "group": group,
            "topic": self.topic,
            "partition": self.partition,
            "from": self.old,
            "to": self.new,
        }

    def __str__(self) -> str:
        if self.old is None:
            return "new"
        if self.new == self.old:
            return "stays"
        return f"{self.old - self.new} again" if self.new < self.old else f"{self.new - self.old} skipped"


class Selection(NamedTuple):
    """A topic, and the partitions of it that are meant; None: all."""

    topic: str
    partitions: tuple[int, ...] | None


def plan(
    destination: Destination, places: Iterable[Partition], current: Mapping[Partition, int], bounds: Bounds
) -> list[Move]:
    """A move for each partition, within its bounds. CommandFailed when there is nowhere to go."""
    return [
        Move(*place, current.get(place), _target(destination, place, current.get(place), bounds))
        for place in sorted(places)
    ]


def _target(destination: Destination, place: Partition, current: int | None, bounds: Bounds) -> int:
    if place not in bounds.first or place not in bounds.end:
        raise CommandFailed(
            f"Partition {place[1]} of {place[0]} has no leader, or there is no such partition."
        )
    first, end = bounds.first[place], bounds.end[place]
    absolute = {
        Way.EARLIEST: first,
        Way.LATEST: end,
        Way.CURRENT: end if current is None else current,
        Way.OFFSET: destination.value,
        Way.TIME: bounds.at_time.get(place, end),
    }
    if destination.way in absolute:
        wanted = absolute[destination.way]
    elif current is not None:
        wanted = current + destination.value
    else:
        raise CommandFailed(
            f"The group has no offset in partition {place[1]} of {place[0]} from which to shift. "
            "Choose another way for it."
        )
    return min(max(wanted, first), end)


def parse_selection(text: str) -> Selection:
    """`orders`, `orders:3`, `orders:0,2-5`. ValueError when it is something else."""
    topic, colon, numbers = text.partition(":")
    if not topic or (colon and not numbers):
        raise ValueError(f"'{text}' must be written as TOPIC or TOPIC:0,2-5")
    if not colon:
        return Selection(topic, None)
    partitions: set[int] = set()
    for part in numbers.split(","):
        low, dash, high = part.partition("-")
        ends = (low, high if dash else low)
        if not all(end.isascii() and end.isdecimal() for end in ends):
            raise ValueError(f"'{part}' in '{text}' is no partition")
        partitions.update(range(int(ends[0]), int(ends[1]) + 1))
    return Selection(topic, tuple(sorted(partitions)))


def moves_of(lines: Iterable[str], group: str) -> dict[Partition, int]:
    """The offsets that a file has for a group: JSON lines as `--dry-run --json` prints them, or Kafka's CSV
    (`topic,partition,offset`, with the group before it or not). ValueError names a line that is neither."""
    found: dict[Partition, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            owner, topic, partition, offset = _line(line.strip())
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"line {number} is no line of a plan: {line.strip()[:80]}") from None
        if owner in (None, group):
            found[topic, partition] = offset
    return found


def _line(line: str) -> tuple[str | None, str, int, int]:
    if line.startswith("{"):
        document = json.loads(line)
        return document.get("group"), str(document["topic"]), int(document["partition"]), int(document["to"])
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    owner = cells.pop(0) if len(cells) == 4 else None
    topic, partition, offset = cells
    return owner, topic, int(partition), int(offset)
