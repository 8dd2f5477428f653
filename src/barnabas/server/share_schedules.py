"""Fetching from share partitions whose group asks for more than Kafka: what there is is read into a schedule
first, and what the schedule gives is read once more, batch by batch.

Always true: a read that blocks the event loop is one of `READ_BYTES` at most, or of one batch.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from barnabas._core import share_records
from barnabas.coordinator.share import scheduling
from barnabas.coordinator.share.partition import ReadBatch
from barnabas.coordinator.share.schedule import RecordFacts, Schedule
from barnabas.errors import CorruptMessage, KafkaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.coordinator.share.partition import Acquired
    from barnabas.server.handlers.context import NodeContext
    from barnabas.server.share_partitions import LedPartition, SharePartitions

logger = logging.getLogger("barnabas.shares")

READ_BYTES = 256 * 1024
"""Bytes that are read into a schedule at once."""
LOG_START = -2
"""The timestamp that stands for it."""


async def read_in(
    node: NodeContext, partitions: SharePartitions, led: LedPartition, records_max: int
) -> None:
    """Reads what there is for a member that takes so many records, where there is a schedule; raises
    KafkaError."""
    has_moved = False
    while not led.is_gone and (schedule := _schedule(node, partitions, led)) is not None:
        has_moved |= led.partition.archive_gone(partitions.now())
        if schedule.has_enough(records_max) or not _read_some(node, partitions, led, schedule):
            # What was read is for this member; what time has brought about is for others too.
            partitions.changed(led, wakes=has_moved)
            return
        await asyncio.sleep(0)


def _schedule(node: NodeContext, partitions: SharePartitions, led: LedPartition) -> Schedule | None:
    policy = partitions.policies.of(led.key, partitions.settings())
    # Both clocks are cut to milliseconds: by one less nothing comes too early.
    return scheduling.follow(led.partition, policy, node.now() - partitions.now() - 1)


def _read_some(node: NodeContext, partitions: SharePartitions, led: LedPartition, schedule: Schedule) -> bool:
    """Whether there was something to read, and room for it."""
    limits = partitions.limits(led.key.group_id)
    committed = partitions.reads_committed(led.key.group_id)
    code, log_start = node.native.share_offset(*led.place, LOG_START, committed)
    if code:
        raise KafkaError.for_code(code)
    led.partition.log_begins_at(log_start)
    offset = scheduling.load_offset(led.partition, schedule, limits)
    if offset is None:
        return False
    code, _, _, data, batches = node.native.read_for_share(*led.place, offset, READ_BYTES, committed)
    if code:
        raise KafkaError.for_code(code)
    if not batches:
        return False
    try:
        records = [RecordFacts._make(record) for record in share_records(data)]
    except ValueError as error:
        logger.error(
            "%s has a batch at offset %d or behind it that can't be read: %s", led.key, offset, error
        )
        raise CorruptMessage() from None
    ends = [end for _, _, end, _ in batches]
    read = [
        (ReadBatch(base, last, aborted), end - begin)
        for (base, last, end, aborted), begin in zip(batches, [0, *ends], strict=False)
    ]
    scheduling.load(led.partition, schedule, read, records, limits)
    return True


def read_batches(
    node: NodeContext,
    led: LedPartition,
    schedule: Schedule,
    acquired: Sequence[Acquired],
    *,
    committed: bool,
) -> bytes:
    """The batches that hold what was acquired. One that is gone in the meantime is left out: its records are
    nowhere, and members say so."""
    found = []
    for base_offset in scheduling.batch_offsets(schedule, acquired):
        code, _, _, data, batches = node.native.read_for_share(*led.place, base_offset, 1, committed)
        if not code and batches and batches[0][0] == base_offset:
            found.append(data[: batches[0][2]])
    return b"".join(found)
