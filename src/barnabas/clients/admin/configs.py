"""Configs of topics, brokers, groups and metrics subscriptions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, TypeVar

from barnabas.clients.operation import Operations, operation
from barnabas.clients.plan import ANY, Plan, Target, ask, check, each, either, error_of, node
from barnabas.clients.plan import Placed as PlacedOf
from barnabas.clients.results import Results
from barnabas.config.alter import OpType, ResourceType
from barnabas.config.definition import ConfigType
from barnabas.config.describe import ConfigSource
from barnabas.errors import KafkaError
from barnabas.protocol.generated.describe_configs_request import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from barnabas.protocol.generated.describe_configs_response import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
)
from barnabas.protocol.generated.incremental_alter_configs_request import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from barnabas.protocol.generated.incremental_alter_configs_response import IncrementalAlterConfigsResponse
from barnabas.protocol.generated.list_config_resources_request import ListConfigResourcesRequest
from barnabas.protocol.generated.list_config_resources_response import ListConfigResourcesResponse


class ConfigResource(NamedTuple):
    """What has configs. Brokers are named by their id; an empty name stands for all of them."""

    kind: ResourceType
    name: str

    @staticmethod
    def topic(name: str) -> ConfigResource:
        """A topic."""
        return ConfigResource(ResourceType.TOPIC, name)

    @staticmethod
    def broker(node_id: int | None = None) -> ConfigResource:
        """A broker; None: what holds for all brokers that have no value of their own."""
        return ConfigResource(ResourceType.BROKER, "" if node_id is None else str(node_id))

    @staticmethod
    def broker_logger(node_id: int) -> ConfigResource:
        """The levels of a broker's loggers."""
        return ConfigResource(ResourceType.BROKER_LOGGER, str(node_id))

    @staticmethod
    def group(name: str) -> ConfigResource:
        """A group."""
        return ConfigResource(ResourceType.GROUP, name)

    @staticmethod
    def client_metrics(name: str) -> ConfigResource:
        """A subscription to metrics of clients."""
        return ConfigResource(ResourceType.CLIENT_METRICS, name)

    def __str__(self) -> str:
        return f"{self.kind.name.lower()} {self.name or '(default)'}"


@dataclass(frozen=True, slots=True)
class ConfigSynonym:
    """A place that a value may come from."""

    name: str
    value: str | None
    source: ConfigSource


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """The value of a config, and where it comes from."""

    value: str | None
    source: ConfigSource
    read_only: bool
    sensitive: bool
    """Its value is not told."""
    type: ConfigType | None = None
    synonyms: tuple[ConfigSynonym, ...] = field(default=(), repr=False)
    documentation: str | None = field(default=None, repr=False)

    @property
    def is_default(self) -> bool:
        """Whether nobody has set it."""
        return self.source is ConfigSource.DEFAULT_CONFIG

    def __str__(self) -> str:
        return str(self.value)


class Configs(dict[str, ConfigEntry]):
    """All configs of a resource by name. Printed it is a table."""

    def __repr__(self) -> str:
        from barnabas.clients.results import table

        return table(self)


class ConfigOp(NamedTuple):
    """What is done to a config; APPEND and SUBTRACT are for lists."""

    op: OpType
    value: str | None = None


Change = str | int | float | bool | None | ConfigOp
"""A value to be set, None for the default, or an operation."""

E = TypeVar("E", bound=IntEnum)

_OF_ONE_BROKER = (ResourceType.BROKER, ResourceType.BROKER_LOGGER)


