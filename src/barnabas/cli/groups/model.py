"""What the commands know of a group, whatever kind it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from barnabas.cli.brokers.offsets import Partition

CLASSIC, CONSUMER, SHARE, STREAMS = "classic", "consumer", "share", "streams"
KINDS = (CLASSIC, CONSUMER, SHARE, STREAMS)
STATES = (
    "Assigning",
    "CompletingRebalance",
    "Dead",
    "Empty",
    "NotReady",
    "PreparingRebalance",
    "Reconciling",
    "Stable",
)


@dataclass(frozen=True)
class ListedGroup:
    """A line of the cluster's list of groups."""

    name: str
    kind: str
    """One of KINDS, or another that the cluster names, in small letters."""
    state: str
    protocol_type: str
    """`consumer`, `connect`, …; empty for a group that has only committed offsets."""
    coordinator: int
    """Id of the broker."""


@dataclass(frozen=True)
class Member:
    """One member of a group."""

    id: str
    client_id: str
    host: str
    instance_id: str | None = None
    rack: str | None = None
    epoch: int | None = None
    subscription: tuple[str, ...] = ()
    """Names of topics, and a regular expression between slashes."""
    assignment: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Partitions by topic that the member reads."""
    target: Mapping[str, Sequence[int]] | None = None
    """What it is to have, where that is known and something else."""
    tasks: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)
    """Of streams groups: partitions by subtopology, by role (`active`, `standby`, `warmup`)."""

    @property
    def partition_count(self) -> int:
        return sum(len(partitions) for partitions in self.assignment.values())


@dataclass(frozen=True)
class Group:
    """A group with its members."""

    name: str
    kind: str
    state: str
    coordinator: int
    assignor: str
    """Name of the assignor or of the assignment protocol; may be empty."""
    members: tuple[Member, ...] = ()
    epoch: int | None = None
    assignment_epoch: int | None = None

    @property
    def active(self) -> bool:
        """Whether somebody reads: offsets can't be moved then."""
        return bool(self.members)

    def owners(self) -> dict[Partition, list[str]]:
        """Ids of the members that read a partition; several only in a share group."""
        found: dict[Partition, list[str]] = {}
        for member in self.members:
            for topic, partitions in member.assignment.items():
                for index in partitions:
                    found.setdefault((topic, index), []).append(member.id)
        return found


@dataclass(frozen=True)
class Position:
    """How far a group is in one partition."""

    topic: str
    partition: int
    offset: int | None
    """The committed offset; of a share group where its records in flight begin. None: there is none."""
    end: int | None
    """The high watermark; None when the partition has no leader."""
    lag: int | None
    """Records that are still to be done; None when that is not known."""
    metadata: str = ""
    """What was committed with the offset."""

    @property
    def place(self) -> Partition:
        return self.topic, self.partition

    def as_document(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "end": self.end,
            "lag": self.lag,
        }


def total_lag(positions: Sequence[Position]) -> int | None:
    """The lag of a group; None when it is known for no partition."""
    known = [position.lag for position in positions if position.lag is not None]
    return sum(known) if known else None
