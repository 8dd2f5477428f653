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
        ({"transactional_id": "x"}, "not built into these clients yet"),
        ({"acks": "2"}, "acks"),
        ({"security.protocol": "SSL"}, "security.protocol"),
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
