"""What the data plane does with transactional ids on loan (`crates/broker/src/plain_transactions.rs`), in few
lines over the log and the partitions of a `TransactionSim`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.records import encode_record
from barnabas.coordinator.shard import EncodedBatch
from barnabas.coordinator.transaction.requests import (
    NOBODY,
    AddPartitions,
    EndTransaction,
    PartitionsAdded,
    ProducerIdAndEpoch,
)
from barnabas.coordinator.transaction.state import (
    EPOCH_BUMP_VERSION,
    NO_PRODUCER_ID,
    Changes,
    Transaction,
    TransactionState,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.transactions import TransactionSim


class Markers(Enum):
    """How the partitions of a transaction take markers at its end."""

    WAIT = "they would wait for others: the coordinator is to end it"
    FAIL = "not all of them take theirs"
    WRITTEN = "all have theirs"


@dataclass
class Lent:
    """An id on loan."""

    transaction: Transaction
    connection: int


class DataPlane:
    """Who makes the plain steps."""

    def __init__(self, sim: TransactionSim) -> None:
        self._sim = sim
        self.lent: dict[str, Lent] = {}
        self.latest_connection = 0
        self.steps = 0
        """Requests that were answered without the coordinator."""

    # ---- what the coordinator says

    def lend(self, transaction: Transaction, connection: int) -> None:
        self.lent[transaction.transactional_id] = Lent(transaction, connection)

    def take_back(self, transactional_id: str) -> Changes | None:
        lent = self.lent.pop(transactional_id, None)
        if lent is None:
            return None
        found = lent.transaction
        self._sim.published.pop(found.producer_id, None)
        return Changes(
            found.producer_epoch,
            found.last_producer_epoch,
            found.previous_producer_id,
            found.state,
            sorted(found.partitions),
            found.start_timestamp,
            found.last_update_timestamp,
            found.client_transaction_version,
            lent.connection,
        )

    def overdue(self, now: int) -> Sequence[str]:
        return [
            name
            for name, lent in self.lent.items()
            if lent.transaction.state is TransactionState.ONGOING
            and not lent.transaction.is_two_phase
            and lent.transaction.start_timestamp + lent.transaction.timeout_ms < now
        ]

    def forget(self) -> int:
        self.lent.clear()
        return self.latest_connection

    # ---- what clients ask

    def answer(self, asked: Any) -> list[Any]:
        """The answer, if this is a plain step; empty when the coordinator is to decide."""
        if not isinstance(asked, AddPartitions | EndTransaction):
            return []
        self.latest_connection = max(self.latest_connection, asked.connection)
        lent = self.lent.get(asked.transactional_id)
        if lent is None or lent.transaction.is_ending or lent.connection > asked.connection > 0:
            return []
        found = lent.transaction
        if asked.producer != (found.producer_id, found.producer_epoch):
            return []
        answers = self._add(lent, asked) if isinstance(asked, AddPartitions) else self._end(lent, asked)
        if answers:
            self.steps += 1
            if asked.transaction_version < EPOCH_BUMP_VERSION:
                lent.connection = max(lent.connection, asked.connection)
        return answers

    def _add(self, lent: Lent, asked: AddPartitions) -> list[Any]:
        found = lent.transaction
        if found.state is TransactionState.ONGOING and asked.partitions <= found.partitions:
            return [None]
        added = found.with_partitions(asked.partitions, asked.transaction_version, self._sim.now)
        self._make_true(lent, added)
        if asked.transaction_version < EPOCH_BUMP_VERSION:
            partitions = tuple(asked.partitions)
            self._sim.perform(
                self._sim.shard, PartitionsAdded(asked.transactional_id, asked.producer, partitions)
            )
        return [None]

    def _end(self, lent: Lent, asked: EndTransaction) -> list[Any]:
        found = lent.transaction
        bumps = asked.transaction_version >= EPOCH_BUMP_VERSION
        markers = self._sim.markers_at_once()
        if (
            found.state is not TransactionState.ONGOING
            or (bumps and found.is_epoch_exhausted)
            or markers is Markers.WAIT
        ):
            return []
        version = asked.transaction_version if bumps else 0
        self._make_true(lent, found.prepared(asked.commit, version, NO_PRODUCER_ID, self._sim.now))
        self._sim.published.pop(found.producer_id, None)
        producer = ProducerIdAndEpoch(found.producer_id, lent.transaction.producer_epoch)
        partitions = sorted(found.partitions)
        for partition in partitions[:-1] if markers is Markers.FAIL else partitions:
            self._sim.markers[partition].append((producer, asked.commit))
        if markers is Markers.FAIL:
            return []
        self._make_true(lent, lent.transaction.completed(self._sim.now))
        return [producer if bumps else NOBODY]

    def _make_true(self, lent: Lent, step: Transaction) -> None:
        version = min(self._sim.machine.transactions.version(self._sim.context()), 1)
        record = encode_record(step.record(version))
        self._sim.log.append([EncodedBatch([record], 0, self._sim.now)])
        lent.transaction = step
