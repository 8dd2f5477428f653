"""What is known of one transactional id, and every step that it can take.

A `Transaction` is a value: a step gives the next one, which becomes true when its record is replayed.

Always true:
  the epoch of a producer id never goes back, and a producer is never given the epoch `EPOCH_MAX`, so that it
  can always be fenced
  a transaction in `PREPARE_COMMIT` is committed and one in `PREPARE_ABORT` is aborted, whatever comes after
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from barnabas.coordinator.machine import Record
from barnabas.errors import ProducerFenced
from barnabas.protocol.generated.transaction_log_key import TransactionLogKey
from barnabas.protocol.generated.transaction_log_value import PartitionsSchema, TransactionLogValue

TopicPartition = tuple[str, int]
"""(topic, partition)"""

NO_PRODUCER_ID = -1
NO_EPOCH = -1
NO_TIMESTAMP = -1
EPOCH_MAX = 32767
EPOCH_GIVEN_MAX = EPOCH_MAX - 1
"""Highest epoch that a producer is given; the one above it is left for fencing it."""
TIMEOUT_NEVER = 2**31 - 1
"""Timeout of a transaction whose end an outside coordinator decides (KIP-939)."""
PARTITION_SETS_MAX = 1024
"""Sets of partitions whose form in the log is remembered."""
EPOCH_BUMP_VERSION = 2
"""From this transaction.version on, the end of each transaction raises the epoch (KIP-890)."""


class TransactionState(IntEnum):
    """Kafka's states, with their numbers in the log."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7


STATE_NAMES = {
    TransactionState.EMPTY: "Empty",
    TransactionState.ONGOING: "Ongoing",
    TransactionState.PREPARE_COMMIT: "PrepareCommit",
    TransactionState.PREPARE_ABORT: "PrepareAbort",
    TransactionState.COMPLETE_COMMIT: "CompleteCommit",
    TransactionState.COMPLETE_ABORT: "CompleteAbort",
    TransactionState.DEAD: "Dead",
    TransactionState.PREPARE_EPOCH_FENCE: "PrepareEpochFence",
}
"""As DescribeTransactions and ListTransactions have them. Nothing rests in the last two: a transactional id
that expires is gone with its tombstone, and the fence is part of the abort that it leads to."""

_STATES = tuple(TransactionState)
_PREPARED = frozenset({TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT})
_AT_REST = frozenset(
    {TransactionState.EMPTY, TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT}
)


class Changes(NamedTuple):
    """What plain steps change of a transaction."""

    producer_epoch: int
    last_producer_epoch: int
    previous_producer_id: int
    state: int
    partitions: Sequence[TopicPartition]
    start_timestamp: int
    last_update_timestamp: int
    client_transaction_version: int
    connection: int
    """Number of the latest connection that the producer has used; 0 when none matters."""


