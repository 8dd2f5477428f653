"""Decides ConsumerGroupHeartbeat: a member joins, says what has changed, and hears what it is to have.

A heartbeat goes through these steps, each of which may write records: who is it, what does it say about
itself, do its patterns stand for other topics, has the group's epoch to go up, has there to be another target
assignment, and how far can the member go towards it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from barnabas._core import subscription_hash
from barnabas.coordinator.group.consumer import records, timers
from barnabas.coordinator.group.consumer.group import ConsumerGroup
from barnabas.coordinator.group.consumer.member import NO_TIMEOUT, Member, MemberState, Owned
from barnabas.coordinator.group.consumer.patterns import Freshness, needs_refresh, validate_pattern
from barnabas.coordinator.group.consumer.reconcile import OwnedTopic, reconcile
from barnabas.coordinator.group.consumer.target import (
    ASSIGNORS,
    SubscribedTopics,
    new_target,
    present_target,
)
from barnabas.coordinator.group.epochs import pace
from barnabas.coordinator.machine import Steady
from barnabas.protocol.generated.consumer_group_heartbeat_response import (
    Assignment,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.coordinator.group.consumer.reconcile import Target
    from barnabas.coordinator.machine import Call, Context, Outputs, Record
    from barnabas.protocol.generated.consumer_group_heartbeat_request import ConsumerGroupHeartbeatRequest


@dataclass(slots=True)
class Step:
    """A member's step: what it was, what it will be, and what has been written so far."""

    group: ConsumerGroup
    before: Member
    """As it was; a new member is one that has said nothing yet."""
    member: Member
    """As it will be."""
    context: Context
    out: Outputs
    topics_created_at: int
    """Offset of the metadata when a topic was last created."""
    written: list[Record] = field(default_factory=list)
    group_epoch: int = 0
    """As it will be."""
    subscription_changed: bool = False
    assigned: bool = True
    """Whether the target assignment will be that of the group's epoch."""
    pattern_pending: bool = False
    """Whether the topics of a pattern are about to be looked up."""

    # ---- what the member says

    def write_metadata(self) -> None:
        """Writes down what the member says about itself, if that is new."""
        if self.member != self.before:
            self.written.append(records.member_metadata(self.group.group_id, self.member))

    def update_patterns(self) -> bool:
        """Takes up a change of the member's pattern; whether the group's epoch has to go up for it."""
        group, counts = self.group, self.group.counts
        old, new = self.before.topic_regex, self.member.topic_regex
        known = asked = False
        if old != new:
            self.subscription_changed = True
            if old and counts.patterns.get(old) == 1:
                self.written.append(records.pattern_tombstone(group.group_id, old))
            if not new:
                known = bool(old)
            elif new not in counts.patterns:
                validate_pattern(new)
                asked = True
            else:
                known = new in group.patterns
        if asked or counts.patterns:
            self._refresh_patterns(asked=asked)
        return known

    def _refresh_patterns(self, *, asked: bool) -> None:
        wanted = self.group.counts.patterns
        if self.before.topic_regex != self.member.topic_regex:
            counts = self.group.counts.copy()
            counts.change(self.before, self.member)
            wanted = counts.patterns
        now = self.context.now
        interval = self.context.configs.consumer_pattern_refresh_ms
        freshness = Freshness(now, interval, self.topics_created_at)
        if needs_refresh(wanted, self.group.patterns, freshness, asked=asked):
            self.pattern_pending = True
            # After this heartbeat, so that its records stand by themselves as in Kafka.
            self.out.set_timer(timers.key(timers.PATTERNS, self.group), now)

    # ---- the group's epoch

    def update_group(self, *, bump: bool) -> None:
        """Lets the group's epoch go up when there is a reason: subscriptions or subscribed topics differ."""
        group = self.group
        self.group_epoch = group.group_epoch
        if not bump and group.metadata_checked_at_epoch == group.group_epoch:
            return
        counts = group.counts
        if self.member != self.before:
            counts = counts.copy()
            counts.change(self.before, self.member)
            old = self.before.topic_regex
            if old and old != self.member.topic_regex and group.counts.patterns.get(old) == 1:
                counts.change_pattern(group.patterns[old].topics if old in group.patterns else (), ())
        metadata_hash = subscription_hash(list(counts.topics), self.context.image)
        if bump or metadata_hash != group.metadata_hash:
            self.group_epoch += 1
            self.written.append(records.group_epoch(group.group_id, self.group_epoch, metadata_hash))
        group.metadata_checked_at_epoch = self.group_epoch
        if group.has_partition_metadata:
            self.written.append(records.partition_metadata_tombstone(group.group_id))

    # ---- the assignment

    def target(self) -> Target:
        """What the member is to have; assigns anew when the group's epoch asks for it and it is time."""
        group, context = self.group, self.context
        if group.assignment_epoch >= self.group_epoch:
            return present_target(group, self.member)
        interval = self._group_config("consumer.assignment.interval.ms")
        if pace.until_assignment(group, interval, context.now):
            self.assigned = False
            return present_target(group, self.member)
        names = context.configs.consumer_assignors
        counts = group.counts
        if self.before.server_assignor != self.member.server_assignor:
            counts = counts.copy()
            counts.change(self.before, self.member)
        assign = ASSIGNORS.get(counts.preferred_assignor(names[0]), ASSIGNORS["uniform"])
        return new_target(group, self.group_epoch, self.member, assign, context, self.written)

    def reconcile(self, target: Target, owned: Sequence[OwnedTopic] | None) -> None:
        """Leads the member towards what it is to have."""
        if not self.subscription_changed and self.member.is_reconciled_to(target.epoch):
            return
        group, before = self.group, self.member
        topics = SubscribedTopics(group.topics_of(self.member), self.context.image)
        self.member = reconcile(
            before,
            target,
            topics,
            subscription_changed=self.subscription_changed,
            owned=owned,
            is_owned=group.is_owned,
        )
        if self.member == before:
            return
        self.written.append(records.current(group.group_id, self.member))
        if self.member.uses_classic_protocol:
            return
        if self.member.state is MemberState.UNREVOKED_PARTITIONS:
            timers.start(timers.REVOCATION, group, self.member, self.context, self.out)
        else:
            timers.cancel(timers.REVOCATION, group, self.member.member_id, self.out)

    # ---- the answer

    def heartbeat_interval(self) -> int:
        """Milliseconds until the member's next heartbeat."""
        group, now = self.group, self.context.now
        configured = self._group_config("consumer.heartbeat.interval.ms")
        changing = self.pattern_pending or bool(self.written)
        interval = pace.heartbeat_interval(group, configured, now, changing=changing)
        if self.assigned or not self.member.is_reconciled_to(group.assignment_epoch):
            return interval
        # Nothing will happen before the next target assignment: all come back when it may be made.
        until = pace.until_assignment(group, self._group_config("consumer.assignment.interval.ms"), now)
        return min(configured, max(interval, until))

    def is_steady(self, heartbeat_interval_ms: int) -> bool:
        """Whether a heartbeat that says nothing new has this interval and nothing else for an answer, until
        something happens to the group. Patterns are looked up when somebody heartbeats."""
        group, member = self.group, self.member
        return (
            not self.written
            and member == self.before
            and member.state is MemberState.STABLE
            and member.is_reconciled_to(group.assignment_epoch)
            and group.assignment_epoch == group.group_epoch == group.metadata_checked_at_epoch
            and not group.counts.patterns
            and heartbeat_interval_ms == self._group_config("consumer.heartbeat.interval.ms")
        )

    def _group_config(self, name: str) -> int:
        value: int = self.context.configs.group_integer(self.context.image, self.group.group_id, name)
        return value


