"""The state of one classic group. Changes are small steps that keep its counts right; when they happen is
decided elsewhere.

Always true:
  supported[name] is the number of members that support the protocol
  awaiting_join is the number of members whose JoinGroup waits
  a member id is among the members or among the pending ones, never both
  the leader is a member, if there are members
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from barnabas.coordinator.group.classic.subscription import subscribed_topics
from barnabas.coordinator.group.kind import CommitAuthor, Group, GroupKind
from barnabas.coordinator.machine import Record
from barnabas.errors import (
    FencedInstanceId,
    IllegalGeneration,
    NonEmptyGroup,
    RebalanceInProgress,
    UnknownMemberId,
)
from barnabas.protocol.generated.group_metadata_key import GroupMetadataKey
from barnabas.protocol.generated.group_metadata_value import GroupMetadataValue, MemberMetadata

if TYPE_CHECKING:
    from barnabas.coordinator.group.offsets import CommittedOffset
    from barnabas.coordinator.machine import Context, Outputs, Ticket

PART = "classic"
CONSUMER_PROTOCOL = "consumer"
RECORD_VERSION = 3
"""Of GroupMetadataValue, as Kafka 4.3.1 writes it."""
NO_TIMESTAMP = -1

Protocol = tuple[str, bytes]
"""Name of an assignment protocol and what the member says to it."""


class State(Enum):
    """States of a classic group, by their names on the wire."""

    EMPTY = "Empty"
    """No members; perhaps offsets."""
    PREPARING_REBALANCE = "PreparingRebalance"
    """Members are joining the next generation."""
    COMPLETING_REBALANCE = "CompletingRebalance"
    """All have joined and wait for the leader's assignment."""
    STABLE = "Stable"


@dataclass(slots=True, eq=False)
class Member:
    """A member of a classic group."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    protocols: tuple[Protocol, ...]
    """In the member's order of preference."""
    timer: tuple[str, str, str, str]
    """Key of its session timer."""
    assignment: bytes = b""
    join_ticket: Ticket | None = None
    """Its JoinGroup that waits for the next generation."""
    sync_ticket: Ticket | None = None
    """Its SyncGroup that waits for the leader's."""
    is_new: bool = False
    """It has not been told its first generation: it can't send heartbeats."""

    def metadata(self, protocol: str | None) -> bytes:
        """What it says to a protocol; empty when it doesn't support it."""
        return next((metadata for name, metadata in self.protocols if name == protocol), b"")


def session_timer(group_id: str, member_id: str) -> tuple[str, str, str, str]:
    """Key of the timer that removes a member that stays silent."""
    return (PART, "session", group_id, member_id)


