"""The share coordinator: what it writes down, who is fenced, and that a replay gives the same state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas._core import Uuid
from barnabas.coordinator.records import SHARES
from barnabas.coordinator.share.batches import ACKNOWLEDGED, AVAILABLE, StateBatch
from barnabas.coordinator.share.machine import ShareMachine
from barnabas.coordinator.share.pruning import DeleteBefore
from barnabas.coordinator.share.requests import (
    NO_OFFSET,
    DeleteState,
    InitializeState,
    ReadState,
    ReadSummary,
    ShareKey,
    WriteState,
)
from barnabas.coordinator.share.settings import ShareSettings
from barnabas.errors import FencedLeaderEpoch, FencedStateEpoch, InvalidRequest, UnknownTopicOrPartition
from barnabas.protocol.generated.share_snapshot_key import ShareSnapshotKey
from tests.support.cluster import Cluster, numbered
from tests.support.coordinator import CoordinatorSim

SETTINGS = {"share.coordinator.snapshot.update.records.per.snapshot": "3"}


CLUSTER = Cluster(1, settings=SETTINGS)
CLUSTER.create("orders", 2)


@pytest.fixture
def sim() -> CoordinatorSim:
    return CoordinatorSim(ShareMachine, SHARES, cluster=CLUSTER, configs=ShareSettings)


def key(sim: CoordinatorSim, partition: int = 0, topic: Uuid | None = None) -> ShareKey:
    return ShareKey("g", topic or sim.cluster.topic("orders").id, partition)


def write(sim: CoordinatorSim, start: int, *batches: StateBatch, state: int = 2, leader: int = 0) -> object:
    reply = sim.call(WriteState(key(sim), state, leader, start, 0, batches))
    return reply.answers[0]


def test_a_share_partition_begins_and_is_read(sim: CoordinatorSim) -> None:
    assert sim.call(InitializeState(key(sim), 2)).response is None
    state = sim.call(ReadState(key(sim), 0)).response
    assert (state.state_epoch, state.start_offset, state.batches) == (2, NO_OFFSET, ())


def test_writes_add_up_and_are_kept(sim: CoordinatorSim) -> None:
    sim.call(InitializeState(key(sim), 2))
    write(sim, 5, StateBatch(6, 9, ACKNOWLEDGED, 1))
    write(sim, NO_OFFSET, StateBatch(8, 8, AVAILABLE, 2))
    for _ in range(2):
        state = sim.call(ReadState(key(sim), 0)).response
        assert state.start_offset == 5
        assert state.batches == (
            StateBatch(6, 7, ACKNOWLEDGED, 1),
            StateBatch(8, 8, AVAILABLE, 2),
            StateBatch(9, 9, ACKNOWLEDGED, 1),
        )
        sim.restart()


def test_many_updates_become_a_snapshot(sim: CoordinatorSim) -> None:
    sim.call(InitializeState(key(sim), 2))
    for start in range(10):
        write(sim, start)
    snapshots = [index for index, record in enumerate(sim.log.records) if record.key[:2] == b"\0\0"]
    assert snapshots == [0, 4, 8]
    assert ShareSnapshotKey.RECORD_TYPE == 0


def test_who_knows_an_older_epoch_is_fenced(sim: CoordinatorSim) -> None:
    sim.call(InitializeState(key(sim), 4))
    sim.call(ReadState(key(sim), 3))
    assert isinstance(write(sim, 1, state=3, leader=3), FencedStateEpoch)
    assert isinstance(write(sim, 1, state=4, leader=2), FencedLeaderEpoch)
    assert isinstance(sim.call(ReadState(key(sim), 2)).error, FencedLeaderEpoch)
    assert isinstance(sim.call(InitializeState(key(sim), 3)).error, FencedStateEpoch)
    assert write(sim, 1, state=4, leader=3) is None


def test_nothing_is_written_of_what_has_not_begun(sim: CoordinatorSim) -> None:
    assert isinstance(write(sim, 1), InvalidRequest)
    assert isinstance(sim.call(ReadState(key(sim), 0)).error, InvalidRequest)
    assert sim.call(ReadSummary(key(sim), 0)).response.start_offset == NO_OFFSET
    assert isinstance(sim.call(InitializeState(key(sim, 2), 1)).error, UnknownTopicOrPartition)
    unknown = key(sim, 0, numbered(77))
    assert isinstance(sim.call(InitializeState(unknown, 1)).error, UnknownTopicOrPartition)


def test_what_is_deleted_is_forgotten(sim: CoordinatorSim) -> None:
    sim.call(InitializeState(key(sim), 2, 7))
    assert sim.call(DeleteState(key(sim))).response is None
    assert sim.call(DeleteState(key(sim))).response is None
    assert sim.call(ReadSummary(key(sim), 0)).response.start_offset == NO_OFFSET
    sim.restart()
    assert sim.machine.states == {}


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.integers(-1, 30),
            st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=3),
        ),
        max_size=15,
    )
)
def test_a_replay_gives_the_same_state(steps: list[tuple[int, int, list[tuple[int, int]]]]) -> None:
    sim = CoordinatorSim(ShareMachine, SHARES, cluster=CLUSTER, configs=ShareSettings)
    for partition in range(2):
        sim.call(InitializeState(key(sim, partition), 2))
    for partition, start, runs in steps:
        batches = tuple(StateBatch(first, first + more, ACKNOWLEDGED, 1) for first, more in runs)
        sim.call(WriteState(key(sim, partition), 2, 0, start, 0, batches))
    before = dict(sim.machine.states)
    sim.restart()
    assert sim.machine.states == before


def forget_deleted(sim: CoordinatorSim) -> None:
    """As the log does what the machine asks for."""
    for effect in sim.effects:
        if isinstance(effect, DeleteBefore):
            sim.log.records = [record for record in sim.log.records if record.offset >= effect.offset]
    sim.effects.clear()


MINUTES = 60_000


def test_records_go_that_a_snapshot_covers(sim: CoordinatorSim) -> None:
    for partition in range(2):
        sim.call(InitializeState(key(sim, partition), 2))
    for start in range(20):
        write(sim, start)
    before = sim.machine.states
    sim.advance(6 * MINUTES)  # Partition 1 has nothing but its first record, which is made anew by then.
    sim.advance(6 * MINUTES)
    forget_deleted(sim)
    assert len(sim.log.records) < 5
    sim.restart()
    assert {at: state.start_offset for at, state in sim.machine.states.items()} == {
        at: state.start_offset for at, state in before.items()
    }
    count = len(sim.log.records)
    sim.advance(60 * MINUTES)
    assert len(sim.log.records) == count, "nothing happens, nothing is written"


def test_nothing_is_kept_of_what_was_deleted(sim: CoordinatorSim) -> None:
    sim.call(InitializeState(key(sim), 2))
    sim.call(DeleteState(key(sim)))
    sim.advance(6 * MINUTES)
    forget_deleted(sim)
    assert sim.log.records == []
