"""Partitions of a transaction: added by the client, or added and verified for the data plane (KIP-890)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.transaction import lending
from barnabas.coordinator.transaction.requests import LATE, PartitionsAdded
from barnabas.coordinator.transaction.state import EPOCH_BUMP_VERSION, Transaction, TransactionState
from barnabas.coordinator.transaction.table import TIMEOUTS
from barnabas.errors import ConcurrentTransactions, InvalidProducerIdMapping, ProducerFenced

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs
    from barnabas.coordinator.transaction.requests import (
        AddPartitions,
        ProducerIdAndEpoch,
        VerifyPartitions,
    )
    from barnabas.coordinator.transaction.table import Transactions


def add_partitions(transactions: Transactions, call: Call, context: Context, out: Outputs) -> None:
    """Adds to the transaction, which begins with its first partition."""
    asked: AddPartitions = call.request
    found = transactions.get(asked.transactional_id)
    if found.is_ending:
        raise ConcurrentTransactions()
    _check_producer(found, asked.producer)
    ongoing = found.state is TransactionState.ONGOING
    if not ongoing and transactions.connections.get(asked.transactional_id, 0) > asked.connection > 0:
        out.respond(call.ticket, LATE)  # It would begin a transaction that nobody ends.
        return
    if asked.connection:
        transactions.connections[asked.transactional_id] = asked.connection
    if not (ongoing and asked.partitions <= found.partitions):
        found = found.with_partitions(asked.partitions, asked.transaction_version, context.now)
        transactions.write(found, context, out)
        transactions.start_timer(TIMEOUTS, context.configs.abort_interval_ms, context, out)
        if asked.transaction_version < EPOCH_BUMP_VERSION:
            # Later clients add a partition with the question about its first batch: there is no other.
            added = tuple(asked.partitions)
            out.effect(PartitionsAdded(asked.transactional_id, asked.producer, added))
    lending.offer(transactions, found, context, out)
    out.respond(call.ticket, None)


def verify_partitions(transactions: Transactions, call: Call, context: Context, out: Outputs) -> None:
    """Which partitions belong to the ongoing transaction."""
    asked: VerifyPartitions = call.request
    found = transactions.get(asked.transactional_id)
    _check_producer(found, asked.producer)
    if found.is_ending:
        raise ConcurrentTransactions()
    lending.offer(transactions, found, context, out)
    out.respond(call.ticket, asked.partitions & found.partitions)


def _check_producer(found: Transaction, producer: ProducerIdAndEpoch) -> None:
    if found.producer_id != producer.producer_id:
        raise InvalidProducerIdMapping()
    if found.producer_epoch != producer.producer_epoch:
        raise ProducerFenced()
