"""The markers that carry a transaction's outcome to its partitions, and the end when all are written.

Always true:
  a transaction is complete only when each of its partitions has the marker, or is gone
  to each partition at most one write is under way
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from barnabas.coordinator.transaction.requests import (
    EndedUnmarked,
    MarkersWritten,
    ProducerIdAndEpoch,
    WriteMarkers,
)
from barnabas.coordinator.transaction.state import TopicPartition, Transaction, TransactionState
from barnabas.coordinator.transaction.table import MARKERS, PendingMarkers
from barnabas.protocol import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.coordinator.machine import Call, Context, Outputs, Record
    from barnabas.coordinator.transaction.table import Transactions

logger = logging.getLogger(__name__)

RETRY_MS = 100
"""Pause before a marker is tried again that could not be written."""

_WRITTEN = frozenset(
    {ErrorCode.NONE, ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT, ErrorCode.UNSUPPORTED_VERSION}
)
_OUT_OF_OFFICE = frozenset({ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED})
"""Somebody with a higher epoch has spoken to the partition: nothing this coordinator writes will be taken."""


def send(transactions: Transactions, prepared: Transaction, context: Context, out: Outputs) -> None:
    """Has the markers written of a transaction whose outcome is decided in this event, or was before the
    partition was loaded."""
    pending = PendingMarkers(prepared.last_update_timestamp, left=set(prepared.partitions))
    transactions.markers[prepared.transactional_id] = pending
    by_leader = _by_leader(transactions, pending, sorted(prepared.partitions), context, out)
    completed = None
    if len(by_leader) == 1 and not pending.waiting:
        # In most cases one node writes all of them at once: then this is what follows.
        pending.completed = transactions.as_record(prepared.completed(context.now), context)
        completed = pending.completed.record
    _send(prepared, pending, by_leader, completed, out)
    _complete_if_done(transactions, prepared, pending, context, out)


def send_all(transactions: Transactions, context: Context, out: Outputs) -> None:
    """After a load: has the markers written of all transactions whose outcome was decided before."""
    for transaction in list(transactions.by_id.values()):
        if transaction.is_ending:
            send(transactions, transaction, context, out)


def retry(transactions: Transactions, context: Context, out: Outputs) -> None:
    """Tries again what could not be written."""
    for transactional_id, pending in list(transactions.markers.items()):
        found = transactions.by_id.get(transactional_id)
        if not pending.waiting or found is None or not found.is_ending:
            continue
        waiting, pending.waiting = sorted(pending.waiting), set()
        by_leader = _by_leader(transactions, pending, waiting, context, out)
        _send(found, pending, by_leader, None, out)
        _complete_if_done(transactions, found, pending, context, out)


def written(transactions: Transactions, call: Call, context: Context, out: Outputs) -> None:
    """Hears what has become of markers."""
    result: MarkersWritten = call.request
    out.respond(call.ticket, None)
    markers = result.markers
    pending = transactions.markers.get(markers.transactional_id)
    found = transactions.by_id.get(markers.transactional_id)
    if pending is None or found is None or not found.is_ending or pending.prepared_at != markers.prepared_at:
        return
    for partition, code in zip(markers.partitions, result.errors, strict=True):
        if code in _WRITTEN:
            pending.left.discard(partition)
        elif code in _OUT_OF_OFFICE:
            logger.warning(
                "marker of transaction '%s' for partition %s-%s is refused with error %s: it stays open here",
                markers.transactional_id,
                *partition,
                code,
            )
            del transactions.markers[markers.transactional_id]
            return
        else:
            pending.waiting.add(partition)
    if pending.waiting:
        transactions.start_timer(MARKERS, RETRY_MS, context, out)
    _complete_if_done(transactions, found, pending, context, out)


def _by_leader(
    transactions: Transactions,
    pending: PendingMarkers,
    partitions: Iterable[TopicPartition],
    context: Context,
    out: Outputs,
) -> dict[int, list[TopicPartition]]:
    """The partitions that can be written to now, by their leaders' ids."""
    by_leader: dict[int, list[TopicPartition]] = {}
    for partition in partitions:
        leader = _leader(partition, context)
        if leader is None:
            pending.left.discard(partition)  # Deleted meanwhile, with all that was written to it.
        elif leader < 0:
            pending.waiting.add(partition)
        else:
            by_leader.setdefault(leader, []).append(partition)
    if pending.waiting:
        transactions.start_timer(MARKERS, RETRY_MS, context, out)
    return by_leader


def _send(
    prepared: Transaction,
    pending: PendingMarkers,
    by_leader: dict[int, list[TopicPartition]],
    completed: Record | None,
    out: Outputs,
) -> None:
    producer = ProducerIdAndEpoch(prepared.producer_id, prepared.producer_epoch)
    for leader, led in by_leader.items():
        out.effect(
            WriteMarkers(
                leader=leader,
                transactional_id=prepared.transactional_id,
                producer=producer,
                commit=prepared.state is TransactionState.PREPARE_COMMIT,
                transaction_version=prepared.client_transaction_version,
                partitions=tuple(led),
                prepared_at=pending.prepared_at,
                completed=completed,
            )
        )
    if not by_leader:
        out.effect(EndedUnmarked(producer))


def _leader(partition: TopicPartition, context: Context) -> int | None:
    """Id of the broker that leads the partition; -1 when none does, None when the partition is gone."""
    topic = context.image.topic(partition[0])
    found = None if topic is None else topic.partition(partition[1])
    return None if found is None else found.leader


def _complete_if_done(
    transactions: Transactions,
    prepared: Transaction,
    pending: PendingMarkers,
    context: Context,
    out: Outputs,
) -> None:
    if not pending.left:
        transactions.write(prepared.completed(context.now), context, out)
