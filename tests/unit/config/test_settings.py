"""A node's static settings: files and overrides, defaults of one node, names that don't exist."""

from pathlib import Path

import pytest

from barnabas.config import BrokerSettings, ConfigError, InvalidValue, UnknownConfig, parse_override

APACHE_FILE = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
log.dirs=/var/lib/kafka
num.partitions=1
log.retention.hours=168
"""


def test_nothing_set_gives_a_node_that_just_works() -> None:
    settings = BrokerSettings({})
    assert settings.node_id == 1
    assert [str(listener) for listener in settings.broker_listeners] == ["PLAINTEXT://127.0.0.1:9092"]
    assert [str(listener) for listener in settings.controller_listeners] == ["CONTROLLER://127.0.0.1:0"]
    assert settings.advertised_controller_listeners == settings.controller_listeners
    assert settings.advertised_listeners == settings.broker_listeners
    assert settings["offsets.topic.replication.factor"] == 1
    assert settings["transaction.state.log.min.isr"] == 1
    assert settings["share.coordinator.state.topic.replication.factor"] == 1
    assert settings["group.initial.rebalance.delay.ms"] == 0
    assert settings["num.partitions"] == 1
    assert settings.without_effect == []


def test_what_the_user_sets_wins_over_the_defaults_of_one_node() -> None:
    settings = BrokerSettings({"offsets.topic.replication.factor": "2", "node.id": "7"})
    assert settings.get_int("offsets.topic.replication.factor") == 2
    assert settings.node_id == 7
    assert settings["broker.id"] == 7


def test_file_of_apache_kafka_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text(APACHE_FILE)
    settings = BrokerSettings.load([str(path)])
    assert [str(listener) for listener in settings.broker_listeners] == ["PLAINTEXT://:9092"]
    assert [str(listener) for listener in settings.controller_listeners] == ["CONTROLLER://:9093"]
    assert [str(listener) for listener in settings.advertised_listeners] == ["PLAINTEXT://localhost:9092"]
    told = settings.advertised_controller_listeners
    assert [str(listener) for listener in told] == ["CONTROLLER://localhost:9093"]
    assert settings.log_dirs == ("/var/lib/kafka",)


def test_controller_is_where_it_listens_unless_something_else_is_advertised() -> None:
    listeners = "CONTROLLER://10.0.0.1:9093,PLAINTEXT://:9092"
    settings = BrokerSettings({"listeners": listeners, "advertised.listeners": "PLAINTEXT://a.example:9092"})
    assert [str(one) for one in settings.advertised_controller_listeners] == ["CONTROLLER://10.0.0.1:9093"]
    assert [str(one) for one in settings.advertised_listeners] == ["PLAINTEXT://a.example:9092"]
    assert settings.is_controller_listener("CONTROLLER")
    assert not settings.is_controller_listener("PLAINTEXT")


@pytest.mark.parametrize("told", ["CONTROLLER://0.0.0.0:9093", "CONTROLLER://a.example:9093"])
def test_nobody_is_told_of_a_controller_that_cannot_be_reached(told: str) -> None:
    bound = "PLAINTEXT://:9092" + (",CONTROLLER://:9093" if "0.0.0.0" in told else "")
    with pytest.raises(InvalidValue, match="CONTROLLER"):
        BrokerSettings({"listeners": bound, "advertised.listeners": f"PLAINTEXT://b:9092,{told}"})


def test_later_files_win_and_overrides_win_over_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.properties", tmp_path / "b.properties"
    first.write_text("num.partitions=2\ndefault.replication.factor=1\nlog.dirs=/a\n")
    second.write_text("num.partitions=3\nlog.dirs=/b\n")
    settings = BrokerSettings.load([str(first), str(second)], {"log.dirs": "/c,/d"})
    assert settings.get_int("num.partitions") == 3
    assert settings.get_int("default.replication.factor") == 1
    assert settings.log_dirs == ("/c", "/d")


def test_settings_hold_every_broker_config() -> None:
    settings = BrokerSettings({})
    assert len(settings) == 388
    assert {name for name in settings if settings[name] is None} >= {"broker.rack", "log.retention.ms"}
    assert settings.get_bool("auto.create.topics.enable") is True
    assert settings.get_float("log.cleaner.io.buffer.load.factor") == 0.9
    assert settings.get_list("log.cleanup.policy") == ("delete",)
    assert settings.get_str("compression.type") == "producer"


def test_configs_without_effect_are_told_with_the_reason() -> None:
    settings = BrokerSettings({"num.io.threads": "4", "num.partitions": "2"})
    assert [(key.name, key.reason) for key in settings.without_effect] == [
        ("num.io.threads", "barnabas chooses its threads itself")
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("num.partition", "There is no config named num.partition. Did you mean num.partitions?"),
        ("retention.hours", "There is no config named retention.hours. Did you mean log.retention.hours?"),
        (
            "zookeeper.connect",
            "There is no config named zookeeper.connect. Kafka 4.0 removed it: take it out.",
        ),
        (
            "inter.broker.protocol.version",
            "There is no config named inter.broker.protocol.version. Kafka 4.0 removed it: take it out.",
        ),
        ("wibble", "There is no config named wibble."),
    ],
)
def test_unknown_name_is_an_error_that_helps(name: str, message: str) -> None:
    with pytest.raises(UnknownConfig) as caught:
        BrokerSettings({name: "1"})
    assert str(caught.value) == message


def test_config_that_is_only_dynamic_is_refused_in_a_file() -> None:
    with pytest.raises(UnknownConfig, match="dynamically only"):
        BrokerSettings({"leader.replication.throttled.rate": "5"})


@pytest.mark.parametrize(
    "name",
    [
        "listener.name.plaintext.max.connections",
        "ssl.some.plugin",
        "sasl.some.plugin",
        "config.providers.file.class",
        "rsm.config.bucket",
        "rlmm.config.topic",
        "super.users",
    ],
)
def test_names_of_plugins_are_taken(name: str) -> None:
    assert BrokerSettings({name: "x"}).texts[name] == "x"


def test_prefix_of_a_storage_plugin_follows_its_config() -> None:
    prefix = {"remote.log.storage.manager.impl.prefix": "mine."}
    assert BrokerSettings({**prefix, "mine.bucket": "b"}).texts["mine.bucket"] == "b"
    with pytest.raises(UnknownConfig):
        BrokerSettings({**prefix, "rsm.config.bucket": "b"})


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"num.partitions": "0"}, "num.partitions: must be at least 1"),
        ({"broker.id": "2"}, "broker.id: must equal node.id=1"),
        ({"process.roles": "broker"}, "process.roles: a node is broker and controller at once for now"),
        ({"controller.quorum.voters": "1@a:1,2@b:1"}, "the quorum is this node alone for now"),
        ({"log.retention.ms": "0"}, "log.retention.ms: must be at least 1, or negative for no limit"),
        ({"log.cleaner.threads": "200"}, "must give each of log.cleaner.threads=200 more than 1048576 bytes"),
        ({"queued.max.request.bytes": "9"}, "socket.request.max.bytes: must not be above"),
        ({"offsets.topic.compression.codec": "5"}, "must be 0 (none), 1 (gzip)"),
        ({"connections.max.idle.ms": "5"}, "must be below connections.max.idle.ms=5"),
        ({"group.share.max.share.sessions": "10"}, "not be above group.share.max.share.sessions=10"),
        (
            {"group.coordinator.rebalance.protocols": "consumer,share"},
            "rebalance.protocols: must name classic",
        ),
        ({"group.streams.num.standby.replicas": "3"}, "not be above group.streams.max.standby.replicas=2"),
        ({"group.consumer.assignors": "org.example.Mine"}, "must be one of: uniform, range"),
        ({"group.share.assignors": "org.example.Mine"}, "must be one of: simple"),
        ({"connections.max.idle.ms": "0"}, "must be below connections.max.idle.ms=0"),
        ({"log.roll.ms": "0"}, "log.roll.ms: must be at least 1"),
        ({"replica.fetch.wait.max.ms": "40000"}, "must not be above replica.lag.time.max.ms=30000"),
        (
            {"group.consumer.session.timeout.ms": "60001"},
            "not be above group.consumer.max.session.timeout.ms",
        ),
        ({"group.share.delivery.count.limit": "10", "group.share.max.delivery.count.limit": "9"}, "above"),
        ({"max.connections.per.ip": "0"}, "needs max.connections.per.ip.overrides"),
        ({"max.connections.per.ip.overrides": "foo"}, "must be written as host:count"),
        ({"cordoned.log.dirs": "/x"}, "cordoned.log.dirs: is none of log.dirs"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(texts: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        BrokerSettings(texts)
    assert message in str(caught.value)


def test_override_is_split_at_its_first_equals_sign() -> None:
    assert parse_override("a.b = c=d") == ("a.b", " c=d")
    assert parse_override("a=") == ("a", "")


@pytest.mark.parametrize("text", ["a", "=b", ""])
def test_override_without_key_or_equals_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must be written as key=value"):
        parse_override(text)
