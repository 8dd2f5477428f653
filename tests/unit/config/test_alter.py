"""Changes of dynamic configs: what Kafka 4.3.1 grants and refuses, with its error codes."""

import pytest

from barnabas.config import (
    BrokerConfigs,
    BrokerSettings,
    Operation,
    OpType,
    ResourceType,
    incremental_alter,
    replace_configs,
)
from barnabas.errors import KafkaError

TOPIC, BROKER, GROUP, METRICS = (
    ResourceType.TOPIC,
    ResourceType.BROKER,
    ResourceType.GROUP,
    ResourceType.CLIENT_METRICS,
)
INVALID_CONFIG, INVALID_REQUEST = 40, 42
NONE = BrokerConfigs(BrokerSettings({}), {}, {})
TIERED = BrokerConfigs(BrokerSettings({"remote.log.storage.system.enable": "true"}), {}, {})


def operations(text: str) -> list[Operation]:
    """`SET a=1; DELETE b; APPEND c=x` as operations."""
    found = []
    for part in text.split("; "):
        kind, _, rest = part.partition(" ")
        name, equals, value = rest.partition("=")
        found.append(Operation(name, OpType[kind], value if equals else None))
    return found


def alter(
    kind: int, name: str, current: dict[str, str], text: str, configs: BrokerConfigs = NONE
) -> dict[str, str | None]:
    return incremental_alter(configs, kind, name, current, operations(text))


@pytest.mark.parametrize(
    ("current", "text", "changes"),
    [
        ({}, "SET retention.ms=5", {"retention.ms": "5"}),
        ({"retention.ms": "5"}, "SET retention.ms=5", {}),
        ({"retention.ms": "5"}, "DELETE retention.ms", {"retention.ms": None}),
        ({}, "DELETE retention.ms", {}),
        ({}, "DELETE nope", {}),
        ({}, "APPEND cleanup.policy=compact", {"cleanup.policy": "delete,compact"}),
        ({"cleanup.policy": "compact"}, "APPEND cleanup.policy=compact", {}),
        (
            {"cleanup.policy": "compact"},
            "APPEND cleanup.policy=delete,compact",
            {"cleanup.policy": "compact,delete"},
        ),
        ({}, "SUBTRACT cleanup.policy=delete", {"cleanup.policy": ""}),
        (
            {"cleanup.policy": "compact,delete"},
            "SUBTRACT cleanup.policy=delete",
            {"cleanup.policy": "compact"},
        ),
        ({"cleanup.policy": "compact"}, "SUBTRACT cleanup.policy=delete", {}),
        ({}, "SET cleanup.policy=", {"cleanup.policy": ""}),
        ({}, "SET cleanup.policy=delete,delete", {"cleanup.policy": "delete,delete"}),
        ({}, "SET internal.segment.bytes=100", {"internal.segment.bytes": "100"}),
        (
            {},
            "SET local.retention.ms=10; SET retention.ms=5",
            {"local.retention.ms": "10", "retention.ms": "5"},
        ),
        (
            {"leader.replication.throttled.replicas": "0:1"},
            "APPEND leader.replication.throttled.replicas=0:1,1:1",
            {"leader.replication.throttled.replicas": "0:1,1:1"},
        ),
    ],
)
def test_topic_changes(current: dict[str, str], text: str, changes: dict[str, str | None]) -> None:
    assert alter(TOPIC, "t", current, text) == changes


