"""Changes of dynamic configs, as pure functions: what is set now and the wish in, what to write out.

Both functions return the changes to write: a new text by name, or None for what is to be deleted. They raise
a KafkaError (INVALID_REQUEST or INVALID_CONFIG, as Kafka does) when the wish can't be granted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from barnabas.errors import KafkaError

from . import validate
from .catalog import broker_keys, topic_keys
from .definition import ConfigKey, ConfigType
from .resolve import BrokerConfigs

INVALID_CONFIG = 40
INVALID_REQUEST = 42


class ResourceType(IntEnum):
    """Kinds of resources that have configs, with their codes on the wire."""

    UNKNOWN = 0
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class OpType(IntEnum):
    """What an operation of IncrementalAlterConfigs does, with its code on the wire."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class Operation(NamedTuple):
    """One operation of IncrementalAlterConfigs."""

    name: str
    op_type: int
    value: str | None = None


def incremental_alter(
    configs: BrokerConfigs,
    resource_type: int,
    resource_name: str,
    current: Mapping[str, str],
    operations: Sequence[Operation],
    check_name: Callable[[], None] | None = None,
) -> dict[str, str | None]:
    """Changes that IncrementalAlterConfigs asks for one resource; `current` is what is set for it now.

    `check_name` says what else is wrong with the resource's name; it is called where Kafka looks at names.
    """
    check_kind(configs, resource_type, resource_name)
    names = [operation.name for operation in operations]
    if len(set(names)) != len(names):
        raise KafkaError.for_code(INVALID_REQUEST, "Error due to duplicate config keys")
    _refuse_nulls(op.name for op in operations if op.op_type != OpType.DELETE and op.value is None)
    changes = {op.name: _apply(resource_type, op, current.get(op.name)) for op in operations}
    check_resource(configs, resource_type, resource_name)
    if check_name is not None:
        check_name()
    return _validated(configs, resource_type, resource_name, current, changes)


def replace_configs(
    configs: BrokerConfigs,
    resource_type: int,
    resource_name: str,
    current: Mapping[str, str],
    wanted: Mapping[str, str | None],
    check_name: Callable[[], None] | None = None,
) -> dict[str, str | None]:
    """Changes that AlterConfigs asks for one resource: what it doesn't name goes back to its default.

    `check_name` is as in `incremental_alter`.
    """
    check_kind(configs, resource_type, resource_name)
    _refuse_nulls(name for name, value in wanted.items() if value is None)
    check_resource(configs, resource_type, resource_name)
    if check_name is not None:
        check_name()
    changes = {**wanted, **{name: None for name in current if name not in wanted}}
    return _validated(configs, resource_type, resource_name, current, changes)


def check_kind(configs: BrokerConfigs, resource_type: int, resource_name: str) -> None:
    """Refuses kinds of resources without dynamic configs, and other brokers: Kafka looks at these first."""
    if resource_type not in _VALIDATORS:
        raise KafkaError.for_code(INVALID_REQUEST, f"Unknown resource type {int(resource_type)}")
    if resource_type == ResourceType.BROKER and resource_name:
        _check_broker_name(configs, resource_name)


def check_resource(configs: BrokerConfigs, resource_type: int, resource_name: str) -> None:
    """Refuses resources that can't have dynamic configs."""
    check_kind(configs, resource_type, resource_name)
    if resource_type == ResourceType.TOPIC and not resource_name:
        raise KafkaError.for_code(INVALID_REQUEST, "Default topic resources are not allowed.")
    if resource_type == ResourceType.GROUP and not resource_name:
        raise KafkaError.for_code(INVALID_REQUEST, "Default group resources are not allowed.")
    if resource_type == ResourceType.CLIENT_METRICS and not resource_name:
        raise KafkaError.for_code(INVALID_REQUEST, "Subscription name can't be empty")


def _check_broker_name(configs: BrokerConfigs, name: str) -> None:
    node_id = configs.settings.node_id
    if not name.removeprefix("-").isdecimal():
        raise KafkaError.for_code(INVALID_REQUEST, f"Broker id must be an integer, but it is: {name}")
    if int(name) != node_id:
        raise KafkaError.for_code(
            INVALID_REQUEST, f"Unexpected broker id, expected {node_id} or empty string, but received {name}"
        )


def _refuse_nulls(names: Iterable[str]) -> None:
    if nulls := list(names):
        raise KafkaError.for_code(INVALID_REQUEST, f"Null value not supported for : {','.join(nulls)}")


def _apply(resource_type: int, operation: Operation, current: str | None) -> str | None:
    """The new text of one config."""
    match operation.op_type:
        case OpType.SET:
            return operation.value
        case OpType.DELETE:
            return None
        case OpType.APPEND | OpType.SUBTRACT:
            return _changed_list(resource_type, operation, current)
    raise KafkaError.for_code(INVALID_REQUEST, f"Unknown operation type {operation.op_type}")


def _changed_list(resource_type: int, operation: Operation, current: str | None) -> str:
    key = _list_keys(resource_type).get(operation.name)
    if key is None or key.type is not ConfigType.LIST:
        verb = OpType(operation.op_type).name
        raise KafkaError.for_code(
            INVALID_CONFIG, f"Can't {verb} to key {operation.name} because its type is not LIST."
        )
    text = current if current is not None else key.default_text or ""
    items = [item for item in text.split(",") if item]
    for item in (operation.value or "").split(","):
        if operation.op_type == OpType.APPEND:
            if item not in items:
                items.append(item)
        elif item in items:
            items.remove(item)
    return ",".join(items)


def _list_keys(resource_type: int) -> Mapping[str, ConfigKey]:
    # Kafka appends to lists of topics and brokers only; groups and client metrics are refused.
    if resource_type == ResourceType.TOPIC:
        return topic_keys()
    return broker_keys() if resource_type == ResourceType.BROKER else {}


def _validated(
    configs: BrokerConfigs,
    resource_type: int,
    resource_name: str,
    current: Mapping[str, str],
    changes: dict[str, str | None],
) -> dict[str, str | None]:
    after = {name: text for name, text in {**current, **changes}.items() if text is not None}
    _VALIDATORS[resource_type](configs, resource_name, current, after)
    if resource_type == ResourceType.BROKER:
        return (
            changes  # Written even when equal, so that the broker reads its key stores again (KAFKA-14136).
        )
    return {name: text for name, text in changes.items() if text != current.get(name)}


_Validator = Callable[[BrokerConfigs, str, Mapping[str, str], Mapping[str, str]], None]

_VALIDATORS: dict[int, _Validator] = {
    ResourceType.TOPIC: lambda configs, _, current, after: validate.topic(configs, current, after),
    ResourceType.BROKER: lambda configs, name, _, after: validate.broker(configs, name, after),
    ResourceType.GROUP: lambda configs, _, __, after: validate.group(configs, after),
    ResourceType.CLIENT_METRICS: lambda _, __, ___, after: validate.client_metrics(after),
}
