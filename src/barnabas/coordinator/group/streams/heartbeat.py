"""Decides StreamsGroupHeartbeat: a member joins, says what has changed, and hears which tasks it is to have.

A heartbeat goes through these steps, each of which may write records: what does the member say about itself,
what is the group's topology, are its topics there, has the group's epoch to go up, has there to be another
target assignment, and how far can the member go towards it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.group.epochs import pace
from barnabas.coordinator.group.epochs.group import FIRST_GROUP_EPOCH
from barnabas.coordinator.group.streams import records
from barnabas.coordinator.group.streams.configured import ConfiguredTopology, Problem, Status
from barnabas.coordinator.group.streams.endpoints import partitions_by_endpoint
from barnabas.coordinator.group.streams.member import NO_TIMEOUT, StreamsMember
from barnabas.coordinator.group.streams.reconcile import Target, reconcile
from barnabas.coordinator.group.streams.requests import CreateTopicsFirst
from barnabas.coordinator.group.streams.target import configured_now, new_target, update_epoch
from barnabas.coordinator.group.streams.tasks import NO_TASKS, Tasks, each, read, written
from barnabas.coordinator.group.streams.topology import Topology, topology_said
from barnabas.coordinator.group.streams.validation import OFFSETS_VERSION
from barnabas.errors import InvalidRequest, UnknownServerError
from barnabas.protocol.generated import streams_group_heartbeat_response as response

if TYPE_CHECKING:
    from barnabas.coordinator.group.streams.group import StreamsGroup
    from barnabas.coordinator.machine import Call, Context, Record
    from barnabas.protocol.generated.streams_group_heartbeat_request import StreamsGroupHeartbeatRequest


@dataclass(slots=True)
class Step:
    """A member's step: what it was, what it will be, and what has been written so far."""

    group: StreamsGroup
    before: StreamsMember
    """As it was; a new member is one that has said nothing yet."""
    member: StreamsMember
    """As it will be."""
    context: Context
    delayed_until: int | None
    """When the group's first assignment may be made, in milliseconds since the Unix epoch; None for now."""
    written: list[Record] = field(default_factory=list)
    status: list[Problem] = field(default_factory=list)
    """What the member is told."""
    moved: bool = False
    """Whether the member has other tasks, or stands elsewhere on its way to them."""

    # ---- the topology and its topics

    def topology(self, request: StreamsGroupHeartbeatRequest) -> Topology:
        """The group's topology, which may be the one that its first member brings."""
        known = self.group.topology
        if known is not None and self.member.topology_epoch < known.epoch:
            detail = (
                f"The member's topology epoch is {self.member.topology_epoch}, the group's {known.epoch}."
            )
            self.status.append(Problem(Status.STALE_TOPOLOGY, detail))
        if request.topology is None:
            if known is None:
                raise UnknownServerError(f"Group {self.group.group_id} has lost its topology.")
            return known
        said = topology_said(request.topology)
        if known is None:
            self.written.append(records.topology(self.group.group_id, said))
            return said
        if said.epoch >= known.epoch and not said.is_same(known):
            raise InvalidRequest("Topology updates are not supported yet.")
        return known

    # ---- the assignment

    def target(self, epoch: int, configured: ConfiguredTopology) -> Target:
        """What the member is to have; assigns anew when the group's epoch asks for it and it is time."""
        group = self.group
        if self.delayed_until is not None:
            self._delayed("the group waits for its first members")
            return Target(group.assignment_epoch, NO_TASKS)
        present = Target(group.assignment_epoch, group.target_of(self.member.member_id))
        if group.assignment_epoch >= epoch:
            return present
        if self._until_assignment():
            self._delayed("the last assignment was made less than an assignment interval ago")
            return present
        members = {**group.members, self.member.member_id: self.member}
        assigned = new_target(group, members, epoch, configured, self.context, self.written)
        return Target(epoch, assigned[self.member.member_id])

    def _delayed(self, why: str) -> None:
        self.status.append(Problem(Status.ASSIGNMENT_DELAYED, f"Assignment delayed: {why}."))

    def _until_assignment(self) -> int:
        if all(tasks.is_empty() for tasks in self.group.target.values()):
            # An assignment that gives nothing to anybody, since topics were missing, keeps nobody waiting.
            return 0
        interval = self._group_config("streams.assignment.interval.ms")
        return pace.until_assignment(self.group, interval, self.context.now)

    def reconcile(self, target: Target, owned: Tasks | None) -> None:
        """Leads the member towards what it is to have."""
        if self.member.is_reconciled_to(target.epoch):
            return
        before = self.member
        self.member = reconcile(before, target, owned, self.group)
        if self.member != before:
            self.written.append(records.current(self.group.group_id, self.member))
            self.moved = True

    # ---- the answer

    def heartbeat_interval(self, epoch: int, problem: Problem | None) -> int:
        """Milliseconds until the member's next heartbeat."""
        group, now = self.group, self.context.now
        configured = self._group_config("streams.heartbeat.interval.ms")
        if problem is not None and problem.status is Status.MISSING_SOURCE_TOPICS:
            return configured  # Kafka Streams 4.3 gives up when they are missing for two intervals.
        waits = 0 if self.delayed_until is None else self.delayed_until - now
        if group.assignment_epoch < epoch and not waits:
            waits = self._until_assignment()
        changing = bool(self.written) or group.assignment_epoch < epoch
        interval = pace.heartbeat_interval(group, configured, now, changing=changing)
        # Nothing will happen before the next target assignment: all come back when it may be made.
        return min(configured, max(interval, waits))

    def answer(
        self,
        request: StreamsGroupHeartbeatRequest,
        epoch: int,
        topology: Topology,
        configured: ConfiguredTopology,
    ) -> response.StreamsGroupHeartbeatResponse:
        """What the member hears."""
        group, member = self.group, self.member
        answer = response.StreamsGroupHeartbeatResponse(
            member_id=member.member_id,
            member_epoch=member.member_epoch,
            heartbeat_interval_ms=self.heartbeat_interval(epoch, configured.problem),
        )
        tasks, owned = member.assigned.tasks(), owned_tasks(request)
        changed = request.member_epoch == 0 or member.assigned != self.before.assigned
        # Kafka tells only what has changed. A member that has lost that answer would never have its tasks.
        behind = request.member_epoch != self.before.member_epoch or (owned is not None and owned != tasks)
        if changed or behind:
            answer.active_tasks = written(tasks.active, response.TaskIds)
            answer.standby_tasks = written(tasks.standby, response.TaskIds)
            answer.warmup_tasks = written(tasks.warmup, response.TaskIds)
        if changed and member.user_endpoint is not None:
            group.endpoint_information_epoch += 1
        if group.endpoint_information_epoch != request.endpoint_information_epoch:
            others = [one for one in group.members.values() if one.member_id != member.member_id]
            answer.partitions_by_user_endpoint = partitions_by_endpoint(
                [*others, member], topology, self.context.image
            )
        if group.group_epoch > FIRST_GROUP_EPOCH:  # Of a group that is new nothing is known but its records.
            answer.endpoint_information_epoch = group.endpoint_information_epoch
        if configured.problem is not None:
            self.status.append(configured.problem)
        if group.shutdown_requested_by is not None:
            detail = f"Member {group.shutdown_requested_by} asked for the whole application to shut down."
            self.status.append(Problem(Status.SHUTDOWN_APPLICATION, detail))
        answer.status = [response.Status(status, detail) for status, detail in self.status]
        return answer

    def ask_for_offsets(self, answer: response.StreamsGroupHeartbeatResponse) -> None:
        """Says how often the member is to report how far its tasks are."""
        answer.task_offset_interval_ms = self._group_config("streams.task.offset.interval.ms")
        answer.acceptable_recovery_lag = self._group_config("streams.acceptable.recovery.lag")

    def _group_config(self, name: str) -> int:
        value: int = self.context.configs.group_integer(self.context.image, self.group.group_id, name)
        return value