@pytest.mark.parametrize(
    ("current", "text", "code", "message"),
    [
        ({}, "SET nope.config=1", INVALID_CONFIG, "Unknown topic config name: nope.config"),
        ({}, "SET message.format.version=3.0", INVALID_CONFIG, "Unknown topic config name"),
        ({}, "SET retention.ms=1; SET nope=3", INVALID_CONFIG, "Unknown topic config name: nope"),
        ({}, "SET retention.ms=abc", INVALID_CONFIG, "Invalid value abc for configuration retention.ms"),
        ({}, "SET retention.ms=-2", INVALID_CONFIG, "must be at least -1"),
        ({}, "SET segment.bytes=100", INVALID_CONFIG, "must be at least 1048576"),
        ({}, "SET message.timestamp.type=logappendtime", INVALID_CONFIG, "must be one of"),
        ({}, "APPEND cleanup.policy=foo", INVALID_CONFIG, "Invalid value foo"),
        (
            {},
            "APPEND retention.ms=5",
            INVALID_CONFIG,
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        ({}, "APPEND nope=5", INVALID_CONFIG, "Can't APPEND to key nope"),
        ({}, "SUBTRACT compression.type=gzip", INVALID_CONFIG, "Can't SUBTRACT to key compression.type"),
        ({}, "SET cleanup.policy", INVALID_REQUEST, "Null value not supported for : cleanup.policy"),
        ({}, "APPEND cleanup.policy", INVALID_REQUEST, "Null value not supported for : cleanup.policy"),
        ({}, "SET retention.ms=1; DELETE retention.ms", INVALID_REQUEST, "duplicate config keys"),
        (
            {},
            "SET min.compaction.lag.ms=10; SET max.compaction.lag.ms=5",
            INVALID_CONFIG,
            "must not be above",
        ),
        ({"min.compaction.lag.ms": "10"}, "SET max.compaction.lag.ms=5", INVALID_CONFIG, "must not be above"),
        ({}, "SET remote.storage.enable=true", INVALID_CONFIG, "this broker has no tiered storage"),
        (
            {"leader.replication.throttled.replicas": "*"},
            "APPEND leader.replication.throttled.replicas=0:1",
            40,
            "*",
        ),
    ],
)
def test_topic_changes_that_are_refused(current: dict[str, str], text: str, code: int, message: str) -> None:
    with pytest.raises(KafkaError) as caught:
        alter(TOPIC, "t", current, text)
    assert caught.value.error_code == code
    assert message in str(caught.value)


REMOTE = "SET remote.storage.enable=true; "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SET remote.storage.enable=true", None),
        (REMOTE + "SET cleanup.policy=", None),
        (REMOTE + "SET remote.log.copy.disable=true", None),
        (REMOTE + "SET cleanup.policy=compact", "a compacted topic can't have tiered storage"),
        (REMOTE + "SET cleanup.policy=compact,delete", "a compacted topic can't have tiered storage"),
        (REMOTE + "SET retention.ms=5; SET local.retention.ms=10", "must not be above retention.ms=5"),
        (
            REMOTE + "SET retention.bytes=5; SET local.retention.bytes=10",
            "must not be above retention.bytes=5",
        ),
        (REMOTE + "SET local.retention.ms=-1", "must not be unlimited while retention.ms=604800000"),
        (REMOTE + "SET remote.copy.lag.ms=700000000", "must not be above the local retention of 604800000"),
        (REMOTE + "SET remote.copy.lag.ms=5; SET local.retention.ms=4", "above the local retention of 4"),
        (REMOTE + "SET remote.copy.lag.bytes=5; SET retention.bytes=4", "above the local retention of 4"),
        (
            REMOTE + "SET remote.log.copy.disable=true; SET retention.ms=50; SET local.retention.ms=5",
            "must equal retention.ms=50 while remote.log.copy.disable=true",
        ),
    ],
)
def test_rules_of_tiered_storage(text: str, reason: str | None) -> None:
    if reason is None:
        assert "remote.storage.enable" in alter(TOPIC, "t", {}, text, TIERED)
        return
    with pytest.raises(KafkaError) as caught:
        alter(TOPIC, "t", {}, text, TIERED)
    assert caught.value.error_code == INVALID_CONFIG
    assert reason in str(caught.value)


def test_remote_data_is_not_lost_by_turning_remote_storage_off() -> None:
    current = {"remote.storage.enable": "true"}
    with pytest.raises(KafkaError, match=r"remote\.log\.delete\.on\.disable=true"):
        alter(TOPIC, "t", current, "SET remote.storage.enable=false", TIERED)
    with pytest.raises(KafkaError, match=r"remote\.log\.delete\.on\.disable=true"):
        alter(TOPIC, "t", current, "DELETE remote.storage.enable", TIERED)
    text = "SET remote.storage.enable=false; SET remote.log.delete.on.disable=true"
    assert alter(TOPIC, "t", current, text, TIERED)


def test_brokers_value_counts_in_a_topics_rules() -> None:
    configs = BrokerConfigs(BrokerSettings({"log.cleaner.max.compaction.lag.ms": "5"}), {}, {})
    with pytest.raises(KafkaError, match=r"max\.compaction\.lag\.ms=5"):
        alter(TOPIC, "t", {}, "SET min.compaction.lag.ms=10", configs)


