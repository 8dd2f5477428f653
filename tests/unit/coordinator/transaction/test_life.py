"""The life of a transaction: from InitProducerId to its markers."""

from __future__ import annotations

import pytest

from barnabas.coordinator.transaction.requests import LATE, NOBODY, ProducerIdAndEpoch
from barnabas.coordinator.transaction.state import TransactionState
from barnabas.protocol import ErrorCode
from tests.support.transactions import TIMEOUT_MS, TransactionSim

A, B = ("orders", 0), ("orders", 1)


@pytest.fixture
def sim() -> TransactionSim:
    return TransactionSim()


@pytest.fixture
def old() -> TransactionSim:
    """A cluster whose transaction.version is 0."""
    return TransactionSim(transaction_version=0)


@pytest.mark.parametrize("commit", [True, False])
def test_outcome_reaches_all_partitions_and_raises_the_epoch(sim: TransactionSim, commit: bool) -> None:
    producer = sim.init("t")
    assert producer.producer_epoch == 0
    sim.add("t", producer, A)
    sim.add("t", producer, B)
    following = sim.end("t", producer, commit=commit).response
    assert following == ProducerIdAndEpoch(producer.producer_id, 1)
    assert sim.markers == {A: [(following, commit)], B: [(following, commit)]}
    done = TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT
    assert sim.describe("t").state is done


def test_old_client_keeps_its_epoch(sim: TransactionSim) -> None:
    producer = sim.init("t")
    for commit in (True, False, True):
        assert sim.add("t", producer, A, version=0).response is None
        assert sim.end("t", producer, commit=commit, version=0).response == NOBODY
    assert sim.markers[A] == [(producer, True), (producer, False), (producer, True)]


def test_new_producer_fences_the_one_before(sim: TransactionSim) -> None:
    first = sim.init("t")
    second = sim.init("t")
    assert second == ProducerIdAndEpoch(first.producer_id, 1)
    assert sim.add("t", first, A).error_code == ErrorCode.PRODUCER_FENCED
    assert sim.end("t", first, commit=True, version=0).error_code == ErrorCode.PRODUCER_FENCED
    assert sim.end("t", first, commit=False).error_code == ErrorCode.PRODUCER_FENCED
    assert sim.verify("t", first, A).error_code == ErrorCode.PRODUCER_FENCED
    assert not sim.markers


@pytest.mark.parametrize("version", [0, 1, 2])
def test_new_producer_aborts_what_the_one_before_has_left_open(version: int) -> None:
    sim = TransactionSim(transaction_version=version)
    first = sim.init("t")
    sim.add("t", first, A, version=version)
    assert sim.ask_init("t").error_code == ErrorCode.CONCURRENT_TRANSACTIONS
    fenced = ProducerIdAndEpoch(first.producer_id, first.producer_epoch + 1)
    assert sim.markers[A] == [(fenced, False)]
    assert sim.init("t") == ProducerIdAndEpoch(first.producer_id, first.producer_epoch + 2)


def test_nothing_goes_on_while_the_markers_are_on_their_way(sim: TransactionSim) -> None:
    sim.holds_markers = True
    producer = sim.init("t")
    sim.add("t", producer, A)
    following = sim.end("t", producer, commit=True).response
    assert sim.describe("t").state is TransactionState.PREPARE_COMMIT
    for reply in (
        sim.ask_init("t"),
        sim.add("t", following, A),
        sim.end("t", producer, commit=True),
        sim.end("t", following, commit=True),
        sim.verify("t", following, A),
    ):
        assert reply.error_code == ErrorCode.CONCURRENT_TRANSACTIONS
    sim.holds_markers = False
    sim.write_markers()
    assert sim.add("t", following, A).response is None


def test_repeated_end_gives_what_was_missed(sim: TransactionSim) -> None:
    producer = sim.init("t")
    sim.add("t", producer, A)
    following = sim.end("t", producer, commit=True).response
    assert sim.end("t", producer, commit=True).response == following
    assert sim.end("t", producer, commit=False).error_code == ErrorCode.INVALID_TXN_STATE
    assert sim.end("t", following, commit=True).error_code == ErrorCode.INVALID_TXN_STATE
    assert len(sim.markers[A]) == 1