def said(before: StreamsMember, request: StreamsGroupHeartbeatRequest, call: Call) -> StreamsMember:
    """The member with what the heartbeat says; what it leaves out stays as it is."""
    changes: dict[str, Any] = {"client_id": call.client_id, "client_host": call.client_host}
    if request.rack_id is not None:
        changes["rack_id"] = request.rack_id
    if request.rebalance_timeout_ms != NO_TIMEOUT:
        changes["rebalance_timeout_ms"] = request.rebalance_timeout_ms
    if request.topology is not None:
        changes["topology_epoch"] = request.topology.epoch
    if request.process_id is not None:
        changes["process_id"] = request.process_id
    if request.user_endpoint is not None:
        changes["user_endpoint"] = request.user_endpoint.host, request.user_endpoint.port
    if request.client_tags is not None:
        changes["client_tags"] = {tag.key: tag.value for tag in request.client_tags}
    return replace(before, **changes)


def heartbeat(
    step: Step, request: StreamsGroupHeartbeatRequest, version: int
) -> response.StreamsGroupHeartbeatResponse | CreateTopicsFirst:
    """Decides the heartbeat of a member that stays."""
    group = step.group
    if step.member != step.before or step.member.member_id not in group.members:
        step.written.append(records.member_metadata(group.group_id, step.member))
    topology = step.topology(request)
    configured, metadata_hash = configured_now(group, topology, step.context)
    if configured.is_ready:
        _validate_owned(step.before, request, configured)
    bump = bool(step.written)
    epoch = update_epoch(group, topology, configured, metadata_hash, step.context, step.written, bump=bump)
    target = step.target(epoch, configured)
    step.reconcile(target, owned_tasks(request))
    if request.shutdown_application and group.shutdown_requested_by is None:
        group.shutdown_requested_by = step.member.member_id
    answer = step.answer(request, epoch, topology, configured)
    if version >= OFFSETS_VERSION:
        step.ask_for_offsets(answer)
    return CreateTopicsFirst(answer, configured.missing) if configured.missing else answer


