"""The state of one share partition, as its records say it is. Never changed: there is another one instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from barnabas.coordinator.machine import Record
from barnabas.coordinator.share.batches import StateBatch, StateBatches, combine
from barnabas.coordinator.share.requests import NO_COUNT, NO_OFFSET, ShareKey, WriteState
from barnabas.protocol.generated import share_snapshot_value as snapshot_value
from barnabas.protocol.generated import share_update_value as update_value
from barnabas.protocol.generated.share_snapshot_key import ShareSnapshotKey
from barnabas.protocol.generated.share_update_key import ShareUpdateKey


@dataclass(frozen=True, slots=True)
class ShareState:
    """What the share coordinator knows of a share partition."""

    snapshot_epoch: int = 0
    """Goes up with each snapshot."""
    state_epoch: int = 0
    """The group epoch in which the share partition began; who knows an older one may write nothing."""
    leader_epoch: int = 0
    """Of the leader that has read or written last."""
    start_offset: int = NO_OFFSET
    """Everything below is done with; NO_OFFSET before the first record."""
    delivery_complete_count: int = NO_COUNT
    batches: StateBatches = ()
    updates: int = 0
    """Records since the last snapshot."""
    created_at: int = 0
    """When the last snapshot was made that was due by the number of updates."""
    written_at: int = 0
    """When the last snapshot was made."""

    @property
    def is_cold(self) -> bool:
        """Whether nothing has happened since a snapshot that was due by its age."""
        return self.updates == 0 and self.created_at != self.written_at


def from_snapshot(value: Any) -> ShareState:
    """As a ShareSnapshot says."""
    return ShareState(
        value.snapshot_epoch,
        value.state_epoch,
        value.leader_epoch,
        value.start_offset,
        value.delivery_complete_count,
        _batches(value.state_batches),
        created_at=value.create_timestamp,
        written_at=value.write_timestamp,
    )


def with_update(state: ShareState, value: Any) -> ShareState:
    """With what a ShareUpdate says."""
    start = state.start_offset if value.start_offset == NO_OFFSET else value.start_offset
    return replace(
        state,
        leader_epoch=value.leader_epoch if value.leader_epoch != -1 else state.leader_epoch,
        start_offset=start,
        delivery_complete_count=value.delivery_complete_count,
        batches=combine(state.batches, _batches(value.state_batches), start),
        updates=state.updates + 1,
    )


def written(state: ShareState, write: WriteState) -> ShareState:
    """With what a write says."""
    start = state.start_offset if write.start_offset == NO_OFFSET else write.start_offset
    return replace(
        state,
        leader_epoch=state.leader_epoch if write.leader_epoch == -1 else write.leader_epoch,
        start_offset=start,
        delivery_complete_count=write.delivery_complete_count,
        batches=combine(state.batches, write.batches, start),
    )


def snapshot(key: ShareKey, state: ShareState, now: int, created_at: int | None = None) -> Record:
    """All that is known of a share partition; `created_at` stays as it was in a snapshot that is due by its
    age."""
    value = snapshot_value.ShareSnapshotValue(
        snapshot_epoch=state.snapshot_epoch,
        state_epoch=state.state_epoch,
        leader_epoch=state.leader_epoch,
        start_offset=state.start_offset,
        delivery_complete_count=state.delivery_complete_count,
        create_timestamp=now if created_at is None else created_at,
        write_timestamp=now,
        state_batches=[snapshot_value.StateBatch(*batch) for batch in state.batches],
    )
    return Record(ShareSnapshotKey(*key), value)


def update(key: ShareKey, state: ShareState, write: WriteState) -> Record:
    """What has changed of a share partition."""
    value = update_value.ShareUpdateValue(
        snapshot_epoch=state.snapshot_epoch,
        leader_epoch=state.leader_epoch if write.leader_epoch == -1 else write.leader_epoch,
        start_offset=write.start_offset,
        delivery_complete_count=write.delivery_complete_count,
        state_batches=[
            update_value.StateBatch(*batch) for batch in combine((), write.batches, write.start_offset)
        ],
    )
    return Record(ShareUpdateKey(*key), value)


def tombstone(key: ShareKey) -> Record:
    """Nothing is known any more."""
    return Record(ShareSnapshotKey(*key), None)


def _batches(batches: Iterable[Any]) -> StateBatches:
    return tuple(
        StateBatch(batch.first_offset, batch.last_offset, batch.delivery_state, batch.delivery_count)
        for batch in batches
    )
