"""Members of a consumer group that speak the classic protocol: JoinGroup, SyncGroup, Heartbeat and LeaveGroup
to a group that assigns on the server (KIP-848).

A JoinGroup is a heartbeat that says everything; its answer has no members and no leader, for nobody but the
coordinator assigns. The member's epoch is its generation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from barnabas.coordinator.group.consumer import downgrade, embedded, joining, leaving, timers
from barnabas.coordinator.group.consumer.group import PROTOCOL_TYPE, ConsumerGroup
from barnabas.coordinator.group.consumer.heartbeat import Step
from barnabas.coordinator.group.consumer.member import Member, MemberState
from barnabas.coordinator.group.consumer.target import present_target
from barnabas.errors import (
    IllegalGeneration,
    InconsistentGroupProtocol,
    KafkaError,
    UnknownMemberId,
    UnknownServerError,
)
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated.consumer_group_member_metadata_value import (
    ClassicMemberMetadata,
    ClassicProtocol,
)
from barnabas.protocol.generated.heartbeat_request import HeartbeatRequest
from barnabas.protocol.generated.heartbeat_response import HeartbeatResponse
from barnabas.protocol.generated.join_group_request import JoinGroupRequest
from barnabas.protocol.generated.join_group_response import JoinGroupResponse
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.leave_group_response import LeaveGroupResponse, MemberResponse
from barnabas.protocol.generated.sync_group_request import SyncGroupRequest
from barnabas.protocol.generated.sync_group_response import SyncGroupResponse

if TYPE_CHECKING:
    from barnabas.coordinator.group.kind import Groups
    from barnabas.coordinator.machine import Call, Context, Outputs

KNOWN_MEMBER_VERSION = 4
"""From here on a new dynamic member is given its id first, and joins with it (KIP-394)."""


class ClassicMembers:
    """Decides the calls of the classic protocol to consumer groups of one machine."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self.topics_created_at = -1
        """Offset of the metadata when a topic was last created."""

    def handle(self, group: ConsumerGroup, call: Call, context: Context, out: Outputs) -> None:
        """Decides a call."""
        request = call.request
        if isinstance(request, JoinGroupRequest):
            self._join(group, request, call, context, out)
        elif isinstance(request, SyncGroupRequest):
            _sync(group, request, call, context, out)
        elif isinstance(request, HeartbeatRequest):
            _heartbeat(group, request, call, context, out)
        elif isinstance(request, LeaveGroupRequest):
            self._leave(group, request, call, context, out)
        else:
            raise UnknownMemberId()

    # ---- JoinGroup

    def _join(
        self, group: ConsumerGroup, request: JoinGroupRequest, call: Call, context: Context, out: Outputs
    ) -> None:
        _validate_join(group, request, context)
        member_id = request.member_id or str(context.new_id())
        instance_id = request.group_instance_id
        if not request.member_id and instance_id is None and call.api_version >= KNOWN_MEMBER_VERSION:
            required = ErrorCode.MEMBER_ID_REQUIRED
            out.respond(call.ticket, JoinGroupResponse(member_id=member_id, error_code=required))
            return
        try:
            subscription = embedded.subscription(request.protocols[0].metadata)
        except embedded.MalformedError as error:
            raise UnknownServerError(str(error)) from error
        step = Step(group, Member(member_id), Member(member_id), context, out, self.topics_created_at)
        if instance_id is None:
            step.before = joining.dynamic_member(group, member_id, joins=True)
        else:
            joins = not request.member_id
            step.before = joining.static_member(
                group, member_id, instance_id, step.written, out, joins=joins, classic=True
            )
        step.member = _as_joined(step.before, request, subscription.topics, subscription.rack_id, call)
        owned = embedded.owned_partitions(subscription, context.image)
        replaced = group.static_member(instance_id)
        downgrades = replaced is not None and downgrade.is_possible_replacing(group, replaced, context)

        _update(step)
        if downgrades:
            out_of_date = group.assignment_epoch < step.group_epoch
            if not out_of_date:
                step.reconcile(present_target(group, step.member), owned)
            out.append(*step.written)
            downgrade.convert_replacing(
                self._groups, group, step.member, context, out, must_rebalance=out_of_date
            )
        else:
            step.reconcile(step.target(), owned)
            out.append(*step.written)
            timers.joined(group, step.member.member_id, out)
            timers.start_session(group, step.member, context, out)
            timers.start(timers.SYNC, group, step.member, context, out)
        _respond_joined(step, call)

    # ---- LeaveGroup

    def _leave(
        self, group: ConsumerGroup, request: LeaveGroupRequest, call: Call, context: Context, out: Outputs
    ) -> None:
        responses: list[MemberResponse] = []
        members: dict[str, Member] = {}
        identities = request.members or [MemberIdentity(member_id=request.member_id)]
        for identity in identities:
            response = MemberResponse(identity.member_id, identity.group_instance_id)
            try:
                member = _leaver(group, identity)
            except KafkaError as error:
                response.error_code = error.error_code
            else:
                members[member.member_id] = member
            responses.append(response)
        leaving.remove(self._groups, group, list(members.values()), context, out)
        out.respond(call.ticket, LeaveGroupResponse(members=responses))