def said(before: Member, request: ConsumerGroupHeartbeatRequest, call: Call) -> Member:
    """The member with what the heartbeat says; what it leaves out stays as it is."""
    changes: dict[str, Any] = {}
    names = request.subscribed_topic_names
    says = (
        ("instance_id", request.instance_id, None),
        ("rack_id", request.rack_id, None),
        ("rebalance_timeout_ms", request.rebalance_timeout_ms, NO_TIMEOUT),
        ("server_assignor", request.server_assignor, None),
        ("topic_names", None if names is None else frozenset(names), None),
        ("topic_regex", request.subscribed_topic_regex, None),
        ("client_id", call.client_id, None),
        ("client_host", call.client_host, None),
    )
    for name, value, unsaid in says:
        if value != unsaid and value != getattr(before, name):
            changes[name] = value
    if before.classic is not None:
        changes["classic"] = None
    return replace(before, **changes) if changes else before


def heartbeat(step: Step, request: ConsumerGroupHeartbeatRequest, call: Call) -> None:
    """Decides the heartbeat of a member that stays."""
    before = step.before
    names_changed = step.member.topic_names != before.topic_names
    step.subscription_changed = names_changed
    step.write_metadata()
    pattern_known = step.update_patterns()
    step.update_group(bump=names_changed or pattern_known)
    target = step.target()
    step.reconcile(target, request.topic_partitions)
    timers.start_session(step.group, step.member, step.context, step.out)

    response = ConsumerGroupHeartbeatResponse(
        member_id=step.member.member_id,
        member_epoch=step.member.member_epoch,
        heartbeat_interval_ms=step.heartbeat_interval(),
    )
    if request.member_epoch == 0 or _says_all(request) or step.member.assigned != before.assigned:
        response.assignment = Assignment(
            [TopicPartitions(topic, sorted(owned)) for topic, owned in sorted_topics(step.member.assigned)]
        )
    step.out.append(*step.written)
    step.out.respond(call.ticket, response)
    if request.member_epoch == step.member.member_epoch and step.is_steady(response.heartbeat_interval_ms):
        step.out.steady = Steady(
            step.group.group_id,
            step.member.member_id,
            request.instance_id,
            step.member.member_epoch,
            response.heartbeat_interval_ms,
            timers.session_timeout(step.group, step.member, step.context),
            call.connection,
        )


def _says_all(request: ConsumerGroupHeartbeatRequest) -> bool:
    """A heartbeat that says everything asks for everything: the member has lost a response."""
    subscribes = request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None
    return subscribes and request.rebalance_timeout_ms != NO_TIMEOUT and request.topic_partitions is not None


def sorted_topics(owned: Owned) -> list[tuple[Any, Any]]:
    """Topics in order of their ids."""
    return sorted(owned.items(), key=lambda item: item[0])
