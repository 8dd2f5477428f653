"""Groups and their members, as Admin tells of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from barnabas.clients.admin.acl_operation import AclOperation
from barnabas.clients.admin.partitions_map import Partition


class GroupType(StrEnum):
    """Kinds of groups."""

    CLASSIC = "classic"
    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class GroupListing:
    """A group that there is."""

    group_id: str = field(repr=False)
    type: GroupType
    state: str
    protocol_type: str
    """What the members of a classic group have in common: `consumer`, `connect`, …"""
    coordinator: int


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a classic, consumer or share group."""

    member_id: str
    client_id: str
    host: str
    group_instance_id: str | None = None
    rack_id: str | None = None
    member_epoch: int | None = None
    """None in a classic group."""
    subscribed_topics: tuple[str, ...] = ()
    subscribed_pattern: str | None = None
    assignment: tuple[Partition, ...] = ()
    target_assignment: tuple[Partition, ...] | None = None
    """What it is to have once others have given up what it waits for; None where nobody tells."""
    is_classic: bool = False
    """Whether it speaks the classic protocol in a consumer group."""

    def __str__(self) -> str:
        return self.member_id


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A classic, consumer or share group."""

    group_id: str = field(repr=False)
    type: GroupType
    state: str
    coordinator: int
    assignor: str
    """The protocol that a classic group has agreed on, or the name of the coordinator's assignor."""
    members: tuple[GroupMember, ...]
    group_epoch: int | None = None
    assignment_epoch: int | None = None
    protocol_type: str = ""
    authorized_operations: frozenset[AclOperation] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    """A committed offset, with what was written beside it."""

    offset: int
    leader_epoch: int | None = None
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class ShareOffset:
    """Where a share group begins in a partition, and how many records it has not had; None where nobody
    knows."""

    start_offset: int
    leader_epoch: int | None = None
    lag: int | None = None
