"""A client's configs, from keywords and mappings to values that the engine takes."""

from __future__ import annotations

import difflib
import functools
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from barnabas.clients.security import TOKEN, secured
from barnabas.config import client as tables
from barnabas.config.bounds import duration_seconds
from barnabas.config.client_security import SECURITY
from barnabas.config.definition import ConfigKey, parse_table
from barnabas.config.errors import InvalidValue, MissingConfig, UnknownConfig
from barnabas.config.values import Value, default_value, parse_value

if TYPE_CHECKING:
    from barnabas.serde import Serde

Given = Union[Value, list[tuple[str, int]], "Serde[Any]"]
"""What a config of a client may be: brokers are hosts and ports."""
DEFAULT_PORT = 9092
ASSIGNORS = {
    "range": "RangeAssignor",
    "roundrobin": "RoundRobinAssignor",
    "sticky": "StickyAssignor",
    "cooperative-sticky": "CooperativeStickyAssignor",
}
"""Assignors by the protocol's name, with the class that Java has for each."""


@functools.cache
def _common() -> dict[str, ConfigKey]:
    """What all clients have in common."""
    return parse_table(tables.COMMON, with_mode=False) | parse_table(SECURITY, with_mode=False)


@functools.cache
def producer_keys() -> dict[str, ConfigKey]:
    """All configs of a producer, by Kafka's name."""
    return _common() | parse_table(tables.PRODUCER, with_mode=False)


@functools.cache
def consumer_keys() -> dict[str, ConfigKey]:
    """All configs of a consumer, by Kafka's name."""
    return _common() | parse_table(tables.CONSUMER, with_mode=False)


@functools.cache
def share_consumer_keys() -> dict[str, ConfigKey]:
    """All configs of a share consumer, by Kafka's name."""
    consumer = consumer_keys()
    alike = {name: consumer[name] for name in tables.SHARE_LIKE_CONSUMER}
    return _common() | alike | parse_table(tables.SHARE_CONSUMER, with_mode=False)


@functools.cache
def admin_keys() -> dict[str, ConfigKey]:
    """All configs of Admin, by Kafka's name."""
    return _common() | parse_table(tables.ADMIN, with_mode=False)


def resolve(
    keys: Mapping[str, ConfigKey], configs: Mapping[str, Any] | None, keywords: Mapping[str, Any]
) -> dict[str, Given]:
    """All values by name; `configs` has Kafka's names, `keywords` the same with underscores. Raises
    ConfigError."""
    given = {**(configs or {}), **keywords}
    token = given.pop(TOKEN, None) or given.pop(TOKEN.replace(".", "_"), None)
    by_keyword = {name.replace(".", "_"): name for name in keys}
    values: dict[str, Given] = {name: default_value(key) for name, key in keys.items()}
    for name, value in given.items():
        key = keys.get(name) or keys.get(by_keyword.get(name, ""))
        if key is None:
            raise _unknown(name, keys)
        if key.name in tables.SERDES:
            values[key.name] = _serde(key.name, value)
        else:
            values[key.name] = parse_value(key, _text(key, value))
    for name, key in keys.items():
        if key.required and not values[name]:
            raise MissingConfig(name)
    values["bootstrap.servers"] = _addresses(values["bootstrap.servers"])
    return secured(values, token)


def _unknown(name: str, keys: Mapping[str, ConfigKey]) -> UnknownConfig:
    dotted = name.replace("_", ".")
    if dotted in tables.UNBUILT:
        return UnknownConfig(name, "Kafka has one of this name, which is not built into these clients yet.")
    near = difflib.get_close_matches(dotted, keys, n=1)
    return UnknownConfig(name, f"Did you mean {near[0]}?" if near else "")


