"""Topics: created, listed, described, given more partitions, deleted."""

from __future__ import annotations

from typing import Any

from barnabas.clients.admin.topics import BROKER_DEFAULT, NewTopic, TopicDescription
from barnabas.errors import UnknownTopicOrPartition
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest import fields
from barnabas.rest.asking import Part, answer, created, done, telling
from barnabas.rest.cluster import Cluster
from barnabas.rest.places import Place, collection, related, resource

ALL = "/v3/clusters/{cluster_id}/topics"
ONE = f"{ALL}/{{topic_name}}"


class Topics(Part):
    """The operations on topics."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("GET", ALL, telling(self.all))
        routes.add("POST", ALL, telling(self.create))
        routes.add("GET", ONE, telling(self.get))
        routes.add("PATCH", ONE, telling(self.grow))
        routes.add("DELETE", ONE, telling(self.delete))

    async def all(self, request: Request) -> Response:
        """All topics."""
        cluster, place = await self.at(request)
        listed = await cluster.admin.list_topics(internal=True)
        data = [
            topic_data(place, name, one.internal, one.replication_factor, one.partitions)
            for name, one in listed.items()
        ]
        return answer(collection("KafkaTopicList", f"{place.url}/topics", data))

    async def create(self, request: Request) -> Response:
        """Creates a topic, or tells whether it could be."""
        cluster, place = await self.at(request)
        body = request.json_object()
        topic, only = _new_topic(body), fields.flag(body, "validate_only")
        results = await cluster.admin.create_topics(topic, validate_only=only)
        made = results[topic.name]
        data = topic_data(place, topic.name, False, max(made.replication_factor, 0), max(made.partitions, 0))
        return answer(data) if only else created(data["metadata"]["self"], data)

    async def get(self, request: Request) -> Response:
        """One topic."""
        cluster, place = await self.at(request)
        operations = request.flag("include_authorized_operations")
        return answer(described_data(place, await described(cluster, request, operations)))

    async def grow(self, request: Request) -> Response:
        """Gives a topic more partitions."""
        cluster, place = await self.at(request)
        name = request.path["topic_name"]
        count = fields.needed_number(request.json_object(), "partitions_count")
        await cluster.admin.create_partitions({name: count})
        topic = await described(cluster, request)
        data = described_data(place, topic)
        # Who is asked may not have heard of them yet.
        return answer({**data, "partitions_count": max(count, len(topic.partitions))})

    async def delete(self, request: Request) -> Response:
        """Deletes a topic."""
        cluster, _ = await self.at(request)
        await cluster.admin.delete_topics(request.path["topic_name"])
        return done()


async def described(cluster: Cluster, request: Request, operations: bool = False) -> TopicDescription:
    """The topic that a path names."""
    name = request.path["topic_name"]
    if not name:
        raise UnknownTopicOrPartition()
    found = await cluster.admin.describe_topics(name, include_authorized_operations=operations)
    return found[name]


def topic_place(place: Place, name: str) -> Place:
    """Where a topic is."""
    return place.of("topics", name, "topic")


def topic_data(
    place: Place, name: str, internal: bool, replication_factor: int, partitions: int
) -> dict[str, Any]:
    """A topic as the API tells of it."""
    where = topic_place(place, name)
    return resource(
        "KafkaTopic",
        where,
        {
            "cluster_id": place.url.rpartition("/")[2],
            "topic_name": name,
            "is_internal": internal,
            "replication_factor": replication_factor,
            "partitions_count": partitions,
            "partitions": related(f"{where.url}/partitions"),
            "configs": related(f"{where.url}/configs"),
            "partition_reassignments": related(f"{where.url}/partitions/-/reassignment"),
        },
    )


def described_data(place: Place, topic: TopicDescription) -> dict[str, Any]:
    """A topic that was described."""
    replicas = max((len(one.replicas) for one in topic.partitions), default=0)
    data = topic_data(place, topic.name, topic.internal, replicas, len(topic.partitions))
    if topic.authorized_operations is not None:
        data["authorized_operations"] = [one.name for one in sorted(topic.authorized_operations)]
    return data


def _new_topic(body: dict[str, Any]) -> NewTopic:
    name = fields.needed_text(body, "topic_name")
    partitions = fields.number(body, "partitions_count")
    replicas = fields.number(body, "replication_factor", 2**15 - 1)
    configs = {
        fields.needed_text(one, "name"): fields.value_text(one, "value")
        for one in (fields.objects_of(body, "configs") if body.get("configs") is not None else ())
    }
    return NewTopic(
        name,
        BROKER_DEFAULT if partitions is None else partitions,
        BROKER_DEFAULT if replicas is None else replicas,
        configs,
        _assignments(body),
    )


def _assignments(body: dict[str, Any]) -> dict[int, list[int]] | None:
    given = body.get("replicas_assignments")
    if given is None or given == {}:
        return None
    assignments: dict[int, list[int]] = {}
    for index, brokers in fields.object_of(given, "replicas_assignments").items():
        good = isinstance(brokers, list) and all(type(one) is int for one in brokers)
        if not (good and index.isascii() and index.isdigit() and len(index) <= 9):
            raise HttpError(400, "replicas_assignments must map partitions to lists of brokers")
        assignments[int(index)] = brokers
    return assignments
