"""The machine of one partition of `__share_group_state`.

Always true:
  whoever knows an older state epoch or leader epoch writes nothing
  a snapshot stands before the updates that build on it
  what is before the oldest snapshot that counts may be deleted
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.share.pruning import Needed, cold_snapshots
from barnabas.coordinator.share.requests import (
    NO_COUNT,
    NO_OFFSET,
    DeleteState,
    InitializeState,
    ReadState,
    ReadSummary,
    ShareKey,
    WriteState,
)
from barnabas.coordinator.share.state import (
    ShareState,
    from_snapshot,
    snapshot,
    tombstone,
    update,
    with_update,
    written,
)
from barnabas.errors import (
    FencedLeaderEpoch,
    FencedStateEpoch,
    InvalidRequest,
    UnknownTopicOrPartition,
)
from barnabas.protocol.generated.share_snapshot_key import ShareSnapshotKey
from barnabas.protocol.generated.share_update_key import ShareUpdateKey

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.coordinator.machine import Call, Context, Outputs, Stored, TimerKey

NO_EPOCH = -1
PRUNE, COLD = "prune", "cold"
"""Timers: when records are deleted, and when old snapshots are made anew."""
INTERVALS = {
    PRUNE: "share.coordinator.state.topic.prune.interval.ms",
    COLD: "share.coordinator.cold.partition.snapshot.interval.ms",
}
UNKNOWN_TOPIC = "The topic or partition is not known."


class ShareMachine:
    """The share partitions whose keys fall into one partition."""

    def __init__(self) -> None:
        self.states: dict[ShareKey, ShareState] = {}
        self._needed = Needed()
        self._image: MetadataImage | None = None
        self._calls: dict[type[Any], Callable[[Call, Context, Outputs], None]] = {
            InitializeState: self._initialize,
            ReadState: self._read,
            WriteState: self._write,
            DeleteState: self._delete,
            ReadSummary: self._summary,
        }

    # ---- records

    def replay(self, stored: Stored) -> None:
        """Applies a record."""
        key: Any = stored.key
        value: Any = stored.value
        place = ShareKey(key.group_id, key.topic_id, key.partition)
        if isinstance(key, ShareSnapshotKey):
            if value is None:
                self.states.pop(place, None)
                self._needed.forget(place, stored.offset)
            else:
                self.states[place] = from_snapshot(value)
                self._needed.snapshot(place, stored.offset)
        elif isinstance(key, ShareUpdateKey) and value is not None:
            self._needed.update(place, stored.offset)
            self.states[place] = with_update(self.states.get(place, ShareState()), value)

    def replay_transaction_end(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """Nobody writes here in transactions."""

    # ---- calls

    def handle(self, call: Call, context: Context, out: Outputs) -> None:
        """Decides a call."""
        self._calls[type(call.request)](call, context, out)

    def _initialize(self, call: Call, context: Context, out: Outputs) -> None:
        asked: InitializeState = call.request
        self._validate(asked.key, context)
        state = self.states.get(asked.key)
        if state is not None and state.state_epoch > asked.state_epoch:
            raise FencedStateEpoch()
        begun = ShareState(
            snapshot_epoch=state.snapshot_epoch + 1 if state is not None else 0,
            state_epoch=asked.state_epoch,
            start_offset=asked.start_offset,
            delivery_complete_count=NO_COUNT if asked.start_offset == NO_OFFSET else 0,
        )
        out.append(snapshot(asked.key, begun, context.now))
        out.respond(call.ticket, None)

    def _read(self, call: Call, context: Context, out: Outputs) -> None:
        asked: ReadState = call.request
        state = self._state(asked.key, context, "Read")
        if asked.leader_epoch != NO_EPOCH:
            if state.leader_epoch > asked.leader_epoch:
                raise FencedLeaderEpoch()
            if state.leader_epoch != asked.leader_epoch:
                write = WriteState(
                    asked.key,
                    state.state_epoch,
                    asked.leader_epoch,
                    state.start_offset,
                    state.delivery_complete_count,
                    (),
                )
                self._append(write, state, context, out)
                state = replace(state, leader_epoch=asked.leader_epoch)
        out.respond(call.ticket, state)

    def _write(self, call: Call, context: Context, out: Outputs) -> None:
        asked: WriteState = call.request
        state = self._state(asked.key, context, "Write")
        if asked.leader_epoch != NO_EPOCH and state.leader_epoch > asked.leader_epoch:
            raise FencedLeaderEpoch()
        if asked.state_epoch != NO_EPOCH and state.state_epoch > asked.state_epoch:
            raise FencedStateEpoch()
        self._append(asked, state, context, out)
        out.respond(call.ticket, None)

    def _append(self, write: WriteState, state: ShareState, context: Context, out: Outputs) -> None:
        """What has changed, or all of it once there were many changes."""
        limit = context.configs.integer("share.coordinator.snapshot.update.records.per.snapshot")
        if state.updates >= limit:
            whole = replace(written(state, write), snapshot_epoch=state.snapshot_epoch + 1)
            out.append(snapshot(write.key, whole, context.now))
        else:
            out.append(update(write.key, state, write))

    def _delete(self, call: Call, context: Context, out: Outputs) -> None:
        key = call.request.key
        self._validate(key, context)
        if key in self.states:
            out.append(tombstone(key))
        out.respond(call.ticket, None)

    def _summary(self, call: Call, context: Context, out: Outputs) -> None:
        key = call.request.key
        self._validate(key, context)
        unknown = ShareState(delivery_complete_count=NO_COUNT)
        out.respond(call.ticket, self.states.get(key, unknown))

    def _state(self, key: ShareKey, context: Context, what: str) -> ShareState:
        if not key.topic_id or key.partition < 0:
            raise InvalidRequest("The topic id or partition is not valid.")
        state = self.states.get(key)
        if state is None:
            raise InvalidRequest(f"{what} operation on uninitialized share partition not allowed.")
        self._validate(key, context)
        return state

    def _validate(self, key: ShareKey, context: Context) -> None:
        if not key.topic_id or key.partition < 0:
            raise InvalidRequest("The topic id or partition is not valid.")
        topic = context.image.topic_by_id(key.topic_id)
        if topic is None or key.partition >= topic.partition_count:
            raise UnknownTopicOrPartition(UNKNOWN_TOPIC)

    # ---- events

    def loaded(self, context: Context, out: Outputs) -> None:
        """All records of the past are replayed."""
        self._image = None
        self.metadata_changed(context, out)
        for timer in INTERVALS:
            self._set(timer, context, out)

    def expire(self, key: TimerKey, context: Context, out: Outputs) -> None:
        """Looks after the length of the partition."""
        assert isinstance(key, str), key
        if key == COLD:
            interval_ms = context.configs.integer(INTERVALS[COLD])
            out.append_each(cold_snapshots(self.states, context.now, interval_ms))
        elif (deletion := self._needed.take()) is not None:
            out.effect(deletion)
        self._set(key, context, out)

    def _set(self, timer: str, context: Context, out: Outputs) -> None:
        out.set_timer(timer, context.now + context.configs.integer(INTERVALS[timer]))

    def metadata_changed(self, context: Context, out: Outputs) -> None:
        """Forgets share partitions of topics that are gone."""
        before, self._image = self._image, context.image
        if before is not None and before.topic_count() <= context.image.topic_count():
            return  # Most changes of metadata are others; a topic that went with another's coming goes later.
        found = {key.topic_id for key in self.states}
        gone = {topic for topic in found if context.image.topic_by_id(topic) is None}
        out.append_each([tombstone(key) for key in self.states if key.topic_id in gone])