def test_repeated_end_of_an_old_client(old: TransactionSim) -> None:
    producer = old.init("t")
    assert old.end("t", producer, commit=True, version=0).error_code == ErrorCode.INVALID_TXN_STATE
    old.add("t", producer, A, version=0)
    assert old.end("t", producer, commit=False, version=0).response == NOBODY
    assert old.end("t", producer, commit=False, version=0).response == NOBODY
    assert old.end("t", producer, commit=True, version=0).error_code == ErrorCode.INVALID_TXN_STATE
    assert len(old.markers[A]) == 1


def test_abort_of_nothing_raises_the_epoch(sim: TransactionSim) -> None:
    producer = sim.init("t")
    following = sim.end("t", producer, commit=False).response
    assert following == ProducerIdAndEpoch(producer.producer_id, 1)
    again = sim.end("t", following, commit=False).response
    assert again == ProducerIdAndEpoch(producer.producer_id, 2)
    assert sim.describe("t").state is TransactionState.COMPLETE_ABORT
    assert not sim.markers


def test_unknown_id_and_wrong_producer_id(sim: TransactionSim) -> None:
    stranger = ProducerIdAndEpoch(5, 0)
    for reply in (
        sim.add("t", stranger, A),
        sim.verify("t", stranger, A),
        sim.end("t", stranger, commit=True),
        sim.end("t", stranger, commit=True, version=0),
    ):
        assert reply.error_code == ErrorCode.INVALID_PRODUCER_ID_MAPPING
    sim.init("t")
    assert sim.add("t", stranger, A).error_code == ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert sim.end("t", stranger, commit=True).error_code == ErrorCode.INVALID_PRODUCER_ID_MAPPING


def test_verification_names_what_belongs_to_the_transaction(sim: TransactionSim) -> None:
    producer = sim.init("t")
    assert sim.verify("t", producer, A).response == frozenset()
    sim.add("t", producer, A, version=0)
    assert sim.verify("t", producer, A, B).response == {A}


def test_late_end_does_not_tear_the_next_transaction(old: TransactionSim) -> None:

    producer = old.init("t")
    old.add("t", producer, A, version=0, connection=7)
    assert old.end("t", producer, commit=True, version=0, connection=8).response == NOBODY
    old.add("t", producer, A, version=0, connection=8)
    assert old.end("t", producer, commit=True, version=0, connection=7).response is LATE
    assert old.describe("t").state is TransactionState.ONGOING
    # A client that is still there asks again, on a connection that is later than all.
    assert old.end("t", producer, commit=False, version=0, connection=9).response == NOBODY
    assert old.add("t", producer, A, version=0, connection=8).response is LATE
    assert old.markers[A] == [(producer, True), (producer, False)]


def test_producer_that_recovers_keeps_its_id(sim: TransactionSim) -> None:
    first = sim.init("t")
    bumped = sim.init("t", expected=first)
    assert bumped == ProducerIdAndEpoch(first.producer_id, 1)
    assert sim.init("t", expected=first) == bumped  # It has not heard of the bump.
    sim.init("t")
    assert sim.ask_init("t", expected=bumped).error_code == ErrorCode.PRODUCER_FENCED


def test_used_up_epochs_lead_to_another_id(sim: TransactionSim) -> None:
    producer = _exhausted(sim, "t")
    sim.add("t", producer, A)
    following = sim.end("t", producer, commit=True).response
    assert following.producer_epoch == 0
    assert following.producer_id != producer.producer_id
    assert sim.end("t", producer, commit=True).response == following
    assert sim.markers[A] == [(ProducerIdAndEpoch(producer.producer_id, 32767), True)]
    assert sim.add("t", following, A).response is None


