"""Transactional ids on loan: the data plane makes the plain steps of their transactions without asking
(partitions are added, the producer ends it, its markers are written).

An id is lent once everything that was decided about it is committed, and taken back before anything else is
decided about it. What the data plane has written meanwhile lies in the log, as if it had been decided here.

Always true:
  nothing is decided about an id while it is lent
  timers run for what is lent, as they do for open transactions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from barnabas.coordinator.transaction import markers
from barnabas.coordinator.transaction.state import NO_PRODUCER_ID, Changes, Transaction
from barnabas.coordinator.transaction.table import TIMEOUTS

if TYPE_CHECKING:
    from barnabas.coordinator.machine import Context, Outputs
    from barnabas.coordinator.transaction.table import Transactions


class Lend(NamedTuple):
    """Effect: the id may be lent, if this is still what is known of it."""

    transaction: Transaction


class Lending(Protocol):
    """The data plane."""

    def take_back(self, transactional_id: str) -> Changes | None:
        """What has become of an id, which is not lent any more; None when nothing has."""

    def overdue(self, now: int) -> Sequence[str]:
        """Lent ids whose transactions are open for longer than their producers have asked for."""


def offer(transactions: Transactions, transaction: Transaction, context: Context, out: Outputs) -> None:
    """Has an id lent when all that is put out until now is committed."""
    if transaction.is_ending or transaction.next_producer_id != NO_PRODUCER_ID:
        return
    transactions.start_timer(TIMEOUTS, context.configs.abort_interval_ms, context, out)
    out.effect(Lend(transaction))


def take_back(transactions: Transactions, transactional_id: str, context: Context, out: Outputs) -> bool:
    """Makes an id the coordinator's again. Whether its markers are sent: the data plane has committed an
    outcome, and could not write them all."""
    if transactional_id not in transactions.lent:
        return False
    changes = context.configs.lending.take_back(transactional_id)
    found = transactions.returned(transactional_id, changes)
    if not found.is_ending:
        return False
    markers.send(transactions, found, context, out)
    return True


def take_back_all(transactions: Transactions, context: Context, out: Outputs) -> bool:
    """The same for all ids."""
    sent = [take_back(transactions, one, context, out) for one in sorted(transactions.lent)]
    return any(sent)


def take_back_overdue(transactions: Transactions, context: Context, out: Outputs) -> None:
    """Makes those ids the coordinator's again whose transactions are open for too long."""
    for transactional_id in context.configs.lending.overdue(context.now) if transactions.lent else ():
        take_back(transactions, transactional_id, context, out)