def _leaver(group: ConsumerGroup, identity: MemberIdentity) -> Member:
    if identity.group_instance_id is None:
        return group.member(identity.member_id)
    if identity.member_id:
        return leaving.named_static(group, identity.group_instance_id, identity.member_id)
    return leaving.known_static(group, identity.group_instance_id)


def _validate_join(group: ConsumerGroup, request: JoinGroupRequest, context: Context) -> None:
    policy = context.configs.consumer_migration_policy
    if policy == "disabled":
        raise InconsistentGroupProtocol(
            f"Cannot join the consumer group {group.group_id} with the classic protocol because the group"
            " migration is disabled."
        )
    joining.validate_size(group, request.member_id, context)
    names = {protocol.name for protocol in request.protocols}
    supported = request.protocol_type == PROTOCOL_TYPE and any(
        group.counts.classic_protocols.get(name, 0) == group.counts.classic_members for name in names
    )
    if not supported:
        raise InconsistentGroupProtocol(f"Member {request.member_id}'s protocols are not supported.")


def _as_joined(
    before: Member, request: JoinGroupRequest, topics: list[str], rack_id: str | None, call: Call
) -> Member:
    timeout = request.rebalance_timeout_ms
    protocols = [ClassicProtocol(protocol.name, protocol.metadata) for protocol in request.protocols]
    return replace(
        before,
        instance_id=request.group_instance_id or before.instance_id,
        rack_id=rack_id or before.rack_id,
        rebalance_timeout_ms=before.rebalance_timeout_ms if timeout == -1 else timeout,
        topic_names=frozenset(topics),
        topic_regex="",
        client_id=call.client_id,
        client_host=call.client_host,
        classic=ClassicMemberMetadata(request.session_timeout_ms, protocols),
    )


def _update(step: Step) -> None:
    names_changed = step.member.topic_names != step.before.topic_names
    step.subscription_changed = names_changed
    step.write_metadata()
    step.update_patterns()
    step.update_group(bump=step.subscription_changed)


def _respond_joined(step: Step, call: Call) -> None:
    member = step.member
    response = JoinGroupResponse(
        member_id=member.member_id,
        generation_id=member.member_epoch,
        protocol_type=PROTOCOL_TYPE,
        protocol_name=member.classic_protocols[0].name,
    )
    step.out.respond(call.ticket, response)


# ---- SyncGroup and Heartbeat


def _classic_member(group: ConsumerGroup, member_id: str, instance_id: str | None) -> Member:
    """The member; raises UnknownMemberId, also when it does not speak the classic protocol."""
    if instance_id is None:
        member = group.member(member_id)
    else:
        member = leaving.named_static(group, instance_id, member_id)
    if not member.uses_classic_protocol:
        raise UnknownMemberId(f"Member {member_id} does not use the classic protocol.")
    return member


def _validate_generation(member: Member, generation_id: int) -> None:
    if member.member_epoch != generation_id:
        raise IllegalGeneration(
            f"The request generation id {generation_id} is not equal to the member epoch"
            f" {member.member_epoch} of member {member.member_id}."
        )


def _sync(
    group: ConsumerGroup, request: SyncGroupRequest, call: Call, context: Context, out: Outputs
) -> None:
    member = _classic_member(group, request.member_id, request.group_instance_id)
    _validate_generation(member, request.generation_id)
    if request.protocol_type not in (None, PROTOCOL_TYPE):
        raise InconsistentGroupProtocol()
    if request.protocol_name not in (None, member.classic_protocols[0].name):
        raise InconsistentGroupProtocol()
    if group.assignment_epoch > member.member_epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
        timers.await_join(group, member, context, out)
        out.respond(call.ticket, SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS))
        return
    timers.cancel(timers.SYNC, group, member.member_id, out)
    timers.start_session(group, member, context, out)
    response = SyncGroupResponse(
        protocol_type=request.protocol_type,
        protocol_name=request.protocol_name,
        assignment=embedded.member_assignment(member, context.image),
    )
    out.respond(call.ticket, response)


def _heartbeat(
    group: ConsumerGroup, request: HeartbeatRequest, call: Call, context: Context, out: Outputs
) -> None:
    member = _classic_member(group, request.member_id, request.group_instance_id)
    _validate_generation(member, request.generation_id)
    timers.start_session(group, member, context, out)
    response = HeartbeatResponse()
    if _must_rejoin(group, member):
        response.error_code = ErrorCode.REBALANCE_IN_PROGRESS
        timers.await_join(group, member, context, out)
    out.respond(call.ticket, response)


def _must_rejoin(group: ConsumerGroup, member: Member) -> bool:
    """Whether a JoinGroup would bring the member further."""
    if member.member_epoch < group.assignment_epoch or member.state is MemberState.UNREVOKED_PARTITIONS:
        return True
    return member.state is MemberState.UNRELEASED_PARTITIONS and not _waits_for_others(group, member)


def _waits_for_others(group: ConsumerGroup, member: Member) -> bool:
    target = group.target.get(member.member_id, {})
    return any(
        partition not in member.assigned.get(topic, {}) and group.is_owned(topic, partition)
        for topic, partitions in target.items()
        for partition in partitions
    )