class Transaction(NamedTuple):
    """One transactional id."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    state: TransactionState = TransactionState.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    """Of the ongoing or ending transaction."""
    previous_producer_id: int = NO_PRODUCER_ID
    """Before the last step: a producer whose epochs are used up may not know the new id yet."""
    next_producer_id: int = NO_PRODUCER_ID
    """While a transaction ends that has used up the epochs: the id that the producer goes on with."""
    last_producer_epoch: int = NO_EPOCH
    """Before the last bump, if the producer itself has asked for it, so that it may ask again. The log has no
    place for it: -1 after a load, as in Kafka."""
    start_timestamp: int = NO_TIMESTAMP
    last_update_timestamp: int = NO_TIMESTAMP
    client_transaction_version: int = 0
    """transaction.version that the last step was made with."""

    @property
    def is_ending(self) -> bool:
        """Whether its outcome is decided and its markers are still being written."""
        return self.state in _PREPARED

    @property
    def is_at_rest(self) -> bool:
        """Whether no transaction is open."""
        return self.state in _AT_REST

    @property
    def is_epoch_exhausted(self) -> bool:
        """Whether the producer id has no further epoch to give."""
        return self.producer_epoch >= EPOCH_GIVEN_MAX

    @property
    def is_two_phase(self) -> bool:
        """Whether an outside coordinator decides its end, however long that takes (KIP-939)."""
        return self.timeout_ms == TIMEOUT_NEVER

    # ---- steps

    def bumped(self, timeout_ms: int, expected_epoch: int | None, now: int) -> Transaction:
        """InitProducerId: the next epoch. With `expected_epoch` the producer says which one it has (KIP-360):
        its current one, or the one before when it has not heard of the bump. Raises ProducerFenced."""
        if expected_epoch is None:
            epoch, last = self.producer_epoch + 1, NO_EPOCH
        elif self.producer_epoch == NO_EPOCH or expected_epoch == self.producer_epoch:
            epoch, last = self.producer_epoch + 1, self.producer_epoch
        elif expected_epoch == self.last_producer_epoch:
            epoch, last = self.producer_epoch, self.last_producer_epoch
        else:
            raise ProducerFenced()
        assert epoch <= EPOCH_GIVEN_MAX, f"producer id {self.producer_id} has no epoch above {epoch - 1}"
        return self._emptied(self.producer_id, epoch, last, timeout_ms, now)

    def rotated(self, producer_id: int, timeout_ms: int, by_itself: bool, now: int) -> Transaction:
        """InitProducerId when the epochs are used up: another producer id. `by_itself`: the producer has said
        which epoch it has."""
        last = self.producer_epoch if by_itself else NO_EPOCH
        return self._emptied(producer_id, 0, last, timeout_ms, now)

    def _emptied(
        self, producer_id: int, epoch: int, last_epoch: int, timeout_ms: int, now: int
    ) -> Transaction:
        assert self.is_at_rest, f"{self.transactional_id} is {self.state.name}"
        return self._replace(
            state=TransactionState.EMPTY,
            previous_producer_id=self.producer_id,
            producer_id=producer_id,
            producer_epoch=epoch,
            last_producer_epoch=last_epoch,
            timeout_ms=timeout_ms,
            partitions=frozenset(),
            start_timestamp=NO_TIMESTAMP,
            last_update_timestamp=now,
        )

    def with_partitions(self, added: frozenset[TopicPartition], version: int, now: int) -> Transaction:
        """The transaction begins, or takes in more partitions."""
        assert not self.is_ending, f"{self.transactional_id} is {self.state.name}"
        ongoing = self.state is TransactionState.ONGOING
        return self._replace(
            state=TransactionState.ONGOING,
            previous_producer_id=self.producer_id,
            partitions=self.partitions | added if ongoing else added,
            start_timestamp=self.start_timestamp if ongoing else now,
            last_update_timestamp=now,
            client_transaction_version=version,
        )

    def prepared(self, commit: bool, version: int, next_producer_id: int, now: int) -> Transaction:
        """The outcome is decided. From transaction.version 2 on the epoch is raised with it; a transaction
        that nothing was added to may be aborted then as well."""
        ongoing = self.state is TransactionState.ONGOING
        assert ongoing or (self.is_at_rest and not commit and version >= EPOCH_BUMP_VERSION), self
        epoch, last = self.producer_epoch, self.last_producer_epoch
        if version >= EPOCH_BUMP_VERSION:
            epoch, last = min(epoch + 1, EPOCH_MAX), epoch
        return self._replace(
            state=TransactionState.PREPARE_COMMIT if commit else TransactionState.PREPARE_ABORT,
            previous_producer_id=self.producer_id,
            next_producer_id=next_producer_id,
            producer_epoch=epoch,
            last_producer_epoch=last,
            start_timestamp=self.start_timestamp if ongoing else now,
            last_update_timestamp=now,
            client_transaction_version=version,
        )

    def fenced(self) -> Transaction:
        """With an epoch that nobody is ever told, so that whoever has the current one is locked out. The
        abort by which older transaction versions fence; it goes into the log with the outcome."""
        epoch = min(self.producer_epoch + 1, EPOCH_MAX)
        return self._replace(producer_epoch=epoch, last_producer_epoch=NO_EPOCH)

    def completed(self, now: int) -> Transaction:
        """All markers are written."""
        assert self.is_ending, f"{self.transactional_id} is {self.state.name}"
        commit = self.state is TransactionState.PREPARE_COMMIT
        rotates = (
            self.client_transaction_version >= EPOCH_BUMP_VERSION and self.next_producer_id != NO_PRODUCER_ID
        )
        return self._replace(
            state=TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT,
            previous_producer_id=self.producer_id,
            producer_id=self.next_producer_id if rotates else self.producer_id,
            producer_epoch=0 if rotates else self.producer_epoch,
            next_producer_id=NO_PRODUCER_ID,
            partitions=frozenset(),
            last_update_timestamp=now,
        )

    def changed(self, changes: Changes) -> Transaction:
        """After steps that the data plane has made."""
        return self._replace(
            producer_epoch=changes.producer_epoch,
            last_producer_epoch=changes.last_producer_epoch,
            previous_producer_id=changes.previous_producer_id,
            state=_STATES[changes.state],
            partitions=frozenset(changes.partitions),
            start_timestamp=changes.start_timestamp,
            last_update_timestamp=changes.last_update_timestamp,
            client_transaction_version=changes.client_transaction_version,
        )

    # ---- the log

    def record(self, value_version: int) -> Record:
        """What makes this true when it is replayed."""
        partitions = None if self.state is TransactionState.EMPTY else _schema(self.partitions)
        value = TransactionLogValue(
            producer_id=self.producer_id,
            producer_epoch=self.producer_epoch,
            transaction_timeout_ms=self.timeout_ms,
            transaction_status=self.state,
            transaction_partitions=partitions,
            transaction_last_update_timestamp_ms=self.last_update_timestamp,
            transaction_start_timestamp_ms=self.start_timestamp,
        )
        if value_version >= 1:
            value.previous_producer_id = self.previous_producer_id
            value.next_producer_id = self.next_producer_id
            value.client_transaction_version = self.client_transaction_version
        return Record(TransactionLogKey(transactional_id=self.transactional_id), value, value_version)


@lru_cache(maxsize=PARTITION_SETS_MAX)
def _schema(partitions: frozenset[TopicPartition]) -> list[PartitionsSchema]:
    """As the record has them. Producers write to the same partitions again and again."""
    by_topic: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        by_topic.setdefault(topic, []).append(partition)
    return [PartitionsSchema(topic=topic, partition_ids=ids) for topic, ids in by_topic.items()]


def tombstone(transactional_id: str) -> Record:
    """The record that forgets a transactional id."""
    return Record(TransactionLogKey(transactional_id=transactional_id), None)


def loaded(before: Transaction | None, transactional_id: str, value: TransactionLogValue) -> Transaction:
    """The transaction as a record says. What the log leaves out comes from `before`, where that is known."""
    state = _STATES[value.transaction_status]
    previous = value.previous_producer_id
    if previous == NO_PRODUCER_ID and before is not None:
        previous = before.producer_id  # Version 0 of the value has no place for it.
    return Transaction(
        transactional_id=transactional_id,
        producer_id=value.producer_id,
        producer_epoch=value.producer_epoch,
        timeout_ms=value.transaction_timeout_ms,
        state=state,
        partitions=frozenset(
            (part.topic, partition)
            for part in value.transaction_partitions or ()
            for partition in part.partition_ids
        ),
        previous_producer_id=previous,
        next_producer_id=value.next_producer_id,
        start_timestamp=value.transaction_start_timestamp_ms,
        last_update_timestamp=value.transaction_last_update_timestamp_ms,
        client_transaction_version=value.client_transaction_version,
    )
