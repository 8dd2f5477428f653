"""AlterConfigs and IncrementalAlterConfigs. Levels of loggers are set at once; all else goes into the log."""

from __future__ import annotations

from collections import Counter

from barnabas._core import ColdRequest
from barnabas.config.alter import OpType
from barnabas.controller import configs
from barnabas.controller.configs import BROKER_LOGGER
from barnabas.controller.decision import error_of, refuse
from barnabas.protocol import ApiKey, ErrorCode
from barnabas.protocol.generated.alter_configs_request import AlterConfigsRequest
from barnabas.protocol.generated.alter_configs_response import AlterConfigsResponse
from barnabas.protocol.generated.incremental_alter_configs_request import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from barnabas.protocol.generated.incremental_alter_configs_response import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
)
from barnabas.server import loggers
from barnabas.server.handlers.context import NodeContext, body, handles


@handles(ApiKey.ALTER_CONFIGS)
async def alter_configs(node: NodeContext, request: ColdRequest) -> AlterConfigsResponse:
    """Replaces what is set for resources, each or not."""
    return await node.commit(configs.alter_configs(node.state(), body(request, AlterConfigsRequest)))


@handles(ApiKey.INCREMENTAL_ALTER_CONFIGS)
async def incremental_alter_configs(
    node: NodeContext, request: ColdRequest
) -> IncrementalAlterConfigsResponse:
    """Changes single configs of resources, each resource or not."""
    asked = body(request, IncrementalAlterConfigsRequest)
    logger_resources = [resource for resource in asked.resources if resource.resource_type == BROKER_LOGGER]
    counts = Counter(resource.resource_name for resource in logger_resources)
    asked.resources = [resource for resource in asked.resources if resource.resource_type != BROKER_LOGGER]
    response = await node.commit(configs.incremental_alter_configs(node.state(), asked))
    for resource in logger_resources:
        result = AlterConfigsResourceResponse(
            resource_type=BROKER_LOGGER, resource_name=resource.resource_name, error_message=None
        )
        response.responses.append(result)
        with error_of(result):
            if counts[resource.resource_name] > 1:
                raise refuse(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")
            _alter_levels(node, resource, asked.validate_only)
    return response


def _alter_levels(node: NodeContext, resource: AlterConfigsResource, validate_only: bool) -> None:
    name = resource.resource_name
    if not name.removeprefix("-").isdecimal():
        raise refuse(ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {name}")
    if int(name) != node.node_id:
        raise refuse(
            ErrorCode.INVALID_REQUEST, f"Unexpected node id. Expected {node.node_id}, but received {name}"
        )
    names = [config.name for config in resource.configs]
    if len(set(names)) != len(names):
        raise refuse(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
    known = loggers.levels()
    for config in resource.configs:
        _check_level(config, known)
    if not validate_only:
        for config in resource.configs:
            deleted = config.config_operation == OpType.DELETE
            loggers.set_level(config.name, None if deleted else config.value)


def _check_level(config: AlterableConfig, known: dict[str, str]) -> None:
    if config.config_operation not in (OpType.SET, OpType.DELETE):
        raise refuse(
            ErrorCode.INVALID_REQUEST, "Levels of loggers can be set and deleted; there is nothing to add to."
        )
    if config.name not in known:
        raise refuse(ErrorCode.INVALID_CONFIG, f"Logger {config.name} does not exist!")
    if config.config_operation == OpType.DELETE:
        if config.name == loggers.ROOT:
            raise refuse(
                ErrorCode.INVALID_REQUEST, "Removing the log level of the root logger is not allowed"
            )
    elif config.value is None:
        raise refuse(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {config.name}")
    elif config.value not in loggers.LEVELS:
        raise refuse(
            ErrorCode.INVALID_CONFIG,
            f"Cannot set the log level of {config.name} to {config.value}, which is no log level. "
            f"Valid log levels are {', '.join(sorted(loggers.LEVELS))}",
        )