def test_used_up_epochs_of_an_old_client(old: TransactionSim) -> None:
    producer = _exhausted(old, "t")
    following = old.init("t", expected=producer)
    assert following.producer_epoch == 0
    assert following.producer_id != producer.producer_id
    assert old.init("t", expected=producer).producer_epoch == 0


def _exhausted(sim: TransactionSim, transactional_id: str) -> ProducerIdAndEpoch:
    """A producer with the last epoch of its id."""
    producer = sim.init(transactional_id)
    found = sim.describe(transactional_id)  # Takes it back.
    sim.machine.transactions.by_id[transactional_id] = found._replace(producer_epoch=32765)
    producer = sim.init(transactional_id)
    assert producer.producer_epoch == 32766
    return producer


def test_without_producer_ids_nothing_changes(sim: TransactionSim) -> None:
    producer = _exhausted(sim, "t")
    sim.add("t", producer, A)
    sim.producer_ids_left = 0
    assert sim.ask_init("other").error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    assert sim.end("t", producer, commit=True).error_code == ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    assert sim.describe("t").state is TransactionState.ONGOING


def test_transaction_over_its_timeout_is_aborted(sim: TransactionSim) -> None:
    producer = sim.init("t", timeout_ms=TIMEOUT_MS)
    sim.add("t", producer, A)
    sim.advance(TIMEOUT_MS)
    assert not sim.markers
    sim.advance(10_001)
    assert sim.markers[A] == [(ProducerIdAndEpoch(producer.producer_id, 1), False)]
    assert sim.add("t", producer, A).error_code == ErrorCode.PRODUCER_FENCED


def test_two_phase_transaction_has_no_timeout(sim: TransactionSim) -> None:
    producer = sim.init("t", timeout_ms=2**31 - 1)
    sim.add("t", producer, A)
    sim.advance(30 * 24 * 3600 * 1000)
    assert sim.describe("t").state is TransactionState.ONGOING


def test_unused_id_is_forgotten(sim: TransactionSim) -> None:
    sim.init("idle")
    producer = sim.init("open", timeout_ms=2**31 - 1)
    sim.add("open", producer, A)
    sim.advance(604_800_000 + 3_600_000)
    assert set(sim.known()) == {"open"}
    sim.restart()
    assert set(sim.known()) == {"open"}
    assert sim.init("idle").producer_epoch == 0


def test_markers_wait_for_a_leader_and_skip_what_is_gone(sim: TransactionSim) -> None:
    producer = sim.init("t")
    sim.add("t", producer, A, B, ("gone", 0))
    sim.marker_errors[B] = ErrorCode.NOT_LEADER_OR_FOLLOWER
    sim.end("t", producer, commit=True)
    assert sim.describe("t").partitions == {B}
    sim.advance(1000)
    assert sim.describe("t").state is TransactionState.PREPARE_COMMIT
    del sim.marker_errors[B]
    sim.advance(100)
    assert sim.describe("t").state is TransactionState.COMPLETE_COMMIT
    assert [len(sim.markers[partition]) for partition in (A, B)] == [1, 1]


def test_outcome_survives_a_restart_before_the_markers(sim: TransactionSim) -> None:
    sim.holds_markers = True
    producer = sim.init("t")
    sim.add("t", producer, A)
    sim.end("t", producer, commit=True)
    sim.effects.clear()
    sim.holds_markers = False
    sim.restart()
    assert [commit for _, commit in sim.markers[A]] == [True]
    assert sim.describe("t").state is TransactionState.COMPLETE_COMMIT


def test_outcome_that_is_not_committed_writes_no_marker(sim: TransactionSim) -> None:
    producer = sim.init("t")
    sim.add("t", producer, A)
    sim.log.commits_at_once = False
    reply = sim.end("t", producer, commit=True)
    assert reply.waits
    assert not sim.markers
    sim.log.commits_at_once = True
    sim.commit()
    sim.end_turn()
    assert reply.response.producer_epoch == 1
    assert len(sim.markers[A]) == 1
