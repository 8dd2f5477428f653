"""Replays the records of groups with epochs.

Always true:
  a tombstone for a group of another kind, or of none, means nothing
  a record of one kind puts a group of that kind in the place of a classic group: the log has its tombstone,
  or it had nothing but offsets
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from barnabas.coordinator.group.epochs.group import NO_EPOCH, EpochGroup

if TYPE_CHECKING:
    from barnabas.coordinator.group.epochs.records import EpochRecords
    from barnabas.coordinator.group.kind import Groups, Replay
    from barnabas.coordinator.machine import Stored
    from barnabas.protocol.message import Message

G = TypeVar("G", bound=EpochGroup[Any, Any])

Apply = Callable[[G, Any, Any], None]
"""Applies key and value to the group that they speak of."""


class EpochReplays(ABC, Generic[G]):
    """Applies records of one kind to the groups of one machine."""

    def __init__(self, groups: Groups, kind: type[G], records: EpochRecords) -> None:
        self._groups = groups
        self._kind = kind
        self._records = records

    def by_key(self) -> Mapping[type[Message], Replay]:
        """Who replays a record, by the type of its key."""
        applies: dict[type[Message], Apply[G]] = {
            self._records.group_key: self._group_epoch,
            self._records.member_key: self._member_metadata,
            self._records.target_epoch_key: self._target_epoch,
            self._records.target_key: self._target,
            self._records.current_key: self._current,
            **self.others(),
        }
        return {key: self._to_group(apply) for key, apply in applies.items()}

    # ---- what is each kind's own

    @abstractmethod
    def new_group(self, group_id: str) -> G:
        """A group of which nothing has been replayed."""

    @abstractmethod
    def new_member(self, member_id: str) -> Any:
        """A member of which nothing has been replayed."""

    @abstractmethod
    def says(self, value: Any) -> Mapping[str, Any]:
        """What a record of a member's metadata says, by the fields of members."""

    @abstractmethod
    def target_of(self, value: Any) -> Any:
        """What a target assignment's record gives to its member."""

    @abstractmethod
    def has(self, value: Any) -> Mapping[str, Any]:
        """What a record of a current assignment says beside the epochs, by the fields of members; None
        takes all away."""

    def set_group(self, group: G, value: Any) -> None:
        """Applies what the group's own record says beside its epoch and hash."""

    def others(self) -> Mapping[type[Message], Apply[G]]:
        """Further records of the kind, by the type of their key."""
        return {}

    # ---- what is the same

    def _to_group(self, apply: Apply[G]) -> Replay:
        """Finds the record's group; it is made unless the record is a tombstone."""
        groups, kind = self._groups, self._kind

        def replay(stored: Stored) -> None:
            key: Any = stored.key
            group = groups.find_kind(kind, key.group_id)
            if group is None:
                if stored.value is None:
                    return
                group = self.new_group(key.group_id)
                groups.put(group)
            group.changed_at = stored.timestamp
            apply(group, key, stored.value)

        return replay

    def _group_epoch(self, group: G, _: Any, value: Any) -> None:
        if value is None:
            assert not group.members, f"group {group.group_id} is removed with members in it"
            self._groups.remove(self._kind, group.group_id)
            return
        group.group_epoch = value.epoch
        group.metadata_hash = value.metadata_hash
        self.set_group(group, value)

    def _member_metadata(self, group: G, key: Any, value: Any) -> None:
        if value is None:
            group.remove_member(key.member_id)
        else:
            member = group.members.get(key.member_id) or self.new_member(key.member_id)
            group.put_member(replace(member, **self.says(value)))

    def _target_epoch(self, group: G, _: Any, value: Any) -> None:
        if value is None:
            group.set_assignment_epoch(NO_EPOCH, 0)
        else:
            group.set_assignment_epoch(value.assignment_epoch, value.assignment_timestamp)

    def _target(self, group: G, key: Any, value: Any) -> None:
        group.set_target(key.member_id, None if value is None else self.target_of(value))

    def _current(self, group: G, key: Any, value: Any) -> None:
        member = group.members.get(key.member_id)
        if member is None:
            if value is None:
                return
            member = self.new_member(key.member_id)
        epochs = {"member_epoch": NO_EPOCH, "previous_member_epoch": NO_EPOCH}
        if value is not None:
            epochs = {name: getattr(value, name) for name in epochs}
        group.put_member(replace(member, **epochs, **self.has(value)))
