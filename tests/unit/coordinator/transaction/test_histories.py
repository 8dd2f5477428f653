"""Random histories of producers, lost answers, late requests, markers that wait and restarts, against a model
of the partitions that the transactions write to.

What must hold: all records of one transaction meet one outcome, the one that its producer was told; a
producer that was fenced writes nothing; epochs never go back; what the log says is what the machine knows.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from barnabas.coordinator.machine import Stored
from barnabas.coordinator.records import TRANSACTIONS
from barnabas.coordinator.shard import decoded
from barnabas.coordinator.transaction.machine import TransactionMachine
from barnabas.coordinator.transaction.requests import (
    LATE,
    AddPartitions,
    EndTransaction,
    ProducerIdAndEpoch,
)
from barnabas.coordinator.transaction.state import NO_EPOCH, NO_PRODUCER_ID, TopicPartition, Transaction
from barnabas.errors import ConcurrentTransactions, KafkaError
from barnabas.protocol import ErrorCode
from tests.support.lent_transactions import Markers
from tests.support.transactions import PARTITIONS, TOPIC, TransactionSim

IDS = ("a", "b")
WAITS = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_ENOUGH_REPLICAS)

PLACES = [(TOPIC, index) for index in range(PARTITIONS)]
MARKERS = (Markers.WRITTEN, Markers.WRITTEN, Markers.FAIL, Markers.WAIT)
RUNS, STEPS = 24, 250


@dataclass
class Producer:
    """A client with one connection to its coordinator. A new one is made when the application restarts."""

    transactional_id: str
    version: int
    number: int
    me: ProducerIdAndEpoch
    connection: int
    fenced: bool = False
    transaction: int = 0
    """Number of its current transaction."""
    added: set[TopicPartition] = field(default_factory=set)
    ending: bool | None = None
    """The outcome that it has asked for and not heard of."""

    @property
    def label(self) -> tuple[int, int]:
        return self.number, self.transaction


@dataclass
class Place:
    """A partition: which transaction each open record is part of, and what has become of the others."""

    open: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """By producer id."""
    epochs: dict[int, int] = field(default_factory=dict)


class Histories:
    """One partition of the coordinator, a handful of producers, some partitions."""

    def __init__(self, seed: int, version: int) -> None:
        self.random = random.Random(seed)
        self.sim = TransactionSim(transaction_version=version)
        self.sim.holds_markers = True
        self.sim.markers_at_once = lambda: self.random.choice(MARKERS)  # type: ignore[method-assign]
        self.producers: dict[str, Producer] = {}
        self.late: list[Any] = []
        """Requests that clients have given up, still on their way."""
        self.places: dict[TopicPartition, Place] = defaultdict(Place)
        self.outcomes: dict[tuple[int, int], set[bool]] = defaultdict(set)
        """What the records of each transaction have met."""
        self.told: dict[tuple[int, int], bool] = {}
        """What the producer of each transaction was told."""
        self.count = 0

    def run(self, steps: int) -> None:
        rules: dict[Callable[[], None], int] = {
            self.producer_starts: 3,
            self.writes: 12,
            self.ends: 5,
            self.asks_again: 8,
            self.runs_a_whole_transaction: 20,
            self.request_comes_late: 8,
            self.markers_arrive: 15,
            self.time_passes: 3,
            self.restarts: 2,
        }
        for rule in self.random.choices(list(rules), list(rules.values()), k=steps):
            rule()
            self.no_transaction_is_torn()
            self.log_says_what_the_machine_knows()
            self.the_data_plane_knows_what_is_true()
        self.all_becomes_quiet()

    def chance(self, part: float = 0.5) -> bool:
        return self.random.random() < part

    def connect(self) -> int:
        self.sim.latest_connection += 1
        return self.sim.latest_connection

    # ---- producers

    def producer_starts(self) -> None:
        """Whoever had the id before is a zombie from now on, as soon as the answer says so."""
        transactional_id = self.random.choice(IDS)
        reply = self.sim.ask_init(transactional_id)
        if isinstance(reply.answers[0], KafkaError):
            assert isinstance(reply.error, ConcurrentTransactions)
            return
        if (before := self.producers.get(transactional_id)) is not None:
            before.fenced = True
        version = min(self.random.choice((0, 2)), self.sim.machine.transactions.version(self.sim.context()))
        self.count += 1
        self.producers[transactional_id] = Producer(
            transactional_id, version, self.count, reply.response, self.connect()
        )

    def _producer(self, *, ending: bool = False) -> Producer | None:
        found = [producer for producer in self.producers.values() if (producer.ending is not None) == ending]
        return self.random.choice(found) if found else None

    def writes(self) -> None:
        """Adds a partition and writes to it; a client that loses the answer asks again on another
        connection, and what it sent first may come late."""
        producer = self._producer()
        if producer is not None:
            self._add_and_write(producer, self.random.choice(PLACES), self.chance(0.2))

    def _add_and_write(self, producer: Producer, place: TopicPartition, answer_is_lost: bool) -> None:
        if place not in producer.added:
            ask = AddPartitions(
                producer.transactional_id,
                producer.me,
                frozenset({place}),
                producer.version,
                producer.connection if producer.version < 2 else 0,
            )
            if answer_is_lost:
                self.late.append(ask)
                producer.connection = self.connect()
                return
            reply = self.sim.call(ask).answers[0]
            if reply is LATE:
                producer.connection = self.connect()
                return
            if isinstance(reply, KafkaError):
                self._refused(producer, reply)
                return
            producer.added.add(place)
        self._write(producer, place)

    def _refused(self, producer: Producer, error: KafkaError) -> None:
        if error.error_code == ErrorCode.CONCURRENT_TRANSACTIONS:
            return
        fences = [ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_ID_MAPPING]
        if producer.version >= 2:
            # Aborted over its timeout, which raises the epoch as an abort of its own would have.
            fences.append(ErrorCode.INVALID_TXN_STATE)
        assert error.error_code in fences, error
        producer.fenced = True
        del self.producers[producer.transactional_id]

    def _write(self, producer: Producer, name: TopicPartition) -> None:
        """What the data plane does: an open transaction goes on, another is looked up (KIP-890)."""
        place = self.places[name]
        producer_id, epoch = producer.me
        if epoch < place.epochs.get(producer_id, -1):
            self._refused(producer, KafkaError.for_code(ErrorCode.PRODUCER_FENCED))
            return
        known = self.sim.is_published(producer.transactional_id, producer.me, name)
        if not known and not place.open.get(producer_id):
            verified = self.sim.verify(producer.transactional_id, producer.me, name).answers[0]
            if isinstance(verified, KafkaError):
                self._refused(producer, verified)
                return
            if name not in verified:
                return
        assert not producer.fenced
        place.epochs[producer_id] = epoch
        place.open[producer_id].append(producer.label)

    def ends(self) -> None:
        """Asks for the outcome; Java's client does so only when something was added."""
        producer = self._producer()
        if producer is not None and producer.added:
            producer.ending = self.chance()
            self._ask_end(producer, self.chance(0.3))

    def asks_again(self) -> None:
        producer = self._producer(ending=True)
        if producer is not None:
            self._ask_end(producer, self.chance(0.3))

    def runs_a_whole_transaction(self) -> None:
        """What clients do most of the time; sometimes the first EndTxn comes late."""
        producer = self._producer()
        if producer is None:
            return
        lost = self.chance(0.3)
        transactional_id, label = producer.transactional_id, producer.label
        for name in self.random.sample(PLACES, self.random.randint(1, 2)):
            if self.producers.get(transactional_id) is producer:
                self._add_and_write(producer, name, answer_is_lost=False)
        if self.producers.get(transactional_id) is producer and producer.added:
            producer.ending = self.chance()
            self._ask_end(producer, answer_is_lost=lost)
        if lost and producer.ending is not None and self.producers.get(transactional_id) is producer:
            self._ask_end(producer, answer_is_lost=False)
        if producer.label != label:
            self.sim.write_markers()
            self._read_markers()

    def _ask_end(self, producer: Producer, answer_is_lost: bool) -> None:
        assert producer.ending is not None
        ask = EndTransaction(
            producer.transactional_id, producer.me, producer.ending, producer.version, producer.connection
        )
        if answer_is_lost:
            self.late.append(ask)
            producer.connection = self.connect()
            return
        reply = self.sim.call(ask).answers[0]
        self._read_markers()
        if reply is LATE:
            producer.connection = self.connect()
        elif isinstance(reply, KafkaError):
            self._refused(producer, reply)
        else:
            assert not producer.fenced
            self.told[producer.label] = producer.ending
            if producer.version >= 2:
                producer.me = reply
            producer.transaction += 1
            producer.added.clear()
            producer.ending = None

    def request_comes_late(self) -> None:
        """Nobody hears the answer, and what it does must harm nobody."""
        if self.late:
            self.sim.call(self.late.pop(self.random.randrange(len(self.late))))
            self._read_markers()
        del self.late[:-3]  # The others are lost.

    # ---- the coordinator

    def markers_arrive(self) -> None:
        self.sim.marker_errors = {place: self.random.choice(WAITS) for place in PLACES if self.chance(0.2)}
        self.sim.write_markers()
        self._read_markers()

    def _read_markers(self) -> None:
        for name, markers in sorted(self.sim.markers.items()):
            place = self.places[name]
            for (producer_id, epoch), commit in markers:
                assert epoch >= place.epochs.get(producer_id, -1), "an epoch has gone back"
                place.epochs[producer_id] = epoch
                for label in place.open.pop(producer_id, ()):
                    self.outcomes[label].add(commit)
            markers.clear()

    def time_passes(self) -> None:
        self.sim.advance(self.random.choice((100, 10_000, 90_000)))

    def restarts(self) -> None:
        """What was on its way to partitions is lost, or written unknown to the new coordinator."""
        self.sim.effects.clear()
        self.sim.restart()

    # ---- what must hold

    def no_transaction_is_torn(self) -> None:
        for label, outcomes in self.outcomes.items():
            assert len(outcomes) == 1, f"transaction {label} is committed in one place and aborted in another"
            if label in self.told:
                assert outcomes == {self.told[label]}, f"transaction {label} met another outcome"

    def log_says_what_the_machine_knows(self) -> None:
        machine = TransactionMachine()
        for record in decoded(TRANSACTIONS, map(tuple, self.sim.log.records)):
            assert isinstance(record, Stored)
            machine.replay(record)
        assert as_told(machine.transactions.by_id) == as_told(self.sim.known())

    def the_data_plane_knows_what_is_true(self) -> None:
        """It takes a partition for part of a transaction as long as it would be told so if it asked."""
        for transactional_id, producer, partitions in list(self.sim.published.values()):
            assert self.sim.verify(transactional_id, producer, *partitions).response == partitions

    def all_becomes_quiet(self) -> None:
        """When all is quiet, nothing is left open."""
        self.sim.marker_errors.clear()
        self.sim.holds_markers = False
        self.sim.write_markers()
        self.sim.advance(200_000)
        self._read_markers()
        self.no_transaction_is_torn()
        assert not any(place.open for place in self.places.values())
        assert all(transaction.is_at_rest for transaction in self.sim.known().values())


def as_told(transactions: dict[str, Transaction]) -> dict[str, Transaction]:
    """Without what the log has no place for, in version 0 at least."""
    return {
        name: each._replace(last_producer_epoch=NO_EPOCH, previous_producer_id=NO_PRODUCER_ID)
        for name, each in transactions.items()
    }


@pytest.mark.parametrize("seed", range(RUNS))
def test_no_transaction_is_torn(seed: int) -> None:
    histories = Histories(seed, version=seed % 3)
    histories.run(STEPS)
    assert histories.sim.data_plane.steps > 20