def owned_tasks(request: StreamsGroupHeartbeatRequest) -> Tasks | None:
    """What the member says it has; None when it says nothing."""
    if request.active_tasks is None or request.standby_tasks is None or request.warmup_tasks is None:
        return None
    return Tasks(read(request.active_tasks), read(request.standby_tasks), read(request.warmup_tasks))


def owns_only_assigned(member: StreamsMember, request: StreamsGroupHeartbeatRequest) -> bool:
    """Whether all that the member says it has is still its own; not so while it says nothing."""
    owned = owned_tasks(request)
    if owned is None:
        return False
    return all(
        partitions <= theirs.get(subtopology, frozenset())
        for mine, theirs in zip(owned.roles(), member.assigned.tasks().roles(), strict=True)
        for subtopology, partitions in mine.items()
    )


def _validate_owned(
    member: StreamsMember, request: StreamsGroupHeartbeatRequest, configured: ConfiguredTopology
) -> None:
    """Raises InvalidRequest for tasks that the topology does not have and the member never had: it may have
    yet to give up tasks of a topic that was made anew with fewer partitions."""
    had = {task for owned in (member.assigned, member.pending_revocation) for task in owned.tasks()}
    for tasks in (request.active_tasks, request.standby_tasks, request.warmup_tasks):
        for task in each(read(tasks)):
            subtopology = configured.subtopologies.get(task.subtopology_id)
            exists = subtopology is not None and 0 <= task.partition < subtopology.task_count
            if not exists and task not in had:
                raise InvalidRequest(f"Subtopology {task.subtopology_id} has no task {task.partition}.")
