"""Consumer groups: members, what they have been given, and how far behind they are."""

from __future__ import annotations

import re
from typing import Any

from barnabas.clients.admin.group_model import GroupDescription, GroupMember, GroupType
from barnabas.clients.admin.partitions_map import Partition
from barnabas.errors import GroupIdNotFound
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest.asking import Part, answer, telling
from barnabas.rest.cluster import Cluster
from barnabas.rest.errors import not_found
from barnabas.rest.fields import path_number
from barnabas.rest.places import Place, collection, related, resource
from barnabas.rest.v3.clusters import broker_place
from barnabas.rest.v3.partitions import partition_place

ALL = "/v3/clusters/{cluster_id}/consumer-groups"
ONE = f"{ALL}/{{consumer_group_id}}"
MEMBER = f"{ONE}/consumers/{{consumer_id}}"
READERS = ("consumer", "")
"""Protocol types of groups that read: of consumers, and of those who have only committed offsets."""


class Groups(Part):
    """The operations on groups and their members."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("GET", ALL, telling(self.all))
        routes.add("GET", ONE, telling(self.get))
        routes.add("GET", f"{ONE}/consumers", telling(self.members))
        routes.add("GET", MEMBER, telling(self.member))
        routes.add("GET", f"{MEMBER}/assignments", telling(self.assignments))
        partition = "{topic_name}/partitions/{partition_id}"
        routes.add("GET", f"{MEMBER}/assignments/{partition}", telling(self.assignment))

    async def all(self, request: Request) -> Response:
        """All groups of consumers."""
        cluster, place = await self.at(request)
        listed = await cluster.admin.list_groups(protocol_types=READERS)
        kinds = (GroupType.CLASSIC, GroupType.CONSUMER)
        names = [name for name, group in listed.items() if group.type in kinds]
        found = await cluster.admin.with_options(raise_errors=False).describe_consumer_groups(names)
        data = [_group_data(place, group) for _, group in sorted(found.succeeded.items())]
        return answer(collection("KafkaConsumerGroupList", f"{place.url}/consumer-groups", data))

    async def get(self, request: Request) -> Response:
        """One group."""
        place, group, _ = await described(self, request)
        return answer(_group_data(place, group))

    async def members(self, request: Request) -> Response:
        """The members of a group."""
        place, group, _ = await described(self, request)
        url = f"{group_place(place, group.group_id).url}/consumers"
        data = [_member_data(place, group, one) for one in group.members]
        return answer(collection("KafkaConsumerList", url, data))

    async def member(self, request: Request) -> Response:
        """One member."""
        place, group, _ = await described(self, request)
        return answer(_member_data(place, group, _member(group, request)))

    async def assignments(self, request: Request) -> Response:
        """The partitions that a member has."""
        place, group, _ = await described(self, request)
        member = _member(group, request)
        url = f"{member_place(place, group.group_id, member.member_id).url}/assignments"
        data = [_assignment_data(place, group, member, at) for at in sorted(member.assignment)]
        return answer(collection("KafkaConsumerAssignmentList", url, data))

    async def assignment(self, request: Request) -> Response:
        """One partition that a member has."""
        place, group, _ = await described(self, request)
        member = _member(group, request)
        at = request.path["topic_name"], path_number(request.path["partition_id"], "Partition")
        if at not in member.assignment:
            raise not_found(f"Assignment of {at[0]}-{at[1]}")
        return answer(_assignment_data(place, group, member, at))


async def described(part: Part, request: Request) -> tuple[Place, GroupDescription, Cluster]:
    """The group that a path names."""
    cluster, place = await part.at(request)
    name = request.path["consumer_group_id"]
    try:
        found = await cluster.admin.describe_consumer_groups(name)
    except GroupIdNotFound:
        raise not_found(f"Consumer Group {name}") from None
    return place, found[name], cluster


def group_place(place: Place, group_id: str) -> Place:
    """Where a group is."""
    return place.of("consumer-groups", group_id, "consumer-group")


def member_place(place: Place, group_id: str, member_id: str) -> Place:
    """Where a member is."""
    return group_place(place, group_id).of("consumers", member_id, "consumer")


def lag_place(place: Place, group_id: str, at: Partition) -> Place:
    """Where it is told how far behind a group is in a partition."""
    of_topic = group_place(place, group_id).of("lags", at[0], "lag")
    return of_topic.of("partitions", at[1], "partition")


def _member(group: GroupDescription, request: Request) -> GroupMember:
    wanted = request.path["consumer_id"]
    for member in group.members:
        if member.member_id == wanted:
            return member
    raise not_found(f"Consumer {wanted}")


def _group_data(place: Place, group: GroupDescription) -> dict[str, Any]:
    where = group_place(place, group.group_id)
    fields = {
        "cluster_id": place.url.rpartition("/")[2],
        "consumer_group_id": group.group_id,
        "is_simple": group.protocol_type == "",
        "partition_assignor": group.assignor,
        "state": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", group.state).upper(),
        "type": group.type.name,
        "is_mixed_consumer_group": group.type is GroupType.CONSUMER
        and len({member.is_classic for member in group.members}) == 2,
        "coordinator": related(broker_place(place, group.coordinator).url),
        "consumers": related(f"{where.url}/consumers"),
        "lag_summary": related(f"{where.url}/lag-summary"),
    }
    return resource("KafkaConsumerGroup", where, fields)


def _member_data(place: Place, group: GroupDescription, member: GroupMember) -> dict[str, Any]:
    where = member_place(place, group.group_id, member.member_id)
    fields = {
        "cluster_id": place.url.rpartition("/")[2],
        "consumer_group_id": group.group_id,
        "consumer_id": member.member_id,
        "instance_id": member.group_instance_id,
        "client_id": member.client_id,
        "assignments": related(f"{where.url}/assignments"),
    }
    return resource("KafkaConsumer", where, fields)


def _assignment_data(
    place: Place, group: GroupDescription, member: GroupMember, at: Partition
) -> dict[str, Any]:
    whose = member_place(place, group.group_id, member.member_id)
    fields = {
        "cluster_id": place.url.rpartition("/")[2],
        "consumer_group_id": group.group_id,
        "consumer_id": member.member_id,
        "topic_name": at[0],
        "partition_id": at[1],
        "partition": related(partition_place(place, *at).url),
        "lag": related(lag_place(place, group.group_id, at).url),
    }
    where = whose.of("assignments", at[0], "assignment").of("partitions", at[1], "partition")
    return resource("KafkaConsumerAssignment", where, fields)
