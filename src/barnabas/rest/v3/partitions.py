"""Partitions, their replicas and offsets, and their moves between brokers."""

from __future__ import annotations

from typing import Any

from barnabas.clients.admin.partitions import OffsetSpec, Reassignment
from barnabas.clients.admin.topics import PartitionDescription
from barnabas.errors import UnknownTopicOrPartition
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest.asking import Part, answer, telling
from barnabas.rest.errors import not_found
from barnabas.rest.fields import path_number
from barnabas.rest.places import Place, collection, related, resource
from barnabas.rest.v3.clusters import broker_place, node_of
from barnabas.rest.v3.topics import described, topic_place

TOPICS = "/v3/clusters/{cluster_id}/topics"
ALL = f"{TOPICS}/{{topic_name}}/partitions"
ONE = f"{ALL}/{{partition_id}}"


class Partitions(Part):
    """The operations on partitions and replicas."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("GET", ALL, telling(self.all))
        routes.add("GET", ONE, telling(self.get))
        routes.add("GET", f"{ONE}/offset", telling(self.offsets))
        routes.add("GET", f"{ONE}/replicas", telling(self.replicas))
        routes.add("GET", f"{ONE}/replicas/{{broker_id}}", telling(self.replica))
        routes.add("GET", f"{ONE}/reassignment", telling(self.reassignment))
        routes.add("GET", f"{ALL}/-/reassignment", telling(self.reassignments_of_topic))
        routes.add("GET", f"{TOPICS}/-/partitions/-/reassignment", telling(self.reassignments))
        brokers = "/v3/clusters/{cluster_id}/brokers/{broker_id}"
        routes.add("GET", f"{brokers}/partition-replicas", telling(self.replicas_of_broker))

    async def all(self, request: Request) -> Response:
        """The partitions of a topic."""
        cluster, place = await self.at(request)
        topic = await described(cluster, request)
        data = [_partition_data(place, topic.name, one) for one in topic.partitions]
        return answer(
            collection("KafkaPartitionList", f"{topic_place(place, topic.name).url}/partitions", data)
        )

    async def get(self, request: Request) -> Response:
        """One partition."""
        place, name, partition = await self._partition(request)
        return answer(_partition_data(place, name, partition))

    async def offsets(self, request: Request) -> Response:
        """Where a partition begins and ends; `offset_type` may be earliest_and_latest, which it is anyway."""
        if request.text("offset_type", "earliest_and_latest").lower() != "earliest_and_latest":
            raise HttpError(400, "offset_type must be earliest_and_latest")
        cluster, place = await self.at(request)
        name = request.path["topic_name"]
        at = (name, path_number(request.path["partition_id"], "Partition"))
        first = await cluster.admin.list_offsets({at: OffsetSpec.EARLIEST})
        last = await cluster.admin.list_offsets({at: OffsetSpec.LATEST})
        where = partition_place(place, *at).under("offset")
        data = {
            **_fields(place, *at),
            "earliest_offset": first[at].offset,
            "latest_offset": last[at].offset,
        }
        return answer(resource("KafkaPartitionWithOffsets", where, data))

    async def replicas(self, request: Request) -> Response:
        """The replicas of a partition."""
        place, name, partition = await self._partition(request)
        data = [_replica_data(place, name, partition, broker) for broker in partition.replicas]
        url = f"{partition_place(place, name, partition.partition).url}/replicas"
        return answer(collection("KafkaReplicaList", url, data))

    async def replica(self, request: Request) -> Response:
        """One replica."""
        place, name, partition = await self._partition(request)
        broker = path_number(request.path["broker_id"], "Replica")
        if broker not in partition.replicas:
            raise not_found(f"Replica {broker}")
        return answer(_replica_data(place, name, partition, broker))

    async def replicas_of_broker(self, request: Request) -> Response:
        """All replicas that a broker has."""
        cluster, place = await self.at(request)
        node = node_of(await cluster.admin.describe_cluster(), request.path["broker_id"])
        names = list(await cluster.admin.list_topics(internal=True))
        # One may be deleted between the two.
        topics = await cluster.admin.with_options(raise_errors=False).describe_topics(names)
        data = [
            _replica_data(place, topic.name, one, node.id)
            for topic in topics.succeeded.values()
            for one in topic.partitions
            if node.id in one.replicas
        ]
        url = f"{broker_place(place, node.id).url}/partition-replicas"
        return answer(collection("KafkaReplicaList", url, data))

    async def reassignments(self, request: Request) -> Response:
        """All partitions that are on the move."""
        cluster, place = await self.at(request)
        found = await cluster.admin.list_partition_reassignments()
        data = [_reassignment_data(place, *at, one) for at, one in sorted(found.items())]
        return answer(
            collection("KafkaReassignmentList", f"{place.url}/topics/-/partitions/-/reassignment", data)
        )

    async def reassignments_of_topic(self, request: Request) -> Response:
        """The partitions of a topic that are on the move."""
        cluster, place = await self.at(request)
        topic = await described(cluster, request)
        wanted = [(topic.name, one.partition) for one in topic.partitions]
        found = await cluster.admin.list_partition_reassignments(wanted)
        data = [_reassignment_data(place, *at, one) for at, one in sorted(found.items())]
        url = f"{topic_place(place, topic.name).url}/partitions/-/reassignment"
        return answer(collection("KafkaReassignmentList", url, data))

    async def reassignment(self, request: Request) -> Response:
        """The move of one partition."""
        cluster, place = await self.at(request)
        at = request.path["topic_name"], path_number(request.path["partition_id"], "Partition")
        found = await cluster.admin.list_partition_reassignments([at])
        if at not in found:
            raise not_found(f"Reassignment of {at[0]}-{at[1]}")
        return answer(_reassignment_data(place, *at, found[at]))

    async def _partition(self, request: Request) -> tuple[Place, str, PartitionDescription]:
        """The partition that a path names."""
        cluster, place = await self.at(request)
        topic = await described(cluster, request)
        wanted = path_number(request.path["partition_id"], "Partition")
        for partition in topic.partitions:
            if partition.partition == wanted:
                return place, topic.name, partition
        raise UnknownTopicOrPartition()


def partition_place(place: Place, topic: str, partition: int) -> Place:
    """Where a partition is."""
    return topic_place(place, topic).of("partitions", partition, "partition")


def _fields(place: Place, topic: str, partition: int) -> dict[str, Any]:
    return {"cluster_id": place.url.rpartition("/")[2], "topic_name": topic, "partition_id": partition}


def _partition_data(place: Place, topic: str, one: PartitionDescription) -> dict[str, Any]:
    where = partition_place(place, topic, one.partition)
    fields = _fields(place, topic, one.partition)
    if one.leader is not None:
        fields["leader"] = related(f"{where.url}/replicas/{one.leader}")
    fields["replicas"] = related(f"{where.url}/replicas")
    fields["reassignment"] = related(f"{where.url}/reassignment")
    return resource("KafkaPartition", where, fields)


def _replica_data(place: Place, topic: str, one: PartitionDescription, broker: int) -> dict[str, Any]:
    where = partition_place(place, topic, one.partition).of("replicas", broker, "replica")
    fields = {
        **_fields(place, topic, one.partition),
        "broker_id": broker,
        "is_leader": broker == one.leader,
        "is_in_sync": broker in one.isr,
        "broker": related(broker_place(place, broker).url),
    }
    return resource("KafkaReplica", where, fields)


def _reassignment_data(place: Place, topic: str, partition: int, one: Reassignment) -> dict[str, Any]:
    where = partition_place(place, topic, partition)
    fields = {
        **_fields(place, topic, partition),
        "adding_replicas": list(one.adding),
        "removing_replicas": list(one.removing),
        "replicas": related(f"{where.url}/replicas"),
    }
    return resource("KafkaReassignment", where.under("reassignment"), fields)
