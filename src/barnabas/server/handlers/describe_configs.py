"""DescribeConfigs, answered from the committed metadata and this node's settings."""

from __future__ import annotations

from collections.abc import Iterable

from barnabas._core import ColdRequest
from barnabas.config.describe import (
    Entry,
    describe_broker,
    describe_broker_default,
    describe_client_metrics,
    describe_group,
    describe_topic,
)
from barnabas.config.resolve import BrokerConfigs
from barnabas.controller.configs import BROKER_LOGGER, CLIENT_METRICS, GROUP
from barnabas.controller.decision import BROKER, TOPIC, error_of, refuse
from barnabas.controller.names import name_problem
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.describe_configs_request import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from barnabas.protocol.generated.describe_configs_response import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)
from barnabas.server import loggers
from barnabas.server.handlers.context import NodeContext, body, handles

KINDS = (TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP)
LOGGER_SOURCE = 6
"""DYNAMIC_BROKER_LOGGER_CONFIG"""


@handles(ApiKey.DESCRIBE_CONFIGS)
async def describe_configs(node: NodeContext, request: ColdRequest) -> DescribeConfigsResponse:
    """Configs of resources, each or the reason why not."""
    asked = body(request, DescribeConfigsRequest)
    sensible = all(resource.resource_type in KINDS for resource in asked.resources)
    response = DescribeConfigsResponse()
    for resource in asked.resources:
        result = DescribeConfigsResult(
            resource_type=resource.resource_type, resource_name=resource.resource_name
        )
        response.results.append(result)
        with error_of(result):
            # Kafka refuses the whole request for one kind of resource that it does not know.
            if not sensible:
                raise refuse(ErrorCode.INVALID_REQUEST)
            result.configs = _describe(node, resource, asked)
    return response


def _describe(
    node: NodeContext, resource: DescribeConfigsResource, asked: DescribeConfigsRequest
) -> list[DescribeConfigsResourceResult]:
    keys = set(resource.configuration_keys) if resource.configuration_keys else None
    if resource.resource_type == BROKER_LOGGER:
        return _logger_levels(node, resource.resource_name, keys)
    entries = _entries(node, resource.resource_type, resource.resource_name, keys)
    return [_result(entry, asked.include_synonyms, asked.include_documentation) for entry in entries]


def _entries(node: NodeContext, kind: int, name: str, keys: set[str] | None) -> Iterable[Entry]:
    image = node.image()
    broker = str(node.node_id)
    configs = BrokerConfigs(node.settings, image.config(BROKER, broker), image.config(BROKER, ""))
    if kind == TOPIC:
        problem = name_problem(name)
        if problem is not None:
            raise refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
        if image.topic(name) is None:
            raise refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return describe_topic(configs, image.config(TOPIC, name), keys)
    if kind == BROKER:
        if not name:
            return describe_broker_default(configs, keys)
        _check_node_id(node, name, "or empty string, ")
        return describe_broker(configs, keys)
    if not name:
        what = "Group" if kind == GROUP else "Client metrics subscription"
        raise refuse(ErrorCode.INVALID_REQUEST, f"{what} name must not be empty")
    if kind == GROUP:
        return describe_group(configs, image.config(GROUP, name), keys)
    return describe_client_metrics(image.config(CLIENT_METRICS, name), keys)


def _logger_levels(
    node: NodeContext, name: str, keys: set[str] | None
) -> list[DescribeConfigsResourceResult]:
    if not name:
        raise refuse(ErrorCode.INVALID_REQUEST, "Broker id must not be empty")
    _check_node_id(node, name, "")
    return [
        DescribeConfigsResourceResult(name=logger, value=level, config_source=LOGGER_SOURCE)
        for logger, level in loggers.levels().items()
        if keys is None or logger in keys
    ]


def _check_node_id(node: NodeContext, name: str, alternative: str) -> None:
    if not name.removeprefix("-").isdecimal():
        raise refuse(ErrorCode.INVALID_REQUEST, f"Broker id must be an integer, but it is: {name}")
    if int(name) != node.node_id:
        raise refuse(
            ErrorCode.INVALID_REQUEST,
            f"Unexpected broker id, expected {node.node_id} {alternative}but received {name}",
        )


def _result(entry: Entry, synonyms: bool, documentation: bool) -> DescribeConfigsResourceResult:
    return DescribeConfigsResourceResult(
        name=entry.name,
        value=entry.value,
        read_only=entry.read_only,
        config_source=entry.source,
        is_sensitive=entry.sensitive,
        synonyms=[
            DescribeConfigsSynonym(name=synonym.name, value=synonym.value, source=synonym.source)
            for synonym in entry.synonyms
            if synonyms
        ],
        config_type=entry.type_code,
        documentation=entry.doc if documentation else None,
    )
