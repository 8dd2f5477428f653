"""The transaction coordinator on a virtual clock, with partitions that take its markers.

sim = TransactionSim()
producer = sim.init("t")
sim.add("t", producer, ("orders", 0))
sim.end("t", producer, commit=True)
assert sim.markers["orders", 0] == [(producer, True)]
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from barnabas.config.resolve import BrokerConfigs
from barnabas.coordinator.records import TRANSACTIONS
from barnabas.coordinator.shard import Shard
from barnabas.coordinator.transaction.lending import Lend
from barnabas.coordinator.transaction.machine import TransactionMachine
from barnabas.coordinator.transaction.requests import (
    AddPartitions,
    DescribeTransaction,
    EndedUnmarked,
    EndTransaction,
    InitProducerId,
    MarkersWritten,
    PartitionsAdded,
    ProducerIdAndEpoch,
    VerifyPartitions,
    WriteMarkers,
)
from barnabas.coordinator.transaction.settings import TransactionSettings
from barnabas.coordinator.transaction.state import TopicPartition, Transaction
from barnabas.errors import CoordinatorLoadInProgress
from barnabas.protocol import ErrorCode
from tests.support.cluster import Cluster
from tests.support.coordinator import CoordinatorSim, Reply
from tests.support.lent_transactions import DataPlane, Markers

TOPIC = "orders"
PARTITIONS = 4
TIMEOUT_MS = 60_000


class TransactionSim(CoordinatorSim):
    """One partition of `__transaction_state`, and the partitions of one topic."""

    def __init__(self, *, transaction_version: int = 2, configs: dict[str, str] | None = None) -> None:
        cluster = Cluster(1, settings=configs, levels={"transaction.version": transaction_version})
        cluster.create(TOPIC, PARTITIONS)
        self.markers: dict[TopicPartition, list[tuple[ProducerIdAndEpoch, bool]]] = defaultdict(list)
        """What each partition has been told, in order."""
        self.marker_errors: dict[TopicPartition, int] = {}
        """With which partitions refuse markers."""
        self.holds_markers = False
        """Whether markers stay on their way until `write_markers`."""
        self.published: dict[int, tuple[str, ProducerIdAndEpoch, set[TopicPartition]]] = {}
        """What the data plane knows of open transactions, by producer id."""
        self.data_plane = DataPlane(self)
        self._offered: list[Transaction] = []
        self.producer_ids_left = 1_000_000
        self._next_producer_id = 1000
        self.latest_connection = 0
        """Of the node, which outlives the machine."""
        super().__init__(self._machine, TRANSACTIONS, cluster=cluster, configs=self._settings)

    def _machine(self) -> TransactionMachine:
        self.latest_connection = max(self.latest_connection, self.data_plane.forget())
        self._offered.clear()
        return TransactionMachine(self.latest_connection)

    def _settings(self, configs: BrokerConfigs) -> TransactionSettings:
        return TransactionSettings.of(configs, self._new_producer_id, self.data_plane)

    def _new_producer_id(self) -> int:
        if not self.producer_ids_left:
            raise CoordinatorLoadInProgress()
        self.producer_ids_left -= 1
        self._next_producer_id += 1
        return self._next_producer_id

    # ---- what the data plane knows

    def perform(self, _: Shard, effect: Any) -> None:
        match effect:
            case PartitionsAdded(transactional_id, producer, partitions):
                known = self.published.get(producer.producer_id)
                if known is None or known[:2] != (transactional_id, producer):
                    known = self.published[producer.producer_id] = (transactional_id, producer, set())
                known[2].update(partitions)
            case EndedUnmarked(producer):
                self.published.pop(producer.producer_id, None)
            case Lend(transaction):
                self._offered.append(transaction)
            case WriteMarkers():
                self.published.pop(effect.producer.producer_id, None)
                self.effects.append(effect)

    def is_published(
        self, transactional_id: str, producer: ProducerIdAndEpoch, partition: TopicPartition
    ) -> bool:
        """Whether a Produce need not ask."""
        known = self.published.get(producer.producer_id)
        return known is not None and known[:2] == (transactional_id, producer) and partition in known[2]

    def restart(self) -> None:
        super().restart()
        self.published.clear()  # It was said by an earlier leadership.

    # ---- markers

    def markers_at_once(self) -> Markers:
        """How partitions take markers that the data plane writes."""
        return Markers.WAIT if self.holds_markers or self.marker_errors else Markers.WRITTEN

    def end_turn(self) -> None:
        super().end_turn()
        if not self.holds_markers:
            self.write_markers()
        offered, self._offered = self._offered, []
        transactions = self.machine.transactions
        for transaction in offered:
            if transactions.lend(transaction):
                latest = transactions.connections.get(transaction.transactional_id, 0)
                self.data_plane.lend(transaction, latest)

    def write_markers(self) -> None:
        """Writes the markers that are on their way."""
        while self.effects:
            effect: WriteMarkers = self.effects.pop(0)
            codes = tuple(self._write(effect, partition) for partition in effect.partitions)
            if self.holds_markers or effect.completed is None or any(codes):
                self.call(MarkersWritten(effect, codes))
            else:
                self.shard.follow_up([effect.completed], self.context(), self.now)
                super().end_turn()

    def _write(self, effect: WriteMarkers, partition: TopicPartition) -> int:
        code = self.marker_errors.get(partition, ErrorCode.NONE)
        if not code:
            self.markers[partition].append((effect.producer, effect.commit))
        return int(code)

    # ---- calls

    def call(self, request: Any, **about: Any) -> Reply:
        """Hands in a request, which the data plane answers if it can."""
        plain = self.log.commits_at_once and not self._held
        answers = self.data_plane.answer(request) if plain else []
        if not answers:
            return super().call(request, **about)
        reply = Reply(request)
        reply.answers = answers
        return reply

    def init(
        self,
        transactional_id: str,
        expected: ProducerIdAndEpoch | None = None,
        *,
        timeout_ms: int = TIMEOUT_MS,
    ) -> ProducerIdAndEpoch:
        """InitProducerId, which must succeed."""
        response: Any = self.ask_init(transactional_id, expected, timeout_ms=timeout_ms).response
        assert isinstance(response, ProducerIdAndEpoch)
        return response

    def ask_init(
        self,
        transactional_id: str,
        expected: ProducerIdAndEpoch | None = None,
        *,
        timeout_ms: int = TIMEOUT_MS,
    ) -> Reply:
        return self.call(InitProducerId(transactional_id, timeout_ms, expected))

    def add(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        *partitions: TopicPartition,
        version: int = 2,
        connection: int = 0,
    ) -> Reply:
        return self.call(
            AddPartitions(transactional_id, producer, frozenset(partitions), version, connection)
        )

    def verify(
        self, transactional_id: str, producer: ProducerIdAndEpoch, *partitions: TopicPartition
    ) -> Reply:
        return self.call(VerifyPartitions(transactional_id, producer, frozenset(partitions)))

    def end(
        self,
        transactional_id: str,
        producer: ProducerIdAndEpoch,
        *,
        commit: bool,
        version: int = 2,
        connection: int = 0,
    ) -> Reply:
        return self.call(EndTransaction(transactional_id, producer, commit, version, connection))

    def describe(self, transactional_id: str) -> Transaction:
        response: Any = self.call(DescribeTransaction(transactional_id)).response
        assert isinstance(response, Transaction)
        return response

    def known(self) -> dict[str, Transaction]:
        """All transactional ids, as the machine or the data plane has them."""
        lent = {name: one.transaction for name, one in self.data_plane.lent.items()}
        return {**self.machine.transactions.by_id, **lent}
