"""Values in force and where they come from, as Kafka 4.3.1 answers DescribeConfigs."""

from collections.abc import Sequence

from barnabas.config import (
    BrokerConfigs,
    BrokerSettings,
    ConfigSource,
    Entry,
    describe_broker,
    describe_broker_default,
    describe_client_metrics,
    describe_group,
    describe_topic,
    group_value,
    topic_value,
)

TOPIC, BROKER, CLUSTER = (
    ConfigSource.DYNAMIC_TOPIC_CONFIG,
    ConfigSource.DYNAMIC_BROKER_CONFIG,
    ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG,
)
STATIC, DEFAULT = ConfigSource.STATIC_BROKER_CONFIG, ConfigSource.DEFAULT_CONFIG


def configs(
    static: dict[str, str] | None = None,
    own: dict[str, str] | None = None,
    cluster: dict[str, str] | None = None,
) -> BrokerConfigs:
    return BrokerConfigs(BrokerSettings(static or {}), own or {}, cluster or {})


def only(entries: Sequence[Entry]) -> Entry:
    assert len(entries) == 1
    return entries[0]


def test_topic_override_stands_before_the_brokers_value() -> None:
    entry = only(describe_topic(configs(), {"cleanup.policy": " compact "}, ["cleanup.policy"]))
    assert (entry.value, entry.source, entry.type_code, entry.read_only) == ("compact", TOPIC, 7, False)
    assert entry.synonyms == (
        ("cleanup.policy", "compact", TOPIC),
        ("log.cleanup.policy", "delete", DEFAULT),
    )


def test_synonyms_come_from_dynamic_then_static_then_default() -> None:
    found = configs(
        {"log.retention.hours": "200"}, {"log.retention.ms": "1000"}, {"log.retention.ms": "7777"}
    )
    entry = only(describe_topic(found, {}, ["retention.ms"]))
    assert (entry.value, entry.source) == ("1000", BROKER)
    assert entry.synonyms == (
        ("log.retention.ms", "1000", BROKER),
        ("log.retention.ms", "7777", CLUSTER),
        ("log.retention.hours", "200", STATIC),
        ("log.retention.hours", "168", DEFAULT),
    )


def test_value_from_another_unit_is_described_as_a_default_without_synonyms() -> None:
    entry = only(describe_topic(configs({"log.retention.hours": "200"}), {}, ["retention.ms"]))
    assert (entry.value, entry.source, entry.synonyms) == ("720000000", DEFAULT, ())


def test_finer_unit_wins_over_coarser_one() -> None:
    static = {"log.retention.hours": "1", "log.retention.minutes": "5"}
    assert topic_value(configs(static), {}, "retention.ms") == 300_000
    assert topic_value(configs({**static, "log.retention.ms": "7"}), {}, "retention.ms") == 7
    assert topic_value(configs(), {}, "segment.ms") == 604_800_000
    assert topic_value(configs(), {}, "segment.jitter.ms") == 0


def test_no_limit_is_no_limit_in_every_unit() -> None:
    assert topic_value(configs({"log.retention.hours": "-1"}), {}, "retention.ms") == -1


def test_topic_config_without_synonym_has_its_own_default() -> None:
    entry = only(describe_topic(configs(), {}, ["remote.storage.enable"]))
    assert (entry.value, entry.source, entry.synonyms) == ("false", DEFAULT, ())


def test_internal_topic_config_shows_when_it_is_set() -> None:
    assert len(describe_topic(configs(), {})) == 45
    shown = describe_topic(configs(), {"internal.segment.bytes": "100"})
    assert len(shown) == 46


def test_broker_config_knows_its_sources() -> None:
    found = configs({"num.io.threads": "5"}, {"num.io.threads": "4"}, {"num.io.threads": "6"})
    entry = only(describe_broker(found, ["num.io.threads"]))
    assert (entry.value, entry.source, entry.read_only) == ("4", BROKER, False)
    assert [(synonym.value, synonym.source) for synonym in entry.synonyms] == [
        ("4", BROKER),
        ("6", CLUSTER),
        ("5", STATIC),
        ("8", DEFAULT),
    ]


