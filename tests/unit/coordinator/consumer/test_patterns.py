"""Subscriptions to patterns."""

from __future__ import annotations

from typing import Any

from barnabas.errors import InvalidRegularExpression
from tests.support.coordinator import CoordinatorSim
from tests.unit.coordinator.consumer.clients import Client, assigned, group_of, group_sim, join

AT_ONCE = {"group.consumer.assignment.interval.ms": "0"}


def topics(sim: CoordinatorSim, owned: set[Any]) -> set[str]:
    found = (sim.image.topic_by_id(topic_id) for topic_id, _ in owned)
    return {topic.name for topic in found if topic is not None}


def test_a_member_hears_of_its_patterns_topics_with_its_next_heartbeat() -> None:
    sim = group_sim(AT_ONCE, orders_eu=2, orders_us=2, other=1)
    client = Client(sim, "m1", pattern="orders_.*")
    client.beat()
    assert client.told == set()
    client.beat()
    assert topics(sim, client.told) == {"orders_eu", "orders_us"}


def test_topics_that_come_are_found() -> None:
    sim = group_sim(AT_ONCE, orders_eu=2)
    client = Client(sim, "m1", pattern="orders_.*")
    client.beat()
    client.beat()
    sim.advance(1_001)
    sim.cluster.create("orders_us", 1)
    sim.metadata_changed()
    client.beat()
    client.beat()
    assert topics(sim, client.told) == {"orders_eu", "orders_us"}


def test_topics_are_looked_for_now_and_then_and_never_in_a_row() -> None:
    sim = group_sim(AT_ONCE, orders_eu=2)
    client = Client(sim, "m1", pattern="orders_.*")
    client.beat()
    looked = group_of(sim).patterns["orders_.*"].timestamp
    sim.advance(900)
    sim.cluster.create("orders_us", 1)
    sim.metadata_changed()
    client.beat()
    assert group_of(sim).patterns["orders_.*"].timestamp == looked
    for _ in range(63):
        sim.advance(10_000)
        client.beat()
    assert group_of(sim).patterns["orders_.*"].timestamp > looked + 600_000


def test_names_and_patterns_add_up() -> None:
    sim = group_sim(AT_ONCE, orders_eu=1, other=1)
    client = Client(sim, "m1", ("other",), pattern="orders_.*")
    client.beat()
    client.beat()
    assert topics(sim, client.told) == {"orders_eu", "other"}
    client.subscribe("other")
    client.beat()
    assert topics(sim, client.told) == {"other"}
    assert not group_of(sim).patterns
    assert set(group_of(sim).counts.topics) == {"other"}


def test_a_pattern_goes_with_the_last_member_that_subscribes_to_it() -> None:
    sim = group_sim(AT_ONCE, orders_eu=1)
    one, two = Client(sim, "m1", pattern="orders_.*"), Client(sim, "m2", pattern="orders_.*")
    one.beat()
    two.beat()
    two.leave()
    assert set(group_of(sim).patterns) == {"orders_.*"}
    one.leave()
    assert not group_of(sim).patterns
    assert not group_of(sim).counts.topics


def test_a_pattern_that_is_none_is_refused_and_changes_nothing() -> None:
    sim = group_sim(AT_ONCE, a=1)
    for pattern in ("(", "a**", r"(?=a)", r"(a)\1", "a{1001}"):
        reply = join(sim, "g", "m1", "a", subscribed_topic_regex=pattern)
        assert isinstance(reply.error, InvalidRegularExpression)
        assert pattern in reply.error.message
    assert sim.machine.groups.find("g") is None
    assert assigned(join(sim, "g", "m1", "a")) is not None


def test_patterns_take_linear_time() -> None:
    sim = group_sim(AT_ONCE, **{"a" * 200: 1})
    client = Client(sim, "m1", pattern="(a*)*" * 20 + "b")
    client.beat()
    client.beat()
    assert client.told == set()


def test_patterns_survive_a_move_of_the_coordinator() -> None:
    sim = group_sim(AT_ONCE, orders_eu=2)
    client = Client(sim, "m1", pattern="orders_.*")
    client.beat()
    client.beat()
    client.move()
    epoch = client.epoch
    sim.restart()
    client.beat()
    assert client.epoch == epoch
    assert client.owned == client.told