class ConfigOperations(Operations):
    """Operations on configs."""

    @operation
    def describe_configs(
        self,
        resources: ConfigResource | Iterable[ConfigResource],
        *,
        names: Collection[str] | None = None,
        synonyms: bool = False,
        documentation: bool = False,
    ) -> Plan[Results[ConfigResource, Configs]]:
        """All configs of resources, or those with some names."""

        def make(some: list[ConfigResource]) -> DescribeConfigsRequest:
            asked = [DescribeConfigsResource(int(one.kind), one.name, names) for one in some]
            return DescribeConfigsRequest(asked, synonyms, documentation)

        return (yield from each(_resources(resources), _placed, make, _described))

    @operation
    def alter_configs(
        self, changes: Mapping[ConfigResource, Mapping[str, Change]], *, validate_only: bool = False
    ) -> Plan[Results[ConfigResource, None]]:
        """Changes some configs and leaves the others as they are (Kafka's incrementalAlterConfigs).

        admin.alter_configs({ConfigResource.topic("orders"): {"retention.ms": 60_000, "cleanup.policy":
        None}})"""

        def make(some: list[ConfigResource]) -> IncrementalAlterConfigsRequest:
            altered = [
                AlterConfigsResource(
                    int(one.kind), one.name, [_alterable(*item) for item in changes[one].items()]
                )
                for one in some
            ]
            return IncrementalAlterConfigsRequest(altered, validate_only)

        def read(
            answer: IncrementalAlterConfigsResponse, _: list[ConfigResource]
        ) -> Iterator[tuple[ConfigResource, KafkaError | None]]:
            for one in answer.responses:
                resource = ConfigResource(ResourceType(one.resource_type), one.resource_name)
                yield resource, error_of(one.error_code, one.error_message)

        return (yield from each(changes, _placed, make, read))

    @operation
    def list_config_resources(self, *kinds: ResourceType) -> Plan[list[ConfigResource]]:
        """Resources that have configs, of some kinds or of all."""
        return (yield from _listed(kinds, lowest=1))

    @operation
    def list_client_metrics_resources(self) -> Plan[list[str]]:
        """Names of the subscriptions to metrics of clients. They are made, changed and deleted with
        `alter_configs`."""
        newer = _listed((ResourceType.CLIENT_METRICS,), lowest=1)
        found = yield from either(newer, _listed((), lowest=0, highest=0))
        return [resource.name for resource in found]


def _resources(resources: ConfigResource | Iterable[ConfigResource]) -> list[ConfigResource]:
    return [resources] if isinstance(resources, ConfigResource) else list(resources)


def _placed(resources: list[ConfigResource]) -> Plan[PlacedOf[ConfigResource]]:
    """What one broker has is asked of it; everything else of anybody."""
    placed: dict[Target, list[ConfigResource]] = {}
    for resource in resources:
        of_one = resource.kind in _OF_ONE_BROKER and resource.name.isdecimal()
        placed.setdefault(node(int(resource.name)) if of_one else ANY, []).append(resource)
    return list(placed.items()), {}
    yield  # A plan that asks nothing.


def _described(
    answer: DescribeConfigsResponse, _: list[ConfigResource]
) -> Iterator[tuple[ConfigResource, Configs | KafkaError]]:
    for one in answer.results:
        resource = ConfigResource(ResourceType(one.resource_type), one.resource_name)
        configs = Configs({config.name: _entry(config) for config in one.configs})
        yield resource, error_of(one.error_code, one.error_message) or configs


def _entry(config: DescribeConfigsResourceResult) -> ConfigEntry:
    return ConfigEntry(
        config.value,
        _member(ConfigSource, config.config_source) or ConfigSource.UNKNOWN,
        config.read_only,
        config.is_sensitive,
        _member(ConfigType, config.config_type),
        tuple(
            ConfigSynonym(one.name, one.value, _member(ConfigSource, one.source) or ConfigSource.UNKNOWN)
            for one in config.synonyms
        ),
        config.documentation,
    )


def _member(kind: type[E], code: int) -> E | None:
    return next((member for member in kind if member == code), None)


def _alterable(name: str, change: Change) -> AlterableConfig:
    match change:
        case ConfigOp(op, value):
            return AlterableConfig(name, int(op), value)
        case None:
            return AlterableConfig(name, int(OpType.DELETE), None)
        case bool():
            return AlterableConfig(name, int(OpType.SET), str(change).lower())
        case _:
            return AlterableConfig(name, int(OpType.SET), str(change))


def _listed(kinds: Iterable[ResourceType], lowest: int, highest: int = 32767) -> Plan[list[ConfigResource]]:
    request = ListConfigResourcesRequest(map(int, kinds))
    answer = yield from ask(request, ListConfigResourcesResponse, lowest=lowest, highest=highest)
    check(answer.error_code)
    return [
        ConfigResource(ResourceType(one.resource_type), one.resource_name) for one in answer.config_resources
    ]
