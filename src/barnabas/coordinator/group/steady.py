"""Members whose heartbeats change nothing: answered by the data plane, without their machine.

A part that decides a heartbeat which changes nothing puts out a `Steady` with the answer. Whatever changes
the group afterwards takes that back: here, for all kinds of groups, so that no decision can forget it.
Changes of the metadata and of configs the server takes back by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.protocol.generated.join_group_request import JoinGroupRequest
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest
from barnabas.protocol.generated.offset_commit_key import OffsetCommitKey
from barnabas.protocol.generated.offset_commit_request import OffsetCommitRequest
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs, TimerKey

CLASSIC_CALLS = (JoinGroupRequest, SyncGroupRequest, LeaveGroupRequest)
"""They may change a group of which nothing is written."""


def prolonged(group_id: str, member_id: str, session_timeout_ms: int, context: Context) -> int | None:
    """The deadline of a session that has gone on elsewhere; None when the member was silent there too."""
    heard_at = context.heard(group_id, member_id)
    if heard_at is None or heard_at + session_timeout_ms <= context.now:
        return None
    return heard_at + session_timeout_ms


class SteadyGroups:
    """The groups of one machine that may have steady members."""

    def __init__(self) -> None:
        self._groups: set[str] = set()

    def has(self, group_id: str) -> bool:
        """Whether the group may have steady members."""
        return group_id in self._groups

    def called(self, call: Call, out: Outputs) -> None:
        """A call was decided."""
        request = call.request
        if type(request) is OffsetCommitRequest:
            return  # It writes offsets and nothing else.
        changed = _written(out)
        if isinstance(request, CLASSIC_CALLS):
            changed.add(request.group_id)
        self._withdraw(changed, out)
        if out.steady is not None:
            if out.steady.group_id in changed:
                out.steady = None
            else:
                self._groups.add(out.steady.group_id)

    def expired(self, key: TimerKey, out: Outputs) -> None:
        """A timer was decided; a session that goes on has changed nothing."""
        changed = _written(out)
        match key:
            case (_, "session", _, _) if any(timer == key for timer, _ in out.timers):
                pass
            case (_, _, str(group_id), *_):
                changed.add(group_id)
        self._withdraw(changed, out)

    def happened(self, out: Outputs) -> None:
        """Another event was decided."""
        self._withdraw(_written(out), out)

    def _withdraw(self, changed: set[str], out: Outputs) -> None:
        if changed and (withdrawn := changed & self._groups):
            self._groups -= withdrawn
            out.unsteady.update(withdrawn)


def _written(out: Outputs) -> set[str]:
    """Groups of which something was written, other than offsets."""
    keys: list[Any] = [record.key for batch in out.batches for record in batch.records]
    return {
        key.group_id if hasattr(key, "group_id") else key.group
        for key in keys
        if not isinstance(key, OffsetCommitKey)
    }
