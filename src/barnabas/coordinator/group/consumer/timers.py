"""The timers of consumer groups: what a member has time for, and what becomes of it when the time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.group.steady import prolonged

if TYPE_CHECKING:
    from barnabas.coordinator.group.consumer.group import ConsumerGroup
    from barnabas.coordinator.group.consumer.member import Member
    from barnabas.coordinator.machine import Context, Outputs

PART = "consumer"
SESSION = "session"
"""A member must be heard of again."""
REVOCATION = "revocation"
"""A member must give up partitions (its rebalance timeout)."""
JOIN = "join"
"""A member of the classic protocol must join again (its rebalance timeout)."""
SYNC = "sync"
"""A member of the classic protocol must ask for what it has been assigned (its rebalance timeout)."""
PATTERNS = "patterns"
"""The group's patterns are looked at."""

Key = tuple[str, str, str, str]
"""(part, which, group id, member id)"""


def key(which: str, group: ConsumerGroup, member_id: str = "") -> Key:
    """Names a timer."""
    return (PART, which, group.group_id, member_id)


def session_timeout(group: ConsumerGroup, member: Member, context: Context) -> int:
    """In milliseconds: the group's, or what a member of the classic protocol has asked for."""
    if member.classic is not None:
        return member.classic.session_timeout_ms
    timeout: int = context.configs.group_integer(context.image, group.group_id, "consumer.session.timeout.ms")
    return timeout


def start_session(group: ConsumerGroup, member: Member, context: Context, out: Outputs) -> None:
    """The member has been heard of."""
    deadline = context.now + session_timeout(group, member, context)
    out.set_timer(key(SESSION, group, member.member_id), deadline)


def prolong_session(group: ConsumerGroup, member: Member, context: Context, out: Outputs) -> bool:
    """Whether the member's session goes on after all: its heartbeats were answered elsewhere."""
    timeout = session_timeout(group, member, context)
    deadline = prolonged(group.group_id, member.member_id, timeout, context)
    if deadline is not None:
        out.set_timer(key(SESSION, group, member.member_id), deadline)
    return deadline is not None


def start(which: str, group: ConsumerGroup, member: Member, context: Context, out: Outputs) -> None:
    """Starts one of the timers that last as long as the member's rebalance timeout."""
    out.set_timer(key(which, group, member.member_id), context.now + member.rebalance_timeout_ms)


def await_join(group: ConsumerGroup, member: Member, context: Context, out: Outputs) -> None:
    """A member of the classic protocol is told to join again; its time runs from when it was first told."""
    if member.member_id not in group.told_to_join:
        group.told_to_join.add(member.member_id)
        start(JOIN, group, member, context, out)


def joined(group: ConsumerGroup, member_id: str, out: Outputs) -> None:
    """A member of the classic protocol has joined again."""
    group.told_to_join.discard(member_id)
    cancel(JOIN, group, member_id, out)


def cancel(which: str, group: ConsumerGroup, member_id: str, out: Outputs) -> None:
    """Forgets a timer, if there is one."""
    out.cancel_timer(key(which, group, member_id))


def cancel_all(group: ConsumerGroup, member_id: str, out: Outputs) -> None:
    """Forgets all timers of a member that is gone."""
    group.told_to_join.discard(member_id)
    for which in (SESSION, REVOCATION, JOIN, SYNC):
        out.cancel_timer(key(which, group, member_id))
