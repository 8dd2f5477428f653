"""DescribeGroups, ListGroups and DeleteGroups: each group is asked for at its own shard."""

from __future__ import annotations

from functools import partial
from typing import Any

from barnabas._core import ColdRequest
from barnabas.coordinator.group.requests import DeleteGroup, DescribeGroup, ListGroups
from barnabas.coordinator.group.share.requests import DeleteStatesFirst
from barnabas.coordinator.records import GROUPS
from barnabas.errors import CoordinatorLoadInProgress, KafkaError
from barnabas.protocol import ApiKey
from barnabas.protocol.generated.delete_groups_request import DeleteGroupsRequest
from barnabas.protocol.generated.delete_groups_response import DeletableGroupResult, DeleteGroupsResponse
from barnabas.protocol.generated.describe_groups_request import DescribeGroupsRequest
from barnabas.protocol.generated.describe_groups_response import DescribedGroup, DescribeGroupsResponse
from barnabas.protocol.generated.list_groups_request import ListGroupsRequest
from barnabas.protocol.generated.list_groups_response import ListGroupsResponse
from barnabas.server.coordinators import Then
from barnabas.server.handlers.context import NodeContext, Respond, body, handles_directly
from barnabas.server.handlers.coordinated import Gathered, client_of, describe_each


@handles_directly(ApiKey.DESCRIBE_GROUPS)
def describe_groups(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Classic groups with their members."""
    asked = body(request, DescribeGroupsRequest)
    describe_each(node, request, asked.groups, DescribeGroup, DescribedGroup, DescribeGroupsResponse, respond)


@handles_directly(ApiKey.DELETE_GROUPS)
def delete_groups(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """Groups without members, and their offsets."""
    ids = list(dict.fromkeys(body(request, DeleteGroupsRequest).groups_names))

    def done(answers: list[Any]) -> None:
        results = [
            DeletableGroupResult(group_id, answer.error_code) if isinstance(answer, KafkaError) else answer
            for group_id, answer in zip(ids, answers, strict=True)
        ]
        respond(DeleteGroupsResponse(results=results))

    gathered = Gathered(len(ids), done)
    for index, group_id in enumerate(ids):
        then = partial(_deleted, node, gathered.place(index))
        node.coordinators.submit(GROUPS, group_id, DeleteGroup(group_id), then, client_of(request))


def _deleted(node: NodeContext, then: Then, answer: Any) -> None:
    """A share group is deleted once the share coordinator has forgotten it."""
    if not isinstance(answer, DeleteStatesFirst):
        then(answer)
        return
    from barnabas.server import share_states

    share_states.of(node).spawn(_delete_share_group(node, answer, then))


async def _delete_share_group(node: NodeContext, first: DeleteStatesFirst, then: Then) -> None:
    from barnabas.server.handlers.share_group_offsets import delete_states

    try:
        errors = await delete_states(node, first.group_id, dict(first.topics))
        for error in errors.values():
            raise error
        then(await node.coordinators.call(GROUPS, first.group_id, DeleteGroup(first.group_id)))
    except KafkaError as error:
        then(error)


@handles_directly(ApiKey.LIST_GROUPS)
def list_groups(node: NodeContext, request: ColdRequest, respond: Respond) -> None:
    """All groups that are coordinated here."""
    asked = body(request, ListGroupsRequest)
    wanted = ListGroups(_lower(asked.states_filter), _lower(asked.types_filter))
    partitions = node.coordinators.partitions(GROUPS)

    def done(answers: list[Any]) -> None:
        response = ListGroupsResponse()
        for answer in answers:
            if not isinstance(answer, KafkaError):
                response.groups.extend(answer)
            elif isinstance(answer, CoordinatorLoadInProgress):
                response = ListGroupsResponse(error_code=answer.error_code)
                break
        respond(response)

    gathered = Gathered(len(partitions), done)
    submit = partial(node.coordinators.submit_to, GROUPS)
    for index, partition in enumerate(partitions):
        submit(partition, wanted, gathered.place(index), client_of(request))


def _lower(names: list[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
