"""AlterConfigs, IncrementalAlterConfigs and ListConfigResources.

What a value may be is `barnabas.config`'s; here are the rules that need the rest of the metadata: resources
that must exist, and min.insync.replicas, which is one for the whole cluster while ELR is on (KIP-966).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from barnabas.config.alter import Operation, ResourceType, incremental_alter, replace_configs
from barnabas.config.describe import Entry, describe_topic
from barnabas.config.validate import topic as validate_topic
from barnabas.controller.decision import (
    BROKER,
    RECORDS_MAX,
    TOPIC,
    ControllerState,
    Decision,
    Record,
    error_of,
    refuse,
)
from barnabas.controller.names import name_problem
from barnabas.protocol import ErrorCode
from barnabas.protocol.generated import alter_configs_response, incremental_alter_configs_response
from barnabas.protocol.generated.alter_configs_response import AlterConfigsResponse
from barnabas.protocol.generated.config_record import ConfigRecord
from barnabas.protocol.generated.incremental_alter_configs_response import IncrementalAlterConfigsResponse
from barnabas.protocol.generated.list_config_resources_response import (
    ConfigResource,
    ListConfigResourcesResponse,
)

if TYPE_CHECKING:
    from barnabas._core import MetadataImage
    from barnabas.protocol.generated.alter_configs_request import AlterConfigsRequest
    from barnabas.protocol.generated.incremental_alter_configs_request import IncrementalAlterConfigsRequest
    from barnabas.protocol.generated.list_config_resources_request import ListConfigResourcesRequest

BROKER_LOGGER, CLIENT_METRICS = ResourceType.BROKER_LOGGER, ResourceType.CLIENT_METRICS
GROUP = ResourceType.GROUP

MIN_INSYNC_REPLICAS = "min.insync.replicas"


def new_topic_entries(state: ControllerState, overrides: Mapping[str, str]) -> list[Entry]:
    """Configs of a topic that is created with these overrides, as CreateTopics describes them.

    Overrides are shown as they were given, where DescribeConfigs shows them as they are understood.
    """
    entries = describe_topic(state.broker_configs, overrides)
    shown = (entry._replace(value=overrides.get(entry.name, entry.value)) for entry in entries)
    return sorted(shown, key=lambda entry: entry.name)


# ---- changes --------------------------------------------------------------------------------------------


def check_topic_overrides(state: ControllerState, overrides: Mapping[str, str]) -> None:
    """Refuses overrides that a new topic can't have."""
    validate_topic(state.broker_configs, {}, overrides)


def set_records(resource_type: int, resource_name: str, changes: Mapping[str, str | None]) -> list[Record]:
    """Records that set configs of a resource, or delete those that are None."""
    return [
        (ConfigRecord(resource_type=resource_type, resource_name=resource_name, name=name, value=value), 0)
        for name, value in changes.items()
    ]


def incremental_alter_configs(
    state: ControllerState, request: IncrementalAlterConfigsRequest
) -> Decision[IncrementalAlterConfigsResponse]:
    """Decides each resource by itself; all operations on a resource take place, or none."""
    counts = Counter((resource.resource_type, resource.resource_name) for resource in request.resources)
    response = IncrementalAlterConfigsResponse()
    records: list[Record] = []
    for resource in request.resources:
        kind, name = resource.resource_type, resource.resource_name
        result = incremental_alter_configs_response.AlterConfigsResourceResponse(
            resource_type=kind, resource_name=name, error_message=None
        )
        response.responses.append(result)
        operations = [
            Operation(config.name, config.config_operation, config.value) for config in resource.configs
        ]
        with error_of(result):
            _check_single(counts[kind, name])
            current = state.image.config(kind, name)
            check = partial(_check_name, kind, name)
            changes = incremental_alter(state.broker_configs, kind, name, current, operations, check)
            records += _change_records(state, kind, name, changes, RECORDS_MAX - len(records))
    return Decision([] if request.validate_only else records, response)


def alter_configs(state: ControllerState, request: AlterConfigsRequest) -> Decision[AlterConfigsResponse]:
    """Decides each resource by itself: what is set for it becomes what the request says, no more."""
    counts = Counter((resource.resource_type, resource.resource_name) for resource in request.resources)
    response = AlterConfigsResponse()
    records: list[Record] = []
    for resource in request.resources:
        kind, name = resource.resource_type, resource.resource_name
        result = alter_configs_response.AlterConfigsResourceResponse(
            resource_type=kind, resource_name=name, error_message=None
        )
        response.responses.append(result)
        wanted = {config.name: config.value for config in resource.configs}
        with error_of(result):
            _check_single(counts[kind, name])
            if len(wanted) != len(resource.configs):
                raise refuse(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
            current = state.image.config(kind, name)
            check = partial(_check_name, kind, name)
            changes = replace_configs(state.broker_configs, kind, name, current, wanted, check)
            records += _change_records(state, kind, name, changes, RECORDS_MAX - len(records))
    return Decision([] if request.validate_only else records, response)


def _check_single(count: int) -> None:
    if count > 1:
        raise refuse(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")


def _check_name(kind: int, name: str) -> None:
    problem = name_problem(name) if kind == TOPIC else None
    if problem is not None:
        raise refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)


def _change_records(
    state: ControllerState, kind: int, name: str, changes: Mapping[str, str | None], records_max: int
) -> list[Record]:
    if kind == TOPIC and state.image.topic(name) is None:
        raise refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
    if kind == BROKER:
        _check_min_isr(state, name, changes)
    if len(changes) > records_max:
        raise refuse(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
    return set_records(kind, name, changes)


def _check_min_isr(state: ControllerState, name: str, changes: Mapping[str, str | None]) -> None:
    """With ELR all brokers must agree on min.insync.replicas: who is eligible depends on it."""
    if MIN_INSYNC_REPLICAS not in changes or not state.elr_enabled:
        return
    if name:
        raise refuse(
            ErrorCode.INVALID_CONFIG,
            f"Broker-level {MIN_INSYNC_REPLICAS} cannot be altered while ELR is enabled.",
        )
    if changes[MIN_INSYNC_REPLICAS] is None:
        raise refuse(
            ErrorCode.INVALID_CONFIG,
            f"Cluster-level {MIN_INSYNC_REPLICAS} cannot be removed while ELR is enabled.",
        )


# ---- listing --------------------------------------------------------------------------------------------


def list_config_resources(
    image: MetadataImage, node_ids: Iterable[int], request: ListConfigResourcesRequest, version: int
) -> ListConfigResourcesResponse:
    """Resources that have configs, or could: every topic and broker, and what has some set."""
    known = (GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC)
    asked = list(request.resource_types) or list(known)
    if version == 0:
        asked = [CLIENT_METRICS]
    if any(kind not in known for kind in asked):
        return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
    found: dict[int, list[str]] = {kind: [] for kind in known}
    for kind, name in image.config_resources():
        if kind in (GROUP, CLIENT_METRICS):
            found[kind].append(name)
    found[BROKER] = found[BROKER_LOGGER] = [str(node_id) for node_id in node_ids]
    found[TOPIC] = [topic.name for topic in image.topics()] if TOPIC in asked else []
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=kind)
            for kind in known
            if kind in asked
            for name in found[kind]
        ]
    )
