"""Random histories of producers, lost answers, late requests, markers that wait and restarts, against a model
of the partitions that the transactions write to.

What must hold: all records of one transaction meet one outcome, the one that its producer was told; a
producer that was fenced writes nothing; epochs never go back; what the log says is what the machine knows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
from barnabas.coordinator.transaction.state import NO_EPOCH, TopicPartition, Transaction
from barnabas.errors import ConcurrentTransactions, KafkaError
from barnabas.protocol import ErrorCode
from tests.support.transactions import PARTITIONS, TOPIC, TransactionSim

IDS = ("a", "b")
WAITS = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_ENOUGH_REPLICAS)

places = st.integers(0, PARTITIONS - 1).map(lambda index: (TOPIC, index))


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


class Histories(RuleBasedStateMachine):
    """One partition of the coordinator, a handful of producers, some partitions."""

    @initialize(version=st.sampled_from([0, 1, 2]))
    def start(self, version: int) -> None:
        self.sim = TransactionSim(transaction_version=version)
        self.sim.holds_markers = True
        self.producers: dict[str, Producer] = {}
        self.late: list[Any] = []
        self.places: dict[TopicPartition, Place] = defaultdict(Place)
        self.outcomes: dict[tuple[int, int], set[bool]] = defaultdict(set)
        """What the records of each transaction have met."""
        self.told: dict[tuple[int, int], bool] = {}
        self.connections = 0
        self.count = 0

    def connect(self) -> int:
        self.connections += 1
        return self.connections

    # ---- producers

    @rule(transactional_id=st.sampled_from(IDS), version=st.sampled_from([0, 2]))
    def producer_starts(self, transactional_id: str, version: int) -> None:
        """Whoever had the id before is a zombie from now on, as soon as the answer says so."""
        reply = self.sim.ask_init(transactional_id)
        if isinstance(reply.answers[0], KafkaError):
            assert isinstance(reply.error, ConcurrentTransactions)
            return
        if (before := self.producers.get(transactional_id)) is not None:
            before.fenced = True
        version = min(version, self.sim.machine.transactions.version(self.sim.context()))
        self.count += 1
        self.producers[transactional_id] = Producer(
            transactional_id, version, self.count, reply.response, self.connect()
        )

    def _producer(self, data: st.DataObject, **conditions: bool) -> Producer | None:
        found = [
            producer
            for producer in self.producers.values()
            if (producer.ending is not None) == conditions.get("ending", False)
        ]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(data=st.data(), place=places, answer_is_lost=st.booleans())
    def writes(self, data: st.DataObject, place: TopicPartition, answer_is_lost: bool) -> None:
        """Adds a partition and writes to it; a client that loses the answer asks again on another
        connection, and what it sent first may come late."""
        producer = self._producer(data)
        if producer is None:
            return
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
        if error.error_code in (ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_ID_MAPPING):
            producer.fenced = True
            del self.producers[producer.transactional_id]
        else:
            assert error.error_code == ErrorCode.CONCURRENT_TRANSACTIONS, error

    def _write(self, producer: Producer, name: TopicPartition) -> None:
        """What the data plane does: an open transaction goes on, another is looked up (KIP-890)."""
        place = self.places[name]
        producer_id, epoch = producer.me
        if epoch < place.epochs.get(producer_id, -1):
            self._refused(producer, KafkaError.for_code(ErrorCode.PRODUCER_FENCED))
            return
        if not place.open.get(producer_id):
            verified = self.sim.verify(producer.transactional_id, producer.me, name).answers[0]
            if isinstance(verified, KafkaError):
                self._refused(producer, verified)
                return
            if name not in verified:
                return
        assert not producer.fenced
        place.epochs[producer_id] = epoch
        place.open[producer_id].append(producer.label)

    @rule(data=st.data(), commit=st.booleans(), answer_is_lost=st.booleans())
    def ends(self, data: st.DataObject, commit: bool, answer_is_lost: bool) -> None:
        """Asks for the outcome; Java's client does so only when something was added."""
        producer = self._producer(data)
        if producer is None or not producer.added:
            return
        producer.ending = commit
        self._ask_end(producer, answer_is_lost)

    @rule(data=st.data(), answer_is_lost=st.booleans())
    def asks_again(self, data: st.DataObject, answer_is_lost: bool) -> None:
        producer = self._producer(data, ending=True)
        if producer is not None:
            self._ask_end(producer, answer_is_lost)

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

    @precondition(lambda self: getattr(self, "late", None))
    @rule(data=st.data())
    def request_comes_late(self, data: st.DataObject) -> None:
        """Nobody hears the answer, and what it does must harm nobody."""
        ask = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        self.sim.call(ask)

    # ---- the coordinator

    @rule(data=st.data(), refused=st.sets(places))
    def markers_arrive(self, data: st.DataObject, refused: set[TopicPartition]) -> None:
        self.sim.marker_errors = {place: data.draw(st.sampled_from(WAITS)) for place in sorted(refused)}
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

    @rule(ms=st.sampled_from([100, 10_000, 90_000]))
    def time_passes(self, ms: int) -> None:
        self.sim.advance(ms)

    @rule()
    def restarts(self) -> None:
        """What was on its way to partitions is lost, or written unknown to the new coordinator."""
        self.sim.effects.clear()
        self.sim.restart()

    # ---- what must hold

    @invariant()
    def no_transaction_is_torn(self) -> None:
        for label, outcomes in getattr(self, "outcomes", {}).items():
            assert len(outcomes) == 1, f"transaction {label} is committed in one place and aborted in another"
            if label in self.told:
                assert outcomes == {self.told[label]}, f"transaction {label} met another outcome"

    @invariant()
    def log_says_what_the_machine_knows(self) -> None:
        if not hasattr(self, "sim"):
            return
        machine = TransactionMachine()
        for record in decoded(TRANSACTIONS, map(tuple, self.sim.log.records)):
            assert isinstance(record, Stored)
            machine.replay(record)
        assert as_told(machine.transactions.by_id) == as_told(self.sim.known())

    def teardown(self) -> None:
        """When all is quiet, nothing is left open."""
        if not hasattr(self, "sim"):
            return
        self.sim.marker_errors.clear()
        self.sim.holds_markers = False
        self.sim.write_markers()
        self.sim.advance(200_000)
        self._read_markers()
        self.no_transaction_is_torn()
        assert not any(place.open for place in self.places.values())
        assert all(transaction.is_at_rest for transaction in self.sim.known().values())


def as_told(transactions: dict[str, Transaction]) -> dict[str, Transaction]:
    """Without what the log has no place for."""
    return {name: replace(each, last_producer_epoch=NO_EPOCH) for name, each in transactions.items()}


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
