"""Groups with their members: each kind has a describing API of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from barnabas import _core
from barnabas.cli.brokers import Brokers, retried
from barnabas.cli.brokers.cluster import check
from barnabas.cli.errors import CommandFailed
from barnabas.cli.groups import model
from barnabas.cli.groups.model import Group, ListedGroup, Member
from barnabas.protocol import Message
from barnabas.protocol.generated import consumer_group_describe_response as consumer_
from barnabas.protocol.generated import describe_groups_response as classic_
from barnabas.protocol.generated import share_group_describe_response as share_
from barnabas.protocol.generated.consumer_group_describe_request import ConsumerGroupDescribeRequest
from barnabas.protocol.generated.consumer_protocol_assignment import ConsumerProtocolAssignment
from barnabas.protocol.generated.consumer_protocol_subscription import ConsumerProtocolSubscription
from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.share_group_describe_request import ShareGroupDescribeRequest

CONSUMER_PROTOCOL = "consumer"
"""The protocol type whose members' assignments are topics and partitions. Others are the clients' secret."""


def describe_groups(brokers: Brokers, groups: Sequence[ListedGroup]) -> list[Group]:
    """The groups with their members, in the same order."""
    by_question: dict[tuple[str, int], list[str]] = {}
    for group in groups:
        by_question.setdefault((group.kind, group.coordinator), []).append(group.name)
    found: dict[str, Group] = {}
    for (kind, node_id), names in by_question.items():
        if kind not in _DESCRIBERS:
            raise CommandFailed(f"{names[0]} is a {kind} group: this release can't describe those.")
        for described in _DESCRIBERS[kind](brokers, node_id, names):
            found[described.name] = described
    return [found[group.name] for group in groups]


def _describe_classic(brokers: Brokers, node_id: int, names: Sequence[str]) -> list[Group]:
    answer = described(brokers, node_id, DescribeGroupsRequest(names), classic_.DescribeGroupsResponse)
    return [
        Group(
            group.group_id,
            model.CLASSIC,
            group.group_state,
            node_id,
            group.protocol_data,
            tuple(_classic_member(group.protocol_type, member) for member in group.members),
        )
        for group in answer.groups
    ]


def _classic_member(protocol_type: str, member: classic_.DescribedGroupMember) -> Member:
    assigned = subscribed = None
    if protocol_type == CONSUMER_PROTOCOL:
        assigned = _embedded(ConsumerProtocolAssignment, member.member_assignment)
        subscribed = _embedded(ConsumerProtocolSubscription, member.member_metadata)
    return Member(
        member.member_id,
        member.client_id,
        member.client_host,
        member.group_instance_id,
        subscription=tuple(subscribed.topics) if subscribed else (),
        assignment={one.topic: one.partitions for one in assigned.assigned_partitions} if assigned else {},
    )


def _embedded(cls: type[Any], data: bytes) -> Any:
    """A message of the consumer protocol behind its version; None when there is none that can be read."""
    version = min(int.from_bytes(data[:2], "big"), cls.HIGHEST_VERSION)
    try:
        return _core.decode(cls, version, data[2:])
    except ValueError:
        return None


def _describe_consumer(brokers: Brokers, node_id: int, names: Sequence[str]) -> list[Group]:
    answer = described(
        brokers, node_id, ConsumerGroupDescribeRequest(names), consumer_.ConsumerGroupDescribeResponse
    )
    return [
        Group(
            group.group_id,
            model.CONSUMER,
            group.group_state,
            node_id,
            group.assignor_name,
            tuple(_consumer_member(member) for member in group.members),
            group.group_epoch,
            group.assignment_epoch,
        )
        for group in answer.groups
    ]


def _consumer_member(member: consumer_.Member) -> Member:
    assignment, target = _by_topic(member.assignment), _by_topic(member.target_assignment)
    pattern = (f"/{member.subscribed_topic_regex}/",) if member.subscribed_topic_regex else ()
    return Member(
        member.member_id,
        member.client_id,
        member.client_host,
        member.instance_id,
        member.rack_id,
        member.member_epoch,
        (*member.subscribed_topic_names, *pattern),
        assignment,
        None if target == assignment else target,
    )


def _describe_share(brokers: Brokers, node_id: int, names: Sequence[str]) -> list[Group]:
    answer = described(brokers, node_id, ShareGroupDescribeRequest(names), share_.ShareGroupDescribeResponse)
    return [
        Group(
            group.group_id,
            model.SHARE,
            group.group_state,
            node_id,
            group.assignor_name,
            tuple(
                Member(
                    member.member_id,
                    member.client_id,
                    member.client_host,
                    rack=member.rack_id,
                    epoch=member.member_epoch,
                    subscription=tuple(member.subscribed_topic_names),
                    assignment=_by_topic(member.assignment),
                )
                for member in group.members
            ),
            group.group_epoch,
            group.assignment_epoch,
        )
        for group in answer.groups
    ]


def _describe_streams(brokers: Brokers, node_id: int, names: Sequence[str]) -> list[Group]:
    from barnabas.cli.groups.streams import describe_streams

    return describe_streams(brokers, node_id, names)


def described(brokers: Brokers, node_id: int, request: Message, response: type[Any]) -> Any:
    """The answer of a describing API, once no group in it has an error."""

    def ask() -> Any:
        answer = brokers.ask(request, response, node_id=node_id)
        for group in answer.groups:
            check(
                group.error_code, f"{group.group_id}: {group.error_message}" if group.error_message else None
            )
        return answer

    return retried(ask)


def _by_topic(assignment: consumer_.Assignment | share_.Assignment) -> dict[str, list[int]]:
    topics: Iterable[consumer_.TopicPartitions | share_.TopicPartitions] = assignment.topic_partitions
    return {one.topic_name: sorted(one.partitions) for one in topics}


_DESCRIBERS: dict[str, Callable[[Brokers, int, Sequence[str]], list[Group]]] = {
    model.CLASSIC: _describe_classic,
    model.CONSUMER: _describe_consumer,
    model.SHARE: _describe_share,
    model.STREAMS: _describe_streams,
}
