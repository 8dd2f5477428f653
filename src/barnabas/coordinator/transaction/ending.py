"""How a transaction ends: by its producer (EndTxn), by the next one's fence, or by its timeout.

The outcome counts from the moment when its record is committed; the markers only carry it to the partitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.transaction import lending, markers
from barnabas.coordinator.transaction.requests import LATE, NOBODY, ProducerIdAndEpoch
from barnabas.coordinator.transaction.state import (
    EPOCH_BUMP_VERSION,
    EPOCH_GIVEN_MAX,
    NO_PRODUCER_ID,
    Transaction,
    TransactionState,
)
from barnabas.coordinator.transaction.table import TIMEOUTS
from barnabas.errors import (
    ConcurrentTransactions,
    InvalidProducerIdMapping,
    InvalidTxnState,
    KafkaError,
    ProducerFenced,
)

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs
    from barnabas.coordinator.transaction.requests import EndTransaction
    from barnabas.coordinator.transaction.table import Transactions


def end_transaction(transactions: Transactions, call: Call, context: Context, out: Outputs) -> None:
    """EndTxn. A client that asks again, since it has not heard the answer, is told what it missed."""
    asked: EndTransaction = call.request
    found = transactions.get(asked.transactional_id)
    if asked.transaction_version >= EPOCH_BUMP_VERSION:
        answer = _retried_or_refused(found, asked)
    else:
        answer = _done_or_refused(found, asked)
        if transactions.connections.get(asked.transactional_id, 0) > asked.connection > 0:
            # The epoch of this client does not change from one transaction to the next, so the request may
            # mean one that has ended already: without this, it would tear the one that is open now.
            out.respond(call.ticket, LATE)
            return
        if asked.connection:
            transactions.connections[asked.transactional_id] = asked.connection
    if answer is None:
        answer = _prepare(transactions, found, asked, context, out)
    out.respond(call.ticket, answer)


def _done_or_refused(found: Transaction, asked: EndTransaction) -> ProducerIdAndEpoch | None:
    """What EndTxn is answered below transaction version 2; None when the transaction is to be ended."""
    if found.producer_id != asked.producer.producer_id:
        raise InvalidProducerIdMapping()
    if found.producer_epoch != asked.producer.producer_epoch:
        raise ProducerFenced()
    if found.is_ending:
        raise ConcurrentTransactions()
    if found.state is TransactionState.ONGOING:
        return None
    if found.state is not _outcome(asked):
        raise InvalidTxnState()
    return NOBODY


def _retried_or_refused(found: Transaction, asked: EndTransaction) -> ProducerIdAndEpoch | None:
    """What EndTxn is answered from transaction version 2 on; None when the transaction is to be ended."""
    if found.is_ending:
        raise ConcurrentTransactions()
    producer_id, epoch = asked.producer
    # The epoch was raised with the end: whoever has the one before asks for the second time.
    again = found.producer_epoch == epoch + 1
    again_after_overflow = (
        found.previous_producer_id == producer_id and epoch == EPOCH_GIVEN_MAX and found.producer_epoch == 0
    )
    if found.producer_id != producer_id and not again_after_overflow:
        raise InvalidProducerIdMapping()
    completed = found.state in (TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT)
    again = (again or again_after_overflow) and completed
    if found.producer_epoch != epoch and not again:
        raise ProducerFenced()
    if found.state is TransactionState.ONGOING:
        return None
    if again:
        if found.state is not _outcome(asked):
            raise InvalidTxnState()
        return ProducerIdAndEpoch(found.producer_id, found.producer_epoch)
    if asked.commit:
        raise InvalidTxnState()
    return None  # Nothing was added, and the abort raises the epoch all the same.


def _outcome(asked: EndTransaction) -> TransactionState:
    return TransactionState.COMPLETE_COMMIT if asked.commit else TransactionState.COMPLETE_ABORT


def _prepare(
    transactions: Transactions, found: Transaction, asked: EndTransaction, context: Context, out: Outputs
) -> ProducerIdAndEpoch:
    version = asked.transaction_version if asked.transaction_version >= EPOCH_BUMP_VERSION else 0
    prepared = found.prepared(asked.commit, version, _next_producer_id(found, version, context), context.now)
    transactions.write(prepared, context, out)
    markers.send(transactions, prepared, context, out)
    if version < EPOCH_BUMP_VERSION:
        return NOBODY
    completed = prepared.completed(context.now)
    return ProducerIdAndEpoch(completed.producer_id, completed.producer_epoch)


def fence(transactions: Transactions, found: Transaction, context: Context, out: Outputs) -> None:
    """Aborts an ongoing transaction without its producer, whose epoch is over with it."""
    version = transactions.version(context)
    if version >= EPOCH_BUMP_VERSION:
        next_producer_id = _next_producer_id(found, version, context)
        prepared = found.prepared(False, version, next_producer_id, context.now)
    else:
        prepared = found.fenced().prepared(False, 0, NO_PRODUCER_ID, context.now)
    transactions.write(prepared, context, out)
    markers.send(transactions, prepared, context, out)


def _next_producer_id(found: Transaction, version: int, context: Context) -> int:
    if version < EPOCH_BUMP_VERSION or not found.is_epoch_exhausted:
        return NO_PRODUCER_ID
    producer_id: int = context.configs.new_producer_id()
    return producer_id


def abort_timed_out(transactions: Transactions, context: Context, out: Outputs) -> None:
    """Aborts what has been open for longer than its producer has asked for."""
    lending.take_back_overdue(transactions, context, out)
    for transactional_id in sorted(transactions.ongoing):
        found = transactions.by_id[transactional_id]
        if found.is_two_phase or found.start_timestamp + found.timeout_ms >= context.now:
            continue
        try:
            fence(transactions, found, context, out)
        except KafkaError:
            continue  # No producer id at hand to go on with: it is tried again the next time.
    if transactions.ongoing or transactions.lent:
        transactions.start_timer(TIMEOUTS, context.configs.abort_interval_ms, context, out)
