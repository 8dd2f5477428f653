"""Requests about configs."""

from __future__ import annotations

from typing import Any

from barnabas.protocol import Message
from barnabas.protocol.generated import (
    alter_configs_request as alter_,
)
from barnabas.protocol.generated import (
    describe_configs_request as describe_,
)
from barnabas.protocol.generated import (
    incremental_alter_configs_request as incremental_,
)
from barnabas.protocol.generated import (
    list_config_resources_request as list_,
)
from tests.conformance.differential.world import World

UNKNOWN, TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 0, 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3

TOPIC_CONFIGS: dict[str, tuple[str, ...]] = {
    "cleanup.policy": ("delete", "compact", "compact,delete", "delete,delete", "x", ""),
    "compression.type": ("producer", "producer", "gzip", "snappy", "lz4", "zstd", "uncompressed", "x"),
    "compression.gzip.level": ("1", "9", "-1", "0", "10"),
    "compression.lz4.level": ("1", "17", "18", "0"),
    "compression.zstd.level": ("3", "22", "23"),
    "delete.retention.ms": ("0", "86400000", "-1"),
    "file.delete.delay.ms": ("0", "60000", "-1"),
    "flush.messages": ("1", "0", "9223372036854775807"),
    "flush.ms": ("0", "1000", "-1"),
    "follower.replication.throttled.replicas": ("*", "0:1", "x", ""),
    "leader.replication.throttled.replicas": ("*", "0:1,1:1", "0-1", "none"),
    "index.interval.bytes": ("0", "4096", "-1"),
    "local.retention.bytes": ("-2", "100", "-3"),
    "local.retention.ms": ("-2", "100", "-3"),
    "max.compaction.lag.ms": ("1", "0", "9223372036854775807"),
    "max.message.bytes": ("0", "150", "150", "1048588", "-1", "abc", "2147483648"),
    "message.downconversion.enable": ("true", "false"),
    "message.format.version": ("3.0", "x"),
    "message.timestamp.after.max.ms": ("0", "3600000", "9223372036854775807", "-1"),
    "message.timestamp.before.max.ms": ("0", "86400000", "9223372036854775807", "-1"),
    "message.timestamp.difference.max.ms": ("1000",),
    "message.timestamp.type": ("CreateTime", "LogAppendTime", "LogAppendTime", "createtime"),
    "min.cleanable.dirty.ratio": ("0", "0.5", "1", "1.1", "x"),
    "min.compaction.lag.ms": ("0", "5", "-1"),
    "min.insync.replicas": ("1", "2", "2", "0"),
    "preallocate": ("false", "x"),
    "remote.log.copy.disable": ("true", "false"),
    "remote.log.delete.on.disable": ("true", "false"),
    "remote.storage.enable": ("false", "true"),
    "retention.bytes": ("-1", "1000000", "-2"),
    "retention.ms": ("-1", "604800000", "-2", "x"),
    "segment.bytes": ("1048576", "1073741824", "14", "0"),
    "segment.index.bytes": ("10485760", "3"),  # the real Kafka takes 4 and then can't make the log
    "segment.jitter.ms": ("0", "1000", "-1"),
    "segment.ms": ("604800000", "0"),
    "unclean.leader.election.enable": ("true", "false", "maybe"),
    "no.such.config": ("1",),
    "": ("1",),
}

BROKER_CONFIGS: dict[str, tuple[str, ...]] = {
    "compression.type": ("producer", "gzip", "x"),
    "log.retention.ms": ("-1", "604800000", "0", "x"),
    "log.message.timestamp.type": ("CreateTime", "CreateTime", "x"),
    "message.max.bytes": ("1048588", "2000000", "-1"),
    "min.insync.replicas": ("1", "0"),
    "background.threads": ("10", "12", "0", "100"),
    "log.cleaner.threads": ("1", "2", "0"),
    "num.replica.fetchers": ("1", "2", "0"),
    "unclean.leader.election.enable": ("false",),
    "leader.replication.throttled.rate": ("1000000", "-1", "x"),
    "max.connections.per.ip": ("1000", "-1"),
    "broker.id": ("1",),
    "node.id": ("1", "2"),
    "log.dirs": ("/x",),
    "num.partitions": ("2",),
    "auto.create.topics.enable": ("false",),
    "my.own.config": ("1",),
    "ssl.keystore.type": ("JKS",),
}

