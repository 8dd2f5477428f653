"""Where replicas go."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.controller.placement import UsableBroker, place
from barnabas.errors import InvalidReplicationFactor

brokers_of_a_cluster = st.lists(
    st.builds(
        UsableBroker,
        id=st.integers(0, 60),
        rack=st.sampled_from([None, "a", "b", "c"]),
        fenced=st.booleans(),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda broker: broker.id,
)


@given(
    brokers=brokers_of_a_cluster,
    partitions=st.integers(1, 30),
    factor=st.integers(1, 12),
    seed=st.integers(0, 2**32),
)
def test_replicas_are_distinct_spread_over_racks_and_led_by_live_brokers(
    brokers: list[UsableBroker], partitions: int, factor: int, seed: int
) -> None:
    chance = random.Random(seed).randrange
    unfenced = {broker.id for broker in brokers if not broker.fenced}
    if not unfenced or factor > len(brokers):
        with pytest.raises(InvalidReplicationFactor):
            place(brokers, partitions, factor, chance)
        return
    racks = {broker.id: broker.rack for broker in brokers}
    placements = place(brokers, partitions, factor, chance)
    assert len(placements) == partitions
    for replicas in placements:
        assert len(set(replicas)) == len(replicas) == factor
        assert replicas[0] in unfenced
        assert set(replicas) <= racks.keys()
        assert len({racks[id] for id in replicas}) == min(factor, len(set(racks.values())))


@pytest.mark.parametrize("racks", [[None] * 6, ["a", "a", "b", "b", "c", "c"]])
def test_leaders_are_spread_evenly(racks: list[str | None]) -> None:
    brokers = [UsableBroker(id, rack, fenced=False) for id, rack in enumerate(racks)]
    placements = place(brokers, 60, 3, random.Random(1).randrange)
    assert set(Counter(replicas[0] for replicas in placements).values()) == {10}
    assert set(Counter(id for replicas in placements for id in replicas).values()) <= set(range(20, 41))


@pytest.mark.parametrize("factor", [0, -3])
def test_no_replicas_are_no_placement(factor: int) -> None:
    with pytest.raises(InvalidReplicationFactor):
        place([UsableBroker(1, None, fenced=False)], 1, factor, random.Random(1).randrange)
