"""InitProducerId with a transactional id: who the producer is from now on, and nobody else any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.coordinator.transaction import ending, lending
from barnabas.coordinator.transaction.requests import ProducerIdAndEpoch
from barnabas.coordinator.transaction.state import (
    EPOCH_GIVEN_MAX,
    NO_EPOCH,
    Transaction,
    TransactionState,
)
from barnabas.errors import ConcurrentTransactions, ProducerFenced

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Call, Context, Outputs
    from barnabas.coordinator.transaction.requests import InitProducerId
    from barnabas.coordinator.transaction.table import Transactions


def init_producer_id(transactions: Transactions, call: Call, context: Context, out: Outputs) -> None:
    """Gives the producer the next epoch. An open transaction is aborted first, with an epoch that nobody is
    given; the client asks again until that is done."""
    asked: InitProducerId = call.request
    found = transactions.by_id.get(asked.transactional_id)
    if found is None:
        producer_id = context.configs.new_producer_id()
        found = Transaction(asked.transactional_id, producer_id, NO_EPOCH, asked.timeout_ms)
    if found.is_ending:
        raise ConcurrentTransactions()
    if asked.expected is not None and not _may_go_on(found, asked.expected):
        raise ProducerFenced()
    if found.state is TransactionState.ONGOING:
        ending.fence(transactions, found, context, out)
        out.fail(call.ticket, ConcurrentTransactions())
        return
    given = _given(found, asked, context)
    transactions.write(given, context, out)
    lending.offer(transactions, given, context, out)
    out.respond(call.ticket, ProducerIdAndEpoch(given.producer_id, given.producer_epoch))


def _may_go_on(found: Transaction, expected: ProducerIdAndEpoch) -> bool:
    """Whether the producer may be who it says (its epoch is looked at when it is bumped)."""
    if found.producer_epoch == NO_EPOCH or expected.producer_id == found.producer_id:
        return True
    # It has used up its epochs and may not have heard of the id that it was given then.
    return expected.producer_id == found.previous_producer_id and expected.producer_epoch >= EPOCH_GIVEN_MAX


def _given(found: Transaction, asked: InitProducerId, context: Context) -> Transaction:
    expected_epoch = None if asked.expected is None else asked.expected.producer_epoch
    if found.is_epoch_exhausted and expected_epoch in (None, found.producer_epoch):
        producer_id = context.configs.new_producer_id()
        return found.rotated(producer_id, asked.timeout_ms, expected_epoch is not None, context.now)
    return found.bumped(asked.timeout_ms, expected_epoch, context.now)