def _text(key: ConfigKey, value: Any) -> str | None:
    """A Python value as it would stand in a properties file."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return str(value)
        case list() | tuple():
            return ",".join(map(str, value))
        case _:
            raise InvalidValue(key.name, value, f"can't be {type(value).__name__}")


def _serde(config: str, value: Any) -> Serde[Any] | None:
    # Imported when one is given: most clients start without.
    from barnabas.clients.serdes import serde_of

    return serde_of(config, value)


def _addresses(servers: Any) -> list[tuple[str, int]]:
    addresses = []
    for server in servers:
        host, colon, port = server.rpartition(":")
        if not colon or server.endswith("]"):
            host, port = server, str(DEFAULT_PORT)
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise InvalidValue("bootstrap.servers", server, "must be host:port pairs")
        addresses.append((host.strip("[]"), int(port)))
    return addresses


def producer_values(configs: Mapping[str, Any] | None, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """All of a producer's, checked against each other as Kafka does."""
    values = resolve(producer_keys(), configs, keywords)
    given = {name.replace("_", ".") for name in (*(configs or {}), *keywords)}
    acks = values["acks"]
    in_flight = values["max.in.flight.requests.per.connection"]
    assert isinstance(in_flight, int)
    conflict = None
    if acks not in ("all", "-1"):
        conflict = "acks", acks, "must be all when enable.idempotence is true"
    elif in_flight > 5:
        name = "max.in.flight.requests.per.connection"
        conflict = name, in_flight, "must be at most 5 when enable.idempotence is true"
    elif values["retries"] == 0:
        conflict = "retries", 0, "must be at least 1 when enable.idempotence is true"
    transactional = values["transactional.id"]
    if transactional and not values["enable.idempotence"]:
        raise InvalidValue("transactional.id", transactional, "needs enable.idempotence")
    if conflict and values["enable.idempotence"]:
        if transactional or "enable.idempotence" in given:
            raise InvalidValue(*conflict)
        values["enable.idempotence"] = False
    delivery, linger = values["delivery.timeout.ms"], values["linger.ms"]
    request = values["request.timeout.ms"]
    assert isinstance(delivery, int)
    assert isinstance(linger, int)
    assert isinstance(request, int)
    if delivery < linger + request:
        if "delivery.timeout.ms" in given:
            raise InvalidValue(
                "delivery.timeout.ms", delivery, "must be at least linger.ms plus request.timeout.ms"
            )
        values["delivery.timeout.ms"] = linger + request
    values["acks"] = -1 if acks == "all" else int(str(acks))
    return values


def consumer_values(
    configs: Mapping[str, Any] | None, keywords: Mapping[str, Any], *, tells_commits: bool = False
) -> dict[str, Any]:
    """All of a consumer's, with what the engine needs beyond them: a member id, how old the first records may
    be where `auto.offset.reset` says so, and whether somebody wants to know what became of commits."""
    values: dict[str, Any] = resolve(consumer_keys(), configs, keywords)
    reset = values["auto.offset.reset"]
    seconds = duration_seconds(reset.partition(":")[2]) if reset.startswith("by_duration") else None
    values["auto.offset.reset.duration.ms"] = None if seconds is None else int(seconds * 1000)
    strategy = "partition.assignment.strategy"
    values[strategy] = [_assignor(strategy, name) for name in values[strategy]]
    heartbeat, session = values["heartbeat.interval.ms"], values["session.timeout.ms"]
    if heartbeat >= session and values["group.protocol"].lower() == "classic":
        raise InvalidValue("heartbeat.interval.ms", heartbeat, "must be below session.timeout.ms")
    values["member.id"] = secrets.token_urlsafe(16)
    values["tells.commits"] = tells_commits
    return values


def _assignor(config: str, name: str) -> str:
    for assignor, java in ASSIGNORS.items():
        if name in (assignor, java, f"org.apache.kafka.clients.consumer.{java}"):
            return assignor
    raise InvalidValue(config, name, f"must be of {', '.join(ASSIGNORS)}")


def share_consumer_values(configs: Mapping[str, Any] | None, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """All of a share consumer's, with a member id."""
    values: dict[str, Any] = resolve(share_consumer_keys(), configs, keywords)
    values["member.id"] = secrets.token_urlsafe(16)
    return values


def admin_values(configs: Mapping[str, Any] | None, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """All of Admin's."""
    return resolve(admin_keys(), configs, keywords)
