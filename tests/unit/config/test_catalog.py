"""Definitions agree with the facts of Kafka 4.4.0, read from its jars: `facts_4_4_0.tsv`."""

from collections import Counter
from pathlib import Path

import pytest

from barnabas.config import (
    ConfigKey,
    ConfigType,
    UpdateMode,
    broker_keys,
    client_metrics_keys,
    default_value,
    format_value,
    group_keys,
    topic_keys,
)

KEYS = {
    "broker": broker_keys(),
    "topic": topic_keys(),
    "group": group_keys(),
    "client-metrics": client_metrics_keys(),
}
OWN = {
    "barnabas.delivery.delay.ms",
    "barnabas.delivery.ttl.ms",
    "barnabas.durability",
    "barnabas.key.schema.validation",
    "barnabas.key.subject.name.strategy",
    "barnabas.metrics.host",
    "barnabas.metrics.port",
    "barnabas.schema.registry.url",
    "barnabas.schema.registry.user.info",
    "barnabas.schema.validation.divert",
    "barnabas.slow.request.ms",
    "barnabas.value.schema.validation",
    "barnabas.value.subject.name.strategy",
    "share.delivery.headers",
    "share.ordering",
    "share.partition.max.waiting.records",
    "share.retry.backoff.max.ms",
    "share.retry.backoff.ms",
}
"""Configs that Kafka does not have."""
FACTS = [
    line.split("\t") for line in (Path(__file__).parent / "facts_4_4_0.tsv").read_text().splitlines()[1:]
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact[0]}:{fact[1]}")
def test_config_is_defined_as_in_kafka(fact: list[str]) -> None:
    resource, name, kind, default, bounds, mode, internal = fact
    key = KEYS[resource][name]
    assert key.type is ConfigType[kind]
    assert key.required == (default == "required")
    assert format_value(default_value(key)) == (default[1:] if default.startswith("=") else None)
    assert key.internal == bool(internal)
    assert bounds_as_fact(key) == bounds
    if mode:
        assert key.update_mode.value == mode


def test_no_config_is_missing_or_made_up() -> None:
    counts = Counter(fact[0] for fact in FACTS)
    assert counts == {"broker": 379, "topic": 38, "group": 27, "client-metrics": 3}
    for resource, keys in KEYS.items():
        known = {name for name, key in keys.items() if key.update_mode is not UpdateMode.DYNAMIC_ONLY}
        assert known - OWN == {fact[1] for fact in FACTS if fact[0] == resource}


def test_configs_of_our_own_say_so_in_their_documentation() -> None:
    for keys in KEYS.values():
        for key in keys.values():
            assert key.name in OWN or not key.name.startswith("barnabas."), key.name
            assert (key.name in OWN) == key.doc.startswith("Own to barnabas."), key.name


def test_three_broker_configs_exist_as_dynamic_ones_only() -> None:
    assert [key.name for key in broker_keys().values() if key.update_mode is UpdateMode.DYNAMIC_ONLY] == [
        "leader.replication.throttled.rate",
        "follower.replication.throttled.rate",
        "replica.alter.log.dirs.io.max.bytes.per.second",
    ]


def test_every_config_has_one_sentence_of_documentation() -> None:
    for keys in KEYS.values():
        for key in keys.values():
            assert key.doc.endswith("."), key.name
            assert len(key.doc) > 15, key.name


def bounds_as_fact(key: ConfigKey) -> str:
    """The bounds of a config in the words of the facts."""
    bounds = key.bounds
    if bounds == "-":
        return ""
    if bounds.startswith("one of "):
        return "choice " + ",".join(bounds[7:].split())
    if bounds.startswith("any case of "):
        return "anycase " + ",".join(bounds[12:].split())
    if bounds.startswith("list"):
        flags, _, choices = bounds[4:].partition(" of ")
        words = ["list"]
        words += [] if "non-empty" in flags else ["empty"]
        words += ["null"] if "nullable" in flags else []
        words += [",".join(choices.split())] if choices else []
        return " ".join(words)
    if ".." in bounds:
        low, high = bounds.split("..", 1)
        return f"range {low} {high or None}"
    return "special"
