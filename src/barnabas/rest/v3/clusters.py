"""Clusters and brokers."""

from __future__ import annotations

from typing import Any

from barnabas.clients.admin.cluster import ClusterDescription, Node
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest.asking import Part, answer, telling
from barnabas.rest.errors import not_found
from barnabas.rest.fields import path_number
from barnabas.rest.places import Place, base_url, cluster_place, collection, related, resource


class Clusters(Part):
    """The operations on clusters and brokers."""

    def add_to(self, routes: Routes[Handler]) -> None:
        routes.add("GET", "/v3/clusters", telling(self.all))
        routes.add("GET", "/v3/clusters/{cluster_id}", telling(self.get))
        routes.add("GET", "/v3/clusters/{cluster_id}/brokers", telling(self.brokers))
        routes.add("GET", "/v3/clusters/{cluster_id}/brokers/{broker_id}", telling(self.broker))

    async def all(self, request: Request) -> Response:
        """The clusters that the proxy stands before, as far as they can be reached."""
        found = await self._clusters.ask_all(request, lambda one: one.admin.describe_cluster())
        data = [cluster_data(cluster_place(request, one.cluster_id or ""), one) for one in found]
        return answer(collection("KafkaClusterList", f"{base_url(request)}/v3/clusters", data))

    async def get(self, request: Request) -> Response:
        """The cluster."""
        cluster, place = await self.at(request)
        return answer(cluster_data(place, await cluster.admin.describe_cluster()))

    async def brokers(self, request: Request) -> Response:
        """The brokers."""
        cluster, place = await self.at(request)
        found = await cluster.admin.describe_cluster()
        data = [broker_data(place, found, node) for node in found.nodes]
        return answer(collection("KafkaBrokerList", f"{place.url}/brokers", data))

    async def broker(self, request: Request) -> Response:
        """One broker."""
        cluster, place = await self.at(request)
        found = await cluster.admin.describe_cluster()
        return answer(broker_data(place, found, node_of(found, request.path["broker_id"])))


def node_of(found: ClusterDescription, broker_id: str) -> Node:
    """A broker that there is."""
    wanted = path_number(broker_id, "Broker")
    for node in found.nodes:
        if node.id == wanted:
            return node
    raise not_found(f"Broker {wanted}")


def broker_place(place: Place, broker_id: int) -> Place:
    """Where a broker is."""
    return place.of("brokers", broker_id, "broker")


def cluster_data(place: Place, found: ClusterDescription) -> dict[str, Any]:
    """A cluster as the API tells of it."""
    fields: dict[str, Any] = {"cluster_id": found.cluster_id}
    if found.controller is not None:
        fields["controller"] = related(broker_place(place, found.controller).url)
    for name, path in (
        ("acls", "acls"),
        ("brokers", "brokers"),
        ("broker_configs", "broker-configs"),
        ("consumer_groups", "consumer-groups"),
        ("topics", "topics"),
        ("partition_reassignments", "topics/-/partitions/-/reassignment"),
    ):
        fields[name] = related(f"{place.url}/{path}")
    return resource("KafkaCluster", place, fields)


def broker_data(place: Place, found: ClusterDescription, node: Node) -> dict[str, Any]:
    """A broker as the API tells of it."""
    where = broker_place(place, node.id)
    fields = {
        "cluster_id": found.cluster_id,
        "broker_id": node.id,
        "host": node.host,
        "port": node.port,
        "rack": node.rack,
        "configs": related(f"{where.url}/configs"),
        "partition_replicas": related(f"{where.url}/partition-replicas"),
    }
    return resource("KafkaBroker", where, fields)