GROUP_CONFIGS: dict[str, tuple[str, ...]] = {
    "consumer.session.timeout.ms": ("45000", "50000", "1", "x"),
    "consumer.heartbeat.interval.ms": ("5000", "6000", "100000"),
    "share.session.timeout.ms": ("45000", "1"),
    "share.record.lock.duration.ms": ("30000", "15000", "1"),
    "share.auto.offset.reset": ("earliest", "latest", "x", "by_duration:PT1H"),
    "share.isolation.level": ("read_committed", "x"),
    "streams.num.standby.replicas": ("1", "9", "-1"),
    "no.such.config": ("1",),
}

CLIENT_METRICS_CONFIGS: dict[str, tuple[str, ...]] = {
    "metrics": ("org.apache.kafka.", "a,b", "*", "", "a.b"),
    "interval.ms": ("300000", "1000000", "99", "3600001", "x"),
    "match": ("client_software_name=nobody", "client_id=no", "x=y", "client_id=(", ""),
    "no.such.config": ("1",),
}

CONFIGS: dict[int, dict[str, tuple[str, ...]]] = {
    TOPIC: TOPIC_CONFIGS,
    BROKER: BROKER_CONFIGS,
    GROUP: GROUP_CONFIGS,
    CLIENT_METRICS: CLIENT_METRICS_CONFIGS,
    BROKER_LOGGER: {"no.such.logger": ("INFO", "x")},
}


def topic_config(world: World) -> tuple[str, str | None]:
    return _config(world, TOPIC)


def _config(world: World, resource_type: int) -> tuple[str, str | None]:
    configs = CONFIGS.get(resource_type, TOPIC_CONFIGS)
    name = world.chance.choice(sorted(configs))
    return name, None if world.often(0.03) else world.chance.choice(configs[name])


def _resource(world: World) -> tuple[int, str]:
    """A resource's type and name; most of the time a topic."""
    choice = world.chance.random()
    if choice < 0.6:
        return TOPIC, world.topic()
    if choice < 0.78:
        return BROKER, world.pick("1", "1", "", "") if world.often(0.9) else world.pick("2", "x", "-1", "01")
    if choice < 0.87:
        return GROUP, world.pick("g1", "g2", "g2") if world.often(0.95) else ""
    if choice < 0.95:
        return CLIENT_METRICS, world.pick("m1", "m2") if world.often(0.95) else ""
    if choice < 0.97:
        return BROKER_LOGGER, world.pick("1", "2", "")
    return world.pick(UNKNOWN, 3, 64, -1), world.topic()


def describe_configs(world: World, version: int) -> Message:
    def resource() -> Any:
        kind, name = _resource(world)
        keys: list[str] | None = None
        if kind in (BROKER, BROKER_LOGGER) or world.often(0.5):
            pool = sorted(CONFIGS.get(kind, TOPIC_CONFIGS))
            keys = [world.chance.choice(pool) for _ in range(world.pick(1, 2, 3, 3))]
        if kind != BROKER and world.often(0.05):
            keys = []
        return describe_.DescribeConfigsResource(kind, name, keys)

    documentation = version >= 3 and world.often(0.2)
    return describe_.DescribeConfigsRequest(world.some(resource), world.often(0.5), documentation)


def alter_configs(world: World, version: int) -> Message:
    def resource() -> Any:
        kind, name = _resource(world)
        configs = world.some(lambda: alter_.AlterableConfig(*_config(world, kind)), none_in=0.2)
        return alter_.AlterConfigsResource(kind, name, configs)

    return alter_.AlterConfigsRequest(world.some(resource), world.often(0.15))


def incremental_alter_configs(world: World, version: int) -> Message:
    def config(kind: int) -> Any:
        name, value = _config(world, kind)
        operation = (
            world.pick(SET, SET, SET, DELETE) if world.often(0.85) else world.pick(APPEND, SUBTRACT, 4, -1)
        )
        return incremental_.AlterableConfig(name, operation, None if operation == DELETE else value)

    def resource() -> Any:
        kind, name = _resource(world)
        return incremental_.AlterConfigsResource(kind, name, world.some(lambda: config(kind), none_in=0.1))

    return incremental_.IncrementalAlterConfigsRequest(world.some(resource), world.often(0.15))


def list_config_resources(world: World, version: int) -> Message:
    if version == 0:
        return list_.ListConfigResourcesRequest()
    kinds = (TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, UNKNOWN, 3)
    return list_.ListConfigResourcesRequest(world.some(lambda: world.chance.choice(kinds), none_in=0.4))
