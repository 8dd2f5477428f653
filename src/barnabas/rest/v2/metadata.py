"""Brokers, topics, partitions."""

from __future__ import annotations

from typing import Any

from barnabas.clients.admin.configs import ConfigResource
from barnabas.clients.admin.partitions import OffsetSpec
from barnabas.clients.admin.topics import PartitionDescription
from barnabas.errors import UnknownTopicOrPartition
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest.asking import Part
from barnabas.rest.fields import path_number
from barnabas.rest.v2.asking import answer, partition_not_found, telling


class Metadata(Part):
    """The operations that tell of the cluster."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("GET", "/", telling(self.root))
        routes.add("POST", "/", telling(self.root))
        routes.add("GET", "/brokers", telling(self.brokers))
        routes.add("GET", "/topics", telling(self.topics))
        routes.add("GET", "/topics/{topic}", telling(self.topic))
        routes.add("GET", "/topics/{topic}/partitions", telling(self.partitions))
        routes.add("GET", "/topics/{topic}/partitions/{partition}", telling(self.partition))
        routes.add("GET", "/topics/{topic}/partitions/{partition}/offsets", telling(self.offsets))

    async def root(self, _: Request) -> Response:
        """That it is there."""
        return answer({})

    async def brokers(self, request: Request) -> Response:
        """Ids of the brokers."""
        found = await self._clusters.first(request).admin.describe_cluster()
        return answer({"brokers": [node.id for node in found.nodes]})

    async def topics(self, request: Request) -> Response:
        """Names of the topics."""
        return answer(list(await self._clusters.first(request).admin.list_topics(internal=True)))

    async def topic(self, request: Request) -> Response:
        """A topic with its configs and partitions."""
        name = request.path["topic"]
        admin = self._clusters.first(request).admin
        found = await admin.describe_topics(name)
        resource = ConfigResource.topic(name)
        configs = (await admin.describe_configs(resource))[resource]
        return answer(
            {
                "name": name,
                "configs": {config: entry.value for config, entry in configs.items()},
                "partitions": [_partition_data(one) for one in found[name].partitions],
            }
        )

    async def partitions(self, request: Request) -> Response:
        """The partitions of a topic."""
        return answer([_partition_data(one) for one in await self._partitions(request)])

    async def partition(self, request: Request) -> Response:
        """One partition."""
        number = path_number(request.path["partition"], "Partition")
        for one in await self._partitions(request):
            if one.partition == number:
                return answer(_partition_data(one))
        raise partition_not_found()

    async def offsets(self, request: Request) -> Response:
        """Where a partition begins and ends."""
        number = path_number(request.path["partition"], "Partition")
        if all(one.partition != number for one in await self._partitions(request)):
            raise partition_not_found()
        admin, at = self._clusters.first(request).admin, (request.path["topic"], number)
        first = await admin.list_offsets({at: OffsetSpec.EARLIEST})
        last = await admin.list_offsets({at: OffsetSpec.LATEST})
        return answer({"beginning_offset": first[at].offset, "end_offset": last[at].offset})

    async def _partitions(self, request: Request) -> tuple[PartitionDescription, ...]:
        name = request.path["topic"]
        if not name:
            raise UnknownTopicOrPartition()
        return (await self._clusters.first(request).admin.describe_topics(name))[name].partitions


def _partition_data(one: PartitionDescription) -> dict[str, Any]:
    return {
        "partition": one.partition,
        "leader": -1 if one.leader is None else one.leader,
        "replicas": [
            {"broker": broker, "leader": broker == one.leader, "in_sync": broker in one.isr}
            for broker in one.replicas
        ],
    }