@pytest.mark.parametrize(
    ("name", "text", "changes"),
    [
        ("1", "SET num.io.threads=4", {"num.io.threads": "4"}),
        ("", "SET num.io.threads=16", {"num.io.threads": "16"}),
        ("1", "DELETE num.io.threads", {"num.io.threads": None}),
        ("1", "DELETE node.id", {"node.id": None}),
        ("1", "SET nope=5", {"nope": "5"}),
        (
            "1",
            "SET listener.name.foo.ssl.keystore.password=x",
            {"listener.name.foo.ssl.keystore.password": "x"},
        ),
        ("1", "APPEND log.cleanup.policy=compact", {"log.cleanup.policy": "delete,compact"}),
        ("1", "SET leader.replication.throttled.rate=1000", {"leader.replication.throttled.rate": "1000"}),
        ("", "SET log.retention.bytes=-7", {"log.retention.bytes": "-7"}),
    ],
)
def test_broker_changes_are_always_written(name: str, text: str, changes: dict[str, str | None]) -> None:
    assert alter(BROKER, name, {}, text) == changes


@pytest.mark.parametrize(
    ("name", "text", "code", "message"),
    [
        (
            "1",
            "SET num.partitions=5",
            INVALID_REQUEST,
            "Cannot update these configs dynamically: [num.partitions]",
        ),
        ("", "SET log.retention.hours=5", INVALID_REQUEST, "Cannot update these configs dynamically"),
        (
            "",
            "SET listeners=PLAINTEXT://127.0.0.1:1",
            INVALID_REQUEST,
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        ("1", "SET listeners=PLAINTEXT://127.0.0.1:1", INVALID_REQUEST, "need a restart"),
        ("1", "SET ssl.keystore.password=x", INVALID_REQUEST, "listener prefix: [ssl.keystore.password]"),
        ("1", "SET log.retention.ms=abc", INVALID_REQUEST, "Invalid value abc"),
        ("1", "SET log.retention.ms=0", INVALID_REQUEST, "must be at least 1, or negative for no limit"),
        ("", "SET log.roll.ms=0", INVALID_REQUEST, "must be at least 1"),
        ("1", "SET leader.replication.throttled.rate=-1", INVALID_REQUEST, "must be at least 0"),
        ("1", "SET num.io.threads=100", INVALID_REQUEST, "double or halve"),
        ("1", "SET num.io.threads=1", INVALID_REQUEST, "double or halve"),
        ("", "SET log.cleaner.threads=8", INVALID_REQUEST, "double or halve"),
        ("1", "SET max.connections=0", INVALID_REQUEST, "max.connections"),
        ("", "SET max.connections.per.ip=0", INVALID_REQUEST, "max.connections.per.ip.overrides"),
        ("1", "SET max.connections.per.ip.overrides=foo", INVALID_REQUEST, "host:count"),
        ("1", "SET cordoned.log.dirs=/x", INVALID_REQUEST, "cordoned.log.dirs"),
        ("1", "APPEND num.io.threads=1", INVALID_CONFIG, "Can't APPEND"),
        ("1", "APPEND nope=x", INVALID_CONFIG, "Can't APPEND"),
        ("2", "SET num.io.threads=4", INVALID_REQUEST, "Unexpected broker id, expected 1 or empty string"),
        ("x", "SET num.io.threads=4", INVALID_REQUEST, "must be an integer"),
    ],
)
def test_broker_changes_that_are_refused(name: str, text: str, code: int, message: str) -> None:
    with pytest.raises(KafkaError) as caught:
        alter(BROKER, name, {}, text)
    assert caught.value.error_code == code
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET nope=1", "Unknown group config name: nope"),
        (
            "SET consumer.session.timeout.ms=1",
            "greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            "SET consumer.session.timeout.ms=70000",
            "less than or equal to group.consumer.max.session.timeout.ms",
        ),
        ("SET consumer.heartbeat.interval.ms=60000", "group.consumer.max.heartbeat.interval.ms"),
        ("SET share.auto.offset.reset=foo", "Invalid value foo"),
        ("SET share.record.lock.duration.ms=100", "must be at least 1000"),
        ("SET share.delivery.count.limit=11", "less than or equal to group.share.max.delivery.count.limit"),
        ("SET streams.num.standby.replicas=3", "less than or equal to group.streams.max.standby.replicas"),
        ("SET streams.num.warmup.replicas=21", "less than or equal to group.streams.max.warmup.replicas"),
        ("SET streams.task.offset.interval.ms=1", "group.streams.min.task.offset.interval.ms"),
        (
            "SET streams.assignor.name=foo",
            "streams.assignor.name=foo is none of group.streams.assignors=sticky",
        ),
        ("SET streams.rack.aware.assignment.tags=a,b,a", "must not name a tag twice"),
        ("SET errors.deadletterqueue.topic.name=__x", "must not start with '__'"),
        ("SET share.ordering=value", "must be one of: none, key"),
        ("SET share.delivery.headers=deliver-at,soon", "each element must be one of: deliver-at, expires-at"),
        ("SET share.partition.max.waiting.records=20001", "must be at most 20000"),
        (
            "SET share.retry.backoff.ms=60001",
            "share.retry.backoff.ms must not be above share.retry.backoff.max.ms",
        ),
        ("APPEND streams.rack.aware.assignment.tags=a", "its type is not LIST"),
    ],
)
def test_group_changes_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(KafkaError) as caught:
        alter(GROUP, "g", {}, text)
    assert caught.value.error_code == INVALID_CONFIG
    assert message in str(caught.value)


