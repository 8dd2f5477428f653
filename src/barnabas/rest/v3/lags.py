"""How far behind groups are."""

from __future__ import annotations

from typing import Any, NamedTuple

from barnabas.clients.admin.group_model import GroupDescription, GroupMember
from barnabas.clients.admin.partitions import OffsetSpec
from barnabas.clients.admin.partitions_map import Partition
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest.asking import Part, answer, telling
from barnabas.rest.cluster import Cluster
from barnabas.rest.errors import not_found
from barnabas.rest.fields import path_number
from barnabas.rest.places import Place, collection, related, resource
from barnabas.rest.v3.groups import ONE, described, group_place, lag_place, member_place
from barnabas.rest.v3.partitions import partition_place


class Lag(NamedTuple):
    """Where a group is in a partition, where the partition ends, and whose it is."""

    at: Partition
    current_offset: int
    log_end_offset: int
    member: GroupMember | None

    @property
    def lag(self) -> int:
        """Records that are still to be read."""
        return max(self.log_end_offset - self.current_offset, 0)


class Lags(Part):
    """The operations on lags."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("GET", f"{ONE}/lag-summary", telling(self.summary))
        routes.add("GET", f"{ONE}/lags", telling(self.all))
        routes.add("GET", f"{ONE}/lags/{{topic_name}}/partitions/{{partition_id}}", telling(self.get))

    async def summary(self, request: Request) -> Response:
        """The largest lag of a group, and all of them together."""
        place, group, cluster = await described(self, request)
        lags = await _lags(cluster, group)
        if not lags:
            raise not_found(f"Consumer Group {group.group_id}'s offsets")
        return answer(_summary_data(place, group.group_id, lags))

    async def all(self, request: Request) -> Response:
        """The lags of a group."""
        place, group, cluster = await described(self, request)
        data = [_data(place, group.group_id, lag) for lag in await _lags(cluster, group)]
        url = f"{group_place(place, group.group_id).url}/lags"
        return answer(collection("KafkaConsumerLagList", url, data))

    async def get(self, request: Request) -> Response:
        """The lag of a group in one partition."""
        place, group, cluster = await described(self, request)
        at = request.path["topic_name"], path_number(request.path["partition_id"], "Partition")
        for lag in await _lags(cluster, group):
            if lag.at == at:
                return answer(_data(place, group.group_id, lag))
        raise not_found(f"Lag of Consumer Group {group.group_id} in {at[0]}-{at[1]}")


async def _lags(cluster: Cluster, group: GroupDescription) -> list[Lag]:
    """Of all partitions where the group has committed offsets."""
    admin = cluster.admin.with_options(raise_errors=False)
    committed = (await admin.list_consumer_group_offsets(group.group_id))[group.group_id].succeeded
    offsets = {at: found.offset for at, found in committed.items() if found is not None}
    ends = (await admin.list_offsets(dict.fromkeys(offsets, OffsetSpec.LATEST))).succeeded if offsets else {}
    members = {at: member for member in group.members for at in member.assignment}
    return [Lag(at, offsets[at], end.offset, members.get(at)) for at, end in sorted(ends.items())]


def _data(place: Place, group_id: str, lag: Lag) -> dict[str, Any]:
    fields = {
        "cluster_id": place.url.rpartition("/")[2],
        "consumer_group_id": group_id,
        "topic_name": lag.at[0],
        "partition_id": lag.at[1],
        "current_offset": lag.current_offset,
        "log_end_offset": lag.log_end_offset,
        "lag": lag.lag,
        "consumer_id": lag.member.member_id if lag.member else "",
        "instance_id": lag.member.group_instance_id if lag.member else None,
        "client_id": lag.member.client_id if lag.member else "",
    }
    return resource("KafkaConsumerLag", lag_place(place, group_id, lag.at), fields)


def _summary_data(place: Place, group_id: str, lags: list[Lag]) -> dict[str, Any]:
    largest = max(lags, key=lambda one: one.lag)
    member = largest.member
    member_id = member.member_id if member else ""
    fields = {
        "cluster_id": place.url.rpartition("/")[2],
        "consumer_group_id": group_id,
        "max_lag_consumer_id": member_id,
        "max_lag_instance_id": member.group_instance_id if member else None,
        "max_lag_client_id": member.client_id if member else "",
        "max_lag_topic_name": largest.at[0],
        "max_lag_partition_id": largest.at[1],
        "max_lag": largest.lag,
        "total_lag": sum(one.lag for one in lags),
        "max_lag_consumer": related(member_place(place, group_id, member_id).url),
        "max_lag_partition": related(partition_place(place, *largest.at).url),
    }
    return resource("KafkaConsumerGroupLagSummary", group_place(place, group_id).under("lag-summary"), fields)
