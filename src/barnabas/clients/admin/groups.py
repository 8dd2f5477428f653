"""Groups of all kinds: listed, described, deleted; members thrown out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from barnabas._core import decode
from barnabas.clients.admin.acl_operation import authorized
from barnabas.clients.admin.group_model import GroupDescription, GroupListing, GroupMember, GroupType
from barnabas.clients.admin.partitions_map import Partition
from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import (
    Ask,
    Asked,
    Plan,
    ask,
    ask_all,
    by_coordinator,
    each,
    error_of,
    node,
)
from barnabas.clients.results import Results
from barnabas.errors import GroupIdNotFound, KafkaError, UnsupportedVersion
from barnabas.protocol.generated import consumer_group_describe_response as consumer
from barnabas.protocol.generated import share_group_describe_response as share
from barnabas.protocol.generated.consumer_group_describe_request import ConsumerGroupDescribeRequest
from barnabas.protocol.generated.consumer_protocol_assignment import ConsumerProtocolAssignment
from barnabas.protocol.generated.consumer_protocol_subscription import ConsumerProtocolSubscription
from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.delete_groups_response import DeleteGroupsResponse
from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.describe_groups_response import DescribedGroupMember, DescribeGroupsResponse
from barnabas.protocol.generated.leave_group_request import LeaveGroupRequest, MemberIdentity
from barnabas.protocol.generated.leave_group_response import LeaveGroupResponse
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.protocol.generated.metadata_request import MetadataRequest
from barnabas.protocol.generated.metadata_response import MetadataResponse
from barnabas.protocol.generated.share_group_describe_request import ShareGroupDescribeRequest

CONSUMER_PROTOCOL = "consumer"
"""The protocol type whose members' assignments are topics and partitions. Others are the clients' secret."""
DEAD = "Dead"
"""What brokers call a classic group that there is not."""


def names(groups: str | Iterable[str]) -> list[str]:
    """One group, or several."""
    return [groups] if isinstance(groups, str) else list(groups)


class Groups(Operations):
    """Operations on groups."""

    @operation
    def list_groups(
        self,
        *,
        types: Iterable[GroupType | str] = (),
        states: Iterable[str] = (),
        protocol_types: Iterable[str] = (),
    ) -> Plan[Results[str, GroupListing]]:
        """All groups that the caller may see, or those of some types, states and protocol types."""
        wanted_protocols = set(protocol_types)
        answer = yield from ask(MetadataRequest([], False), MetadataResponse, lowest=4)
        states, types = list(states), [str(one) for one in types]
        lowest = 5 if types else 4 if states else 0
        asks = [Ask(ListGroupsRequest(states, types), node(one.node_id), lowest) for one in answer.brokers]
        found = yield from ask_all(asks)
        listed: dict[str, GroupListing] = {}
        for asked, reply in zip(asks, found, strict=True):
            for group in reply.groups:
                if wanted_protocols and group.protocol_type not in wanted_protocols:
                    continue
                # Kinds are told from Apache Kafka 3.8 on.
                kind = GroupType(group.group_type.lower() or GroupType.CLASSIC)
                listed[group.group_id] = GroupListing(
                    group.group_id, kind, group.group_state, group.protocol_type, asked.to.node
                )
        return Results(dict(sorted(listed.items())))

    @operation
    def describe_classic_groups(
        self, groups: str | Iterable[str], *, include_authorized_operations: bool = False
    ) -> Plan[Results[str, GroupDescription]]:
        """Members of classic groups."""
        return (yield from _classic(names(groups), include_authorized_operations))

    @operation
    def describe_consumer_groups(
        self, groups: str | Iterable[str], *, include_authorized_operations: bool = False
    ) -> Plan[Results[str, GroupDescription]]:
        """Members of groups of consumers, whichever of the two protocols they speak."""

        def make(some: list[str]) -> ConsumerGroupDescribeRequest:
            return ConsumerGroupDescribeRequest(some, include_authorized_operations)

        results = yield from each(names(groups), by_coordinator(), make, _consumer)
        older = (GroupIdNotFound, UnsupportedVersion)
        classic = [name for name, error in results.errors.items() if isinstance(error, older)]
        if not classic:
            return results
        others = yield from _classic(classic, include_authorized_operations)
        return Results({**results.succeeded, **results.errors, **others.succeeded, **others.errors})

    @operation
    def describe_share_groups(
        self, groups: str | Iterable[str], *, include_authorized_operations: bool = False
    ) -> Plan[Results[str, GroupDescription]]:
        """Members of share groups."""

        def make(some: list[str]) -> ShareGroupDescribeRequest:
            return ShareGroupDescribeRequest(some, include_authorized_operations)

        return (yield from each(names(groups), by_coordinator(), make, _share))

    @operation
    def delete_consumer_groups(self, groups: str | Iterable[str]) -> Plan[Results[str, None]]:
        """Deletes groups without members, with their committed offsets."""
        return (yield from _delete(names(groups)))

    @operation
    def delete_share_groups(self, groups: str | Iterable[str]) -> Plan[Results[str, None]]:
        """Deletes share groups without members."""
        return (yield from _delete(names(groups)))

    @operation
    def delete_streams_groups(self, groups: str | Iterable[str]) -> Plan[Results[str, None]]:
        """Deletes streams groups without members; their internal topics stay."""
        return (yield from _delete(names(groups)))

    @operation
    def remove_members_from_consumer_group(
        self, group_id: str, instance_ids: Iterable[str] | None = None, *, reason: str = ""
    ) -> Plan[Results[str, None]]:
        """Throws members out of a classic group: those with some `group.instance.id`, or all."""
        if instance_ids is None:
            described = yield from _classic([group_id], False)
            members = [
                MemberIdentity("" if one.group_instance_id else one.member_id, one.group_instance_id, reason)
                for one in described[group_id].members
            ]
        else:
            members = [MemberIdentity("", instance, reason) for instance in instance_ids]
        if not members:
            return Results({})

        def make(_: list[str]) -> LeaveGroupRequest:
            return LeaveGroupRequest(group_id, members=members)

        def read(answer: LeaveGroupResponse, _: list[str]) -> Iterator[tuple[str, Any]]:
            gone = {
                one.group_instance_id or one.member_id: error_of(one.error_code) for one in answer.members
            }
            yield group_id, gone

        found = yield from each([group_id], by_coordinator(), make, read, lowest=3)
        return Results(found[group_id])


def _delete(groups: list[str]) -> Plan[Results[str, None]]:
    def read(answer: DeleteGroupsResponse, _: list[str]) -> Iterator[tuple[str, KafkaError | None]]:
        return ((one.group_id, error_of(one.error_code, one.error_message)) for one in answer.results)

    return (yield from each(groups, by_coordinator(), DeleteGroupsRequest, read))


def _classic(groups: list[str], include_operations: bool) -> Plan[Results[str, GroupDescription]]:
    def make(some: list[str]) -> DescribeGroupsRequest:
        return DescribeGroupsRequest(some, include_operations)

    lowest = 3 if include_operations else 0
    return (yield from each(groups, by_coordinator(), make, _described_classic, lowest=lowest))


def _described_classic(
    answer: DescribeGroupsResponse, asked: Asked[str]
) -> Iterator[tuple[str, GroupDescription | KafkaError]]:
    for group in answer.groups:
        error = error_of(group.error_code, group.error_message)
        if error is None and group.group_state == DEAD:
            error = GroupIdNotFound(f"Group {group.group_id} not found.")  # As version 6 says it.
        yield (
            group.group_id,
            error
            or GroupDescription(
                group.group_id,
                GroupType.CLASSIC,
                group.group_state,
                asked.node_id,
                group.protocol_data,
                tuple(_classic_member(group.protocol_type, member) for member in group.members),
                protocol_type=group.protocol_type,
                authorized_operations=authorized(group.authorized_operations),
            ),
        )


def _classic_member(protocol_type: str, member: DescribedGroupMember) -> GroupMember:
    assigned = subscribed = None
    if protocol_type == CONSUMER_PROTOCOL:
        assigned = _embedded(ConsumerProtocolAssignment, member.member_assignment)
        subscribed = _embedded(ConsumerProtocolSubscription, member.member_metadata)
    assignment = (
        [(one.topic, index) for one in assigned.assigned_partitions for index in one.partitions]
        if assigned
        else []
    )
    return GroupMember(
        member.member_id,
        member.client_id,
        member.client_host,
        member.group_instance_id,
        subscribed.rack_id if subscribed else None,
        subscribed_topics=tuple(subscribed.topics) if subscribed else (),
        assignment=tuple(assignment),
    )


def _embedded(cls: type[Any], data: bytes) -> Any:
    """A message of the consumer protocol behind its version; None when there is none that can be read."""
    version = min(int.from_bytes(data[:2], "big"), cls.HIGHEST_VERSION)
    try:
        return decode(cls, version, data[2:])
    except ValueError:
        return None


def _partitions(assignment: consumer.Assignment | share.Assignment | None) -> tuple[Partition, ...]:
    if assignment is None:
        return ()
    return tuple((one.topic_name, index) for one in assignment.topic_partitions for index in one.partitions)


def _consumer(
    answer: consumer.ConsumerGroupDescribeResponse, asked: Asked[str]
) -> Iterator[tuple[str, GroupDescription | KafkaError]]:
    for group in answer.groups:
        yield (
            group.group_id,
            error_of(group.error_code, group.error_message)
            or GroupDescription(
                group.group_id,
                GroupType.CONSUMER,
                group.group_state,
                asked.node_id,
                group.assignor_name,
                tuple(map(_consumer_member, group.members)),
                group.group_epoch,
                group.assignment_epoch,
                CONSUMER_PROTOCOL,
                authorized(group.authorized_operations),
            ),
        )


def _consumer_member(member: consumer.Member) -> GroupMember:
    return GroupMember(
        member.member_id,
        member.client_id,
        member.client_host,
        member.instance_id,
        member.rack_id,
        member.member_epoch,
        tuple(member.subscribed_topic_names),
        member.subscribed_topic_regex or None,
        _partitions(member.assignment),
        _partitions(member.target_assignment),
        member.member_type == 0,
    )


def _share(
    answer: share.ShareGroupDescribeResponse, asked: Asked[str]
) -> Iterator[tuple[str, GroupDescription | KafkaError]]:
    for group in answer.groups:
        members = [
            GroupMember(
                one.member_id,
                one.client_id,
                one.client_host,
                None,
                one.rack_id,
                one.member_epoch,
                tuple(one.subscribed_topic_names),
                None,
                _partitions(one.assignment),
            )
            for one in group.members
        ]
        yield (
            group.group_id,
            error_of(group.error_code, group.error_message)
            or GroupDescription(
                group.group_id,
                GroupType.SHARE,
                group.group_state,
                asked.node_id,
                group.assignor_name,
                tuple(members),
                group.group_epoch,
                group.assignment_epoch,
                "share",
                authorized(group.authorized_operations),
            ),
        )
