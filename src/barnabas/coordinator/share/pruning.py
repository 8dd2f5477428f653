"""What may be deleted of a partition of `__share_group_state`: all before the oldest snapshot that counts.

Always true: nothing is deleted that a replay would need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from barnabas.coordinator.share.state import ShareState, snapshot

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Record
    from barnabas.coordinator.share.requests import ShareKey


class DeleteBefore(NamedTuple):
    """What the machine asks of the server: nobody needs the records below this offset any more."""

    offset: int


class Needed:
    """From where on records are needed."""

    def __init__(self) -> None:
        self._snapshots: dict[ShareKey, int] = {}
        self._end = 0
        self._told = 0

    def snapshot(self, key: ShareKey, offset: int) -> None:
        """All that is known of a share partition is in the record at this offset."""
        self._snapshots[key] = offset
        self._end = offset + 1

    def update(self, key: ShareKey, offset: int) -> None:
        """A record builds on those before it."""
        self._snapshots.setdefault(key, offset)
        self._end = offset + 1

    def forget(self, key: ShareKey, offset: int) -> None:
        """The record at this offset says that nothing is known any more."""
        self._snapshots.pop(key, None)
        self._end = offset + 1

    def take(self) -> DeleteBefore | None:
        """What may be deleted, if it is more than was said before."""
        offset = min(self._snapshots.values(), default=self._end)
        if offset <= self._told:
            return None
        self._told = offset
        return DeleteBefore(offset)


def cold_snapshots(states: Mapping[ShareKey, ShareState], now: int, interval_ms: int) -> list[Record]:
    """Snapshots of share partitions that had none for so long, for their records hold up all others; none
    when nothing has happened since all had theirs."""
    if all(state.is_cold for state in states.values()):
        return []
    return [
        snapshot(key, replace(state, snapshot_epoch=state.snapshot_epoch + 1), now, state.created_at)
        for key, state in states.items()
        if now - state.written_at >= interval_ms
    ]