class ClassicGroup(Group):
    """A group whose members speak JoinGroup, or that only has offsets."""

    __slots__ = (
        "awaiting_join",
        "generation_id",
        "initial_delay_left",
        "leader_id",
        "live_record",
        "members",
        "new_member_added",
        "pending_join",
        "pending_sync",
        "previous_state",
        "protocol_name",
        "state",
        "state_timestamp",
        "static_members",
        "subscribed",
        "supported",
        "type",
    )

    kind = GroupKind.CLASSIC

    def __init__(self, group_id: str, now: int = NO_TIMESTAMP) -> None:
        super().__init__(group_id)
        self.state = State.EMPTY
        self.previous_state = State.EMPTY
        self.state_timestamp = now
        """When it came into its state, in ms since the Unix epoch; -1 when unknown."""
        self.type: str | None = None
        """Protocol type of its members; None while nobody has joined."""
        self.generation_id = 0
        self.protocol_name: str | None = None
        self.leader_id: str | None = None
        self.members: dict[str, Member] = {}
        self.static_members: dict[str, str] = {}
        """Member ids by group.instance.id."""
        self.pending_join: dict[str, None] = {}
        """Member ids that were given out and have not joined yet."""
        self.pending_sync: dict[str, None] = {}
        """Members of this generation that have not sent SyncGroup."""
        self.supported: dict[str, int] = {}
        self.awaiting_join = 0
        self.new_member_added = False
        """Somebody has joined since the initial delay was last prolonged."""
        self.initial_delay_left: int | None = None
        """While the first rebalance is delayed: by how many ms it may still be prolonged."""
        self.subscribed: frozenset[str] | None = None
        """Topics that members read; None when they don't say."""
        self.live_record: GroupMetadataValue | None = None
        """What this group has put out itself: its state has it already."""

    # ---- members

    def member(self, member_id: str, group_instance_id: str | None) -> Member:
        """The member, as it names itself; raises UnknownMemberId or FencedInstanceId."""
        if group_instance_id is not None:
            existing = self.static_members.get(group_instance_id)
            if existing is None:
                raise UnknownMemberId()
            if existing != member_id:
                raise FencedInstanceId()
        member = self.members.get(member_id)
        if member is None:
            raise UnknownMemberId()
        return member

    def add(self, member: Member) -> None:
        """Adds a member; the first one gives the group its leader."""
        if self.leader_id is None:
            self.leader_id = member.member_id
        if member.group_instance_id is not None:
            self.static_members[member.group_instance_id] = member.member_id
        self.members[member.member_id] = member
        self.pending_join.pop(member.member_id, None)
        self._count(member.protocols, 1)
        if member.join_ticket is not None:
            self.awaiting_join += 1

    def remove(self, member_id: str) -> None:
        """Removes a member, or an id that waits to join."""
        self.pending_join.pop(member_id, None)
        self.pending_sync.pop(member_id, None)
        member = self.members.pop(member_id, None)
        if member is None:
            return
        self._count(member.protocols, -1)
        if member.join_ticket is not None:
            self.awaiting_join -= 1
        instance = member.group_instance_id
        if instance is not None and self.static_members.get(instance) == member_id:
            del self.static_members[instance]
        if self.leader_id == member_id:
            self.leader_id = next(iter(self.members), None)

    def update(
        self,
        member: Member,
        protocols: tuple[Protocol, ...],
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        ticket: Ticket | None,
    ) -> None:
        """Takes over what a member says anew."""
        self._count(member.protocols, -1)
        self._count(protocols, 1)
        member.protocols = protocols
        member.rebalance_timeout_ms = rebalance_timeout_ms
        member.session_timeout_ms = session_timeout_ms
        self.awaiting_join += (ticket is not None) - (member.join_ticket is not None)
        member.join_ticket = ticket

    def take_join(self, member: Member) -> Ticket | None:
        """The JoinGroup of the member that waits, to be answered now."""
        ticket, member.join_ticket = member.join_ticket, None
        if ticket is not None:
            self.awaiting_join -= 1
        return ticket

    def rename_static(self, instance: str, new_id: str) -> Member:
        """Lets a static member go on under a new member id. Nothing may wait for the old one any more."""
        old_id = self.static_members[instance]
        member = self.members.pop(old_id)
        assert member.join_ticket is None
        assert member.sync_ticket is None
        self.pending_sync.pop(old_id, None)
        member.member_id = new_id
        member.timer = session_timer(self.group_id, new_id)
        self.members[new_id] = member
        self.static_members[instance] = new_id
        if self.leader_id == old_id:
            self.leader_id = new_id
        return member

    def _count(self, protocols: Iterable[Protocol], by: int) -> None:
        for name in {name for name, _ in protocols}:
            count = self.supported.get(name, 0) + by
            if count:
                self.supported[name] = count
            else:
                del self.supported[name]

    # ---- generations

    def transition(self, state: State, now: int) -> None:
        """Comes into another state."""
        self.previous_state, self.state, self.state_timestamp = self.state, state, now

    def supports(self, protocol_type: str, protocols: Iterable[Protocol]) -> bool:
        """Whether somebody with these protocols can be a member beside those that there are."""
        if self.state is State.EMPTY:
            return bool(protocol_type) and any(True for _ in protocols)
        if self.type != protocol_type:
            return False
        return any(self.supported.get(name, 0) == len(self.members) for name, _ in protocols)

    def select_protocol(self) -> str:
        """The protocol that all support and most like best."""
        candidates = {name for name, count in self.supported.items() if count == len(self.members)}
        assert candidates, "members were let in that have no protocol in common"
        votes: dict[str, int] = {}
        for member in self.members.values():
            choice = next(name for name, _ in member.protocols if name in candidates)
            votes[choice] = votes.get(choice, 0) + 1
        return max(votes, key=votes.__getitem__)

    def next_generation(self, now: int) -> None:
        """Begins a generation of the members that there are."""
        self.generation_id += 1
        self.pending_sync.clear()
        self.protocol_name = self.select_protocol() if self.members else None
        self.subscribed = self.compute_subscribed()
        self.transition(State.COMPLETING_REBALANCE if self.members else State.EMPTY, now)

    def elect_joined_leader(self) -> bool:
        """Sees to it that the leader is one who joins; False when nobody does."""
        leader = self.members.get(self.leader_id or "")
        if leader is not None and leader.join_ticket is not None:
            return True
        joined = next((one for one in self.members.values() if one.join_ticket is not None), None)
        if joined is None:
            return False
        self.leader_id = joined.member_id
        return True

    @property
    def all_joined(self) -> bool:
        """Whether nobody is waited for before the next generation."""
        return self.awaiting_join == len(self.members) and not self.pending_join

    @property
    def rebalance_timeout_ms(self) -> int:
        """How long members are waited for: the longest that one of them asks for."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def compute_subscribed(self) -> frozenset[str] | None:
        """Topics that members read, if they are consumers and say so."""
        if self.type is None:
            return None
        if self.members and self.protocol_name and self.type == CONSUMER_PROTOCOL:
            return subscribed_topics(member.metadata(self.protocol_name) for member in self.members.values())
        return frozenset() if not self.members else None

    # ---- what every group answers

    @property
    def protocol_type(self) -> str:
        return self.type or ""

    def state_name(self, now: int) -> str:  # noqa: ARG002
        return self.state.value

    def is_empty(self) -> bool:
        return self.state is State.EMPTY

    def is_subscribed_to(self, topic: str) -> bool:
        return self.subscribed is not None and topic in self.subscribed

    def validate_commit(self, author: CommitAuthor) -> None:
        generation = author.generation_or_epoch
        if generation < 0 and self.state is State.EMPTY:
            return  # Offsets without membership: an administrator, or a consumer that assigns itself.
        if generation >= 0 or author.member_id or author.group_instance_id is not None:
            self.member(author.member_id, author.group_instance_id)
            if generation != self.generation_id:
                raise IllegalGeneration()
        elif not author.transactional and self.state is not State.EMPTY:
            # TxnOffsetCommit before version 3 says neither member nor generation.
            raise UnknownMemberId()
        if not author.transactional and self.state is State.COMPLETING_REBALANCE:
            # The member is right and its generation too, but its partitions may be another's in a moment.
            raise RebalanceInProgress()

    def committed(self, author: CommitAuthor, context: Context, out: Outputs) -> None:
        member = self.members.get(author.member_id)
        if member is not None and self.state in (State.STABLE, State.PREPARING_REBALANCE):
            out.set_timer(member.timer, context.now + member.session_timeout_ms)

    def validate_offset_delete(self) -> None:
        if self.state is not State.EMPTY and self.type != CONSUMER_PROTOCOL:
            raise NonEmptyGroup()

    def validate_delete(self) -> None:
        if self.state is not State.EMPTY:
            raise NonEmptyGroup()

    def offsets_age_from(self) -> Callable[[CommittedOffset], int] | None:
        if self.type is None:
            return _commit_timestamp
        if self.state is State.EMPTY:
            since = self.state_timestamp
            return _commit_timestamp if since == NO_TIMESTAMP else lambda _: since
        if self.type == CONSUMER_PROTOCOL and self.state is State.STABLE and self.subscribed is not None:
            return _commit_timestamp
        return None

    def tombstones(self) -> list[Record]:
        return [Record(GroupMetadataKey(self.group_id), None)]

    # ---- records

    def record(self, assignments: dict[str, bytes] | None = None) -> Record:
        """The group as it is now, as a record that the replay takes for known."""
        assert self.live_record is None, "one record of a group for each event"
        value = GroupMetadataValue(
            protocol_type=self.type or "",
            generation=self.generation_id,
            protocol=self.protocol_name,
            leader=self.leader_id,
            current_state_timestamp=self.state_timestamp,
            members=[
                MemberMetadata(
                    member_id=member.member_id,
                    group_instance_id=member.group_instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    rebalance_timeout=member.rebalance_timeout_ms,
                    session_timeout=member.session_timeout_ms,
                    subscription=member.metadata(self.protocol_name),
                    assignment=member.assignment if assignments is None else assignments[member.member_id],
                )
                for member in self.members.values()
            ],
        )
        self.live_record = value
        return Record(GroupMetadataKey(self.group_id), value, RECORD_VERSION)

    def empty_record(self) -> Record:
        """That the group exists, and no more: members that are joining it are not known to the log yet."""
        assert self.live_record is None, "one record of a group for each event"
        value = GroupMetadataValue(protocol=None, leader=None, current_state_timestamp=self.state_timestamp)
        self.live_record = value
        return Record(GroupMetadataKey(self.group_id), value, RECORD_VERSION)

    @classmethod
    def from_record(cls, group_id: str, value: GroupMetadataValue) -> ClassicGroup:
        """The group as a record tells it: stable, or empty."""
        group = cls(group_id, value.current_state_timestamp)
        group.state = group.previous_state = State.STABLE if value.members else State.EMPTY
        group.type = value.protocol_type or None
        group.generation_id = value.generation
        group.protocol_name = value.protocol
        for stored in value.members:
            timeout = stored.rebalance_timeout
            member = Member(
                member_id=stored.member_id,
                group_instance_id=stored.group_instance_id,
                client_id=stored.client_id,
                client_host=stored.client_host,
                rebalance_timeout_ms=stored.session_timeout if timeout == -1 else timeout,
                session_timeout_ms=stored.session_timeout,
                protocols=((value.protocol or "", stored.subscription),),
                timer=session_timer(group_id, stored.member_id),
                assignment=stored.assignment,
            )
            group.add(member)
        group.leader_id = value.leader
        group.subscribed = group.compute_subscribed()
        return group


def _commit_timestamp(offset: CommittedOffset) -> int:
    return offset.commit_timestamp
