"""Configs of clients: Kafka's names with dots or underscores, checked."""

from typing import Any

import pytest

from barnabas.clients.configs import consumer_values, producer_values
from barnabas.errors import ConfigError

BOOTSTRAP = {"bootstrap.servers": "localhost:9092"}


def test_names_may_have_dots_or_underscores() -> None:
    assert producer_values(BOOTSTRAP, {"linger_ms": 7})["linger.ms"] == 7
    assert producer_values({**BOOTSTRAP, "linger.ms": "7"}, {})["linger.ms"] == 7
    assert consumer_values({}, {"bootstrap_servers": ["a", "[::1]:5"]})["bootstrap.servers"] == [
        ("a", 9092),
        ("::1", 5),
    ]


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        ({"lingre.ms": 1}, "There is no config named lingre.ms. Did you mean linger.ms?"),
        ({"ssl_engine_factory_class": "x"}, "not built into these clients yet"),
        ({"acks": "2"}, "acks"),
        ({"security.protocol": "TLS"}, "security.protocol"),
        ({"bootstrap.servers": "a:b"}, "must be host:port pairs"),
        ({"bootstrap.servers": ""}, "bootstrap.servers"),
        ({"acks": "1", "enable.idempotence": True}, "must be all when enable.idempotence is true"),
        ({"delivery.timeout.ms": 1}, "must be at least linger.ms plus request.timeout.ms"),
        ({"linger.ms": object()}, "can't be object"),
    ],
)
def test_what_is_wrong_is_said(configs: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        producer_values({**BOOTSTRAP, **configs}, {})


def test_idempotence_gives_way_to_what_it_can_not_do() -> None:
    assert producer_values(BOOTSTRAP, {})["enable.idempotence"] is True
    assert producer_values(BOOTSTRAP, {"acks": 1})["enable.idempotence"] is False
    assert producer_values(BOOTSTRAP, {"acks": "all"})["acks"] == -1


def test_assignors_have_their_names_and_javas() -> None:
    java = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
    strategy = f"roundrobin, {java},StickyAssignor"
    values = consumer_values({**BOOTSTRAP, "partition.assignment.strategy": strategy}, {})
    assert values["partition.assignment.strategy"] == ["roundrobin", "cooperative-sticky", "sticky"]
    with pytest.raises(ConfigError, match="must be of range, roundrobin"):
        consumer_values({**BOOTSTRAP, "partition.assignment.strategy": "uniform"}, {})


def test_a_reset_may_be_a_duration() -> None:
    assert consumer_values(BOOTSTRAP, {})["auto.offset.reset.duration.ms"] is None
    values = consumer_values({**BOOTSTRAP, "auto.offset.reset": "by_duration:PT1M30S"}, {})
    assert values["auto.offset.reset.duration.ms"] == 90_000
    for wrong in ("by_duration:1h", "by_duration", "soon"):
        with pytest.raises(ConfigError, match="earliest, latest, none, or by_duration"):
            consumer_values({**BOOTSTRAP, "auto.offset.reset": wrong}, {})


def test_a_member_has_an_id_that_nobody_else_has() -> None:
    assert consumer_values(BOOTSTRAP, {})["member.id"] != consumer_values(BOOTSTRAP, {})["member.id"]


def test_heartbeats_are_more_frequent_than_sessions_end() -> None:
    with pytest.raises(ConfigError, match=r"must be below session\.timeout\.ms"):
        consumer_values({**BOOTSTRAP, "heartbeat.interval.ms": 45_000}, {})
