"""Groups on loan: the data plane writes plain commits of offsets without the coordinator.

A group is lent after a commit that was let through, once all that was decided about it is committed. It is
taken back before anything is decided about it again, and what was written meanwhile is replayed, as if it had
been read from the log, where it lies.

Always true:
  nothing is decided about a group while it is lent
  only topics that the coordinator has seen in the metadata are committed to without it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from barnabas.coordinator.group.classic.group import ClassicGroup
from barnabas.coordinator.group.offset_commit import NO_RETENTION
from barnabas.coordinator.group.requests import FetchOffsets, ListGroups, TxnCommit
from barnabas.coordinator.group.tally import OFFSET_COMMIT
from barnabas.protocol.generated.offset_commit_request import OffsetCommitRequest

if TYPE_CHECKING:
    from collections import Counter

    from barnabas._core import Uuid
    from barnabas.coordinator.group.kind import Groups
    from barnabas.coordinator.group.steady import SteadyGroups
    from barnabas.coordinator.machine import Call, Context, Outputs, Stored, TimerKey


class LendGroup(NamedTuple):
    """Effect: the group may be lent, if nothing has been decided about it since."""

    group_id: str
    metadata_bytes_max: int


class Lent(NamedTuple):
    """What the data plane is told of a group."""

    group_id: str
    empty: bool
    """Whether nobody is in it: then those may commit who say no generation, and else its steady members."""
    classic: bool
    metadata_bytes_max: int
    topics: tuple[Uuid, ...]
    """Which may be committed to."""


class TakenBack(NamedTuple):
    """What was written of groups while they were lent."""

    records: int
    """How many, with those that later ones have taken the place of."""
    newest: Sequence[Stored]
    """The newest record of each key, by offset."""


class Lending(Protocol):
    """The data plane."""

    def take_back(self, group_ids: Sequence[str]) -> TakenBack:
        """What was written of groups, which are not lent any more."""


class Nobody:
    """For a coordinator without a data plane, which decides each commit."""

    def take_back(self, group_ids: Sequence[str]) -> TakenBack:
        """Nothing was lent."""
        raise AssertionError(f"{group_ids} were lent to nobody")


class LentGroups:
    """What one machine has lent, and may lend."""

    def __init__(
        self, groups: Groups, steady: SteadyGroups, replay: Callable[[Stored], None], tally: Counter[str]
    ) -> None:
        self.plane: Lending = Nobody()
        """Who writes what is plain."""
        self._groups = groups
        self._steady = steady
        self._replay = replay
        self._tally = tally
        self._lent: set[str] = set()
        self._offered: dict[str, LendGroup] = {}
        """The latest offer of each group about which nothing has been decided since."""
        self._topics: dict[str, set[Uuid]] = {}
        """Topics that were committed to, of groups that are or were lent."""

    # ---- before a decision

    def call_comes(self, call: Call) -> None:
        """A call is about to be decided."""
        if self._lent or self._offered:
            group_id = _concerned(call.request)
            if group_id is not None:
                self._take_back((group_id,))

    def timer_comes(self, key: TimerKey) -> None:
        """A timer is about to be decided."""
        match key:
            case (_, _, str(group_id), *_):
                self._take_back((group_id,))
            case _:
                self.take_back_all()

    def take_back_all(self) -> None:
        """Something about any of them is about to be decided, or asked."""
        self._take_back(tuple(self._lent | self._offered.keys()))
        self._topics.clear()

    def _take_back(self, group_ids: Iterable[str]) -> None:
        lent = []
        for group_id in group_ids:
            self._offered.pop(group_id, None)
            if group_id in self._lent:
                self._lent.discard(group_id)
                lent.append(group_id)
        if not lent:
            return
        records, newest = self.plane.take_back(lent)
        self._tally[OFFSET_COMMIT] += records
        for stored in newest:
            self._replay(stored)

    # ---- after one

    def decided(self, call: Call, context: Context, out: Outputs) -> None:
        """A call was decided: after a plain commit the group is offered."""
        request = call.request
        if (
            type(request) is not OffsetCommitRequest
            or not out.batches
            or request.retention_time_ms != NO_RETENTION
        ):
            return
        offer = LendGroup(request.group_id, context.configs.offset_metadata_max_bytes)
        self._offered[request.group_id] = offer
        self._topics.setdefault(request.group_id, set()).update(topic.topic_id for topic in request.topics)
        out.effect(offer)

    def lend(self, offer: LendGroup) -> Lent | None:
        """Takes note that the group is lent from now on, and says as what. None where it is not to be, for
        something has been decided since, or a transaction would change its offsets; and where it would be
        useless, for none of its members is steady."""
        group_id = offer.group_id
        if self._offered.get(group_id) is not offer:
            return None
        del self._offered[group_id]
        group = self._groups.find(group_id)
        if group is None or self._groups.offsets.has_open_transactions(group_id):
            return None
        empty = group.is_empty()
        if not empty and not self._steady.has(group_id):
            return None
        self._lent.add(group_id)
        topics = tuple(self._topics[group_id])
        return Lent(group_id, empty, isinstance(group, ClassicGroup), offer.metadata_bytes_max, topics)


def _concerned(request: Any) -> str | None:
    """The group that a call is about; None when it is about no group's offsets or members."""
    kind = type(request)
    if kind is TxnCommit:
        request = request.request
    elif kind is FetchOffsets:
        request = request.group
    elif kind is ListGroups:
        return None
    group_id: str = request.group_id
    return group_id
