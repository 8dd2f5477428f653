"""Configs of topics, of brokers, and of all brokers of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from barnabas.clients.admin.configs import Change, ConfigEntry, ConfigResource
from barnabas.config.alter import ResourceType
from barnabas.config.describe import ConfigSource
from barnabas.http.errors import HttpError
from barnabas.http.request import Request
from barnabas.http.response import Response
from barnabas.http.routes import Routes
from barnabas.http.serving import Handler
from barnabas.rest import fields
from barnabas.rest.asking import Part, answer, done, telling
from barnabas.rest.cluster import Cluster
from barnabas.rest.errors import not_found
from barnabas.rest.places import Place, collection, resource
from barnabas.rest.v3.clusters import broker_place, node_of
from barnabas.rest.v3.topics import topic_place

CLUSTER = "/v3/clusters/{cluster_id}"
TOPIC = f"{CLUSTER}/topics/{{topic_name}}"
BROKER = f"{CLUSTER}/brokers/{{broker_id}}"


class _Owner(NamedTuple):
    """What has configs, and how the API tells of them."""

    resource: ConfigResource
    place: Place
    kind: str
    fields: dict[str, Any]
    collection: str
    name: str


class Configs(Part):
    """The operations on configs."""

    def add_to(self, routes: Routes[Handler]) -> None:
        for path in (f"{CLUSTER}/broker-configs", f"{TOPIC}/configs", f"{BROKER}/configs"):
            routes.add("GET", path, telling(self.all))
            routes.add("GET", f"{path}/{{name}}", telling(self.get))
            routes.add("PUT", f"{path}/{{name}}", telling(self.set))
            routes.add("DELETE", f"{path}/{{name}}", telling(self.reset))
            routes.add("POST", f"{path}:alter", telling(self.alter))
        routes.add("GET", f"{CLUSTER}/topics/-/configs", telling(self.of_all_topics))
        routes.add("GET", f"{CLUSTER}/brokers/-/configs", telling(self.of_all_brokers))

    async def all(self, request: Request) -> Response:
        """All configs of a resource."""
        cluster, owner = await self._owner(request)
        data = (await _described(cluster, [owner]))[owner.resource]
        url = f"{owner.place.url}/{owner.collection}"
        return answer(collection(f"{owner.kind}List", url, [_data(owner, *item) for item in data.items()]))

    async def get(self, request: Request) -> Response:
        """One config."""
        cluster, owner = await self._owner(request)
        name = request.path["name"]
        found = (await _described(cluster, [owner]))[owner.resource]
        if name not in found:
            raise _unknown(owner, name)
        return answer(_data(owner, name, found[name]))

    async def set(self, request: Request) -> Response:
        """Gives a config a value."""
        value = fields.value_text(request.json_object(), "value")
        return await self._change(request, {request.path["name"]: value})

    async def reset(self, request: Request) -> Response:
        """Gives a config its default."""
        return await self._change(request, {request.path["name"]: None})

    async def alter(self, request: Request) -> Response:
        """Changes several configs, or tells whether they could be."""
        body = request.json_object()
        changes: dict[str, Change] = {}
        for one in fields.objects_of(body, "data"):
            name = fields.needed_text(one, "name")
            operation = (fields.text(one, "operation") or "SET").upper()
            if operation not in ("SET", "DELETE"):
                raise HttpError(400, f"operation must be SET or DELETE, not {operation[:100]!r}")
            if name in changes:
                raise HttpError(400, f"{name} is changed twice")
            changes[name] = fields.value_text(one, "value") if operation == "SET" else None
        return await self._change(request, changes, validate_only=fields.flag(body, "validate_only"))

    async def of_all_topics(self, request: Request) -> Response:
        """The configs of all topics."""
        cluster, place = await self.at(request)
        owners = [_topic(place, name) for name in await cluster.admin.list_topics(internal=True)]
        return await self._of_all(cluster, owners, "KafkaTopicConfigList", f"{place.url}/topics/-/configs")

    async def of_all_brokers(self, request: Request) -> Response:
        """The configs of all brokers that were set while they ran."""
        cluster, place = await self.at(request)
        nodes = (await cluster.admin.describe_cluster()).nodes
        owners = [_broker(place, node.id) for node in nodes]
        url = f"{place.url}/brokers/-/configs"
        return await self._of_all(cluster, owners, "KafkaBrokerConfigList", url, dynamic_only=True)

    async def _of_all(
        self, cluster: Cluster, owners: list[_Owner], kind: str, url: str, *, dynamic_only: bool = False
    ) -> Response:
        found = await _described(cluster, owners)
        data = [
            _data(owner, name, entry)
            for owner in owners
            for name, entry in found[owner.resource].items()
            if not dynamic_only or entry.source.name.startswith("DYNAMIC")
        ]
        return answer(collection(kind, url, data))

    async def _change(
        self, request: Request, changes: Mapping[str, Change], *, validate_only: bool = False
    ) -> Response:
        cluster, owner = await self._owner(request)
        # The defaults of all brokers are described only as far as they are set.
        if owner.resource != ConfigResource.broker():
            known = (await _described(cluster, [owner]))[owner.resource]
            for name in changes:
                if name not in known:
                    raise _unknown(owner, name)
        if changes:
            await cluster.admin.alter_configs({owner.resource: changes}, validate_only=validate_only)
        return done()

    async def _owner(self, request: Request) -> tuple[Cluster, _Owner]:
        """Whose configs a path is about."""
        cluster, place = await self.at(request)
        if topic := request.path.get("topic_name"):
            return cluster, _topic(place, topic)
        if broker := request.path.get("broker_id"):
            return cluster, _broker(place, node_of(await cluster.admin.describe_cluster(), broker).id)
        own: dict[str, Any] = {"config_type": "BROKER"}
        resource = ConfigResource.broker()
        return cluster, _Owner(resource, place, "KafkaClusterConfig", own, "broker-configs", "broker-config")


def _topic(place: Place, name: str) -> _Owner:
    where = topic_place(place, name)
    resource = ConfigResource.topic(name)
    return _Owner(resource, where, "KafkaTopicConfig", {"topic_name": name}, "configs", "config")


def _broker(place: Place, broker: int) -> _Owner:
    where = broker_place(place, broker)
    resource = ConfigResource.broker(broker)
    return _Owner(resource, where, "KafkaBrokerConfig", {"broker_id": broker}, "configs", "config")


def _unknown(owner: _Owner, name: str) -> HttpError:
    what = "cluster" if owner.resource == ConfigResource.broker() else str(owner.resource)
    return not_found(f"Config {name[:200]} of {what}")


async def _described(
    cluster: Cluster, owners: list[_Owner]
) -> dict[ConfigResource, Mapping[str, ConfigEntry]]:
    if not owners:
        return {}
    found = await cluster.admin.describe_configs([owner.resource for owner in owners], synonyms=True)
    return dict(found)


def _data(owner: _Owner, name: str, entry: ConfigEntry) -> dict[str, Any]:
    data = {
        "cluster_id": _cluster_id(owner),
        **owner.fields,
        "name": name,
        "value": entry.value,
        "is_default": entry.source is ConfigSource.DEFAULT_CONFIG,
        "is_read_only": entry.read_only,
        "is_sensitive": entry.sensitive,
        "source": entry.source.name,
        "synonyms": [
            {"name": one.name, "value": one.value, "source": one.source.name} for one in entry.synonyms
        ],
    }
    return resource(owner.kind, owner.place.of(owner.collection, name, owner.name), data)


def _cluster_id(owner: _Owner) -> str:
    place = owner.place.url
    if owner.resource.kind is ResourceType.BROKER and not owner.resource.name:
        return place.rpartition("/")[2]
    return place.split("/")[-3]