def test_session_of_a_group_outlasts_its_heartbeats() -> None:
    wide = {"group.consumer.max.heartbeat.interval.ms": "60000"}
    configs = BrokerConfigs(BrokerSettings(wide), {}, {})
    with pytest.raises(KafkaError, match=r"must be greater than consumer\.heartbeat\.interval\.ms"):
        alter(GROUP, "g", {}, "SET consumer.heartbeat.interval.ms=45000", configs)
    text = "SET consumer.heartbeat.interval.ms=15000; SET consumer.session.timeout.ms=45000"
    assert len(alter(GROUP, "g", {}, text)) == 2


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("SET interval.ms=10", INVALID_REQUEST, "between 100 and 3600000"),
        ("SET interval.ms=3600001", INVALID_REQUEST, "between 100 and 3600000"),
        ("SET interval.ms=abc", INVALID_CONFIG, "Invalid value abc"),
        ("SET match=foo", INVALID_CONFIG, "Illegal client matching pattern: foo"),
        ("SET match=foo=bar", INVALID_CONFIG, "Illegal client matching pattern: foo=bar"),
        ("SET match=client_id=[", INVALID_CONFIG, "Illegal client matching pattern: client_id=["),
        ("SET nope=1", INVALID_REQUEST, "Unknown client metrics configuration: nope"),
        ("APPEND metrics=a", INVALID_CONFIG, "Can't APPEND to key metrics"),
    ],
)
def test_client_metrics_changes_that_are_refused(text: str, code: int, message: str) -> None:
    with pytest.raises(KafkaError) as caught:
        alter(METRICS, "m", {}, text)
    assert caught.value.error_code == code
    assert message in str(caught.value)


def test_client_metrics_subscription_is_set() -> None:
    text = "SET interval.ms=1000; SET metrics=*; SET match=client_id=a.*"
    assert alter(METRICS, "m", {}, text) == {"interval.ms": "1000", "metrics": "*", "match": "client_id=a.*"}


@pytest.mark.parametrize("kind", [TOPIC, GROUP, METRICS, ResourceType.UNKNOWN, 99])
def test_resource_without_a_name_or_kind_is_refused(kind: int) -> None:
    with pytest.raises(KafkaError) as caught:
        alter(kind, "", {}, "SET a=b")
    assert caught.value.error_code == INVALID_REQUEST


def test_replacing_configs_deletes_what_is_not_named() -> None:
    current = {"retention.ms": "5", "segment.ms": "6"}
    assert replace_configs(NONE, TOPIC, "t", current, {"retention.ms": "7"}) == {
        "retention.ms": "7",
        "segment.ms": None,
    }
    with pytest.raises(KafkaError, match=r"Null value not supported for : retention\.ms"):
        replace_configs(NONE, TOPIC, "t", current, {"retention.ms": None})
    with pytest.raises(KafkaError, match=r"Null value not supported for : $"):
        replace_configs(NONE, TOPIC, "t", current, {"": None})
