"""How soon a member is asked to come back.

Kafka asks all members for the same interval, so that a change of the group takes several of them. Here
members come more often while the group is changing, and the more rarely the longer it has been quiet, up to
the configured interval: groups that have just changed are most likely to change again.

Always true:
  nobody is asked to come more rarely than configured
  the members of one group are not asked for more than a bounded number of heartbeats each second
  target assignments are the configured interval apart, or a time that grows with the group if that is less
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

INTERVAL_LEAST_MS = 50
MS_FOR_EACH_MEMBER = 2
"""500 heartbeats each second from one group at most, while it is changing."""
QUIET_SHARE = 8
"""A group is asked again after this share of the time that it has been quiet."""
GATHER_LEAST_MS = 100
GATHER_MS_FOR_EACH_MEMBER = 10
"""How long others are waited for after an assignment, by its members: those of an application start together,
and are not to wait for a whole interval since whoever came first has his share; that of few costs little."""


class Paced(Protocol):
    """A group whose members heartbeat: a consumer group, a share group."""

    changed_at: int
    assignment_timestamp: int

    @property
    def members(self) -> Mapping[str, Any]: ...
    @property
    def target(self) -> Mapping[str, Any]: ...


def heartbeat_interval(group: Paced, configured: int, now: int, *, changing: bool) -> int:
    """Milliseconds until the member's next heartbeat; `changing` when something changes at this moment."""
    least = min(configured, max(INTERVAL_LEAST_MS, MS_FOR_EACH_MEMBER * len(group.members)))
    quiet = 0 if changing else now - group.changed_at
    return min(configured, max(least, quiet // QUIET_SHARE))


def until_assignment(group: Paced, assignment_interval: int, now: int) -> int:
    """Milliseconds until there may be another target assignment; 0 when there may be one now."""
    if group.assignment_timestamp == 0 or not group.target:
        return 0
    gather = max(GATHER_LEAST_MS, GATHER_MS_FOR_EACH_MEMBER * len(group.target))
    return max(0, group.assignment_timestamp + min(assignment_interval, gather) - now)
