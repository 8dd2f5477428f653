"""The machine of one partition of `__transaction_state`.

Always true:
  the outcome of a transaction, once committed, never changes, and is carried to all its partitions
  a producer with an epoch that is over begins, adds to and ends nothing
  whoever asks for a transactional id while its transaction ends is told to ask again
  what the data plane has on loan (`lending`) is taken back before anything is decided about it
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from barnabas.coordinator.machine import Batch
from barnabas.coordinator.transaction import ending, lending, markers, partitions, producers
from barnabas.coordinator.transaction.requests import (
    AddPartitions,
    DescribeTransaction,
    EndTransaction,
    InitProducerId,
    ListTransactions,
    MarkersWritten,
    VerifyPartitions,
)
from barnabas.coordinator.transaction.state import EPOCH_BUMP_VERSION, STATE_NAMES, Transaction, tombstone
from barnabas.coordinator.transaction.table import EXPIRY, MARKERS, TIMEOUTS, Transactions
from barnabas.errors import KafkaError, TransactionalIdNotFound, UnknownServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.coordinator.machine import Call, Context, Outputs, Stored, Ticket, TimerKey

TOMBSTONE_BYTES_MAX = 16_384
"""Transactional ids that one batch of tombstones forgets, as bytes of their names."""


class TransactionMachine:
    """The transactions whose ids fall into one partition."""

    def __init__(self, latest_connection: int = 0) -> None:
        """`latest_connection`: the highest number of a connection that this process has heard of."""
        self.transactions = Transactions()
        self._latest_connection = latest_connection

    def replay(self, stored: Stored) -> None:
        """Applies a record."""
        self.transactions.replay(stored)

    def replay_transaction_end(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """Nothing here is part of a transaction itself."""

    def loaded(self, context: Context, out: Outputs) -> None:
        """Carries on with transactions that were ending, and watches over those that are open."""
        transactions = self.transactions
        for found in transactions.by_id.values():
            if found.client_transaction_version < EPOCH_BUMP_VERSION:
                # What its requests came by is forgotten: older connections are given up, to be safe.
                transactions.connections[found.transactional_id] = self._latest_connection + 1
        markers.send_all(transactions, context, out)
        if transactions.ongoing:
            transactions.start_timer(TIMEOUTS, context.configs.abort_interval_ms, context, out)
        transactions.start_timer(EXPIRY, context.configs.expiration_interval_ms, context, out)

    def handle(self, call: Call, context: Context, out: Outputs) -> None:
        """Decides a call; the types are in `requests`."""
        out.refused = partial(self._refused, call.ticket)
        goes_on = self._take_back(call.request, context, out)
        try:
            self._decide(call, context, out)
        except KafkaError as error:
            if not goes_on:
                raise
            out.fail(call.ticket, error)  # The markers are to be seen to all the same.

    def _take_back(self, request: Any, context: Context, out: Outputs) -> bool:
        """Makes what is asked about this machine's own again. Whether markers of it are sent."""
        match request:
            case ListTransactions():
                return lending.take_back_all(self.transactions, context, out)
            case MarkersWritten():
                return False  # Nothing is lent while it waits for markers.
            case _:
                return lending.take_back(self.transactions, request.transactional_id, context, out)

    def _decide(self, call: Call, context: Context, out: Outputs) -> None:
        transactions = self.transactions
        match call.request:
            case AddPartitions():
                partitions.add_partitions(transactions, call, context, out)
            case EndTransaction():
                ending.end_transaction(transactions, call, context, out)
            case MarkersWritten():
                markers.written(transactions, call, context, out)
            case VerifyPartitions():
                partitions.verify_partitions(transactions, call, context, out)
            case InitProducerId():
                producers.init_producer_id(transactions, call, context, out)
            case DescribeTransaction():
                out.respond(call.ticket, self._described(call.request))
            case ListTransactions():
                out.respond(call.ticket, list(self._listed(call.request, context.now)))
            case other:
                raise AssertionError(f"no call of transactions: {other}")

    def _refused(self, ticket: Ticket, _error: KafkaError, context: Context, out: Outputs) -> None:
        """The decision is not written (a transaction with too many partitions for one record): what was noted
        at once is taken back."""
        self.transactions.refused()
        for key in self.transactions.timers:
            out.set_timer(key, context.now)
        for transactional_id in list(self.transactions.markers):
            if not self.transactions.by_id[transactional_id].is_ending:
                del self.transactions.markers[transactional_id]
        out.fail(ticket, UnknownServerError())

    def expire(self, key: TimerKey, context: Context, out: Outputs) -> None:
        """One of the timers of `table` has come to its deadline."""
        transactions = self.transactions
        assert isinstance(key, str)
        transactions.timers.discard(key)
        if key == TIMEOUTS:
            ending.abort_timed_out(transactions, context, out)
        elif key == MARKERS:
            markers.retry(transactions, context, out)
        else:
            assert key == EXPIRY, key
            self._forget_expired(context, out)

    def metadata_changed(self, context: Context, out: Outputs) -> None:
        """A partition may have a leader again that had none."""
        if any(pending.waiting for pending in self.transactions.markers.values()):
            markers.retry(self.transactions, context, out)

    def _described(self, asked: DescribeTransaction) -> Transaction:
        found = self.transactions.by_id.get(asked.transactional_id)
        if found is None:
            raise TransactionalIdNotFound()
        pending = self.transactions.markers.get(asked.transactional_id)
        if found.is_ending and pending is not None:
            return found._replace(partitions=frozenset(pending.left))
        return found

    def _listed(self, asked: ListTransactions, now: int) -> Iterator[Transaction]:
        for found in self.transactions.by_id.values():
            if asked.producer_ids and found.producer_id not in asked.producer_ids:
                continue
            if asked.states is not None and STATE_NAMES[found.state] not in asked.states:
                continue
            if 0 <= asked.running_longer_than_ms >= now - found.start_timestamp:
                continue
            yield found

    def _forget_expired(self, context: Context, out: Outputs) -> None:
        size = TOMBSTONE_BYTES_MAX
        until = context.now - context.configs.expiration_ms
        for transactional_id in [
            one.transactional_id
            for one in self.transactions.by_id.values()
            if one.last_update_timestamp <= until
        ]:
            lending.take_back(self.transactions, transactional_id, context, out)
            found = self.transactions.by_id[transactional_id]
            if not found.is_at_rest or found.last_update_timestamp > until:
                continue
            if size >= TOMBSTONE_BYTES_MAX:
                out.batches.append(Batch([]))
                size = 0
            out.batches[-1].records.append(tombstone(found.transactional_id))
            size += len(found.transactional_id)
        self.transactions.start_timer(EXPIRY, context.configs.expiration_interval_ms, context, out)
