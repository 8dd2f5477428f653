"""How a kind of group plugs into the machine of `__consumer_offsets`.

A kind brings a subclass of `Group`, which answers what others ask of any group (offset commits, lists,
deletion), and a `Part`, which decides calls, replays records and hears timers. All parts of one machine share
its `Groups`.

Always true:
  a part's timers have keys that are tuples, and the first item is the part's name
  the tombstone of one kind's records never removes a group of another kind: when a group changes its kind,
  the records of the old one may be replayed while the new one is already in its place
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from barnabas.errors import GroupIdNotFound, InconsistentGroupProtocol, UnknownMemberId
from barnabas.protocol.generated.join_group_request import JoinGroupRequest

if TYPE_CHECKING:
    from barnabas._core import Uuid
    from barnabas.coordinator.group.offsets import CommittedOffset, Offsets
    from barnabas.coordinator.machine import Call, Context, Outputs, Record, Stored
    from barnabas.protocol.message import Message

G = TypeVar("G", bound="Group")

Handle = Callable[["Call", "Context", "Outputs"], None]
"""Decides a call; may raise KafkaError as the answer to the whole of it."""

Replay = Callable[["Stored"], None]

ValidatePartition = Callable[[str, "Uuid", int], None]
"""Judges an offset commit to one partition, by topic, topic id (zero when nobody knows it) and index.

StaleMemberEpoch becomes IllegalGeneration in a transaction, and a topic without an id is refused so too
(Kafka 4.3.1 on the wire)."""


class GroupKind(Enum):
    """Kinds of groups, by the names that ListGroups gives them."""

    CLASSIC = "classic"
    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"


class CommitAuthor(NamedTuple):
    """Who commits offsets, as the request says."""

    member_id: str
    group_instance_id: str | None
    generation_or_epoch: int
    transactional: bool
    api_version: int


class Group(ABC):
    """A group of any kind."""

    __slots__ = ("__weakref__", "group_id")

    kind: ClassVar[GroupKind]
    expires: ClassVar[bool] = True
    """Whether it goes by itself once it is empty and has no offsets."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id

    # ---- what lists and descriptions show

    @property
    @abstractmethod
    def protocol_type(self) -> str:
        """As ListGroups has it; '' while nobody has said."""

    @abstractmethod
    def state_name(self, now: int) -> str:
        """As ListGroups has it: 'Empty', 'Stable', …"""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether it has no members."""

    # ---- committed offsets

    @abstractmethod
    def validate_commit(self, author: CommitAuthor) -> ValidatePartition | None:
        """Raises the KafkaError with which the author's offset commit is refused. What it returns is asked
        about each partition that is then written, and raises what refuses the whole commit; None when every
        partition may be committed."""

    def validate_fetch(self, member_id: str | None, member_epoch: int) -> None:  # noqa: B027
        """Raises the KafkaError with which an offset fetch is refused."""

    @abstractmethod
    def validate_offset_delete(self) -> None:
        """Raises the KafkaError with which a deletion of offsets is refused as a whole."""

    @abstractmethod
    def is_subscribed_to(self, topic: str) -> bool:
        """Whether a member reads the topic: its offsets neither expire nor may they be deleted."""

    @abstractmethod
    def offsets_age_from(self) -> Callable[[CommittedOffset], int] | None:
        """From when on the age of an offset counts, in ms since the Unix epoch; None while none expires."""

    def committed(self, author: CommitAuthor, context: Context, out: Outputs) -> None:  # noqa: B027
        """Hears of a commit that was let through (a classic member's session goes on)."""

    # ---- deletion

    @abstractmethod
    def validate_delete(self) -> None:
        """Raises the KafkaError with which the deletion of the group is refused (NON_EMPTY_GROUP)."""

    @abstractmethod
    def tombstones(self) -> list[Record]:
        """The records that remove the group; its offsets are removed beside them."""

    # ---- calls of the classic protocol to a group of another kind

    def handle_classic(self, call: Call, context: Context, out: Outputs) -> None:  # noqa: ARG002
        """JoinGroup, SyncGroup, Heartbeat and LeaveGroup when the group is not a classic one. An empty group
        of another kind never sees JoinGroup: a classic group takes its place."""
        if isinstance(call.request, JoinGroupRequest):
            raise InconsistentGroupProtocol()
        raise UnknownMemberId()


class Groups:
    """The groups of one partition and their offsets, shared by all parts of a machine."""

    def __init__(self, offsets: Offsets) -> None:
        self.by_id: dict[str, Group] = {}
        self.offsets = offsets

    def find(self, group_id: str) -> Group | None:
        """The group, of whatever kind; None when there is none."""
        return self.by_id.get(group_id)

    def find_kind(self, kind: type[G], group_id: str) -> G | None:
        """The group if it is of this kind."""
        group = self.by_id.get(group_id)
        return group if isinstance(group, kind) else None

    def get(self, kind: type[G], group_id: str) -> G:
        """The group of this kind; raises GroupIdNotFound, with Kafka's words for why."""
        group = self.by_id.get(group_id)
        if group is None:
            raise GroupIdNotFound(f"Group {group_id} not found.")
        if not isinstance(group, kind):
            raise GroupIdNotFound(f"Group {group_id} is not a {kind.kind.value} group.")
        return group

    def put(self, group: Group) -> None:
        """Adds the group, or lets it take the place of another."""
        self.by_id[group.group_id] = group

    def remove(self, kind: type[Group], group_id: str) -> None:
        """Removes the group if it is of this kind."""
        if isinstance(self.by_id.get(group_id), kind):
            del self.by_id[group_id]


class Part:
    """What one kind of group does in the machine. Made once for each machine, with `Part(groups)`."""

    name: ClassVar[str]
    """First item of the keys of its timers."""

    def __init__(self, groups: Groups) -> None:
        self.groups = groups

    def calls(self) -> Mapping[type[Any], Handle]:
        """Who decides a call, by the type of its request."""
        return {}

    def replays(self) -> Mapping[type[Message], Replay]:
        """Who replays a record, by the type of its key; a value of None is a tombstone."""
        return {}

    def replay_transaction_end(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """A transaction ends on this partition."""

    def loaded(self, context: Context, out: Outputs) -> None:
        """All records of the past are replayed: timers start."""

    def expire(self, key: tuple[Any, ...], context: Context, out: Outputs) -> None:  # noqa: ARG002
        """One of the part's timers has come to its deadline."""
        raise AssertionError(f"{self.name} has no timer {key}")

    def metadata_changed(self, context: Context, out: Outputs) -> None:
        """The committed metadata is another now. Called for every change: look quickly whether it matters."""