def test_read_only_config_says_so() -> None:
    entry = only(describe_broker(configs(), ["num.partitions"]))
    assert (entry.value, entry.read_only, entry.source) == ("1", True, DEFAULT)
    node = only(describe_broker(configs(), ["node.id"]))
    assert (node.value, node.source, node.synonyms) == ("1", STATIC, (("node.id", "1", STATIC),))


def test_passwords_are_never_shown() -> None:
    static = {"ssl.keystore.password": "secret", "listener.name.a.sasl.jaas.config": "secret"}
    for entry in describe_broker(configs(static), list(static)):
        assert entry.sensitive
        assert entry.value is None
        assert "secret" not in str(entry)


def test_broker_shows_all_but_internal_and_dynamic_only_configs() -> None:
    assert len(describe_broker(configs())) == 356
    assert len(describe_broker(configs({"unstable.api.versions.enable": "true"}))) == 357
    assert describe_broker(configs(), ["leader.replication.throttled.rate", "nope"]) == []


def test_cluster_default_shows_only_what_is_set() -> None:
    found = configs(cluster={"num.io.threads": "6", "leader.replication.throttled.rate": "5", "nope": "1"})
    entries = describe_broker_default(found)
    assert [(entry.name, entry.value, entry.source) for entry in entries] == [
        ("num.io.threads", "6", CLUSTER),
        ("leader.replication.throttled.rate", "5", CLUSTER),
    ]


def test_group_config_falls_back_to_the_broker() -> None:
    entry = only(describe_group(configs(), {}, ["consumer.session.timeout.ms"]))
    assert (entry.value, entry.source) == ("45000", DEFAULT)
    assert entry.synonyms == (("group.consumer.session.timeout.ms", "45000", DEFAULT),)
    own = only(
        describe_group(configs(), {"share.auto.offset.reset": "earliest"}, ["share.auto.offset.reset"])
    )
    assert own.synonyms == (
        ("share.auto.offset.reset", "earliest", ConfigSource.DYNAMIC_GROUP_CONFIG),
        ("share.auto.offset.reset", "latest", DEFAULT),
    )


def test_streams_assignor_is_the_brokers_first() -> None:
    assert group_value(configs({"group.streams.assignors": "a,b"}), {}, "streams.assignor.name") == "a"


def test_client_metrics_have_three_configs() -> None:
    entries = describe_client_metrics({"metrics": "*"})
    assert [(entry.name, entry.value, entry.source) for entry in entries] == [
        ("interval.ms", "300000", DEFAULT),
        ("match", "", DEFAULT),
        ("metrics", "*", ConfigSource.DYNAMIC_CLIENT_METRICS_CONFIG),
    ]


def test_override_that_no_longer_fits_is_passed_over() -> None:
    assert topic_value(configs(), {"retention.ms": "soon"}, "retention.ms") == 604_800_000
    assert configs(own={"num.io.threads": "many"}).value("num.io.threads") == 8


def test_dynamic_value_of_a_read_only_config_is_passed_over() -> None:
    assert configs(own={"num.partitions": "9"}).value("num.partitions") == 1


def test_replication_throttles_are_shown_where_they_are_set() -> None:
    name = "leader.replication.throttled.rate"
    settings = BrokerSettings({})
    assert describe_broker(BrokerConfigs(settings, {}, {}), [name]) == []
    (entry,) = describe_broker(BrokerConfigs(settings, {}, {name: "5"}), [name])
    assert (entry.value, entry.source) == ("5", ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG)
    assert [synonym.source for synonym in entry.synonyms] == [ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG]


def test_what_a_broker_does_not_know_is_named_and_not_shown() -> None:
    configs = BrokerConfigs(BrokerSettings({}), {"my.own": "secret"}, {})
    (entry,) = describe_broker(configs, ["my.own"])
    assert (entry.value, entry.source) == (None, ConfigSource.DYNAMIC_BROKER_CONFIG)
    assert entry.sensitive
    assert entry.read_only
