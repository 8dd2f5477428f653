"""Whether the dynamic configs of a resource may be what a change would make them.

Each function gets all that would be set after the change and raises a KafkaError for the first thing wrong.
Kafka answers INVALID_CONFIG for topics and groups and INVALID_REQUEST for brokers; so is it here.
"""

from collections.abc import Mapping
from typing import cast

from barnabas.errors import KafkaError

from . import cross_checks
from .catalog import broker_keys, client_metrics_keys, group_keys, topic_keys
from .definition import ConfigKey, UpdateMode
from .errors import ConfigError, InvalidValue
from .resolve import BrokerConfigs, broker_values, group_value, topic_values
from .values import Value, parse_value

INVALID_CONFIG = 40
INVALID_REQUEST = 42

_RESIZABLE = (
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
)
"""Thread counts, which a single change may at most double or halve."""

_FIXED = ("listeners", "listener.security.protocol.map")
"""Kafka changes these while it runs; a barnabas node does with a restart, for now."""

_PER_LISTENER = (
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
)

_INTERVAL_MS = (100, 3_600_000)
_MATCH_PARAMETERS = (
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
)


def topic(configs: BrokerConfigs, current: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Checks a topic's overrides; `current` is what was set before, empty for a new topic."""
    for name in after:
        if name not in topic_keys():
            raise KafkaError.for_code(INVALID_CONFIG, f"Unknown topic config name: {name}")
    _parse_all(topic_keys(), after)
    values = topic_values(configs, after)
    low, high = cast(int, values["min.compaction.lag.ms"]), cast(int, values["max.compaction.lag.ms"])
    if low > high:
        raise KafkaError.for_code(
            INVALID_CONFIG, f"min.compaction.lag.ms={low} must not be above max.compaction.lag.ms={high}"
        )
    try:
        _remote_storage(configs, current, values)
    except InvalidValue as error:
        raise KafkaError.for_code(INVALID_CONFIG, str(error)) from error


def _remote_storage(configs: BrokerConfigs, current: Mapping[str, str], values: Mapping[str, Value]) -> None:
    enabled = values["remote.storage.enable"]
    was_enabled = current.get("remote.storage.enable", "").strip().lower() == "true"
    if was_enabled and not enabled and not values["remote.log.delete.on.disable"]:
        raise InvalidValue(
            "remote.storage.enable",
            "false",
            "needs remote.log.delete.on.disable=true, which drops remote data",
        )
    if not enabled:
        return
    if not configs.value("remote.log.storage.system.enable"):
        raise InvalidValue(
            "remote.storage.enable",
            "true",
            "this broker has no tiered storage: remote.log.storage.system.enable=false",
        )
    if "compact" in cast("tuple[str, ...]", values["cleanup.policy"]):
        raise InvalidValue("remote.storage.enable", "true", "a compacted topic can't have tiered storage")
    for unit in ("ms", "bytes"):
        _local_retention(values, unit)


def _local_retention(values: Mapping[str, Value], unit: str) -> None:
    """Local data may not be kept longer than all data, nor wait longer for its copy than it is kept."""
    names = f"retention.{unit}", f"local.retention.{unit}", f"remote.copy.lag.{unit}"
    total, local, lag = (cast(int, values[name]) for name in names)
    if local != -2:
        if local == -1 and total != -1:
            raise InvalidValue(names[1], local, f"must not be unlimited while {names[0]}={total}")
        if -1 < total < local:
            raise InvalidValue(names[1], local, f"must not be above {names[0]}={total}")
    effective = total if local == -2 else local
    if values["remote.log.copy.disable"] and effective != total:
        raise InvalidValue(
            names[1], local, f"must equal {names[0]}={total} while remote.log.copy.disable=true"
        )
    if -1 < effective < lag:
        raise InvalidValue(names[2], lag, f"must not be above the local retention of {effective}")


def broker(configs: BrokerConfigs, resource_name: str, after: Mapping[str, str]) -> None:
    """Checks the dynamic configs of a broker, or of all brokers when the name is empty."""
    keys = broker_keys()
    known = [keys[name] for name in after if name in keys]
    _refuse(
        [key.name for key in known if key.update_mode is UpdateMode.READ_ONLY],
        "Cannot update these configs dynamically",
    )
    _refuse(
        [name for name in after if name in _PER_LISTENER],
        "These security configs can be dynamically updated only per-listener using the listener prefix",
    )
    if not resource_name:
        _refuse(
            [key.name for key in known if key.update_mode is UpdateMode.PER_BROKER],
            "Cannot update these configs at default cluster level, broker id must be specified",
        )
    _refuse([name for name in after if name in _FIXED], "These configs need a restart of the broker for now")
    try:
        for key in known:
            parse_value(key, after[key.name])
        before = broker_values(configs)
        applied = configs._replace(own=after) if resource_name else configs._replace(cluster=after)
        values = broker_values(applied)
        cross_checks.check_together(values)
        _check_resizing(before, values)
    except ConfigError as error:
        raise KafkaError.for_code(INVALID_REQUEST, str(error)) from error


def _check_resizing(before: Mapping[str, Value], after: Mapping[str, Value]) -> None:
    for name in _RESIZABLE:
        old, new = cast(int, before[name]), cast(int, after[name])
        if new > old * 2 or new < old // 2:
            raise InvalidValue(name, new, f"one change may at most double or halve it, and it is {old}")
    if after["max.connections"] == 0:
        raise InvalidValue("max.connections", 0, "must be at least 1")


def _refuse(names: list[str], message: str) -> None:
    if names:
        raise KafkaError.for_code(INVALID_REQUEST, f"{message}: [{', '.join(sorted(names))}]")


def group(configs: BrokerConfigs, after: Mapping[str, str]) -> None:
    """Checks a group's configs against their own bounds and against the broker's."""
    for name in after:
        if name not in group_keys():
            raise KafkaError.for_code(INVALID_CONFIG, f"Unknown group config name: {name}")
    values = _parse_all(group_keys(), after)
    for name, value in values.items():
        kind, _, rest = name.partition(".")
        limit = rest.removeprefix("num.")  # streams.num.standby.replicas: group.streams.max.standby.replicas
        _within(configs, name, value, f"group.{kind}.min.{limit}", f"group.{kind}.max.{limit}")
    _streams_and_dead_letters(configs, after, values)
    backoff, longest = "share.retry.backoff.ms", "share.retry.backoff.max.ms"
    if cast(int, group_value(configs, after, backoff)) > cast(int, group_value(configs, after, longest)):
        raise KafkaError.for_code(INVALID_CONFIG, f"{backoff} must not be above {longest}")
    for kind in ("consumer", "share", "streams"):
        names = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
        session, heartbeat = (cast(int, group_value(configs, after, name)) for name in names)
        if session <= heartbeat:
            raise KafkaError.for_code(INVALID_CONFIG, f"{names[0]} must be greater than {names[1]}")


def _streams_and_dead_letters(
    configs: BrokerConfigs, after: Mapping[str, str], values: Mapping[str, Value]
) -> None:
    assignor = values.get("streams.assignor.name")
    known = cast("tuple[str, ...]", configs.value("group.streams.assignors"))
    if assignor is not None and assignor not in known:
        raise KafkaError.for_code(
            INVALID_CONFIG,
            f"streams.assignor.name={assignor} is none of group.streams.assignors={','.join(known)}",
        )
    tags = [tag.strip() for tag in after.get("streams.rack.aware.assignment.tags", "").split(",")]
    if len(set(tags)) != len(tags):
        raise KafkaError.for_code(
            INVALID_CONFIG, "streams.rack.aware.assignment.tags must not name a tag twice"
        )
    if cast(str, values.get("errors.deadletterqueue.topic.name") or "").startswith("__"):
        raise KafkaError.for_code(
            INVALID_CONFIG,
            "errors.deadletterqueue.topic.name must not start with '__', as internal topics do",
        )


def _within(configs: BrokerConfigs, name: str, value: Value, low: str, high: str) -> None:
    keys = broker_keys()
    if not isinstance(value, int):
        return
    if low in keys and value < cast(int, configs.value(low)):
        raise KafkaError.for_code(INVALID_CONFIG, f"{name} must be greater than or equal to {low}")
    if high in keys and value > cast(int, configs.value(high)):
        raise KafkaError.for_code(INVALID_CONFIG, f"{name} must be less than or equal to {high}")


def client_metrics(after: Mapping[str, str]) -> None:
    """Checks a client metrics subscription."""
    for name in after:
        if name not in client_metrics_keys():
            raise KafkaError.for_code(INVALID_REQUEST, f"Unknown client metrics configuration: {name}")
    values = _parse_all(client_metrics_keys(), after)
    interval = values.get("interval.ms")
    low, high = _INTERVAL_MS
    if isinstance(interval, int) and not low <= interval <= high:
        raise KafkaError.for_code(
            INVALID_REQUEST, f"Invalid value {interval} for interval.ms: it must be between {low} and {high}"
        )
    for pattern in cast("tuple[str, ...]", values.get("match") or ()):
        parameter, equals, expression = pattern.partition("=")
        if not equals or parameter.strip() not in _MATCH_PARAMETERS or not _is_expression(expression):
            raise KafkaError.for_code(INVALID_CONFIG, f"Illegal client matching pattern: {pattern}")


def _is_expression(text: str) -> bool:
    import re  # Imported here: a start should not pay for it.

    try:
        re.compile(text.strip())
    except re.error:
        return False
    return True


def _parse_all(keys: Mapping[str, ConfigKey], texts: Mapping[str, str]) -> dict[str, Value]:
    try:
        return {name: parse_value(keys[name], text) for name, text in texts.items()}
    except InvalidValue as error:
        raise KafkaError.for_code(INVALID_CONFIG, str(error)) from error
